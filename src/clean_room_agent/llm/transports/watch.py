"""The clock of one call, and sockets that obey it.

Takes: timeouts and a cancel event. Gives: `Watch`, and `WatchedBackend`, which httpcore uses in
place of its own sockets.
Does not know: HTTP, JSON or models.

A read timeout of httpx cannot be resumed and starts again with each byte, so a dripping server
would hold a call for ever. Here every socket is non-blocking: each wait lasts at most
`SLICE_SECONDS`, then the cancel event and the deadlines are looked at again. No thread is needed,
so none can be left behind. The one exception is a name that a name server must resolve: that
cannot be interrupted, so it runs in a daemon thread that ends when the resolver gives up.
"""

from __future__ import annotations

import errno
import os
import queue
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any, TypeVar

import httpcore

from clean_room_agent.errors import ConfigError
from clean_room_agent.llm.transports.endpoint import Address, Endpoint, addresses, needs_resolver
from clean_room_agent.llm.wire import Timeouts, TransportError
from clean_room_agent.records.calls import ReplyStatus

SLICE_SECONDS = 0.05
Ready = TypeVar("Ready")


class Watch:
    """Knows when a call must end. One phase at a time has a deadline, beside the whole call.

    Phases: connecting, waiting for the first token, waiting for the next one. Only `token`
    restarts the idle clock, so bytes without text do not keep a call alive. The idle clock starts
    at the next wait: the time a reader of the stream takes for itself is not counted as idle.
    """

    def __init__(self, timeouts: Timeouts, *events: threading.Event) -> None:
        self._timeouts = timeouts
        self._events = events
        self._ends = time.monotonic() + timeouts.total
        self._fresh_token = False
        self.peer_closed = False
        self.connecting()

    def connecting(self) -> None:
        """Start an exchange. A call may have several; the total goes on."""
        self._enter(ReplyStatus.CONNECT, self._timeouts.connect)
        self.peer_closed = False

    def sending(self) -> None:
        """Begin to wait for the first token, if the connection has just been made."""
        if self._phase is ReplyStatus.CONNECT:
            self._enter(ReplyStatus.FIRST_TOKEN, self._timeouts.first_token)

    def token(self) -> None:
        """Tell that the model has produced something, an answer or a thought."""
        self._fresh_token = True

    def check(self) -> None:
        """Raise TransportError when the call is cancelled or a deadline has passed."""
        if any(event.is_set() for event in self._events):
            raise TransportError(ReplyStatus.CANCELLED, "the call was cancelled")
        if self._fresh_token:
            self._fresh_token = False
            self._enter(ReplyStatus.IDLE, self._timeouts.idle)
        now = time.monotonic()
        if now >= self._ends:
            raise TransportError(
                ReplyStatus.TOTAL, f"the call took longer than {self._timeouts.total:g} s in all"
            )
        if now >= self._phase_ends:
            raise TransportError(self._phase, _LATE[self._phase].format(self._allowed))

    def slice(self) -> float:
        """Return how long to wait before the next `check`, in seconds."""
        nearest = min(self._ends, self._phase_ends) - time.monotonic()
        return max(0.0, min(SLICE_SECONDS, nearest))

    def wait(self, sock: socket.socket, events: int) -> None:
        """Wait a slice for a socket, or raise as `check` does."""
        self.check()
        poll = select.poll()
        poll.register(sock, events)
        poll.poll(self.slice() * 1000 + 1)

    def _enter(self, phase: ReplyStatus, seconds: float) -> None:
        self._phase = phase
        self._allowed = seconds
        self._phase_ends = time.monotonic() + seconds


_LATE = {
    ReplyStatus.CONNECT: "no connection after {:g} s",
    ReplyStatus.FIRST_TOKEN: "no first token after {:g} s",
    ReplyStatus.IDLE: "no further token for {:g} s",
}


class WatchedBackend(httpcore.NetworkBackend):
    """Opens sockets to one endpoint only, whatever host it is asked for."""

    def __init__(self, endpoint: Endpoint, watch: Watch) -> None:
        self._endpoint = endpoint
        self._watch = watch

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that accepts; one deadline covers all of them."""
        del host, port, timeout, local_address, socket_options  # the endpoint and watch decide
        self._watch.connecting()
        problem = "the name has no address"
        for address in _resolve(self._endpoint, self._watch):
            try:
                return WatchedStream(self._connect(address), self._watch)
            except OSError as error:
                problem = error.strerror or str(error)
        raise TransportError(
            ReplyStatus.CONNECT,
            f"no connection to {self._endpoint.host}:{self._endpoint.port}: {problem}",
        )

    def _connect(self, address: Address) -> socket.socket:
        family, place = address
        with ExitStack() as stack:
            sock = socket.socket(family, socket.SOCK_STREAM)
            stack.callback(sock.close)
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = sock.connect_ex(place)
            while code in (errno.EINPROGRESS, errno.EALREADY, errno.EINTR):
                self._watch.wait(sock, select.POLLOUT)
                code = sock.connect_ex(place)
            if code not in (0, errno.EISCONN):
                raise OSError(code, os.strerror(code))
            stack.pop_all()
        return sock


class WatchedStream(httpcore.NetworkStream):
    """A connected socket whose every wait obeys the watch; httpcore's timeouts are not used."""

    def __init__(self, sock: socket.socket, watch: Watch) -> None:
        self._sock = sock
        self._watch = watch

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        try:
            data = self._when_ready(lambda: self._sock.recv(max_bytes), select.POLLIN)
        except OSError as error:
            raise _closed(error) from error
        self._watch.peer_closed = not data
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        self._watch.sending()
        rest = memoryview(buffer)
        while rest:
            rest = rest[self._send(rest) :]

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        del timeout
        with ExitStack() as stack:
            stack.callback(self._sock.close)
            try:
                secure = ssl_context.wrap_socket(
                    self._sock, server_hostname=server_hostname, do_handshake_on_connect=False
                )
                stack.callback(secure.close)
                stream = WatchedStream(secure, self._watch)
                stream._when_ready(secure.do_handshake, select.POLLIN)
            except OSError as error:
                message = f"no secure connection to {server_hostname}: {error}"
                raise TransportError(ReplyStatus.CONNECT, message) from error
            stack.pop_all()
        return stream

    def close(self) -> None:
        self._sock.close()

    def get_extra_info(self, info: str) -> Any:
        """Answer None to everything: no HTTP/2, no reuse of connections."""
        del info
        return None

    def _send(self, data: memoryview) -> int:
        try:
            return self._when_ready(lambda: self._sock.send(data), select.POLLOUT)
        except OSError as error:
            # A server may refuse before it has read everything: httpcore then reads its reply.
            raise httpcore.WriteError(str(error)) from error

    def _when_ready(self, act: Callable[[], Ready], events: int) -> Ready:
        while True:
            self._watch.check()
            try:
                return act()
            except ssl.SSLWantWriteError:
                self._watch.wait(self._sock, select.POLLOUT)
            except ssl.SSLWantReadError:
                self._watch.wait(self._sock, select.POLLIN)
            except (BlockingIOError, InterruptedError):
                self._watch.wait(self._sock, events)


def _closed(error: OSError) -> TransportError:
    return TransportError(
        ReplyStatus.CLOSED, f"the connection broke: {error.strerror or str(error)}"
    )


def _resolve(endpoint: Endpoint, watch: Watch) -> list[Address]:
    """Find the addresses of the endpoint while the watch runs."""
    answers: queue.SimpleQueue[list[Address] | OSError | ConfigError] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(addresses(endpoint))
        except (OSError, ConfigError) as error:
            answers.put(error)

    if needs_resolver(endpoint):
        threading.Thread(target=look_up, name="cra-resolver", daemon=True).start()
    else:
        look_up()
    while True:
        watch.check()
        try:
            answer = answers.get(timeout=watch.slice() + 0.001)
        except queue.Empty:
            continue
        if isinstance(answer, list):
            return answer
        status = ReplyStatus.REFUSED if isinstance(answer, ConfigError) else ReplyStatus.CONNECT
        raise TransportError(status, f"{endpoint.host} has no usable address: {answer}")
