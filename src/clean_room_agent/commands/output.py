"""Everything a verb prints: results on stdout, progress and notes on stderr.

Takes: values to show. Gives: plain scrolling text, or with `--json` exactly one document on stdout.
Does not know: what it prints. Control characters of text that came from a repository or a test
are spelled out first, so that nothing we print can drive the terminal.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from clean_room_agent.commands.progress import Step, draw
from clean_room_agent.errors import CraError
from clean_room_agent.records.spelling import spell_out

SCHEMA_VERSION = 1
_REFRESH_SECONDS = 0.1
_UNSHOWN_SECONDS = 0.3


def clean(text: str) -> str:
    """Return `text` as a terminal may have it: line feeds and tabs stay, no other control does."""
    return spell_out(text, keep="\n\t")


def uses_colour(stream: object, environment: Mapping[str, str]) -> bool:
    """Say whether a stream gets colour: NO_COLOR off, FORCE_COLOR on, else only a terminal."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR") or environment.get("CLICOLOR_FORCE"):
        return True
    is_terminal = getattr(stream, "isatty", lambda: False)()
    return bool(is_terminal) and environment.get("TERM", "dumb") != "dumb"


class _LiveLine:
    """Whether an updating line stands on the terminal; one per process, like the terminal."""

    stands = False


def end_live_line() -> None:
    """Clear the updating line, if there is one, before anything else is printed."""
    if _LiveLine.stands:
        _LiveLine.stands = False
        _write(sys.stderr, "\r\x1b[K")


class Output:
    """Where one verb prints. In JSON mode `line` and `table` print nothing."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self._colour = uses_colour(sys.stdout, os.environ)
        terminal = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._live = terminal and not quiet and not as_json
        self._progress_colour = uses_colour(sys.stderr, os.environ)
        self._step: Step | None = None
        self._began = self._phase_began = self._drawn = 0.0

    def line(self, text: str = "") -> None:
        """Print one line of the result for a person."""
        if not self.as_json:
            self.end_progress()
            self._say(clean(text) + "\n")

    def _say(self, text: str) -> None:
        """Let a text out; all that is no exact bytes and no document passes here."""
        _write(sys.stdout, text)

    def raw(self, data: bytes) -> None:
        """Print exact bytes (a patch, a prompt) when stdout is no terminal; else cleaned text."""
        if self.as_json:
            return
        self.end_progress()
        if sys.stdout.isatty():
            _write(sys.stdout, clean(data.decode("utf-8", "surrogateescape")))
        else:
            with _writing(sys.stdout):
                sys.stdout.flush()
                sys.stdout.buffer.write(data)
                # Now: what fails when the interpreter ends cannot be told any more.
                sys.stdout.buffer.flush()

    def heading(self, text: str) -> None:
        """Print a heading, bold where colour is on."""
        if not self.as_json:
            self.end_progress()
            text = clean(text)
            self._say((f"\x1b[1m{text}\x1b[0m" if self._colour else text) + "\n")

    def diff(self, patch: str) -> None:
        """Print a unified diff, coloured where colour is on."""
        for text in patch.splitlines():
            colour = {"+": "32", "-": "31", "@": "36"}.get(text[:1], "")
            text = "  " + clean(text)
            if not self.as_json:
                styled = f"\x1b[{colour}m{text}\x1b[0m" if self._colour and colour else text
                self._say(styled + "\n")

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print aligned columns; numbers to the right."""
        if self.as_json:
            return
        self.end_progress()
        cells = [[clean(str(cell)) for cell in row] for row in rows]
        widths = [max(len(row[i]) for row in [list(header), *cells]) for i in range(len(header))]
        for row in [list(header), *cells]:
            parts = [
                text.rjust(width) if _is_number(text) else text.ljust(width)
                for text, width in zip(row, widths, strict=True)
            ]
            self._say("  ".join(parts).rstrip() + "\n")

    def document(self, content: Mapping[str, object]) -> None:
        """Print the one JSON document of this verb (JSON mode only)."""
        if self.as_json:
            text = json.dumps({"schema_version": SCHEMA_VERSION, **content}, sort_keys=False)
            self._say(text + "\n")

    def note(self, text: str) -> None:
        """Print a note on stderr."""
        if not self.quiet:
            self.end_progress()
            _write(sys.stderr, clean(text) + "\n")

    def progress(self, phase: str, done: int, total: int, detail: str = "") -> None:
        """Show how far a long step is: one updating line on a terminal, nothing elsewhere.

        A verb that is done before anyone could read it shows none.
        """
        if not self._live:
            return
        now = time.monotonic()
        if self._step is None or phase != self._step.phase:
            self._began = now if self._step is None else self._began
            self._phase_began = now
            self._step = Step(phase, done, total, done_at_start=done)
        elif now - self._drawn < _REFRESH_SECONDS:
            return
        if now - self._began < _UNSHOWN_SECONDS:
            return
        seconds = now - self._phase_began
        self._step = replace(
            self._step, done=done, total=total, detail=clean(detail), seconds=seconds
        )
        self._drawn = now
        width = shutil.get_terminal_size().columns - 1
        _write(sys.stderr, f"\r\x1b[K{draw(self._step, width, colour=self._progress_colour)}")
        _LiveLine.stands = True

    def end_progress(self) -> None:
        """Clear the updating line, if there is one."""
        end_live_line()


def _write(stream: object, text: str) -> None:
    if stream is None:
        raise CraError("there is no output to write to", hint="do not close standard output")
    encoding = getattr(stream, "encoding", None) or "utf-8"
    safe = text.encode(encoding, "backslashreplace").decode(encoding)
    with _writing(stream):
        stream.write(safe)  # type: ignore[attr-defined]
        stream.flush()  # type: ignore[attr-defined]


@contextmanager
def _writing(stream: object) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is left in the buffer would fail once more when the interpreter exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # type: ignore[attr-defined]
        raise CraError(f"the output cannot be written: {error.strerror}") from error


def _is_number(text: str) -> bool:
    return (
        text.replace(",", "")
        .replace(".", "")
        .replace("%", "")
        .replace("s", "")
        .strip("-+ ")
        .isdigit()
    )
