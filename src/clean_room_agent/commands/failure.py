"""How an error is told: what, where, what to do next, and the exit code.

Takes: an exception. Gives: text on stderr or one JSON document on stdout, and the exit code.
Does not know: which verb failed.
"""

from __future__ import annotations

import os
import sys
import traceback

from clean_room_agent.commands.output import Output, clean, end_live_line
from clean_room_agent.errors import CraError

BUG_EXIT_CODE = 70
DEEPEST_FRAMES_SHOWN = 20


class _Interrupted:
    """The run that a signal ended and that can be resumed; one per process, like the signal."""

    run_id = ""


def note_resumable(run_id: str) -> None:
    """Say that a run of models was ended by a signal, so that its end names how to go on."""
    _Interrupted.run_id = run_id


def report_error(error: CraError, *, as_json: bool) -> int:
    """Tell an expected failure; the JSON form is `{error: {code, message, where, hint}}`."""
    if as_json:
        Output(as_json=True, quiet=True).document(error_document(error))
    end_live_line()
    sys.stderr.write(error_text(error) + "\n")
    if os.environ.get("CRA_DEBUG"):
        print_traceback(error, None)
    return error.exit_code


def error_document(error: CraError) -> dict[str, object]:
    """Return an expected failure as JSON content, without secrets."""
    return {
        "error": {
            "code": error.code,
            "message": shown(error.message),
            "where": shown(error.where),
            "hint": shown(error.hint),
        }
    }


def error_text(error: CraError) -> str:
    """Return what, where and next of an expected failure, as a terminal may have it."""
    lines = [f"cra: {error.message}"]
    if error.where:
        lines.append(f"  where: {error.where}")
    if error.hint:
        first, *more = error.hint.splitlines()
        lines += [f"  next:  {first}", *(f"         {line}" for line in more)]
    return clean(shown("\n".join(lines)))


def report_usage(error: Exception, *, as_json: bool) -> int:
    """Tell a wrong command line; exit code 2."""
    message = shown(getattr(error, "format_message", lambda: str(error))())
    if as_json:
        Output(as_json=True, quiet=True).document(
            {"error": {"code": "usage", "message": message, "where": "", "hint": "cra --help"}}
        )
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(message + "\n")
        return 2
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "cra"
    sys.stderr.write(clean(f"cra: {message}\n  next:  {path} --help") + "\n")
    return 2


def report_interruption(code: int) -> None:
    """Tell that a signal ended the run, and what is left."""
    end_live_line()
    word = "interrupted" if code == 130 else "terminated"
    sys.stderr.write(f"cra: {word}; your files are as they were, `cra runs` shows what was done\n")
    if _Interrupted.run_id:
        sys.stderr.write(f"  next:  cra resume {_Interrupted.run_id}\n")


def report_bug(error: Exception, *, as_json: bool) -> int:
    """Tell an unexpected failure with its traceback: this is a defect of ours."""
    end_live_line()
    if as_json:
        message = shown(repr(error))
        document = {"code": "bug", "message": message, "where": "", "hint": "report it"}
        Output(as_json=True, quiet=True).document({"error": document})
    print_traceback(error)
    sys.stderr.write(
        "cra: this is a bug in cra; the log keeps what was done (`cra runs`, `cra trace last`)\n"
    )
    return BUG_EXIT_CODE


def print_traceback(error: Exception, limit: int | None = -DEEPEST_FRAMES_SHOWN) -> None:
    """Print a traceback on stderr; a message inside it may quote a secret."""
    sys.stderr.write(shown("".join(traceback.format_exception(error, limit=limit))))


def shown(text: str) -> str:
    """Return a text without secrets; the marks of a screen need to match nothing in the log."""
    from clean_room_agent.redaction import Redactor  # help and version load no rules

    return Redactor(os.urandom(16)).text(text)
