"""One call after the other in the main thread; a defect ends a call and nothing else."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from clean_room_agent.commands.invocation import Invocation
from clean_room_agent.errors import CraError
from clean_room_agent.serve.answering import Answer, Asked, answer
from clean_room_agent.serve.desk import CANCEL_SIGNAL, MAX_WAITING, Cancelled, Desk
from clean_room_agent.serve.tools import Arguments, Tool


class Broken(Arguments):
    """A verb with a defect."""

    def ask(self, invocation: Invocation) -> None:
        invocation.output.line("half an answer")
        raise ZeroDivisionError("sk_secret_of_a_message")


def done(text: str) -> Answer:
    return Answer(text, "", {})


def test_a_defect_is_told_without_its_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = Tool("broken", "", "", Broken, {})
    start = Invocation(directory=tmp_path, json=False, quiet=True)
    told = answer(Asked(tool, {}, "test"), start, lambda _: None)
    assert told.is_error
    assert told.text.startswith("cra: a bug in cra: ZeroDivisionError\n  where: tool broken")
    assert "Traceback" not in told.text and "half an answer" not in told.text
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" in said.err


def test_calls_are_answered_in_order_in_the_main_thread_until_it_closes() -> None:
    desk = Desk()
    threads: list[threading.Thread] = []

    def work(text: str) -> Answer:
        threads.append(threading.current_thread())
        return done(text)

    jobs = [desk.submit(lambda text=text: work(text)) for text in ("one", "two")]
    desk.close()
    desk.work()
    assert [job.future.result(0).text for job in jobs] == ["one", "two"]
    assert threads == [threading.main_thread()] * 2


def test_too_many_waiting_calls_are_refused() -> None:
    desk = Desk()
    for _ in range(MAX_WAITING):
        desk.submit(lambda: done("later"))
    with pytest.raises(CraError, match="calls are waiting already"):
        desk.submit(lambda: done("one too many"))


def test_a_call_is_ended_in_its_middle_and_the_next_one_is_not() -> None:
    """The call waits for what never comes, as for a lock; only a cancel ends it."""
    desk = Desk()
    begun, never = threading.Event(), threading.Event()
    ended: list[str] = []

    def endless() -> Answer:
        try:
            begun.set()
            never.wait()
        except Cancelled:
            # The client may leave as well while the call still writes down how it ended.
            desk.cancel(first)
            os.kill(os.getpid(), CANCEL_SIGNAL)
            ended.append("endless")
            raise
        return done("never")

    first = desk.submit(endless)
    waiting = desk.submit(lambda: done("not begun"))
    last = desk.submit(lambda: done("last"))

    def client() -> None:
        begun.wait()
        desk.cancel(waiting)
        desk.cancel(first)
        last.future.result()
        desk.close()

    other = threading.Thread(target=client, daemon=True)
    other.start()
    desk.work()
    other.join()
    assert ended == ["endless"]
    with pytest.raises(CraError, match="cancelled"):
        first.future.result(0)
    assert waiting.future.cancelled()
    assert last.future.result(0).text == "last"
