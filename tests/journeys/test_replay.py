"""`cra replay`: every verb comes out again without its server; what differs is named first."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.samples import tamper
from tests.support.journey import BUGGY, TASK, Finished, Journey
from tests.support.model_server import Answer, server_error
from tests.support.replayed import GOOD, WRONG, Money, open_journey, serve, settings

SOLVE = ("solve", TASK, "--test", "pytest -q")


def newest(journey: Journey, verb: str) -> str:
    found: str = journey.ok("runs", "--verb", verb, "--limit", "1")["runs"][0]["run_id"]
    return found


def calls_of(journey: Journey, run_id: str) -> int:
    return len(journey.ok("trace", run_id)["calls"])


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """Every verb once; the server is gone when the tests run."""
    journey = open_journey(tmp_path_factory.mktemp("logged"))
    with serve(Money([WRONG, GOOD])) as server:
        own = settings(server)
        journey.ok("context", TASK, *own)
        journey.ok("plan", TASK, *own)
        journey.ok(*SOLVE, *own)
        journey.ok("ask", "how does `share` split?", *own)
        journey.ok("enrich", *own)
    return journey


@pytest.mark.parametrize("verb", ["context", "plan", "ask", "enrich", "solve"])
def test_a_run_of_every_mode_replays_without_its_server(logged: Journey, verb: str) -> None:
    run_id = newest(logged, verb)
    before = logged.state()
    found = logged.ok("replay", run_id)
    assert not found["diverged"], found
    assert (found["verb"], found["moved"], found["notes"]) == (verb, [], [])
    assert found["calls"] == calls_of(logged, run_id) > 0
    assert found["packages"] >= 1 and found["decisions"] >= 1
    assert found["turns"] == (2 if verb == "solve" else 0)
    assert logged.state() == before
    assert calls_of(logged, found["replay_run_id"]) == found["calls"]
    verified = logged.ok("verify")
    assert verified["clean"] and verified["unanswered"] == 0
    assert newest(logged, "replay") == found["replay_run_id"]


def test_a_replay_is_no_run_of_its_verb_and_no_patch_to_apply(logged: Journey) -> None:
    """`cra apply` takes the patch of the solve, not that of its replay."""
    solved = newest(logged, "solve")
    logged.ok("replay", solved)
    assert newest(logged, "solve") == solved
    task = logged.ok("trace", solved)["task"]["task_id"]
    assert task in logged.cra("apply", "last", "--dry-run", "--json").stdout


def test_a_run_without_a_model_replays(tmp_path: Path) -> None:
    journey = open_journey(tmp_path)
    journey.ok(*SOLVE)
    found = journey.ok("replay")
    assert (found["diverged"], found["calls"], found["packages"]) == (False, 0, 1)


def test_what_changed_in_the_repository_is_said_first_and_the_divergence_named(
    tmp_path: Path,
) -> None:
    journey = open_journey(tmp_path)
    with serve(Money()) as server:
        journey.ok("context", TASK, *settings(server))
    assert journey.ok("replay")["moved"] == []
    journey.commit({"money.py": BUGGY.replace("for amount in amounts", "for one in amounts")})
    done = journey.cra("replay")
    lines = done.stdout.splitlines()
    assert done.code == 1, done
    assert lines[0].startswith("the repository has moved since")
    assert "HEAD was" in lines[1] and "money.py is not as it was shown" in lines[2]
    assert any(line.startswith("first divergence at call ") for line in lines), lines
    assert journey.ok("verify")["clean"]


def test_another_recorded_answer_shows_at_the_first_thing_that_follows_from_it(
    tmp_path: Path,
) -> None:
    """The judge's logged answer is turned around: its package then shows another room."""
    journey = open_journey(tmp_path)
    with serve(Money()) as server:
        journey.ok("context", TASK, *settings(server))
    assert not journey.ok("replay")["diverged"]
    tamper(
        journey.root,
        "UPDATE model_replies SET text_sha256 = (SELECT r.text_sha256 FROM model_replies r JOIN"
        " model_requests q USING (request_id) WHERE q.stage = 'analysis' LIMIT 1)"
        " WHERE request_id IN (SELECT request_id FROM model_requests WHERE stage = 'precision')",
    )
    first = journey.ok("runs", "--verb", "context")["runs"][-1]["run_id"]
    done = journey.cra("replay", first, "--json")
    assert done.code == 1
    assert done.document["divergence"]["where"].startswith(("call ", "package "))
    assert done.document["divergence"]["what"]


def test_an_answer_that_is_missing_ends_the_replay_where_it_was_given(tmp_path: Path) -> None:
    journey = open_journey(tmp_path)
    with serve(Money()) as server:
        journey.ok("context", TASK, *settings(server))
    tamper(
        journey.root,
        "DELETE FROM model_replies WHERE request_id IN"
        " (SELECT request_id FROM model_requests WHERE stage = 'scope')",
    )
    found = journey.cra("replay", "--json")
    assert found.code == 1
    divergence = found.document["divergence"]
    assert "precision" in divergence["where"]
    assert divergence["what"] == "did not happen in the replay"
    assert "this call is not in the log" in divergence["details"][-1]


def test_a_run_whose_model_failed_replays_to_the_same_end(tmp_path: Path) -> None:
    journey = open_journey(tmp_path)

    def fails(stage: str, number: int) -> Answer | None:
        return Answer(fault=server_error()) if stage == "implement" else None

    with serve(Money(hook=fails)) as server:
        done = journey.cra(*SOLVE, *settings(server, "models.retries=1"), "--json")
        assert done.code == 4, done
    found = journey.ok("replay")
    assert (found["diverged"], found["cut_short"]) == (False, True)
    replay = journey.ok("runs", "--verb", "replay")["runs"][0]
    assert replay["exit_code"] == 4
    last = journey.ok("trace", found["replay_run_id"])["calls"][-1]
    assert [reply["status"] for reply in last["replies"]] == ["server_error", "server_error"]


def test_counts_of_a_server_are_replayed_without_it(tmp_path: Path) -> None:
    journey = open_journey(tmp_path)
    with serve(Money(), "vllm") as server:
        journey.ok("context", TASK, *settings(server))
    call = journey.ok("trace", "last")["calls"][0]
    assert call["counter"] == "server:tiny"
    found = journey.ok("replay")
    assert not found["diverged"], found


def refused(journey: Journey, word: str) -> Finished:
    done = journey.cra("replay", word)
    assert done.code == 2, done
    assert "Traceback" not in done.stderr
    return done


def test_what_cannot_be_replayed_is_refused(logged: Journey) -> None:
    logged.ok("index")
    assert "not one that can be run again" in refused(logged, newest(logged, "index")).stderr
    assert "there is no run 'r-nothing'" in refused(logged, "r-nothing").stderr
    assert "there is no task 't-nothing'" in refused(logged, "t-nothing").stderr


def test_a_room_without_runs_has_nothing_to_replay(tmp_path: Path) -> None:
    assert "nothing was logged here yet" in refused(open_journey(tmp_path), "last").stderr
