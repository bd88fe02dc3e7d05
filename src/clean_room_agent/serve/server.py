"""`cra mcp`: serve the tools to one client on stdin and stdout until it goes away.

Takes: an invocation. Gives: an exit code. Does not know: the protocol's messages or the tools.

The main thread works on the calls; the protocol has a thread of its own. Whichever way it ends
(end of input, a signal), the stream of lines is closed first, so that nothing is left waiting.
"""

from __future__ import annotations

import sys
import threading
from importlib import metadata

from clean_room_agent.commands.invocation import Invocation
from clean_room_agent.config.extras import install_hint
from clean_room_agent.errors import ConfigError, UsageError
from clean_room_agent.serve.answering import answer
from clean_room_agent.serve.desk import Desk
from clean_room_agent.serve.wire import Wire

MAJOR = "2"
END_SECONDS = 2.0


def serve(invocation: Invocation) -> int:
    """Serve one client. The repository is opened anew by each call, so it may come later.

    Raises:
        ConfigError: the extra `mcp` is missing or too old. UsageError: stdout is asked for twice.
    """
    if invocation.json:
        raise UsageError("stdout of cra mcp is the protocol; --json has no place there")
    _require_extra()
    # Here and not above: the SDK is an extra, and takes its time to load.
    from clean_room_agent.serve.protocol import Conversation

    if sys.stdin.isatty():
        invocation.output.note("waiting for a client on stdin; Ctrl-C ends cra mcp")
    wire, desk = Wire(), Desk()
    conversation = Conversation(wire, desk, lambda asked, tell: answer(asked, invocation, tell))
    thread = threading.Thread(target=conversation.run, name="protocol", daemon=True)
    thread.start()
    try:
        desk.work()
    finally:
        wire.close()
        thread.join(END_SECONDS)
    if conversation.failure is not None:
        raise conversation.failure
    return 0


def _require_extra() -> None:
    try:
        found = metadata.version("mcp")
    except metadata.PackageNotFoundError as error:
        raise ConfigError(
            "cra mcp needs a package that is not installed",
            where="mcp",
            hint=install_hint("mcp"),
        ) from error
    if found.partition(".")[0] != MAJOR:
        raise ConfigError(
            f"cra mcp needs version {MAJOR} of a package; {found} is installed",
            where="mcp",
            hint=install_hint("mcp"),
        )
