"""`cra resume`: killed in the middle of calls, it goes on; what was answered is not asked again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.journey import TASK, Journey
from tests.support.model_server import Answer, Fault, ModelServer, Trouble, server_error
from tests.support.replayed import GOOD, WRONG, Hook, Money, open_journey, serve, settings
from tests.support.scripted_models import prompt_of, stage_of

SOLVE = ("solve", TASK, "--test", "pytest -q")
HANG = Answer("...", fault=Fault(Trouble.HANG, after=1))
PLAN = ("plan", TASK)


@pytest.fixture
def journey(tmp_path: Path) -> Journey:
    return open_journey(tmp_path)


def hang_at(stage: str, *numbers: int) -> Hook:
    """Say a little and then nothing, at the n-th calls of a stage."""
    return lambda asked, number: HANG if asked == stage and number in numbers else None


def either(*hooks: Hook) -> Hook:
    return lambda asked, number: next(filter(None, (hook(asked, number) for hook in hooks)), None)


def asked(server: ModelServer) -> Counter[str]:
    return Counter(stage_of(body) for body in server.chats)


@contextmanager
def working(journey: Journey, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `cra` beside the test; it is killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "clean_room_agent", *words],
        cwd=journey.root,
        env=journey.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


def wait_for(what: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + 60
    while not what():
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < ends, "the call was never made"
        time.sleep(0.02)


def stop_in_call(
    journey: Journey,
    server: ModelServer,
    words: tuple[str, ...],
    stage: str,
    count: int,
    how: signal.Signals = signal.SIGKILL,
) -> int:
    """Start a verb, send a signal in the middle of the `count`-th call of a stage."""
    before = asked(server)[stage]
    with working(journey, *words) as process:
        wait_for(lambda: asked(server)[stage] >= before + count, process)
        process.send_signal(how)
        return process.wait(timeout=60)


def runs(journey: Journey, verb: str = "plan") -> list[str]:
    return [run["run_id"] for run in journey.ok("runs", "--verb", verb)["runs"]]


@pytest.mark.reliability(84)
def test_a_solve_killed_in_a_call_goes_on_and_asks_nothing_twice(journey: Journey) -> None:
    with serve(Money([WRONG, GOOD], hang_at("implement", 1))) as server:
        words = (*SOLVE, *settings(server))
        assert stop_in_call(journey, server, words, "implement", 2) == -signal.SIGKILL
        first = asked(server)
        assert journey.ok("verify")["clean"]
        done = journey.ok("resume")
        after = asked(server)
    assert done["status"] == "solved"
    assert done["resumed"] == {"run_id": runs(journey, "solve")[-1], "reused": 4}
    assert first == Counter({"analysis": 1, "judge": 2, "implement": 2})
    # Asked again: only the call that was never answered.
    assert after - first == Counter({"implement": 1})
    verified = journey.ok("verify")
    assert verified["clean"] and verified["unfinished"] == []
    journey.ok("gc")
    assert not journey.ok("gc", "--dry-run")["leftovers"]


@pytest.mark.reliability(84)
@pytest.mark.parametrize(
    ("how", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["term", "int"]
)
def test_an_interrupted_run_goes_on(journey: Journey, how: signal.Signals, code: int) -> None:
    with serve(Money(hook=hang_at("plan", 0))) as server:
        words = (*PLAN, *settings(server))
        assert stop_in_call(journey, server, words, "plan", 1, how) == code
        (run,) = journey.ok("runs", "--verb", "plan")["runs"]
        assert run["exit_code"] == code
        done = journey.ok("resume")
    assert done["status"] == "planned" and done["resumed"]["reused"] == 3
    assert asked(server) == Counter({"analysis": 1, "judge": 2, "plan": 2})


def test_killed_before_its_package_was_logged_is_unfinished_and_resumes(journey: Journey) -> None:
    with serve(Money(hook=hang_at("judge", 1))) as server:
        stop_in_call(journey, server, (*PLAN, *settings(server)), "judge", 2)
        verified = journey.ok("verify")
        assert verified["clean"] and len(verified["unfinished"]) == 1
        assert verified["unanswered"] == 1
        done = journey.ok("resume")
    assert done["status"] == "planned" and done["resumed"]["reused"] == 2
    assert asked(server) == Counter({"analysis": 1, "judge": 3, "plan": 1})


def test_both_replay_the_killed_run_as_far_as_it_came(journey: Journey) -> None:
    with serve(Money(hook=hang_at("plan", 0))) as server:
        stop_in_call(journey, server, (*PLAN, *settings(server)), "plan", 1)
        journey.ok("resume")
    resumed, killed = runs(journey)
    for run_id, cut in ((resumed, False), (killed, True)):
        found = journey.ok("replay", run_id)
        assert (found["diverged"], found["cut_short"], found["calls"]) == (False, cut, 4)


def test_stopped_twice_keeps_the_answers_of_both(journey: Journey) -> None:
    with serve(Money(hook=either(hang_at("judge", 1), hang_at("plan", 0)))) as server:
        stop_in_call(journey, server, (*PLAN, *settings(server)), "judge", 2)
        stop_in_call(journey, server, ("resume",), "plan", 1)
        done = journey.ok("resume")
    assert done["status"] == "planned" and done["resumed"]["reused"] == 3
    assert asked(server) == Counter({"analysis": 1, "judge": 3, "plan": 2})
    assert journey.ok("verify")["clean"]


@pytest.mark.reliability(84)
def test_a_server_that_fails_in_the_middle_costs_an_exit_code_and_no_answer(
    journey: Journey,
) -> None:
    def fails(stage: str, number: int) -> Answer | None:
        return Answer(fault=server_error()) if (stage, number) == ("plan", 0) else None

    with serve(Money(hook=fails)) as server:
        failed = journey.cra(*PLAN, *settings(server))
        assert failed.code == 4
        assert f"cra resume {runs(journey)[0]}" in failed.stderr
        done = journey.cra("resume")
    assert done.code == 0
    assert "3 of 3 answered calls reused" in done.stdout
    assert f"with the settings of that run; ollama at {server.base_url}" in done.stderr
    assert asked(server) == Counter({"analysis": 1, "judge": 2, "plan": 2})


def test_an_interruption_names_how_to_go_on(journey: Journey) -> None:
    with (
        serve(Money(hook=hang_at("plan", 0))) as server,
        working(journey, *PLAN, *settings(server)) as process,
    ):
        wait_for(lambda: asked(server)["plan"] >= 1, process)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)[1].decode()
    assert f"next:  cra resume {runs(journey)[0]}" in told


def test_a_resume_that_never_got_to_ask_claims_no_reuse(journey: Journey) -> None:
    with serve(Money(hook=hang_at("plan", 0))) as server:
        stop_in_call(journey, server, (*PLAN, *settings(server)), "plan", 1)
    done = journey.cra("resume", "-c", 'models.base_url="http://models.example:1"')
    assert done.code == 3 and "reused" not in done.stdout
    assert "; -c models.base_url=" in done.stderr


def test_a_server_at_another_address_takes_over(journey: Journey) -> None:
    """The address of the server changes no prompt: what is configured now is asked."""
    with serve(Money(hook=hang_at("plan", 0))) as server:
        stop_in_call(journey, server, (*PLAN, *settings(server)), "plan", 1)
    with serve(Money()) as other:
        done = journey.ok("resume", "last", "-c", f'models.base_url="{other.base_url}"')
    assert done["status"] == "planned"
    assert asked(other) == Counter({"plan": 1})


def test_changed_code_is_asked_about_anew(journey: Journey) -> None:
    """An answer belongs to a prompt: where that differs, the model is asked again."""
    with serve(Money(hook=hang_at("plan", 0))) as server:
        stop_in_call(journey, server, (*PLAN, *settings(server)), "plan", 1)
        money = journey.root / "money.py"
        money.write_text(money.read_text().replace("people", "guests"))
        done = journey.ok("resume")
    assert done["status"] == "planned" and done["resumed"]["reused"] < 3
    assert any("guests: int" in prompt_of(body) for body in server.chats)


def test_what_is_finished_or_at_work_is_not_resumed(journey: Journey) -> None:
    with serve(Money(hook=hang_at("plan", 1))) as server:
        words = (*PLAN, *settings(server))
        journey.ok(*words)
        done = journey.cra("resume")
        assert done.code == 2 and "every run is finished" in done.stderr
        named = journey.cra("resume", runs(journey)[0])
        assert named.code == 2 and "is finished (planned)" in named.stderr
        with working(journey, *words) as process:
            wait_for(lambda: asked(server)["plan"] == 2, process)
            at_work = runs(journey)[0]
            busy = journey.cra("resume", at_work)
            assert busy.code == 2 and "still at work" in busy.stderr
            assert journey.cra("resume").code == 2
        assert journey.ok("resume", at_work)["status"] == "planned"
        again = journey.cra("resume", at_work)
        assert again.code == 2 and "nothing is left to resume" in again.stderr


def test_a_description_is_not_asked_for_twice(journey: Journey) -> None:
    """What a killed enrich answered and logged is described; the rest goes on."""
    with serve(Money(hook=hang_at("enrich", 1))) as server:
        stop_in_call(journey, server, ("enrich", *settings(server)), "enrich", 2)
        done = journey.ok("resume")
    assert done["remaining"] == 0
    assert asked(server)["enrich"] == done["total"] + 1
    assert journey.ok("verify")["clean"]


def test_a_run_without_a_model_is_started_again(journey: Journey) -> None:
    with working(journey, *SOLVE) as process:
        wait_for(lambda: " solve " in journey.cra("runs").stdout, process)
    done = journey.ok("resume")
    assert done["status"] == "solved" and done["resumed"]["reused"] == 0
