"""Selection among patches that all pass the repository's own tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clean_room_agent.errors import ConfigError
from clean_room_agent.llm.wire import WireRequest
from tests.pipeline.support import Bench, Script, block

SOURCE = "def clamp(value, low, high):\n    return max(low, value)\n"
LINE = "    return max(low, value)\n"
# Both pass the one test; only the first does what the task says.
RIGHT = LINE.replace("max(low, value)", "min(high, max(low, value))")
LUCKY = LINE.replace("max(low, value)", "high if value == 9 else max(low, value)")
TEST = (
    "from clamp import clamp\n\n\ndef test_high():\n    assert clamp(9, 0, 5) == 5\n\n\n"
    "def test_low():\n    assert clamp(-1, 0, 5) == 0\n"
)
TASK = "clamp(9, 0, 5) is 9: clamp ignores its upper bound"
FILES = {"clamp.py": SOURCE, "test_clamp.py": TEST}
GOOD = block(LINE, RIGHT, path="clamp.py", summary="right")
BAD = block(LINE, LUCKY, path="clamp.py", summary="lucky")
LLM = 'attempts.generators=["llm"]'


def blind(*bodies: str) -> str:
    tests = [
        {"name": f"test_n{i}", "code": f"from clamp import clamp\n\n\ndef test_n{i}():\n    {b}\n"}
        for i, b in enumerate(bodies)
    ]
    return json.dumps({"tests": tests})


def script(*edits: str, **others: str) -> Script:
    after = {"clamp.py": SOURCE.replace(LINE, RIGHT)}
    return Script(edits, others, before={"clamp.py": SOURCE}, after=after)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, FILES)


def test_generated_tests_that_no_patch_has_seen_decide(bench: Bench) -> None:
    tests = blind("assert clamp(7, 0, 5) == 5", "assert clamp(1, 0, 5) == 1", "assert nowhere")
    model = script(BAD, BAD, GOOD, tests=tests)
    ended = bench.solve(model, LLM, "attempts.selector=majority", task=TASK)
    assert ended.code == 0
    # The lucky patch has two votes of three and loses to what it does not pass.
    assert ended.document["summary"].endswith("right")
    scores = {s["votes"]: s for s in bench.selection().scores}
    assert scores[1]["tests"] == {"test_cra_n0.py": "passed", "test_cra_n2.py": "failed"}
    assert scores[2]["tests"] == {"test_cra_n0.py": "failed", "test_cra_n2.py": "failed"}
    # The one that passes on the base tells nothing, and the log says that it was dropped.
    warned = [event.data for event in bench.events("selection.warning")]
    assert warned[0]["test_cra_n1.py"] == "passed"
    # Blind: the prompt that asks for tests holds no text of a patch.
    assert all("min(high" not in p and "value == 9" not in p for p in model.prompts["tests"])
    assert not (Path(ended.document["worktree"]) / "test_cra_n0.py").exists()


def test_without_usable_tests_the_votes_decide(bench: Bench) -> None:
    model = script(BAD, GOOD, GOOD, tests="no tests today")
    ended = bench.solve(model, LLM, "attempts.selector=majority", task=TASK)
    assert ended.document["summary"].endswith("right")
    assert [s["votes"] for s in bench.selection().scores] == [2, 1]
    assert ended.document["selected_because"].startswith(
        "passes 0 of 0 generated tests, proposed 2"
    )


@pytest.mark.parametrize("wanted", ["right", "lucky"])
def test_the_model_chooses_whichever_it_names(bench: Bench, wanted: str) -> None:
    model = script(BAD, GOOD)

    def chooses(request: WireRequest) -> str:
        if "patch" not in (request.schema or {})["properties"]:
            return model(request)
        mark = "min(high" if wanted == "right" else "value == 9"
        before = request.prompt[: request.prompt.index(mark)]
        named = "p2" if 'id="p2"' in before else "p1"
        return json.dumps({"reason": "I like it", "patch": named})

    ended = bench.solve(chooses, LLM, "attempts.selector=model", "attempts.attempts=2", task=TASK)
    assert ended.document["summary"].endswith(wanted)
    assert bench.selection().request_id
    assert bench.selection().reason == "I like it"


def test_an_unusable_judgment_falls_to_the_test_order_with_a_warning(bench: Bench) -> None:
    judged = bench.solve(script(BAD, GOOD, select="both are fine"), LLM, "attempts.selector=model",
                         "attempts.attempts=2", task=TASK)  # fmt: skip
    assert bench.events("selection.warning")[0].data["instead"] == "tests"
    with bench.log() as reader:
        ranked = reader.read_patches(task_id=bench.task_id)
    assert judged.document["patch"] == min(ranked, key=lambda p: p.rank).diff.decode()


def test_one_patch_is_chosen_without_asking(bench: Bench) -> None:
    model = script(GOOD)
    ended = bench.solve(model, LLM, "attempts.selector=model", "attempts.attempts=1", task=TASK)
    assert ended.code == 0
    assert "select" not in model.seen


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (("attempts.selector=model",), "select"),
        (("attempts.plan=true",), "plan"),
        ((LLM,), "implement"),
    ],
)
def test_what_needs_a_model_is_refused_without_one(
    bench: Bench, overrides: tuple[str, ...], named: str
) -> None:
    ended = bench.solve(None, *overrides, task=TASK)
    assert ended.code == 3
    assert isinstance(ended.error, ConfigError)
    assert f"the stage {named} needs a model" in ended.error.message
    assert "[models]" in ended.error.hint


def test_an_unknown_generator_is_named(bench: Bench) -> None:
    ended = bench.solve(None, 'attempts.generators=["magic"]', task=TASK)
    assert ended.code == 3
    assert "magic" in str(ended.error)
