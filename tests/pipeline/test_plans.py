"""Plans: written, checked, taken up by a solve, refused when they do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clean_room_agent.commands.invocation import Invocation
from clean_room_agent.commands.plan import find_plan
from clean_room_agent.errors import ConfigError, UsageError
from tests.pipeline.support import GOOD, Bench, Script
from tests.support.journey import FIXED

LLM = 'attempts.generators=["llm"]'


def answer(path: str = "money.py", symbol: str = "share", action: str = "modify") -> str:
    step = {"action": action, "path": path, "symbol": symbol, "intent": "compare strictly"}
    return json.dumps({"summary": "one cent too many", "steps": [step]})


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_plan_is_logged_and_shown_to_the_solve_that_takes_it_up(bench: Bench) -> None:
    before = bench.journey.state()
    planned = bench.plan(Script([], {"plan": answer()}))
    assert planned.code == 0
    assert planned.document["steps"][0]["symbol"] == "share"
    plan_id = planned.document["plan_id"]
    with bench.log() as reader:
        (logged,) = reader.read_plans(bench.task_id)
    assert (logged.plan_id, logged.plan.summary) == (plan_id, "one cent too many")
    assert bench.journey.state() == before
    script = Script([GOOD])
    solved = bench.solve(script, LLM, plan="last")
    assert solved.code == 0
    assert "one cent too many" in script.prompts["implement"][0]
    assert bench.attempts()[0].limits["plan_id"] == plan_id
    assert bench.events("task.plan")[0].data["plan_id"] == plan_id
    for word in (plan_id, plan_id[:-3]):
        assert find_plan(Invocation(bench.journey.root, json=True), word) == logged


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (answer(path="cents.py"), 'there is no file "cents.py"'),
        (answer(symbol="split"), 'there is no symbol "split"'),
        (answer(path="../out.py", symbol="", action="add"), "leaves the tree"),
        ("a plan in prose", "Invalid JSON"),
    ],
)
def test_a_plan_whose_targets_do_not_exist_is_refused(bench: Bench, text: str, reason: str) -> None:
    script = Script([], {"plan": text})
    ended = bench.plan(script)
    assert (ended.code, ended.document["status"]) == (1, "no_plan")
    assert reason in ended.document["reason"]
    # One repair and no more.
    assert script.seen["plan"] == 2
    assert bench.events("plan.refused")[0].data["problem"] == ended.document["reason"]
    with bench.log() as reader:
        assert reader.read_plans(bench.task_id) == ()


def test_a_plan_that_does_not_fit_any_more_is_refused(bench: Bench) -> None:
    assert bench.plan(Script([], {"plan": answer()})).code == 0
    bench.journey.commit({"money.py": FIXED.replace("def share", "def split")})
    ended = bench.solve(Script([GOOD]), plan="last")
    assert isinstance(ended.error, UsageError)
    assert ended.code == 2
    assert 'no symbol "share"' in ended.error.message
    assert "cra plan" in ended.error.hint


def test_an_unknown_plan_and_no_model_are_said_at_once(bench: Bench) -> None:
    unknown = bench.solve(Script([GOOD]), plan="last")
    assert unknown.code == 2
    assert "there is no plan 'last'" in str(unknown.error)
    without = bench.plan(None)
    assert without.code == 3
    assert isinstance(without.error, ConfigError)
    assert 'backend = "ollama"' in without.error.hint


def test_the_configuration_may_ask_for_a_plan_first(bench: Bench) -> None:
    script = Script([GOOD], {"plan": answer()})
    assert bench.solve(script, LLM, "attempts.plan=true").code == 0
    assert "one cent too many" in script.prompts["implement"][0]
    bad = Script([GOOD], {"plan": "none"})
    ended = bench.solve(bad, LLM, "attempts.plan=true")
    assert ended.code == 0
    assert len(bench.events("plan.refused")) == 1
    assert bench.attempts()[0].limits["plan_id"] == ""
