"""`cra solve` and `cra plan` in this process, with a model that answers from a script.

Takes: a temporary directory. Gives: `Bench`: a real repository, store, sandbox and client; only
the wire is a script. Does not know: what a test expects.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clean_room_agent.commands import plan as plan_command
from clean_room_agent.commands import solve as solve_command
from clean_room_agent.commands.invocation import Invocation
from clean_room_agent.errors import CraError
from clean_room_agent.llm.transports.scripted import ScriptedTransport
from clean_room_agent.llm.wire import WireRequest
from clean_room_agent.records.answers import Selection, Turn
from clean_room_agent.records.log import Attempt, Event
from clean_room_agent.store.raw_reader import RawReader
from tests.support.journey import BUGGY, FIXED, TASK, Journey, new_journey
from tests.support.scripted_models import Competent, stage_of

MODEL = ("models.backend=ollama", "coding.model=scripted", "reasoning.model=scripted")
OLD = "    return [base + (1 if index <= rest else 0) for index in range(people)]\n"
NEW = OLD.replace("<=", "<")
Implement = Callable[[WireRequest], str]


def block(search: str, replace: str, *, path: str = "money.py", summary: str = "an edit",
          new_files: Mapping[str, str] | None = None) -> str:  # fmt: skip
    """Write an answer of the implement stage."""
    files = [{"path": name, "content": text} for name, text in (new_files or {}).items()]
    edits = [{"path": path, "search": search, "replace": replace}] if search else []
    return json.dumps({"edits": edits, "new_files": files, "summary": summary})


GOOD = block(OLD, NEW, summary="compare strictly")
WRONG = block(OLD, OLD.replace("<= rest", "<= rest + 1"), summary="one more")
OTHER_WRONG = block(OLD, OLD.replace("1 if", "2 if"), summary="two each")


@dataclass
class Script:
    """A model that judges well and writes what `edits` says: one answer a turn, the last for ever.

    `others` answers the further stages: reflect, tests, select, plan. `seen` counts by stage.
    """

    edits: Iterable[str]
    others: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=lambda: {"money.py": BUGGY})
    after: Mapping[str, str] = field(default_factory=lambda: {"money.py": FIXED})
    seen: dict[str, int] = field(default_factory=dict)
    prompts: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._edits = list(self.edits)
        self._judge = Competent(self.before, self.after)

    def __call__(self, request: WireRequest) -> str:
        schema: Mapping[str, Any] = request.schema or {}
        asked = {"format": dict(schema), "messages": [{"content": request.prompt}]}
        stage = _stage(asked)
        self.prompts.setdefault(stage, []).append(request.prompt)
        self.seen[stage] = self.seen.get(stage, 0) + 1
        if stage == "implement":
            return self._edits[min(self.seen[stage], len(self._edits)) - 1]
        if stage in self.others:
            return self.others[stage]
        return self._judge(asked).text


def _stage(asked: dict[str, Any]) -> str:
    names = set(asked["format"].get("properties", {}))
    for key, stage in (("diagnosis", "reflect"), ("tests", "tests"), ("patch", "select")):
        if key in names:
            return stage
    return stage_of(asked)


@dataclass(frozen=True)
class Ended:
    """How a verb ended: its code, its document, the error if it raised one."""

    code: int
    document: dict[str, Any]
    error: CraError | None = None


class Bench:
    """One repository in which verbs are run with scripted models."""

    def __init__(self, folder: Path, files: Mapping[str, str | bytes] | None = None) -> None:
        self.journey: Journey = new_journey(folder, files)
        place = self.journey.root / ".clean_room"
        place.mkdir(mode=0o700)
        (self.journey.root / ".git" / "info" / "exclude").write_text("/.clean_room/\n")
        (place / "config.toml").write_text('[models]\nbackend = "none"\n')
        self.transport: ScriptedTransport | None = None

    def solve(self, script: Callable[[WireRequest], str] | None, *overrides: str,
              task: str = TASK, plan: str = "", fix: tuple[str, ...] = ()) -> Ended:  # fmt: skip
        request = solve_command.SolveRequest(
            text=task, test_command="pytest -q", fix=fix, dirty="include", apply_patch=False,
            plan=plan,
        )  # fmt: skip
        return self._run(lambda i: solve_command.solve(i, request), script, overrides)

    def plan(self, script: Callable[[WireRequest], str] | None, *overrides: str,
             task: str = TASK) -> Ended:  # fmt: skip
        return self._run(lambda i: plan_command.plan(i, task), script, overrides)

    def _run(
        self,
        verb: Callable[[Invocation], int],
        script: Callable[[WireRequest], str] | None,
        overrides: tuple[str, ...],
    ) -> Ended:
        model = MODEL if script is not None else ()
        self.transport = ScriptedTransport(script) if script is not None else None
        invocation = Invocation(
            directory=self.journey.root,
            json=True,
            overrides=(*model, *overrides),
            quiet=True,
            transport_override=(lambda _router: self.transport) if self.transport else None,
        )
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = verb(invocation)
            except CraError as error:
                return Ended(error.exit_code, {}, error)
        return Ended(code, json.loads(out.getvalue()))

    @contextlib.contextmanager
    def log(self) -> Iterator[RawReader]:
        with RawReader(self.journey.root) as reader:
            yield reader

    @property
    def task_id(self) -> str:
        with self.log() as reader:
            return reader.read_tasks(limit=1)[0].task.task_id

    def attempts(self) -> tuple[Attempt, ...]:
        with self.log() as reader:
            return reader.read_attempts(self.task_id)

    def turns(self, number: int = 0) -> tuple[Turn, ...]:
        llm = [a for a in self.attempts() if a.generator == "llm"]
        with self.log() as reader:
            return reader.read_turns(llm[number].attempt_id)

    def events(self, kind: str) -> tuple[Event, ...]:
        with self.log() as reader:
            return reader.read_events(task_id=self.task_id, kind=kind)

    def endings(self) -> list[str]:
        return [str(event.data["limit"]) for event in self.events("attempt.ended")]

    def selection(self) -> Selection:
        with self.log() as reader:
            return reader.read_selections(self.task_id)[-1]
