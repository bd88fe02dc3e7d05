"""A real llama.cpp server with a model of random weights drives every verb that asks a model.

The model was made a moment ago and knows nothing. Under a schema its answers are well-formed and
worthless: the pipeline must stay correct, bounded and traced, and say truthfully what came of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import real_server, tiny_model
from tests.support.journey import TASK, Journey, new_journey

WINDOW = 12_288


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[real_server.RealServer]:
    model = tiny_model.cached(tmp_path_factory.getbasetemp())
    with real_server.running(model.gguf, context=WINDOW, slots=1) as server:
        yield server


@pytest.fixture
def journey(tmp_path: Path, served: real_server.RealServer) -> Journey:
    made = new_journey(tmp_path)
    made.ok("init", "--offline")
    config = made.root / ".clean_room" / "config.toml"
    config.write_text(
        "[models]\n"
        'backend = "llamacpp"\n'
        f'base_url = "{served.address}"\n'
        f"context_tokens = {WINDOW}\n"
        '[coding]\nmodel = "tiny"\nmax_output_tokens = 600\n'
        '[reasoning]\nmodel = "tiny"\nmax_output_tokens = 1500\n'
        '[attempts]\ngenerators = ["llm"]\nattempts = 1\nsteps = 2\n',
        "utf-8",
    )
    return made


def test_what_the_server_serves_is_told(journey: Journey) -> None:
    found = journey.ok("models")
    assert {m["served_context_tokens"] for m in found["models"]} == {WINDOW}
    assert {m["token_counts"] for m in found["models"]} == {"exact (server)"}


@pytest.mark.reliability(86)
def test_worthless_judgments_leave_a_whole_room_in_which_all_is_decided(journey: Journey) -> None:
    found = journey.ok("context", TASK, "--all")
    assert found["tokens"] <= found["budget_tokens"]
    traced = journey.ok("trace", found["task_id"])
    asked = [c for c in traced["calls"] if c["stage"] in ("scope", "precision")]
    assert asked
    assert all(call["tokens"] > 0 for call in asked)
    assert journey.cra("verify").code == 0
    again = journey.cra("replay", found["task_id"])
    assert again.code == 0, again.stdout + again.stderr


def test_a_model_that_knows_nothing_does_not_solve_and_the_verdict_says_so(
    journey: Journey,
) -> None:
    before = journey.state()
    done = journey.cra("solve", TASK, "--test", "pytest -q", "--json")
    assert done.code in (1, 5), done.stdout + done.stderr
    assert done.document["status"] == "not_solved"
    assert journey.state() == before
    stages = {c["stage"] for c in journey.ok("trace", done.document["task_id"])["calls"]}
    # Where its judgments let in nothing, the attempt says so and writes no edit blindly.
    said = done.document["reason"] + done.document["stopped"]
    assert "implement" in stages or "let in" in said or "empty" in said, (stages, said)
    assert "scope" in stages
    assert journey.cra("verify").code == 0


def test_plan_ask_and_enrich_end_truthfully_and_bounded(journey: Journey) -> None:
    plan = journey.cra("plan", TASK, "--json")
    assert plan.code in (0, 1), plan.stderr
    ask = journey.cra("ask", "How is a total split?", "--json")
    assert ask.code in (0, 1), ask.stderr
    if ask.code == 0:  # whatever it says, each printed claim cites lines that were shown
        assert all(claim["citations"] for claim in ask.document["claims"] if not claim["refused"])
    enrich = journey.cra("enrich", "--json")
    assert enrich.code in (0, 1), enrich.stderr
    assert journey.cra("verify").code == 0
    used = [call for run in ("plan", "ask", "enrich") for call in calls_of(journey, run)]
    assert len(used) >= 3


def calls_of(journey: Journey, verb: str) -> list[dict[str, object]]:
    run_id = journey.ok("runs", "--verb", verb)["runs"][0]["run_id"]
    calls = journey.ok("trace", run_id)["calls"]
    assert isinstance(calls, list)
    return calls


def test_solve_with_the_templates_behind_it_still_repairs(journey: Journey) -> None:
    done = journey.cra(
        "solve", TASK, "--test", "pytest -q", "--json",
        "-c", 'attempts.generators=["llm", "templates"]', "-c", "solve.seconds=20",
    )  # fmt: skip
    assert done.code == 0, done.stdout + done.stderr
    assert done.document["status"] == "solved"
