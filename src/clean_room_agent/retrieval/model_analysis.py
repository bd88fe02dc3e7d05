"""Ask a model what a task is about: names to look up, which decide nothing by themselves.

Takes: a client, the task. Gives: a `Suggestion`. Does not know: the index, or what a name is
worth; `leads` looks each up and drops what is not there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from clean_room_agent.llm.answers import ask_typed
from clean_room_agent.llm.client import ModelClient
from clean_room_agent.prompts.judging import ANALYSIS_TEMPLATE
from clean_room_agent.records.calls import CallStage
from clean_room_agent.records.spelling import one_line
from clean_room_agent.retrieval.analysis import Mentions
from clean_room_agent.retrieval.cap import Cap
from clean_room_agent.retrieval.leads import Suggestion
from clean_room_agent.retrieval.model_judge import plain_warnings
from clean_room_agent.retrieval.prompting import Desk, JudgedTask
from clean_room_agent.retrieval.verdicts import NAMED_MOST, Named, named_schema
from clean_room_agent.retrieval.words import bounded

_NAME = re.compile(r"[^\W\d]\w*(?:(?:\.|::)[^\W\d]\w*)*\Z")
_PATH_CHARACTERS = 300
_NAME_SHOWN = 60
_SURE = Cap(NAMED_MOST, "as the model orders them", "bounded look-ups")


class ModelAnalyst:
    """Names what a task is about, in one call."""

    def __init__(self, client: ModelClient, task: JudgedTask) -> None:
        self._client = client
        self._task = task

    @property
    def name(self) -> str:
        return one_line(f"model/{self._client.choice(CallStage.ANALYSIS).model}")

    def suggest(self) -> Suggestion:
        """Ask; an answer that cannot be used suggests nothing and says so."""
        desk = Desk(self._client, self._task, CallStage.ANALYSIS, ANALYSIS_TEMPLATE)
        desk.room(desk.head(), b"")
        found = ask_typed(self._client, desk.plain_call(named_schema()), Named)
        warnings = plain_warnings(found.warnings, "analysis")
        if found.value is None:
            warnings.append("no usable analysis of the model: the task's own words alone")
            return Suggestion(_mentions((), ()), "", tuple(warnings))
        return _read(found.value, warnings)


def _read(named: Named, warnings: list[str]) -> Suggestion:
    """Keep what can be a name or a path; say what cannot."""
    names = [name.strip().removesuffix("()") for name in _first(named.identifiers, warnings)]
    paths = [path.strip() for path in _first(named.paths, warnings)]
    odd = [name for name in names if not _NAME.match(name)]
    odd += [path for path in paths if not 0 < len(path) <= _PATH_CHARACTERS]
    warnings += [
        f'the model named "{bounded(name, _NAME_SHOWN)}": no name; ignored' for name in odd
    ]
    search = " ".join(_first(named.search, warnings))
    mentions = _mentions(
        [path for path in paths if path not in odd], [name for name in names if name not in odd]
    )
    return Suggestion(mentions, search, tuple(warnings))


def _mentions(paths: Sequence[str], names: Sequence[str]) -> Mentions:
    """The names in the form that the index is asked in."""
    spelled = [name.replace("::", ".") for name in names]
    return Mentions(
        query="",
        title="",
        paths=tuple(dict.fromkeys(paths)),
        dotted=tuple(dict.fromkeys(name for name in spelled if "." in name)),
        identifiers=tuple(dict.fromkeys(name.rpartition(".")[2] for name in spelled)),
        frames=(),
        test_ids=(),
        error_lines=(),
    )


def _first(given: Sequence[str], warnings: list[str]) -> list[str]:
    said = _SURE.describe(len(given), "names of the model")
    warnings += [said] if said else []
    kept = _SURE.first(enumerate(given), lambda placed: (float(placed[0]),))
    return [one for _, one in kept]
