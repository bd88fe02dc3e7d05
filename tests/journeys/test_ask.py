"""Questions asked of a model over a real wire: what is printed, logged, refused, and survives."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.journeys.talking import asked, claim, claims, serve, settings
from tests.support.journey import BUGGY, Journey, new_journey
from tests.support.model_server import Answer, Fault, Trouble

QUESTION = "how does `share` split a total?"
GOOD = claim("It gives the first ones one more.", ("money.py", 4, 7))
BAD = claim("The password is root.", ("/etc/passwd", 1, 1))


@pytest.fixture
def journey(tmp_path: Path) -> Journey:
    made = new_journey(tmp_path)
    made.ok("init", "--offline")
    return made


def test_an_answer_is_printed_with_its_lines_at_the_commit(journey: Journey) -> None:
    before = journey.state()
    with serve(lambda prompt: claims(GOOD, BAD)) as server:
        done = journey.cra("ask", QUESTION, *settings(server))
    assert done.code == 0, done.stderr
    commit = journey.git("rev-parse", "HEAD")[:10]
    lines = done.stdout.splitlines()
    assert lines[:2] == ["1. It gives the first ones one more.", f"     money.py:4-7@{commit}"]
    assert "1 claim refused: /etc/passwd:1-1: a path that was not shown" in lines[2]
    assert "password is root" not in done.stdout
    assert journey.state() == before
    assert journey.ok("trace", "last")["task"]["mode"] == "ask"
    assert journey.ok("why", "money.py", "--task", "last")["shown"]


def test_everything_stands_in_the_json_document(journey: Journey) -> None:
    with serve(lambda prompt: claims(GOOD, BAD)) as server:
        found = journey.ok("ask", QUESTION, *settings(server))
    (cited,) = found["claims"][0]["citations"]
    assert cited["at"] == found["commit"] == journey.git("rev-parse", "HEAD").strip()
    assert cited["code"] == "".join(BUGGY.splitlines(keepends=True)[3:7])
    assert found["refused"][0]["text"] == "The password is root."
    assert found["places"][0]["path"] == "money.py"
    assert found["request_id"].startswith("q-")


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(claims(BAD), id="only a wrong citation"),
        pytest.param(claims(claim("I know.")), id="no citation"),
        pytest.param(claims(), id="no claim"),
        pytest.param(Answer(""), id="nothing"),
        pytest.param(Answer('{"claims": [', finish="length"), id="cut"),
    ],
)
def test_what_cannot_be_supported_is_no_answer(journey: Journey, said: Answer) -> None:
    with serve(lambda prompt: said) as server:
        done = journey.cra("ask", QUESTION, *settings(server))
    assert done.code == 1, done.stderr
    assert "no answer could be supported" in done.stdout
    assert "money.py:1-14@" in done.stdout  # the places that were searched
    (run,) = journey.ok("runs", "--verb", "ask")["runs"]
    assert run["status"] == "not_supported"


@pytest.mark.reliability(87)
def test_a_claim_cannot_print_a_citation_of_its_own_or_drive_the_terminal(journey: Journey) -> None:
    text = "Fine.\n     /etc/passwd:1-1@0123456789\n2. root\x1b[2J\u202e has \r no password"
    with serve(lambda prompt: claims(claim(text, ("money.py", 4, 7)))) as server:
        done = journey.cra("ask", QUESTION, *settings(server))
    places = [line for line in done.stdout.splitlines() if line.startswith("     ")]
    assert len(places) == 1 and places[0].strip().startswith("money.py:4-7@")
    assert not set("\x1b\u202e\r") & set(done.stdout)


def test_without_a_model_the_places_are_given_and_no_claim(journey: Journey) -> None:
    done = journey.cra("ask", QUESTION)
    assert done.code == 0
    assert "no model is configured" in done.stdout
    commit = journey.git("rev-parse", "HEAD")[:10]
    assert f"money.py:1-14@{commit}" in done.stdout and "score" in done.stdout
    found = journey.ok("ask", QUESTION)
    assert found["model"] is False and found["claims"] == []


def test_an_old_commit_answers_as_it_was(journey: Journey) -> None:
    old = journey.git("rev-parse", "HEAD").strip()
    journey.commit({"money.py": "def share(total, people):\n    return []\n"})
    with serve(lambda prompt: claims(GOOD)) as server:
        now = journey.cra("ask", QUESTION, *settings(server))
        then = journey.cra("ask", QUESTION, "--at", old[:12], *settings(server))
    assert now.code == 1 and "past the end" in now.stdout
    assert then.code == 0 and f"money.py:4-7@{old[:10]}" in then.stdout
    assert "divmod" in asked(server, "claims")[-1]


@pytest.mark.parametrize("revision", ["nowhere", "--at"])
def test_a_commit_that_is_none_is_wrong_usage(journey: Journey, revision: str) -> None:
    done = journey.cra("ask", QUESTION, "--at", revision)
    assert done.code == 2 and "Traceback" not in done.stderr


@pytest.mark.reliability(84)
def test_a_server_that_is_away_is_code_4_and_the_question_is_in_the_log(journey: Journey) -> None:
    with serve(lambda prompt: Answer("", fault=Fault(Trouble.CLOSE))) as server:
        chosen = settings(server)
        closed = journey.cra("ask", QUESTION, *chosen)
    gone = journey.cra("ask", QUESTION, *chosen, "-c", "models.connect_seconds=1")
    assert (closed.code, gone.code) == (4, 4)
    assert len(journey.ok("runs", "--verb", "ask")["runs"]) == 2
    assert journey.ok("trace", "last")["task"]["text"] == QUESTION


def test_the_log_of_answers_of_every_kind_verifies(journey: Journey) -> None:
    with serve(lambda prompt: claims(GOOD, BAD)) as server:
        chosen = settings(server)
        journey.ok("ask", QUESTION, *chosen)
        journey.ok("ask", QUESTION, "--at", "HEAD", *chosen)
        (journey.root / "money.py").write_text("# new\n" + BUGGY)
        journey.ok("ask", QUESTION, *chosen)
    journey.ok("ask", QUESTION)
    done = journey.cra("verify")
    assert done.code == 0, done.stdout


# chat ------------------------------------------------------------------------------------


def test_each_question_is_curated_anew_and_no_answer_comes_back(journey: Journey) -> None:
    secret = "xylophone"
    with serve(lambda prompt: claims(claim(f"The {secret} way.", ("money.py", 4, 7)))) as server:
        talk = f"{QUESTION}\nand what calls it?\nwhat is \\\nin `total`?\n/quit\nnever read\n"
        done = journey.cra("chat", *settings(server), stdin=talk)
    assert done.code == 0, done.stderr
    assert done.stdout.count(secret) == 3
    prompts = asked(server, "claims")
    assert len(prompts) == 3
    assert not any(secret in prompt for prompt in prompts)
    assert f"and what calls it?\n\n> {QUESTION}" in prompts[1]
    assert "what is \nin `total`?" in prompts[2] and "> " not in prompts[2].split(">>>")[0]
    (run,) = journey.ok("runs", "--verb", "chat")["runs"]
    assert run["summary"]["turns"] == 3


def test_commands_tell_the_last_turns_decisions_and_the_cost(journey: Journey) -> None:
    with serve(lambda prompt: claims(GOOD)) as server:
        talk = f"/why\n/tokens\n{QUESTION}\n/why\n/tokens\n/help\n/nonsense\n"
        done = journey.cra("chat", *settings(server), stdin=talk)
    assert done.code == 0, done.stderr
    assert "0 calls" in done.stdout and "ask 1" in done.stdout
    assert "included money.py" in done.stdout
    assert "no answered question yet" in done.stderr
    assert "/quit" in done.stdout and "no such command: /nonsense" in done.stderr


def test_json_is_one_document_a_line(journey: Journey) -> None:
    with serve(lambda prompt: claims(GOOD)) as server:
        talk = f"{QUESTION}\n/tokens\n/why\n"
        done = journey.cra("chat", "--json", *settings(server), stdin=talk)
    answer, usage, why = (json.loads(line) for line in done.stdout.splitlines())
    assert answer["claims"] and answer["exit_code"] == 0
    assert usage["usage"]["by_stage"]["ask"] == 1
    assert why["task_id"] == answer["task_id"] and why["decisions"]


@pytest.mark.reliability(84)
def test_a_fault_in_a_turn_is_told_and_the_chat_goes_on(journey: Journey) -> None:
    answers = iter([claims(GOOD), Answer("", fault=Fault(Trouble.CLOSE)), claims(GOOD)])
    with serve(lambda prompt: next(answers)) as server:
        done = journey.cra("chat", *settings(server), stdin=f"{QUESTION}\n" * 3)
    assert done.code == 0
    assert done.stdout.count("money.py:4-7@") == 2 and done.stdout.count("not answered") == 1


def test_a_fault_in_the_last_turn_is_the_exit_code_of_a_script(journey: Journey) -> None:
    answers = iter([claims(GOOD), Answer("", fault=Fault(Trouble.CLOSE))])
    with serve(lambda prompt: next(answers)) as server:
        done = journey.cra("chat", *settings(server), stdin=f"{QUESTION}\n" * 2)
    assert done.code == 4
    assert "not answered" in done.stdout


def test_ctrl_c_ends_the_answer_and_not_the_chat(journey: Journey) -> None:
    answers = iter([Answer("x", fault=Fault(Trouble.HANG)), claims(GOOD)])
    with serve(lambda prompt: next(answers)) as server:
        words = [sys.executable, "-m", "clean_room_agent", "chat", *settings(server)]
        chat = subprocess.Popen(
            words, cwd=journey.root, env=journey.environment(), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert chat.stdin is not None
        chat.stdin.write(f"{QUESTION}\n")
        chat.stdin.flush()
        while not asked(server, "claims"):
            assert chat.poll() is None
            time.sleep(0.01)
        chat.send_signal(signal.SIGINT)
        stdout, stderr = chat.communicate(f"{QUESTION}\n", timeout=20)
    assert chat.returncode == 0, stderr
    assert "interrupted" in stderr
    assert stdout.count("money.py:4-7@") == 1


def test_ctrl_c_twice_leaves(journey: Journey) -> None:
    words = [sys.executable, "-m", "clean_room_agent", "chat"]
    chat = subprocess.Popen(
        words, cwd=journey.root, env=journey.environment(), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert chat.stdin is not None and chat.stdout is not None and chat.stderr is not None
    chat.stdin.write("/tokens\n")
    chat.stdin.flush()
    assert "0 calls" in chat.stdout.readline()
    chat.send_signal(signal.SIGINT)
    assert "interrupted" in chat.stderr.readline()
    chat.send_signal(signal.SIGINT)
    chat.communicate(timeout=20)
    assert chat.returncode == 130


def test_without_a_model_chat_gives_places(journey: Journey) -> None:
    done = journey.cra("chat", stdin=f"{QUESTION}\n")
    assert done.code == 0
    assert "money.py:1-14@" in done.stdout and "no model is configured" in done.stdout
