"""A model server that can do every verb on the money example, in ways a test chooses.

Takes: answers of the implement stage, a hook for single calls. Gives: `open_journey`, `serve`,
`settings`.
Does not know: the code under test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.support.journey import BUGGY, FIXED, TESTS, Journey, new_journey
from tests.support.model_server import Answer, ModelServer
from tests.support.scripted_models import Competent, stage_of

FILES = {
    "money.py": BUGGY,
    "test_money.py": TESTS,
    "shop.py": "from money import share\n\n\ndef split_bill(cents):\n    return share(cents, 2)\n",
}
OLD = "    return [base + (1 if index <= rest else 0) for index in range(people)]\n"
Hook = Callable[[str, int], Answer | None]


def block(new: str, *, summary: str = "an edit") -> str:
    """Write an answer of the implement stage."""
    edit = {"path": "money.py", "search": OLD, "replace": new}
    return json.dumps({"edits": [edit], "new_files": [], "summary": summary})


GOOD = block(OLD.replace("<=", "<"), summary="compare strictly")
WRONG = block(OLD.replace("<= rest", "<= rest + 1"), summary="one more")


def open_journey(folder: Path) -> Journey:
    """Make the money example with a shop, and its room."""
    journey = new_journey(folder, FILES)
    journey.ok("init", "--offline")
    return journey


class Money:
    """Answers each call by its stage; `hook(stage, number of such calls before)` goes first."""

    def __init__(self, edits: Iterable[str] = (GOOD,), hook: Hook | None = None) -> None:
        self._edits = list(edits)
        self._hook = hook
        self._judge = Competent({"money.py": BUGGY}, {"money.py": FIXED})
        self.seen: dict[str, int] = {}

    def __call__(self, body: dict[str, Any]) -> Answer:
        stage = stage_of(body)
        number = self.seen.get(stage, 0)
        self.seen[stage] = number + 1
        special = self._hook(stage, number) if self._hook else None
        if special is not None:
            return special
        if stage == "implement":
            return Answer(self._edits[min(number, len(self._edits) - 1)])
        if stage == "ask":
            cited = [{"path": "money.py", "start_line": 4, "end_line": 7}]
            return Answer(json.dumps({"claims": [{"text": "it splits", "citations": cited}]}))
        if stage == "enrich":
            told = {"purpose": "splits money", "concepts": ["cents"], "relations": []}
            return Answer(json.dumps(told))
        return self._judge(body)


def serve(model: Money, dialect: str = "ollama") -> ModelServer:
    return ModelServer(dialect, model, models={"tiny": 32768})


def settings(server: ModelServer, *more: str) -> list[str]:
    """Return the `-c` words under which `cra` asks this server, without the timed search."""
    words = (
        f'models.backend="{server.dialect}"',
        f'models.base_url="{server.base_url}"',
        'coding.model="tiny"',
        'reasoning.model="tiny"',
        "reasoning.max_output_tokens=512",
        "coding.max_output_tokens=512",
        "models.retries=0",
        'attempts.generators=["llm"]',
        *more,
    )
    return [part for word in words for part in ("-c", word)]
