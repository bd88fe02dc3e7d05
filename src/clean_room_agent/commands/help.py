"""`cra help exit-codes`: what each exit code means.

Takes: a topic. Gives: printed lines, or one JSON document. Does not know: who ends with a code
(`errors`, `failure`).
"""

from __future__ import annotations

from clean_room_agent.commands.output import Output
from clean_room_agent.errors import UsageError

EXIT_CODES = {
    0: "done, and verified where there is something to verify",
    1: "the task was not solved, or an edit was refused; nothing was lost",
    2: "usage: wrong arguments, no repository, a test command that cannot start",
    3: "configuration: missing, unknown or wrong setting",
    4: "model or network",
    5: "a budget or limit was reached",
    6: "a store is busy, corrupt, newer than this program, or cannot be written",
    7: "no sandbox can be enforced here",
    8: "the oracle was tampered with; the verdict cannot be trusted",
    70: "a bug in cra",
    124: "timeout",
    130: "interrupted (Ctrl-C)",
    143: "terminated",
}


def help_topic(topic: str, *, as_json: bool = False) -> None:
    """Print a topic.

    Raises:
        UsageError: there is no such topic.
    """
    if topic != "exit-codes":
        raise UsageError(f"no help on {topic!r}", hint="cra help exit-codes, or cra VERB --help")
    output = Output(as_json=as_json, quiet=True)
    for code, meaning in EXIT_CODES.items():
        output.line(f"{code:>4}  {meaning}")
    output.document({"exit_codes": {str(code): meaning for code, meaning in EXIT_CODES.items()}})
