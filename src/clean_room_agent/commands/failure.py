"""How an error is told: what, where, what to do next, and the exit code.

Takes: an exception. Gives: text on stderr or one JSON document on stdout, and the exit code.
Does not know: which verb failed.
"""

from __future__ import annotations

import os
import sys
import traceback

from clean_room_agent.commands.output import Output, clean
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
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "cra"
    sys.stderr.write(clean(f"cra: {message}\n  next:  {path} --help") + "\n")
    return 2


def report_bug(error: Exception) -> int:
    """Tell an unexpected failure with its traceback: this is a defect of ours."""
    traceback.print_exception(error, limit=-DEEPEST_FRAMES_SHOWN)
    sys.stderr.write(
        "cra: this is a bug in cra; the log keeps what was done (`cra runs`, `cra trace last`)\n"
    )
    return BUG_EXIT_CODE
