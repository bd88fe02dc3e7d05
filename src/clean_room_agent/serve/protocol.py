"""The Model Context Protocol over stdio, spoken by the SDK; the only importer of `mcp` and `anyio`.

Takes: the lines of stdin, a desk that works on calls. Gives: messages on stdout, until the client
goes away. Does not know: what a tool does. Loaded only when the server starts.

The SDK keeps stdout for itself while it serves: whatever else is printed goes to stderr.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import aclosing
from typing import Any, Protocol

import anyio
import mcp_types as types
from anyio.streams.memory import MemoryObjectSendStream
from mcp.server import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage

from clean_room_agent import __version__
from clean_room_agent.errors import CraError
from clean_room_agent.serve.answering import Answer, Asked, failed
from clean_room_agent.serve.desk import Desk
from clean_room_agent.serve.tools import INSTRUCTIONS, TOOLS, Tool
from clean_room_agent.serve.wire import MAX_LINE_BYTES, Wire

Work = Callable[[Asked, Callable[[str], None]], Answer]
Context = ServerRequestContext[dict[str, Any]]
_Incoming = SessionMessage | Exception

_BY_NAME = {tool.name: tool for tool in TOOLS}
_NOT_READ = f"a message is no JSON-RPC, or has more than {MAX_LINE_BYTES} bytes; it was not read"


class _Sink(Protocol):
    """Where answers go: the SDK does not export the type of its own stream."""

    async def send(self, item: SessionMessage, /) -> None: ...

    async def aclose(self) -> None: ...


class Conversation:
    """One client, from its first line to its last. `run` belongs to a thread of its own."""

    def __init__(self, wire: Wire, desk: Desk, work: Work) -> None:
        self._wire = wire
        self._desk = desk
        self._work = work
        self.failure: ExceptionGroup[Exception] | None = None

    def run(self) -> None:
        """Serve until the stream of lines ends, then close the desk."""
        try:
            anyio.run(self._serve)
        except* (BrokenPipeError, ConnectionError):
            pass  # the client closed our stdout: it has gone
        except* Exception as group:  # noqa: BLE001 - raised again in the main thread
            self.failure = group
        finally:
            self._desk.close()

    async def _serve(self) -> None:
        server: Server[dict[str, Any]] = Server(
            "clean-room-agent",
            version=__version__,
            title="Clean Room Agent",
            instructions=INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
        )
        lines = anyio.wrap_file(self._wire.lines)
        options = server.create_initialization_options()
        async with stdio_server(stdin=lines) as (read, write):
            send, receive = anyio.create_memory_object_stream[_Incoming](0)
            async with anyio.create_task_group() as group:
                group.start_soon(self._relay, read, send, write.clone())
                await server.run(receive, write, options)
                group.cancel_scope.cancel()

    async def _relay(
        self, read: AsyncIterable[_Incoming], send: MemoryObjectSendStream[_Incoming], write: _Sink
    ) -> None:
        """Pass messages on; what is none is answered, which the SDK alone would drop."""
        async with send, aclosing(write):
            async for item in read:
                if isinstance(item, Exception):
                    error = types.ErrorData(code=types.PARSE_ERROR, message=_NOT_READ)
                    refusal = types.JSONRPCError(jsonrpc="2.0", id=None, error=error)
                    await write.send(SessionMessage(refusal))
                else:
                    await send.send(item)

    async def _list_tools(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_listed(tool) for tool in TOOLS])

    async def _call_tool(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        tool = _BY_NAME.get(params.name)
        if tool is None:
            known = ", ".join(_BY_NAME)
            raise MCPError(
                code=types.INVALID_PARAMS, message=f"no such tool; the tools are {known}"
            )
        asked = Asked(tool, params.arguments or {}, _name_of(context))
        told = _Told(context)
        try:
            job = self._desk.submit(lambda: self._work(asked, told.tell))
        except CraError as error:
            return _result(failed(error))
        try:
            answer = await asyncio.wrap_future(job.future)
        except asyncio.CancelledError:
            self._desk.cancel(job)
            raise
        await told.finish()
        return _result(answer)


class _Told:
    """Progress of one call, from the main thread to the client, where it asked for some."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._pending: list[Future[None]] = []
        self._wanted = bool(context.meta and "progress_token" in context.meta)

    def tell(self, message: str) -> None:
        if self._wanted and not self._loop.is_closed():
            report = self._report(len(self._pending) + 1, message)
            self._pending.append(asyncio.run_coroutine_threadsafe(report, self._loop))

    def _report(self, number: int, message: str) -> Coroutine[Any, Any, None]:
        # A count of reports: the protocol wants a number that only grows.
        return self._context.session.report_progress(number, None, message)

    async def finish(self) -> None:
        """Wait until all is sent: nothing may follow the answer."""
        for sent in self._pending:
            await asyncio.wrap_future(sent)


def _name_of(context: Context) -> str:
    client = context.session.client_params
    return "unknown" if client is None else f"{client.client_info.name}"


def _listed(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        # The repository is never changed; what was shown is logged in `.clean_room`.
        annotations=types.ToolAnnotations(
            title=tool.title, read_only_hint=True, destructive_hint=False, open_world_hint=False
        ),
    )


def _result(answer: Answer) -> types.CallToolResult:
    texts = [text for text in (answer.text, answer.next_step) if text]
    content: list[types.ContentBlock] = [types.TextContent(text=text) for text in texts]
    return types.CallToolResult(
        content=content, structured_content=dict(answer.document), is_error=answer.is_error
    )
