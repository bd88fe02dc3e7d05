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


def report_error(error: CraError, *, as_json: bool) -> int:
    """Tell an expected failure; the JSON form is `{error: {code, message, where, hint}}`."""
    if as_json:
        Output(as_json=True, quiet=True).document(
            {
                "error": {
                    "code": error.code,
                    "message": error.message,
                    "where": error.where,
                    "hint": error.hint,
                }
            }
        )
    end_live_line()
    lines = [f"cra: {error.message}"]
    if error.where:
        lines.append(f"  where: {error.where}")
    if error.hint:
        lines.append(f"  next:  {error.hint}")
    sys.stderr.write(clean("\n".join(lines)) + "\n")
    if os.environ.get("CRA_DEBUG"):
        traceback.print_exception(error)
    return error.exit_code


def report_usage(error: Exception, *, as_json: bool) -> int:
    """Tell a wrong command line; exit code 2."""
    message = getattr(error, "format_message", lambda: str(error))()
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


def report_bug(error: Exception, *, as_json: bool) -> int:
    """Tell an unexpected failure with its traceback: this is a defect of ours."""
    end_live_line()
    if as_json:
        document = {"code": "bug", "message": repr(error), "where": "", "hint": "report it"}
        Output(as_json=True, quiet=True).document({"error": document})
    traceback.print_exception(error, limit=-DEEPEST_FRAMES_SHOWN)
    sys.stderr.write(
        "cra: this is a bug in cra; the log keeps what was done (`cra runs`, `cra trace last`)\n"
    )
    return BUG_EXIT_CODE
