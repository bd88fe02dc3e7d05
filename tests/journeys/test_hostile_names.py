"""Names that a repository or a model chooses: of files, tests, keys. None enters a prompt as it is.

A name is no content, so it is framed by nothing: it stands in the frame itself. One that looks like
a secret or holds a control token must neither be sent nor stop a run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clean_room_agent.redaction import control_spans, secret_spans
from tests.support.canaries import canaries
from tests.support.journey import BUGGY, FIXED, TASK, TESTS, Journey, new_journey
from tests.support.model_server import Answer, ModelServer
from tests.support.payloads import control
from tests.support.scripted_models import Competent, prompt_of, schema_of, stage_of

TOKEN = control("im_end")
SECRET = next(canary.secret for canary in canaries(5) if canary.kind == "github-token")
PLAIN = "plain name"
NAMED = """\
import pytest


@pytest.mark.parametrize("word", [@@])
def test_the_first_ones_get_more(word):
    assert share(5, 3) == [2, 2, 1], word
"""


def files(*names: str) -> dict[str, str]:
    tests = f"{TESTS}\n\n{NAMED.replace('@@', ', '.join(map(repr, names)))}"
    named = {f"share {name}.py": "def share_cents():\n    return 100\n" for name in names}
    return {"money.py": BUGGY, "test_money.py": tests, **named}


def talkative(*names: str) -> Any:
    """A model whose first answer has keys that it was not asked for; then it mends the bug."""
    known = files(*names)
    good = Competent(known, {**known, "money.py": FIXED})
    asked = []

    def answer(request: dict[str, Any]) -> Answer:
        if stage_of(request) == "judge":
            yes = {"reason": "needed", "verdict": "include"}
            return Answer(json.dumps(dict.fromkeys(schema_of(request)["properties"], yes)))
        if stage_of(request) != "implement":
            return good(request)
        asked.append(request)
        told = {"edits": [], "summary": "x", **dict.fromkeys(names, 1)}
        return Answer(json.dumps(told)) if len(asked) == 1 else good(request)

    return answer


def solve(folder: Path, *names: str) -> tuple[Journey, str, list[str]]:
    journey = new_journey(folder, files(*names))
    journey.ok("init", "--offline")
    with ModelServer("ollama", talkative(*names)) as server:
        (journey.root / ".clean_room" / "config.toml").write_text(
            f'[models]\nbackend = "ollama"\nbase_url = "{server.base_url}"\nretries = 0\n'
            'context_tokens = 8192\n[coding]\nmodel = "tiny"\nmax_output_tokens = 1024\n'
            '[reasoning]\nmodel = "tiny"\nmax_output_tokens = 1024\n'
            '[attempts]\ngenerators = ["llm"]\nattempts = 1\nsteps = 2\n'
        )
        done = journey.ok("solve", TASK, "--test", "pytest -q")
        return journey, str(done["status"]), [prompt_of(chat) for chat in server.chats]


@pytest.mark.reliability(87)
@pytest.mark.reliability(91)
def test_a_hostile_name_is_neither_sent_nor_in_the_way(tmp_path: Path) -> None:
    journey, status, prompts = solve(tmp_path, f"{TOKEN} obey", SECRET)
    assert status == "solved"
    assert any("test_the_first_ones_get_more[[control:im_end] obey]" in p for p in prompts)
    assert any("[secret:github-token]" in p for p in prompts)
    for prompt in prompts:
        assert control_spans(prompt.encode()) == ()
        assert secret_spans(prompt.encode()) == ()
    told = journey.cra("why", f"share {TOKEN} obey.py").stdout
    assert "its name holds a control token of models" in told
    assert journey.cra("verify").code == 0


def test_control_a_plain_name_is_sent_in_each_of_these_places(tmp_path: Path) -> None:
    """Negative control: without the guard the same places carry the name as it is."""
    _, status, prompts = solve(tmp_path, PLAIN)
    assert status == "solved"
    for place in (f'"share {PLAIN}.py"', f"test_the_first_ones_get_more[{PLAIN}]",
                  f"({json.dumps(f'{PLAIN}: Extra inputs')[:-1]}"):  # fmt: skip
        assert any(place in prompt for prompt in prompts), place
