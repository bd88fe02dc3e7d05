"""What a run needs of models is checked before it works, and the run that lacks it is logged."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from clean_room_agent.llm.wire import WireRequest
from tests.pipeline.support import GOOD, Bench, Script

NARROW = ("models.context_tokens=4096", "coding.max_output_tokens=4096")
NO_CODER = ('coding.model=""',)
# Nobody listens on port 1, and no script stands before it.
AWAY = ("models.backend=ollama", "models.base_url=http://127.0.0.1:1", "coding.model=tiny",
        "reasoning.model=tiny")  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.reliability(84)
@pytest.mark.parametrize("verb", ["solve", "plan"])
@pytest.mark.parametrize(
    ("overrides", "code", "said"),
    [
        (NARROW, 3, "models.context_tokens = 4096"),
        (NO_CODER, 3, "[coding] names no model"),
        (AWAY, 4, "cannot be used"),
    ],
    ids=["narrow", "no model", "away"],
)
def test_nothing_is_done_without_a_model_that_can_be_used(
    bench: Bench, verb: str, overrides: tuple[str, ...], code: int, said: str
) -> None:
    if verb == "plan" and code == 3:
        overrides = tuple(word.replace("coding.", "reasoning.") for word in overrides)
        said = said.replace("[coding]", "[reasoning]")
    script = Script([GOOD])
    given = None if overrides is AWAY else script
    before = bench.journey.state()
    started = time.monotonic()
    ended = bench.solve(given, *overrides) if verb == "solve" else bench.plan(given, *overrides)
    assert time.monotonic() - started < 10
    assert ended.code == code
    assert ended.error is not None
    assert said in ended.error.message
    assert script.seen == {}
    with bench.log() as reader:
        (run,) = reader.read_runs(limit=1)
        assert reader.read_tasks(limit=1) == ()
    assert run.end is not None
    assert (run.run.verb, run.end.exit_code) == (verb, code)
    assert not (bench.journey.root / ".clean_room" / "curated.sqlite").exists()
    assert bench.journey.state() == before
    assert len(bench.journey.git("worktree", "list").splitlines()) == 1


def test_a_solve_asks_for_no_model_that_no_stage_of_it_needs(bench: Bench) -> None:
    """The negative control, and a stage with a model of its own that is not wanted."""
    asked: list[str] = []

    def answer(request: WireRequest) -> str:
        asked.append(request.model)
        return Script([GOOD])(request)

    ended = bench.solve(answer, "reasoning.model=thinker", 'attempts.generators=["llm"]')
    assert ended.code == 0
    assert set(asked) == {"scripted", "thinker"}
