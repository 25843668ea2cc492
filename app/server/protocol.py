"""uvicorn's HTTP protocol, with a limit to everything that a client can send before its key is
checked.

uvicorn limits neither the size of a request's head nor the time that it may take. If a request asks
for an upgrade, or is a CONNECT, uvicorn parses what follows the head, which is the request's own
body, as another request. It parses all requests that a client sends without waiting for the
responses, each into objects of some 3 KB, and reads more after every response.

Requests to the API do not pass through ASGI, because its calls and messages cost processor time.
"""

import asyncio
import contextlib
import math
import os
import re
import socket
import struct
from typing import cast
from urllib.parse import unquote

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app import log
from app.server import problems
from app.server.api import OPEN_PREFIX, PREFIX, common_headers
from app.server.application import Application
from app.server.request import Receive, Scope
from app.server.stream import Stream

MAX_HEAD = 32 * 1024
"""Bytes of a request's line and headers."""
MAX_HEADERS = 100
HEAD_PATIENCE = 10.0
"""Seconds that a head may take, from the connection or the head's first byte on;
up to TICK more.
"""
BODY_PATIENCE = 30.0
"""Seconds that a body may take, in addition to those of its bytes; up to TICK more."""
BODY_RATE = 64 * 1024
"""Bytes of a body that extend its time by a second. A body that arrives more slowly, after its first
BODY_PATIENCE seconds, ends the connection.
"""
READ_PATIENCE = 30.0
"""Seconds in which a client must read a part of the responses that wait for it; up to TICK more."""
FIRST_PROBE = 0.1
"""Seconds until the first probe of a client that sends no more. Each further pause doubles."""
OLD_PATIENCE = 1.0
"""Seconds until an HTTP/1.0 client that sends no more counts as gone. It can't be probed."""
PIECE = 2048
"""Bytes that are parsed at once. What follows them is parsed when no request waits for the response
to an earlier one.
"""
TICK = 5.0
"""Seconds between two checks of a connection.
A timer for each head and body would cost a request more.
"""

_HOST = re.compile(rb"(?:\[[0-9A-Fa-fv.:]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")
_SLASH = re.compile(r"%2f", re.IGNORECASE)
_API = PREFIX.encode() + b"/", OPEN_PREFIX.encode() + b"/"


class _JoiningTransport(asyncio.Transport):
    """A transport that joins the writes of one turn of the event loop:
    a response's head and its body.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._parts: list[bytes] = []
        self._written = 0
        # Instead of methods that delegate, each of which would cost one more call.
        self.get_extra_info = transport.get_extra_info  # type: ignore[method-assign]
        self.is_closing = transport.is_closing  # type: ignore[method-assign]
        self.pause_reading = transport.pause_reading  # type: ignore[method-assign]
        self.resume_reading = transport.resume_reading  # type: ignore[method-assign]
        self.abort = transport.abort  # type: ignore[method-assign]

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Sends the data at the end of this turn."""
        if not self._parts:
            self._loop.call_soon(self._send)
        self._parts.append(bytes(data))

    def send(self, data: bytes) -> None:
        """Sends the data at once, after what is left."""
        if self._parts:
            self.write(data)
        elif not self._transport.is_closing():
            self._written += len(data)
            self._transport.write(data)

    def close(self) -> None:
        """Sends what is left, and closes."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        parts, self._parts = self._parts, []
        # If the client has disconnected, nothing receives the data, and uvloop would raise.
        if parts and not self._transport.is_closing():
            data = b"".join(parts)
            self._written += len(data)
            self._transport.write(data)

    def unsent(self) -> tuple[int, int]:
        """The bytes that wait until the client reads, and those that the system has taken so far."""
        waiting = self._transport.get_write_buffer_size()
        return waiting, self._written - waiting


class Protocol(HttpToolsProtocol):
    """One connection. A request that breaks a limit is answered 431, and data that is not an HTTP/1
    request 400. A client whose request takes too long, or that does not read, is disconnected.
    """

    _chunk = 0
    """Bytes of the last piece of data."""
    _rest = memoryview(b"")
    """Data that has not been parsed yet. Until it is, no more is read."""
    _head_bytes = 0
    """Bytes since the head began, or more."""
    _is_in_head = True
    _is_ending = False
    is_gone = False
    """Whether the client has disconnected, so that nobody reads the response."""
    _deadline = math.inf
    _taken = 0
    """Bytes of responses that the client's system had taken at the last check."""
    _read_at = 0.0
    """When the client's system had taken more than before, or nothing waited for it."""
    _timer: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Waits for the first head."""
        super().connection_made(_JoiningTransport(cast("asyncio.Transport", transport), self.loop))
        self._read_at = self.loop.time()
        self._deadline = self._read_at + HEAD_PATIENCE
        self._timer = self.loop.call_later(TICK, self._check_deadline)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the timer."""
        self.is_gone = True
        self._timer.cancel()
        super().connection_lost(exc)
        self.pipeline.clear()
        self._rest = memoryview(b"")

    def data_received(self, data: bytes) -> None:
        """Parses the data. What follows the head of an upgrade is ignored."""
        if len(data) <= PIECE and not self._rest and not self.pipeline:
            self._parse(data)
        else:
            self._rest = memoryview(bytes(self._rest) + data if self._rest else data)
            self._parse_rest()

    def on_response_complete(self) -> None:
        """Starts the next request, and parses more if none is left."""
        super().on_response_complete()
        if self._rest and not self.transport.is_closing():
            if self._deadline < math.inf:
                # The client has waited for us.
                self._deadline = max(self._deadline, self.loop.time() + HEAD_PATIENCE)
            self._parse_rest()

    def _parse_rest(self) -> None:
        """Parses until a request waits for the response to an earlier one."""
        while self._rest and not self.pipeline and not self._is_ending:
            piece, self._rest = self._rest[:PIECE], self._rest[PIECE:]
            self._parse(piece)
        if self._is_ending:
            self._rest = memoryview(b"")
        elif self._rest:
            self.flow.pause_reading()

    def _parse(self, data: bytes | memoryview) -> None:
        if self._is_ending:
            return
        self._chunk = len(data)
        self._head_bytes += self._chunk
        super().data_received(data)  # type: ignore[arg-type]
        # A head whose end hasn't come yet.
        if self._is_in_head and self._head_bytes > MAX_HEAD and not self._is_ending:
            self._refuse("head_too_large")
        elif self._deadline == math.inf and (cycle := self.cycle) is not None and cycle.response_complete:
            # An empty line before a head: it begins no request, but ended the time of an idle
            # connection.
            self._deadline = self.loop.time() + HEAD_PATIENCE

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more. It has disconnected, or still waits for its responses."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            self.transport.close()  # sends a response of this turn first
            return False
        cycle.keep_alive = False
        if cycle.scope["http_version"] == "1.0":
            self.loop.call_later(OLD_PATIENCE, self._count_as_gone)
        else:
            self.loop.call_later(FIRST_PROBE, self._probe, FIRST_PROBE)
        return True

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._is_in_head = True
        # An upper bound, mostly exact. The headers are counted one by one only if it is too high.
        self._head_bytes = self._chunk
        self._deadline = self.loop.time() + HEAD_PATIENCE

    def on_headers_complete(self) -> None:
        """The head is complete. Starts the request."""
        if len(self.headers) > MAX_HEADERS or (self._head_bytes > MAX_HEAD and self._exact_head_bytes() > MAX_HEAD):
            self._refuse("head_too_large")
            raise ValueError("the head is too large")  # ends the parsing
        if fault := self._fault_of_head():
            self._refuse("invalid_request", fault)
            raise ValueError(fault)
        self._is_in_head = False
        self._deadline = self.loop.time() + BODY_PATIENCE
        super().on_headers_complete()
        self.scope["leads.client"] = self  # type: ignore[typeddict-unknown-key]
        if b"%" in self.url:
            # An encoded slash does not separate segments (RFC 3986, section 2.2).
            self.scope["path"] = unquote(_SLASH.sub("%252F", self.scope["raw_path"].decode()))
        if self.parser.should_upgrade():
            self._is_ending = True
            self.cycle.keep_alive = False

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Starts a request. One to the API does without ASGI."""
        # With CORS, the application is another one.
        if isinstance(app, Application) and cycle.scope["raw_path"].startswith(_API):
            task = self.loop.create_task(self._respond(cycle, app))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)
        else:
            super()._start_asgi_task(cycle, app)

    async def _respond(self, cycle: RequestResponseCycle, app: Application) -> None:
        """Answers a request to the API."""
        response = await app.api.respond(cast("Scope", cycle.scope), cast("Receive", cycle.receive))
        if response is None:
            return
        if isinstance(response, Stream):
            await self._stream(cycle, response)
            return
        if self.flow.write_paused and not cycle.disconnected:
            await self.flow.drain()
        if cycle.disconnected:
            return
        status, headers, body = response
        lines = [STATUS_LINE[status]]
        lines += [b"%s: %s\r\n" % header for header in (*cycle.default_headers, *headers)]
        if not cycle.keep_alive:
            lines.append(b"connection: close\r\n")
        cycle.response_started = cycle.response_complete = True
        transport = cast("_JoiningTransport", self.transport)
        transport.send(b"".join((*lines, b"\r\n", body)))
        cycle.message_event.set()
        if not cycle.keep_alive:
            transport.close()
        self.on_response_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body has arrived."""
        super().on_body(body)
        self._deadline += len(body) / BODY_RATE

    async def _stream(self, cycle: RequestResponseCycle, stream: Stream) -> None:
        """Answers with a body whose length is not known."""
        transport = cast("_JoiningTransport", self.transport)
        has_body = cycle.scope["method"] != "HEAD"
        # Before HTTP/1.1, the end of the connection is the end of the body.
        is_chunked = cycle.scope["http_version"] != "1.0"
        cycle.keep_alive = cycle.keep_alive and (is_chunked or not has_body)
        lines = [STATUS_LINE[stream.status]]
        lines += [b"%s: %s\r\n" % header for header in (*cycle.default_headers, *stream.headers)]
        if is_chunked:
            lines.append(b"transfer-encoding: chunked\r\n")
        if not cycle.keep_alive:
            lines.append(b"connection: close\r\n")

        async def begin() -> None:
            cycle.response_started = True
            transport.send(b"".join((*lines, b"\r\n")))

        async def write(page: bytes) -> bool:
            await self._drain(cycle)
            if page and not cycle.disconnected:
                transport.send(b"%x\r\n%b\r\n" % (len(page), page) if is_chunked else page)
                # The transport may ask for a pause only in the next turn.
                await asyncio.sleep(0)
                await self._drain(cycle)
            return not cycle.disconnected

        is_complete = await stream.send(begin, write)
        if cycle.disconnected:
            return
        if not is_complete:
            # Without the end of the body, so that the client sees an error.
            if not is_chunked:
                # The end of the connection would be the end of the body. A reset is not.
                with contextlib.suppress(OSError, AttributeError):
                    lingers = struct.pack("ii", 1, 0)
                    self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingers)
            self.transport.abort()
            return
        cycle.response_complete = True
        if has_body and is_chunked:
            transport.send(b"0\r\n\r\n")
        cycle.message_event.set()
        if not cycle.keep_alive:
            transport.close()
        self.on_response_complete()

    async def _drain(self, cycle: RequestResponseCycle) -> None:
        """Waits until the client has read most of what was sent."""
        if self.flow.write_paused and not cycle.disconnected:
            await self.flow.drain()

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._deadline = math.inf
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answers data that isn't HTTP, unless the head was refused already."""
        if not self._is_ending:
            self._refuse("invalid_request")

    def _exact_head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _fault_of_head(self) -> str | None:
        # RFC 9112, section 3.2.
        hosts = [value for name, value in self.headers if name == b"host"]
        version = self.parser.get_http_version()
        if version not in ("1.1", "1.0"):
            return "The version must be HTTP/1.1 or HTTP/1.0."
        if not hosts:
            return "The request has no Host header. Send one." if version == "1.1" else None
        if len(hosts) > 1:
            return "The request has several Host headers. Send one."
        if not _HOST.fullmatch(hosts[0]):
            return "The Host header must be a host, with or without a port."
        return None

    def _refuse(self, word: str, detail: str | None = None) -> None:
        """Answers with a problem, and ends the connection."""
        self._is_ending = True
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                # This answer would be taken for the one of an earlier request, which is running.
                cycle.keep_alive = False
                return
            if self.pipeline:
                self.transport.close()
                return
        id = os.urandom(16).hex().encode()
        problem = problems.of_word({}, word, detail=detail)
        body = problem.body(id.decode())
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/problem+json"),
            *common_headers(id),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        head = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(STATUS_LINE[problem.status] + head + b"\r\n" + body)
        self.transport.close()
        log.request(id, "-", "-", problem.status, 0.0)

    def _probe(self, pause: float) -> None:
        """Sends an interim response, which a client ignores (RFC 9110, section 15.2).

        This is the only way to learn from TCP whether a client has disconnected, or only stopped
        sending: a disconnected client's system rejects the data, and the next write then fails.
        """
        cycle = self.cycle
        if self.transport.is_closing() or cycle.response_started:
            return
        if not self.pipeline:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.loop.call_later(pause, self._probe, pause * 2)

    def _count_as_gone(self) -> None:
        self.is_gone = True

    def _check_deadline(self) -> None:
        now = self.loop.time()
        waiting, taken = cast("_JoiningTransport", self.transport).unsent()
        if not waiting or taken > self._taken:
            self._read_at, self._taken = now, taken
        elif now > self._read_at + READ_PATIENCE:
            # close() would wait until the client reads.
            self.transport.abort()
            return
        # While data is left to parse, the client waits for us.
        if now > self._deadline and not self._rest:
            self.transport.close()
        self._timer = self.loop.call_later(TICK, self._check_deadline)
