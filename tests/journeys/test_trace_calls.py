"""`cra trace` reaches every byte of every prompt, flags digests that mix, names who judged."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.journey import TASK, Journey
from tests.support.model_server import Answer, Fault, Trouble, server_error
from tests.support.replayed import GOOD, WRONG, Money, open_journey, serve, settings

SOLVE = ("solve", TASK, "--test", "pytest -q")
# Which row an origin names: (table, column).
ROWS = {
    "task": ("tasks", "task_id"),
    "test_run": ("test_runs", "test_run_id"),
    "request": ("model_requests", "request_id"),
    "plan": ("plans", "plan_id"),
}
Document = dict[str, Any]


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """A plan, a solve of two turns that follows it, and one closed connection on the way."""
    journey = open_journey(tmp_path_factory.mktemp("logged"))
    close = Answer("...", fault=Fault(Trouble.CLOSE, after=1))

    def hook(stage: str, number: int) -> Answer | None:
        return close if (stage, number) == ("implement", 0) else None

    with serve(Money([WRONG, WRONG, GOOD], hook)) as server:
        own = settings(server, "models.retries=1")
        journey.ok("plan", TASK, *own)
        journey.ok(*SOLVE, "--plan", "last", *own)
    return journey


@pytest.fixture(scope="module")
def traced(logged: Journey) -> Document:
    found: Document = logged.ok("trace", "last")
    return found


def prompt_of(journey: Journey, request_id: str, option: str = "--prompt") -> bytes:
    done = subprocess.run(
        [*("python", "-m", "clean_room_agent", "trace", request_id), option],
        cwd=journey.root, env=journey.environment(), capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_prompt_and_answer_together_are_told_apart(logged: Journey, traced: Document) -> None:
    call = traced["calls"][-1]["request_id"]
    prompt, answer = prompt_of(logged, call), prompt_of(logged, call, "--answer")
    both = logged.cra("trace", call, "--prompt", "--answer").stdout
    assert both.startswith(f"--- prompt of {call}: {len(prompt):,} bytes\n{prompt.decode()}")
    assert f"--- answer of {call}: {len(answer):,} bytes\n{answer.decode()}" in both


def test_every_id_that_is_printed_can_be_traced(logged: Journey, traced: Document) -> None:
    told = logged.cra("trace", "last").stdout
    printed = set(re.findall(r"\b[a-z]-\d{8}-\w+", told)) - {traced["run"]["run_id"]}
    assert {word[0] for word in printed} >= set("takpq")
    for word in printed:
        assert logged.ok("trace", word)


def has_row(journey: Journey, table: str, column: str, value: str) -> bool:
    with closing(sqlite3.connect(journey.root / ".clean_room" / "raw.sqlite")) as database:
        sql = f"SELECT 1 FROM {table} WHERE {column} = ?"
        return database.execute(sql, (value,)).fetchone() is not None


def walk(journey: Journey, call: Document, packages: dict[str, Document]) -> int:
    """Follow each fragment to where its bytes come from; return how many bytes were walked."""
    prompt = prompt_of(journey, call["request_id"])
    assert hashlib.sha256(prompt).hexdigest() == call["prompt_sha256"]
    position = 0
    for fragment in call["fragments"]:
        assert fragment["prompt_start"] == position
        position = fragment["prompt_end"]
        piece = prompt[fragment["prompt_start"] : position]
        assert hashlib.sha256(piece).hexdigest() == fragment["sha256"]
        follow(journey, call, fragment, piece, packages)
    assert position == len(prompt) == call["prompt_bytes"]
    return position


def follow(
    journey: Journey, call: Document, fragment: Document, piece: bytes, packages: dict[str, Any]
) -> None:
    word, _, name = fragment["origin"].partition(":")
    assert word, fragment
    if word == "template":
        assert name
    elif word == "decision":
        package_id, _, number = name.partition("/")
        assert package_id == call["package_id"]
        stages = packages[package_id]["stages"]
        decision = [d for stage in stages for d in stage["decisions"]][int(number)]
        assert (decision["path"], decision["symbol"]) == (fragment["path"], fragment["symbol"])
        if fragment["kind"] == "code":
            assert decision["verdict"] == "included"
            blob = journey.git("cat-file", "blob", fragment["blob_id"]).encode()
            assert blob[fragment["start_byte"] : fragment["end_byte"]] == piece
    else:
        assert has_row(journey, *ROWS[word], name), fragment
    if fragment["kind"] == "task":
        assert piece.decode() == TASK


def test_the_trace_reaches_every_byte_of_every_prompt(logged: Journey) -> None:
    walked, kinds = 0, set()
    for verb in ("plan", "solve"):
        run_id = logged.ok("runs", "--verb", verb)["runs"][0]["run_id"]
        found = logged.ok("trace", run_id)
        packages = {package["package_id"]: package for package in found["packages"]}
        for call in found["calls"]:
            walked += walk(logged, call, packages)
            kinds |= {fragment["kind"] for fragment in call["fragments"]}
    assert walked > 10_000
    assert {"instruction", "task", "candidate", "code", "plan_step", "test_output"} <= kinds


def test_every_call_is_told_with_its_tries_and_what_its_batch_decided(
    logged: Journey, traced: Document
) -> None:
    calls = traced["calls"]
    assert [call["stage"] for call in calls] == [
        *("analysis", "scope", "precision", "implement", "implement"),
    ]  # fmt: skip
    assert [reply["status"] for reply in calls[3]["replies"]] == ["closed", "ok"]
    assert calls[3]["replies"][1]["digest"] == "sha256:tiny"
    scope = calls[1]
    assert scope["judged"] and {judged["stage"] for judged in scope["judged"]} == {"scope"}
    assert {judged["path"]: judged["verdict"] for judged in scope["judged"]}["money.py"]
    turns = [turn for attempt in traced["attempts"] for turn in attempt["turns"]]
    assert [turn["outcome"] for turn in turns][-1] == "solved"
    assert {turn["request_id"] for turn in turns} <= {call["request_id"] for call in calls}
    text = logged.cra("trace", "last").stdout
    for words in ("calls of models: 5", "try 1 closed", "asked about", "tokens by", "turn 0 (q-"):
        assert words in text, words


def test_one_call_is_shown_whole(logged: Journey, traced: Document) -> None:
    call = traced["calls"][-1]
    shown = logged.cra("trace", call["request_id"]).stdout
    assert f"bytes 0-{call['fragments'][0]['prompt_end']}" in shown.replace(",", "")
    assert "from test_run:" in shown and "from decision:" in shown
    assert prompt_of(logged, call["request_id"], "--answer").decode() == GOOD
    document = logged.ok("trace", call["request_id"])["call"]
    assert document["fragments"] == call["fragments"]
    assert TASK in document["prompt"]


def test_exact_bytes_are_those_of_one_call(logged: Journey) -> None:
    done = logged.cra("trace", "last", "--prompt")
    assert done.code == 2 and "print one call" in done.stderr
    unknown = logged.cra("trace", "q-nothing")
    assert unknown.code == 2 and "there is no request 'q-nothing'" in unknown.stderr


def test_why_names_the_call_that_asked_about_a_file(logged: Journey, traced: Document) -> None:
    scope = next(call for call in traced["calls"] if call["stage"] == "scope")
    found = logged.ok("why", "money.py")
    by_stage = {decision["stage"]: decision for decision in found["decisions"]}
    assert by_stage["scope"]["asked"] == [scope["request_id"]]
    assert f"asked in {scope['request_id']} (scope, tiny)" in logged.cra("why", "money.py").stdout


@pytest.mark.reliability(89)
def test_a_run_that_mixes_digests_is_flagged(tmp_path: Path) -> None:
    """The model is pulled anew under its name before a failed run is resumed."""
    journey = open_journey(tmp_path)

    def fails(stage: str, number: int) -> Answer | None:
        return Answer(fault=server_error()) if (stage, number) == ("plan", 0) else None

    with serve(Money(hook=fails)) as server:
        assert journey.cra("plan", TASK, *settings(server)).code == 4
        assert journey.ok("trace", "last")["mixed_digests"] == {}
        server.digests["tiny"] = "sha256:another"
        journey.ok("resume")
    mixed = journey.ok("trace", "last")["mixed_digests"]
    assert mixed == {"tiny": ["sha256:tiny", "sha256:another"]}
    assert "FLAG: tiny changed while it was asked" in journey.cra("trace", "last").stdout
