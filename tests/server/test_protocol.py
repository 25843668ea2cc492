"""The limits for data that a client sends before its key is checked."""

import asyncio
import functools
import inspect
import re
import socket
import time
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
import uvicorn
from uvicorn.protocols import utils
from uvicorn.protocols.http import flow_control, httptools_impl
from uvicorn.server import ServerState

from app.server import protocol
from app.settings import ROOT
from tests.support.contract import check_problem
from tests.support.database import Organization
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


def parse(answer: bytes) -> httpx.Response:
    """The one response of these bytes."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return httpx.Response(int(status.split()[1]), headers=headers, content=body)


@pytest.mark.parametrize(
    ("head", "status", "code", "detail"),
    [
        (b"GET /livez HTTP/1.1\r\n\r\n", 400, "invalid_request", "no Host"),
        (b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "invalid_request", "several Host"),
        (b"GET /livez HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", 400, "invalid_request", "several Host"),
        (b"GET /livez HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "invalid_request", "must be a host"),
        (b"GET /livez HTTP/1.1\r\nHost: a@b\r\n\r\n", 400, "invalid_request", "must be a host"),
        (b"GET /livez HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "invalid_request", "must be a host"),
        (b"GET /livez\r\nHost: x\r\n\r\n", 400, "invalid_request", "version"),
        (b"GET /livez\r\n\r\n", 400, "invalid_request", "version"),
        (b"GET /livez HTTP/0.9\r\nHost: x\r\n\r\n", 400, "invalid_request", "version"),
        (b"GET /livez HTTP/2.0\r\nHost: x\r\n\r\n", 400, "invalid_request", "version"),
        (b"GET /livez HTTP/1.2\r\nHost: x\r\n\r\n", 400, "invalid_request", "not a valid HTTP"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "invalid_request", "not a valid HTTP"),
        (b"\x16\x03\x01\x02", 400, "invalid_request", "not a valid HTTP"),
        (b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_request", "not a valid HTTP"),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_request", "not a valid HTTP"),
        (
            b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
            "invalid_request",
            "not a valid HTTP",
        ),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a:b\r\n" * 101 + b"\r\n", 431, "head_too_large", "100 headers"),
        (b"GET / HTTP/1.1\r\nHost: x\r\na:" + b"b" * 33_000 + b"\r\n\r\n", 431, "head_too_large", "32 KiB"),
    ],
)
def test_what_is_not_a_request_is_refused_with_a_problem(
    server: Server, head: bytes, status: int, code: str, detail: str
) -> None:
    with closing(connect(server)) as connection:
        send(connection, head)
        answer = parse(read(connection))
    problem = check_problem(answer, status, code)
    assert detail in problem["detail"]
    assert answer.headers["connection"] == "close"
    assert answer.headers["date"]


@pytest.mark.parametrize(
    "head",
    [
        b"GET /livez HTTP/1.0\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: [::1]:8000\r\nConnection: close\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a_b.example.com.:80\r\nConnection: close\r\n\r\n",
        b"GET http://x/livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /%6civez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
)
def test_an_unusual_request_is_served(server: Server, head: bytes) -> None:
    with closing(connect(server)) as connection:
        send(connection, head)
        answer = parse(read(connection))
    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("rest", [b"\x00", b"GET /livez\r\n\r\n", b"GET / HTTP/1.1\r\na:" + b"b" * 33_000])
def test_a_refusal_is_not_taken_for_the_answer_of_an_earlier_request(server: Server, rest: bytes) -> None:
    with closing(connect(server)) as connection:
        send(connection, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" + rest)
        answer = read(connection)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert (parse(answer).status_code, parse(answer).headers["connection"]) == (200, "close")


@pytest.mark.parametrize("path", ["/api%2fv1/leads", "/api%2Fv1%2Fleads", "/api/v1%2fleads", "/%2Flivez", "/livez%2f"])
def test_an_encoded_slash_separates_nothing(server: Server, path: str) -> None:
    check_problem(httpx.get(server.base + path, verify=False), 404, "not_found")


def test_an_encoded_slash_is_part_of_an_id(server: Server, new_organization: Callable[..., Organization]) -> None:
    with server.client(new_organization().keys["write"]) as client:
        lead = client.post("/leads", json={"email": "a@example.com"}).headers["location"]
        assert client.get(lead.removeprefix("/api/v1")).status_code == 200
        check_problem(client.get(lead.removeprefix("/api/v1").replace("leads/", "leads%2F")), 404, "not_found")
        check_problem(client.get("/leads/a%2Fb"), 404, "not_found")


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


def test_an_upgrade_to_a_websocket_is_ignored(server: Server) -> None:
    """Also if a library for WebSockets is installed, as here."""
    assert find_spec("websockets")
    request = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n\r\n"
    for before in (b"", request + b"\r\n"):
        with closing(connect(server)) as connection:
            if before:
                send(connection, before)
                assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
            send(connection, request + upgrade)
            answer = read(connection)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answer


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
        assert protocol.HEAD_PATIENCE - 1 < time.monotonic() - start < protocol.HEAD_PATIENCE + 20


class Recorder(asyncio.Transport):
    """A transport that records the data that is written."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.is_closed = False
        self.is_aborted = False
        self.unread = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed
        self.sent.append(bytes(data))

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = True

    def get_write_buffer_size(self) -> int:
        return self.unread

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


def memory(server: Server) -> int:
    """The bytes that the server's process has for itself."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.findall(r"RssAnon:\s*(\d+) kB", status)[0]) * 1024


def test_requests_that_do_not_wait_for_responses_are_answered_in_order(server: Server) -> None:
    ids = range(5000)
    requests = b"".join(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-Id: %d\r\n\r\n" % id for id in ids)
    with closing(connect(server)) as connection, ThreadPoolExecutor(1) as threads:
        # Longer than a head may be, and it ends in the middle of a head.
        sent = threads.submit(send, connection, requests[:-9])
        answers = b""
        while answers.count(b"x-request-id: ") < len(ids) - 1:
            answers += (part := connection.recv(65536))
            assert part
        sent.result()
        send(connection, requests[-9:])
        connection.shutdown(socket.SHUT_WR)
        answers += read(connection)
    assert [int(id) for id in re.findall(rb"x-request-id: (\d+)\r", answers)] == list(ids)


@pytest.mark.parametrize("size", [60, 1200])
@pytest.mark.parametrize("is_reading", [True, False])
def test_requests_that_wait_for_earlier_responses_take_little_memory(
    server: Server, size: int, *, is_reading: bool
) -> None:
    packet = b"GET / HTTP/1.1\r\nHost:\r\n\r\n" * size
    before = memory(server)
    with closing(connect(server)) as connection:
        connection.settimeout(0.01)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            with suppress(TimeoutError):
                connection.sendall(packet)
            if is_reading:
                with suppress(TimeoutError):
                    connection.recv(65536)
        grown = memory(server) - before
    assert grown < 8 << 20
    assert httpx.get(server.base + "/livez", verify=False).status_code == 200


def test_a_request_that_waits_for_the_server_is_not_late() -> None:
    async def drive() -> list[bool]:
        connection = Recording(asyncio.get_running_loop())
        recorder = Recorder()
        connection.connection_made(recorder)
        connection.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 200)
        connection._deadline = 0.0
        connection._check_deadline()
        was_closed = recorder.is_closed
        while connection._rest:
            connection.cycle.response_complete = True
            connection.on_response_complete()
        connection._deadline = 0.0
        connection._check_deadline()
        connection.connection_lost(None)
        return [was_closed, recorder.is_closed]

    assert asyncio.run(drive()) == [False, True]


@pytest.mark.parametrize(("rate", "is_closed"), [(protocol.BODY_RATE * 2, False), (protocol.BODY_RATE // 2, True)])
def test_a_body_may_take_the_time_of_its_bytes(rate: int, is_closed: bool) -> None:
    async def drive() -> bool:
        connection = Recording(asyncio.get_running_loop())
        recorder = Recorder()
        connection.connection_made(recorder)
        connection.data_received(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 16000000\r\n\r\n")
        for _ in range(100):
            if recorder.is_closed:
                break
            # A second passes.
            connection._deadline -= 1.0
            connection.data_received(b"x" * rate)
            connection._check_deadline()
            connection._timer.cancel()
        was_closed = recorder.is_closed
        connection.connection_lost(None)
        return was_closed

    assert asyncio.run(drive()) is is_closed


@pytest.mark.parametrize(
    ("unread", "is_aborted"),
    [([90, 90], True), ([90, 89], False), ([90, 0], False), ([0, 0], False), ([90, 95], True)],
)
def test_a_client_that_reads_nothing_is_disconnected(
    unread: list[int], is_aborted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "READ_PATIENCE", 0.0)

    async def drive() -> bool:
        connection = Recording(asyncio.get_running_loop())
        recorder = Recorder()
        connection.connection_made(recorder)
        connection.transport.write(b"x" * 100)
        await asyncio.sleep(0)
        for recorder.unread in unread:
            await asyncio.sleep(0.001)
            connection._timer.cancel()
            connection._check_deadline()
        connection.connection_lost(None)
        return recorder.is_aborted

    assert asyncio.run(drive()) is is_aborted


HOOKS = (
    "connection_made",
    "data_received",
    "on_message_begin",
    "on_headers_complete",
    "on_body",
    "on_message_complete",
    "on_response_complete",
    "send_400_response",
    "eof_received",
    "connection_lost",
)
"""The methods of uvicorn's HttpToolsProtocol that Protocol overrides."""
ATTRIBUTES = ("loop", "transport", "headers", "url", "parser", "cycle", "scope", "pipeline", "server_state", "flow")
"""The attributes of uvicorn's HttpToolsProtocol that Protocol reads."""


class Recording(protocol.Protocol):
    """A connection that keeps the names of the hooks that uvicorn calls."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # uvicorn takes an application that can be called without arguments for a factory.
        async def app(scope: object, receive: object, send: object) -> None: ...

        self.called: set[str] = set()
        self.was_kept = False
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
        connection.was_kept = connection.cycle.keep_alive
        await asyncio.sleep(0)
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
    assert driven.was_kept is True, "uvicorn's RequestResponseCycle has no attribute keep_alive now"
    assert "self.keep_alive" in inspect.getsource(httptools_impl.RequestResponseCycle.send)


def test_an_empty_line_does_not_keep_an_idle_connection_open() -> None:
    async def drive() -> float:
        connection = Recording(asyncio.get_running_loop())
        connection.connection_made(Recorder())
        connection.data_received(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.cycle.response_complete = True
        connection.on_response_complete()
        connection.data_received(b"\r\n")
        connection.connection_lost(None)
        return connection._deadline

    assert asyncio.run(drive()) < float("inf")


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
