"""The limits for data that a client sends before its key is checked."""

import asyncio
import functools
import inspect
import re
import socket
import time
import tomllib
from collections.abc import Callable
from contextlib import closing, suppress

import pytest
import uvicorn
from uvicorn.protocols import utils
from uvicorn.protocols.http import flow_control, httptools_impl
from uvicorn.server import ServerState

from app.server import protocol
from app.settings import ROOT
from tests.support.process import Server


def connect(server: Server) -> socket.socket:
    host, _, port = server.base.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def read(connection: socket.socket) -> bytes:
    parts = []
    with suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def send(connection: socket.socket, data: bytes) -> None:
    with suppress(ConnectionResetError, BrokenPipeError):
        connection.sendall(data)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"a:b\r\n" * 101 + b"\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"a:b\r\n" * 200_000 + b"\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\na: " + b"b" * 33_000 + b"\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\na: " + b"b" * 5_000_000,
        b"GET /livez?" + b"a" * 33_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["101 headers", "200,000 headers", "33 KB in one", "5 MB without an end", "33 KB of a URL"],
)
def test_a_head_over_a_limit_is_refused(server: Server, head: bytes) -> None:
    start = time.monotonic()
    with closing(connect(server)) as connection:
        send(connection, head)
        answer = read(connection)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 "), answer[:80]
    assert time.monotonic() - start < protocol.HEAD_PATIENCE


def test_a_head_within_the_limits_is_served(server: Server) -> None:
    head = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + b"a:%s\r\n" % (b"b" * 300) * 97 + b"\r\n"
    assert len(head) < protocol.MAX_HEAD
    with closing(connect(server)) as connection:
        for index in range(0, len(head), 1000):
            send(connection, head[index : index + 1000])
        assert read(connection).startswith(b"HTTP/1.1 200 ")


def test_the_answer_to_a_large_head_has_its_length() -> None:
    head, _, body = protocol._TOO_LARGE.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}\r\n".encode() in head + b"\r\n"


@pytest.mark.parametrize("first", [b"POST /livez", b"CONNECT /livez", b"GET /livez"])
def test_a_body_after_an_upgrade_is_not_a_request(server: Server, first: bytes) -> None:
    inner = b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n"
    with closing(connect(server)) as connection:
        send(
            connection,
            first
            + b" HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: foo\r\nContent-Length: %d\r\n\r\n" % len(inner),
        )
        time.sleep(0.3)
        send(connection, inner)
        answers = read(connection)
    assert answers.count(b"HTTP/1.1 ") <= 1
    assert b"connection: close" in answers


def test_one_connection_serves_many_requests(server: Server) -> None:
    with closing(connect(server)) as connection:
        for _ in range(3):
            send(connection, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b'{"status":"ok"}'):
                answer += connection.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_slow_head_is_cut_off(server: Server) -> None:
    with closing(connect(server)) as silent, closing(connect(server)) as slow:
        start = time.monotonic()
        slow.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        assert read(slow) == b""
        assert read(silent) == b""
        assert protocol.HEAD_PATIENCE - 1 < time.monotonic() - start < protocol.HEAD_PATIENCE + 10


class Recorder(asyncio.Transport):
    """A transport that records the data that is written."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed
        self.sent.append(bytes(data))

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


@pytest.mark.parametrize(
    ("end", "sent"),
    [
        ("nothing", [b"headbody"]),
        ("we close", [b"headbody"]),
        ("the client goes", []),
    ],
)
def test_data_written_in_one_turn_is_sent_together_unless_the_client_has_gone(end: str, sent: list[bytes]) -> None:
    recorder = Recorder()

    async def answer() -> None:
        joined = protocol._JoiningTransport(recorder, asyncio.get_running_loop())
        joined.write(b"head")
        joined.write(b"body")
        if end == "we close":
            joined.close()
        elif end == "the client goes":
            recorder.close()
        await asyncio.sleep(0.01)

    asyncio.run(answer())
    assert recorder.sent == sent


def test_a_large_body_before_a_head_in_parts_is_not_counted_with_it(server: Server) -> None:
    body = b"x" * 50_000
    with closing(connect(server)) as connection:
        send(connection, b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
        for index in range(0, len(body), 10_000):
            send(connection, body[index : index + 10_000])
            time.sleep(0.02)
        assert connection.recv(65536).startswith(b"HTTP/1.1 405 ")
        send(connection, b"GET /livez HTTP/1.1\r\nHost: x\r\n")
        time.sleep(0.1)
        send(connection, b"Connection: close\r\n\r\n")
        assert b"HTTP/1.1 200 " in read(connection)


HOOKS = (
    "connection_made",
    "data_received",
    "on_message_begin",
    "on_headers_complete",
    "on_message_complete",
    "send_400_response",
    "eof_received",
    "connection_lost",
)
"""The methods of uvicorn's HttpToolsProtocol that Protocol overrides."""
ATTRIBUTES = ("loop", "transport", "headers", "url", "parser", "cycle", "scope", "pipeline")
"""The attributes of uvicorn's HttpToolsProtocol that Protocol reads."""


class Recording(protocol.Protocol):
    """A connection that keeps the names of the hooks that uvicorn calls."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # uvicorn takes an application that can be called without arguments for a factory.
        async def app(scope: object, receive: object, send: object) -> None: ...

        self.called: set[str] = set()
        for name in HOOKS:
            setattr(self, name, functools.partial(self._record, name, getattr(self, name)))
        super().__init__(uvicorn.Config(app, ws="none"), ServerState(), {}, loop)

    def _record(self, name: str, hook: Callable[..., None], *arguments: object) -> None:
        self.called.add(name)
        hook(*arguments)


@pytest.fixture(scope="module")
def driven() -> Recording:
    """A connection after a request, and after data that isn't HTTP."""

    async def drive() -> Recording:
        connection = Recording(asyncio.get_running_loop())
        connection.connection_made(Recorder())
        connection.data_received(b"POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        connection.data_received(b"\x00")
        connection.eof_received()
        connection.connection_lost(None)
        return connection

    return asyncio.run(drive())


@pytest.mark.parametrize("name", HOOKS)
def test_uvicorn_has_and_calls_the_method_that_we_override(driven: Recording, name: str) -> None:
    assert hasattr(httptools_impl.HttpToolsProtocol, name), f"uvicorn's HttpToolsProtocol has no method {name} now"
    assert name in driven.called, f"uvicorn doesn't call HttpToolsProtocol.{name} now"


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_uvicorn_has_the_attribute_that_we_read(name: str) -> None:
    source = inspect.getsource(httptools_impl.HttpToolsProtocol)
    assert re.search(rf"\bself\.{name}\b.* = ", source), f"uvicorn's HttpToolsProtocol has no attribute {name} now"


def test_uvicorn_keeps_a_connection_by_the_attribute_that_we_clear(driven: Recording) -> None:
    assert driven.cycle.keep_alive is False
    assert "self.keep_alive" in inspect.getsource(httptools_impl.RequestResponseCycle.send)


def test_uvicorn_uses_only_what_our_transport_has() -> None:
    source = "".join(map(inspect.getsource, (httptools_impl, flow_control, utils)))
    names = set(re.findall(r"\btransport\.(\w+)", source))
    # set_protocol is for WebSockets, for which no library is installed.
    methods = {"write", "close", "get_extra_info", "is_closing", "pause_reading", "resume_reading", "set_protocol"}
    assert names <= methods, f"uvicorn now uses transport.{', transport.'.join(names - methods)}"
    assert "write" in names


def test_uvicorns_minor_version_is_pinned() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (pin,) = [dependency for dependency in dependencies if dependency.startswith("uvicorn")]
    assert re.fullmatch(r"uvicorn~=\d+\.\d+\.\d+", pin)
    assert uvicorn.__version__.startswith(pin.removeprefix("uvicorn~=").rpartition(".")[0] + ".")
