"""One HTTP exchange with a model server, watched from the first byte to the last.

Takes: an endpoint, a key, a path, a JSON body and a `Watch`. Gives: a JSON answer or the lines of
a stream; every fault as a `TransportError`.
Does not know: any server's dialect, prompts, retries, or the log.

Each exchange has a connection of its own: on loopback that costs a fraction of a millisecond, and
calls from many threads share nothing. Proxies and other settings of the environment are not read,
redirects are not followed, compressed answers are not asked for and refused if they come.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpcore
import httpx

from clean_room_agent.errors import ConfigError
from clean_room_agent.llm.transports.endpoint import Endpoint, check_endpoint
from clean_room_agent.llm.transports.faults import garbage, parse_json, refusal
from clean_room_agent.llm.transports.watch import Watch, WatchedBackend
from clean_room_agent.llm.wire import Timeouts, TransportError
from clean_room_agent.records.calls import ReplyStatus

__all__ = ["Caps", "HttpClient", "HttpTransport", "Watch", "check_endpoint"]

ASK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Caps:
    """The most bytes taken from a server: one line, a stream, one JSON answer, an error page.

    A stream wraps each token in some 300 bytes, so it may be far longer than the text it carries.
    """

    line: int = 1 << 20
    stream: int = 64 << 20
    answer: int = 16 << 20
    error: int = 64 << 10


class HttpClient:
    """Speaks HTTP with one endpoint. Safe for calls from several threads at once."""

    def __init__(self, endpoint: Endpoint, api_key: str = "", caps: Caps | None = None) -> None:
        if api_key and not re.fullmatch(r"[!-~]+", api_key):
            raise ConfigError(
                "the API key holds blanks, line ends or characters that a header cannot carry",
                hint="look at the variable that models.api_key_variable names",
            )
        try:
            httpx.URL(endpoint.base_url)
        except httpx.InvalidURL as error:
            raise ConfigError(f"the URL of the model server is not valid: {error}") from None
        self.endpoint = endpoint
        self._key = _Secret(api_key)
        self._caps = caps or Caps()
        self._tls = ssl.create_default_context() if _is_https(endpoint) else None

    @property
    def secret(self) -> str:
        """The key, for taking it out of what a server says."""
        return self._key.reveal()

    def ask(self, path: str, watch: Watch, body: Mapping[str, object] | None = None) -> object:
        """GET a path, or POST a body to it, and read one JSON value. Raises: TransportError."""
        with self._exchange(path, body, watch) as response:
            data = b"".join(self._bytes(response, self._caps.answer))
        return parse_json(_decode(data, self.secret), secret=self.secret)

    @contextmanager
    def lines(self, path: str, body: Mapping[str, object], watch: Watch) -> Iterator[Iterator[str]]:
        """POST a body and give the lines of the answer as they arrive. Raises: TransportError.

        The iterator raises `closed` when the connection ends inside a line or before the server's
        own end mark of the body.
        """
        with self._exchange(path, body, watch) as response:
            yield self._lines(response)

    @contextmanager
    def _exchange(
        self, path: str, body: Mapping[str, object] | None, watch: Watch
    ) -> Iterator[httpx.Response]:
        content = None if body is None else _encode(body)
        method = "GET" if content is None else "POST"
        transport = _WatchedTransport(self.endpoint, watch, self._tls)
        try:
            with (
                httpx.Client(transport=transport, trust_env=False) as client,
                client.stream(
                    method,
                    self.endpoint.base_url + path,
                    content=content,
                    headers=self._headers(content),
                    follow_redirects=False,
                ) as response,
            ):
                self._accept(response)
                yield response
        except (httpcore.ProtocolError, httpcore.NetworkError) as error:
            raise _broken(error, watch, self.secret) from error

    def _headers(self, content: bytes | None) -> dict[str, str]:
        headers = {"accept-encoding": "identity", "user-agent": "clean-room-agent"}
        if content is not None:
            headers["content-type"] = "application/json"
        if self.secret:
            headers["authorization"] = f"Bearer {self.secret}"
        return headers

    def _accept(self, response: httpx.Response) -> None:
        if response.status_code != 200:
            body = self._error_page(response)
            raise refusal(response.status_code, response.headers, body, secret=self.secret)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise garbage("a compressed answer, which was not asked for")

    def _error_page(self, response: httpx.Response) -> bytes:
        """Read as much of a refusal as comes; the refusal itself is already known."""
        page = b""
        try:
            for data in response.iter_raw():
                page += data
                if len(page) >= self._caps.error:
                    break
        except TransportError as error:
            if error.status is ReplyStatus.CANCELLED:
                raise
        except (httpcore.ProtocolError, httpcore.NetworkError):
            pass  # an error page cut short is still an error page
        return page[: self._caps.error]

    def _bytes(self, response: httpx.Response, cap: int) -> Iterator[bytes]:
        size = 0
        for data in response.iter_raw():
            size += len(data)
            if size > cap:
                raise TransportError(ReplyStatus.TOO_LONG, f"the answer passed {cap:,} bytes")
            yield data

    def _lines(self, response: httpx.Response) -> Iterator[str]:
        rest = b""
        for data in self._bytes(response, self._caps.stream):
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                yield _decode(line.removesuffix(b"\r"), self.secret)
            if len(rest) > self._caps.line:
                raise TransportError(
                    ReplyStatus.TOO_LONG, f"a line of the answer passed {self._caps.line:,} bytes"
                )
        if rest and not {"content-length", "transfer-encoding"} & set(response.headers):
            # A body that ends with the connection cannot show that its last line is whole.
            raise TransportError(ReplyStatus.CLOSED, "the server closed the connection in a line")
        if rest:
            yield _decode(rest, self.secret)


class HttpTransport:
    """What the transports over HTTP share: an endpoint, a client, watches and closing."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str = "",
        allowed_hosts: tuple[str, ...] = (),
        ask_seconds: float = ASK_SECONDS,
    ) -> None:
        self._client = HttpClient(check_endpoint(base_url, allowed_hosts), api_key)
        self._closed = threading.Event()
        self._ask_timeouts = Timeouts(ask_seconds, ask_seconds, ask_seconds, ask_seconds)

    def close(self) -> None:
        """End calls in flight with `cancelled` and refuse new ones; nothing else is held."""
        self._closed.set()

    def _watch(self, timeouts: Timeouts, cancel: threading.Event) -> Watch:
        return Watch(timeouts, cancel, self._closed)

    def _ask_watch(self) -> Watch:
        return Watch(self._ask_timeouts, self._closed)


class _Secret:
    """A key that shows itself in no repr, so in no traceback with variables."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "[key]" if self._value else "[no key]"

    def reveal(self) -> str:
        return self._value


class _WatchedTransport(httpx.BaseTransport):
    """Carries a request of httpx over one watched connection, then closes it."""

    def __init__(self, endpoint: Endpoint, watch: Watch, tls: ssl.SSLContext | None) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls,
            max_connections=1,
            max_keepalive_connections=0,
            network_backend=WatchedBackend(endpoint, watch),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.stream,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    """The body of an answer, as httpx wants it."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def _broken(error: Exception, watch: Watch, secret: str) -> TransportError:
    """Tell a server that hung up from one that does not speak HTTP."""
    if watch.peer_closed or isinstance(error, httpcore.NetworkError):
        return TransportError(ReplyStatus.CLOSED, "the server closed the connection early")
    return garbage("something that is not HTTP", str(error), secret=secret)


def _is_https(endpoint: Endpoint) -> bool:
    return endpoint.base_url.startswith("https:")


def _encode(body: Mapping[str, object]) -> bytes:
    """Write a request as JSON in UTF-8. Raises: TransportError (`refused`)."""
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (UnicodeEncodeError, ValueError) as error:
        message = f"the request cannot be written as JSON: {type(error).__name__}"
        raise TransportError(ReplyStatus.REFUSED, message) from None


def _decode(data: bytes, secret: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        shown = data.decode("utf-8", "backslashreplace")
        raise garbage("bytes that are not UTF-8", shown, secret=secret) from None
