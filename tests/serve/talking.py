"""`cra mcp` as a client sees it: through the SDK's own client, and as a bare process.

Takes: a `Journey`. Gives: `converse`, `Bare`. Does not know: any tool.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, TextContent

from tests.support.journey import Journey

Said = TypeVar("Said")
HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "bare", "version": "1"},
}


def converse(
    journey: Journey,
    talk: Callable[[Client], Awaitable[Said]],
    *words: str,
    cwd: Path | None = None,
) -> tuple[Said, str]:
    """Start a server, let the SDK's client talk to it, end it; what was said, and its stderr."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "clean_room_agent", "mcp", *words],
        env=journey.environment(),
        cwd=cwd or journey.root,
    )

    async def main(log: Any) -> Said:
        async with Client(stdio_client(server, errlog=log)) as client:
            return await talk(client)

    with tempfile.TemporaryFile("w+") as log:
        said = anyio.run(main, log)
        log.seek(0)
        return said, log.read()


def call(journey: Journey, tool: str, **arguments: Any) -> CallToolResult:
    """One call on a server of its own."""

    async def talk(client: Client) -> CallToolResult:
        return await client.call_tool(tool, arguments)

    return converse(journey, talk)[0]


def texts(result: CallToolResult) -> list[str]:
    return [block.text for block in result.content if isinstance(block, TextContent)]


class Bare:
    """A server process that is talked to in lines of our own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._number = 0

    def write(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        """The next message; every line of stdout must be one."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the server has gone"
        message: dict[str, Any] = json.loads(line)
        assert message["jsonrpc"] == "2.0"
        return message

    def send(self, method: str, params: dict[str, Any]) -> int:
        self._number += 1
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        self.write(json.dumps(message).encode())
        return self._number

    def notify(self, method: str, params: dict[str, Any]) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        self.write(json.dumps(message).encode())

    def answer_to(self, number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The answer to a request, and what came before it."""
        before = []
        while (message := self.read()).get("id") != number:
            before.append(message)
        return message, before

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        return self.answer_to(self.send(method, params))[0]

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        return self.ask("tools/call", {"name": tool, "arguments": arguments})

    def begin(self, tool: str, *, token: str, **arguments: Any) -> int:
        """Send a call that tells its progress, and wait until it tells some: it is worked on."""
        params = {"name": tool, "arguments": arguments, "_meta": {"progressToken": token}}
        number = self.send("tools/call", params)
        while (message := self.read()).get("method") != "notifications/progress":
            assert message.get("id") != number, message
        return number

    def end(self, number: signal.Signals) -> int:
        os.kill(self.process.pid, number)
        return self.process.wait(60)

    def leave(self) -> int:
        """Close stdin as a client that goes away."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(60)


@contextmanager
def bare(journey: Journey, *words: str) -> Iterator[Bare]:
    """Start a server and say hello; killed at the end if it is still there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "clean_room_agent", "mcp", *words],
        cwd=journey.root,
        env=journey.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        server = Bare(process)
        assert server.ask("initialize", HELLO)["result"]["serverInfo"]["name"] == "clean-room-agent"
        server.notify("notifications/initialized", {})
        yield server
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            with suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()
