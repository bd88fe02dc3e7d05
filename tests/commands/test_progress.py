"""Progress fits the terminal, tells rate and time left, and is on a terminal's stderr only."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from clean_room_agent.commands.progress import Step, draw
from tests.support.journey import Journey, new_journey

HALF = Step("parse", 800, 1600, seconds=4.0)


@pytest.mark.parametrize("width", [20, 30, 40, 60, 79, 200])
@pytest.mark.parametrize(
    "step",
    [
        HALF,
        Step("parse", 0, 0),
        Step("trying candidates", 12_345, 0, "3 plausible, at most 12 s left", seconds=9.0),
        Step("history", 61_234, 0, seconds=7.5),
        Step("laying out the commit", 1, 99_999_999, "at the commit", seconds=7.5),
    ],
    ids=lambda step: step.phase,
)
def test_a_line_is_never_wider_than_the_terminal(step: Step, width: int) -> None:
    line = draw(step, width, colour=False)
    assert len(line) <= width
    assert line.startswith(step.phase[: width // 2])
    assert "\x1b" not in line and "\n" not in line


def test_what_is_needed_least_goes_first() -> None:
    wide, narrow = draw(HALF, 79, colour=False), draw(HALF, 39, colour=False)
    assert wide.endswith("800/1,600  200 files/s  0:04 left")
    assert narrow.endswith("800/1,600  0:04 left")
    assert draw(HALF, 24, colour=False).endswith("800/1,600")


def test_a_rate_counts_from_where_the_step_began_and_only_when_it_can_be_known() -> None:
    assert Step("parse", 800, 1600, seconds=4.0, done_at_start=400).seconds_left == 8.0
    assert Step("parse", 800, 1600, seconds=0.1).seconds_left is None
    assert draw(Step("history", 50_000, 0, seconds=10.0), 79, colour=False) == (
        "history  50,000 commits  5,000 commits/s  10 s"
    )


def test_colour_is_used_where_it_is_wanted() -> None:
    coloured = draw(HALF, 79, colour=True)
    assert "\x1b[" in coloured
    assert len(re.sub(r"\x1b\[[0-9;]*m", "", coloured)) <= 79


def _on_a_terminal(*command: str, env: dict[str, str], cwd: Path) -> tuple[str, str]:
    """Run with a terminal as stderr; give stdout and what the terminal was sent."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 65536):
            shown += block
    except OSError:
        pass  # the other end is closed
    finally:
        os.close(ours)
    out = process.communicate()[0]
    assert process.returncode == 0, shown
    return out.decode(), shown.decode()


SLOW = """
import sys, time
from clean_room_agent.commands.output import Output
output = Output(as_json="json" in sys.argv, quiet="quiet" in sys.argv)
began, step = time.monotonic(), 0
while time.monotonic() - began < 0.8:
    step += 1
    output.progress("parse", step, 10**9)
output.progress("parse", step + 1, 10**9)  # late enough to be drawn, however slow the loop was
output.line("done")
"""


@pytest.mark.parametrize("word", ["plain", "json", "quiet"])
def test_a_terminal_is_shown_one_line_unless_json_or_quiet(tmp_path: Path, word: str) -> None:
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    out, shown = _on_a_terminal(sys.executable, "-c", SLOW, word, env=environment, cwd=tmp_path)
    assert out == ("" if word == "json" else "done\n")
    assert ("parse" in shown) is (word == "plain")
    if shown:
        assert shown.endswith("\r\x1b[K")  # the line is gone before the result is printed
        assert re.search(r"\x1b\[[0-9;]*m", shown) is None


@pytest.fixture
def journey(tmp_path: Path) -> Journey:
    made = new_journey(tmp_path)
    made.ok("init", "--offline")
    return made


def test_what_is_no_terminal_is_shown_nothing(journey: Journey) -> None:
    assert journey.cra("index", "--full").stderr == ""
    assert journey.cra("index", "--full", "--json").stderr == ""
