import asyncio
import gzip
import socket
import ssl
import threading
import tracemalloc
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import h11
import httpcore
import httpx
import pytest
from h11._util import validate

from app.worker import calls, guard, names
from app.worker.calls import Answer, Calls, retry_after
from app.worker.network import _Stream
from app.worker.vendors import Blocked, CallFailed, NotMade, OutcomeUnknown, Refused, Sent, Unauthorized
from tests.support import simulator
from tests.support.simulator import KEY, Simulator

SENT = Sent("jane@example.com", "Jane Doe")


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    with simulator.running() as running:
        yield running


@pytest.fixture
def vendor(server: Simulator) -> Simulator:
    assert not server._failures
    server.requests.clear()
    return server


def call(
    url: str,
    path: str = "",
    *,
    makes: Sent | None = None,
    seconds: float = 60,
    allow_loopback: bool = True,
    credential: str = KEY,
    before: Callable[[Sent | None], Awaitable[float]] | None = None,
    **more: Any,
) -> Answer:
    async def in_time(_: Sent | None) -> float:
        return asyncio.get_running_loop().time() + seconds

    async def run() -> Answer:
        headers = {"authorization": f"Bearer {credential}"}
        async with calls.client(allow_loopback=allow_loopback) as client:
            adapter_calls = Calls("JobNimbus", url, credential, headers, client, before or in_time)
            return await adapter_calls.request("GET" if makes is None else "POST", path, makes=makes, **more)

    return asyncio.run(run())


def told(
    response: bytes, makes: Sent | None = None, *, drip: bytes = b"", seconds: float = 60, max_body: int | None = None
) -> Answer:
    """The result of a call whose response has these bytes. drip: sent after them, again and again."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(ConnectionError, EOFError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(response)
            while drip:
                writer.write(drip)
                await writer.drain()
                await asyncio.sleep(0.02)
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def before(_: Sent | None) -> float:
        return asyncio.get_running_loop().time() + seconds

    async def run() -> Answer:
        async with (
            await asyncio.start_server(serve, "127.0.0.1", 0) as listener,
            calls.client(allow_loopback=True) as client,
        ):
            url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
            vendor = Calls("JobNimbus", url, KEY, {}, client, before)
            return await vendor.request("GET", "/", makes=makes, max_body=max_body)

    return asyncio.run(run())


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_before_receives_what_each_call_creates_and_can_prevent_it(vendor: Simulator) -> None:
    class LeaseLostError(Exception):
        pass

    calls: list[Sent | None] = []

    async def before(makes: Sent | None) -> float:
        calls.append(makes)
        raise LeaseLostError

    for makes in (None, SENT):
        with pytest.raises(LeaseLostError):
            call(vendor.url, "/api1/contacts", makes=makes, before=before)
    assert calls == [None, SENT]
    assert vendor.requests == []


def test_nothing_is_sent_without_time_left(vendor: Simulator) -> None:
    with pytest.raises(NotMade, match="no time left"):
        call(vendor.url, "/api1/contacts", makes=SENT, seconds=0)
    assert vendor.requests == []


@pytest.mark.parametrize(("makes", "outcome"), [(SENT, OutcomeUnknown), (None, NotMade)])
@pytest.mark.parametrize(
    ("kind", "words"), [("hang", "didn't answer in time"), ("reset", "broke off"), ("error", "answered 500: Internal")]
)
def test_a_lost_answer_is_unknown_only_if_the_call_creates(
    vendor: Simulator, makes: Sent | None, outcome: type[CallFailed], kind: str, words: str
) -> None:
    vendor.fail(kind)
    with pytest.raises(CallFailed, match=f"JobNimbus {words}") as raised:
        call(vendor.url, "/api1/contacts", makes=makes, seconds=0.5 if kind == "hang" else 60, json={})
    assert type(raised.value) is outcome


@pytest.mark.parametrize(("makes", "outcome"), [(SENT, OutcomeUnknown), (None, NotMade)])
@pytest.mark.parametrize(
    "response",
    [
        http("408 Request Timeout"),
        http("502 Bad Gateway"),
        http("101 Switching Protocols"),
        http("200 OK", b"x" * (Calls.max_body + 1)),
        http("200 OK", b"{}", "content-encoding: gzip"),
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"what?\r\n\r\n",
        b"",
    ],
)
def test_an_unusable_answer_is_unknown_only_if_the_call_creates(
    response: bytes, makes: Sent | None, outcome: type[CallFailed]
) -> None:
    with pytest.raises(CallFailed) as raised:
        told(response, makes)
    assert type(raised.value) is outcome


def test_an_answer_is_read_up_to_the_limit_of_the_call() -> None:
    assert len(told(http("200 OK", b"x" * Calls.max_body)).text) == 1 << 18
    long = http("200 OK", b"x" * (1 << 20))
    assert len(told(long, max_body=1 << 20).text) == 1 << 20
    with pytest.raises(NotMade, match="answered 200 with more than 1048575 bytes"):
        told(long, max_body=(1 << 20) - 1)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "GZIP"])
def test_an_answer_that_is_compressed_all_the_same_is_read(coding: str) -> None:
    compress = zlib.compress if coding == "deflate" else gzip.compress
    assert told(http("200 OK", compress(b"fine"), f"content-encoding: {coding}")).text == "fine"


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip", "deflate", "br", "zstd", "?"])
def test_an_answer_that_expands_takes_little_memory(coding: str) -> None:
    zeros = zlib.compressobj(wbits=15 if coding == "deflate" else 31)
    body = b"".join(zeros.compress(bytes(1 << 20)) for _ in range(32)) + zeros.flush()
    body = gzip.compress(body) if "," in coding else body
    tracemalloc.start()
    try:
        with pytest.raises(OutcomeUnknown):
            told(http("200 OK", body, f"content-encoding: {coding}"), SENT)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_compressed_answer_that_is_not_complete_says_nothing(cut: int) -> None:
    body = gzip.compress(b'{"jnid": "%x"}' % (1 << 1000))[:-cut]
    with pytest.raises(OutcomeUnknown):
        told(http("200 OK", body, "content-encoding: gzip"), SENT)


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "response",
    [
        (b"HTTP/1.1 103 Early Hints\r\nlink: </%s>\r\n\r\n" % (b"x" * 1_000)) * 9 + http("200 OK"),
        CHUNKED + b"1\r\nx\r\n" * 200 + b"2000\r\n%s\r\n0\r\n\r\n" % (b"x" * 8192),
        CHUNKED + (b"1;" + b"x" * 2_000 + b"\r\nx\r\n") * 7 + b"0\r\n\r\n",
        CHUNKED + b"0\r\n" + (b"a: %s\r\n" % (b"b" * 100)) * 90 + b"\r\n",
        http("200 OK", b"", f"a: {'x' * 15_000}"),
        http("200 OK", b"", *[f"a: {'b' * 100}"] * 95),
    ],
    ids=["interim", "chunks", "extensions", "trailers", "header", "headers"],
)
def test_everything_in_an_answer_is_limited(response: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(response).status == 200
    monkeypatch.setattr("app.worker.network.MAX_RESPONSE", 1 << 13)
    with pytest.raises(OutcomeUnknown):
        told(response, SENT)


SPACES = b" " * 3_000
MANY_HEADERS = b"HTTP/1.1 103 Early Hints\r\n%s\r\n" % (b"a:b\r\n" * 15_000)


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 11 + http("200 OK"),
        MANY_HEADERS * 3,
        http("200 OK", b"", *["a: b"] * 100),
        http("200 OK", b"", "a: b\r\n " + "\r\n ".join("b" * 5_000)),
        http("200 OK", b"", f"a: {'b' * (1 << 15)}"),
        CHUNKED + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n",
        CHUNKED + (b"1;" + b"x" * 200 + b"\r\nx\r\n") * 2_000 + b"0\r\n\r\n",
        b"HTTP/1.0 200 OK\nTransfer-Encoding:chunked\n\n" + b"01\r\nx\r\n" * 50_000 + b"0\r\n\r\n",
        CHUNKED + b"0\r\n" + b"a: b\r\n" * 101 + b"\r\n",
        b"HTTP/1.1 103 \r\n\r\n" + CHUNKED + b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n",
    ],
    ids=[
        *("interim", "11 interim", "headers of interim", "headers", "folded", "long header"),
        *("chunks", "extensions", "old chunks", "trailers", "chunks after interim"),
    ],
)
def test_the_work_for_an_answer_is_limited(response: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts the events of h11, and the lines that it checks."""
    steps = [0]

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def count(*arguments: Any) -> Any:
            steps[0] += 1
            return function(*arguments)

        return count

    monkeypatch.setattr(h11.Connection, "next_event", counted(h11.Connection.next_event))
    monkeypatch.setattr("h11._readers.validate", counted(validate))
    with pytest.raises(OutcomeUnknown, match="broke off"):
        told(response, SENT)
    assert steps[0] < 1_500


def test_a_body_that_comes_byte_by_byte_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A TLS stream returns each record of its own, however small it is."""
    monkeypatch.setattr("app.worker.network._PIECE", 1)
    assert told(http("200 OK", b"x" * 100)).text == "x" * 100
    with pytest.raises(OutcomeUnknown, match="broke off"):
        told(http("200 OK", b"x" * 300), SENT)


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\na:" + SPACES + b"\0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na:" + SPACES + b"\r \r\n\r\n",
        CHUNKED + b"0\r\na:" + SPACES + b"\f\r\n\r\n",
        CHUNKED + b"1;" + SPACES + b"\nx\r\nx\r\n0\r\n\r\n",
        CHUNKED + b"1\r\nx\r\n1;" + SPACES + b"\nx\r\nx\r\n0\r\n\r\n",
    ],
)
def test_an_invalid_line_does_not_reach_the_slow_expressions(response: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """They take quadratic time: 100 KiB of spaces took a minute."""
    checked: list[bytes] = []

    def keep(expression: Any, line: bytes, *message: Any) -> Any:
        checked.append(bytes(line))
        return validate(expression, line, *message)

    monkeypatch.setattr("h11._readers.validate", keep)
    with pytest.raises(OutcomeUnknown, match="broke off"):
        told(response, SENT)
    assert not any(SPACES in line for line in checked)


def test_a_body_with_many_arrays_is_not_parsed() -> None:
    assert Answer("JobNimbus", 200, f"[{'[],' * 9_000}[]]").json() == [[]] * 9_001
    assert Answer("JobNimbus", 200, f"[{'[],' * 10_000}[]]").json() is None
    assert Answer("JobNimbus", 200, f"[{'{},' * 10_000}[]]").json() is None


def test_the_body_of_an_answer_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    def loads(text: str) -> Any:
        parsed.append(text)
        return {"message": "No"}

    monkeypatch.setattr("json.loads", loads)
    answer = told(http("400 Bad Request", b"{}"))
    assert (answer.json(), answer.reason(), str(answer)) == ({"message": "No"}, "No", "JobNimbus answered 400: No")
    assert parsed == ["{}"]


def test_a_stream_of_small_frames_does_not_hold_up_other_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.worker.network._LINES", 1 << 20)

    class Endless(httpcore.AsyncNetworkStream):
        async def read(self, max_bytes: int, *_: object, **__: object) -> bytes:
            return b"x" * max_bytes

    async def run() -> list[int]:
        turns = [0]

        async def other() -> None:
            while True:
                turns[0] += 1
                await asyncio.sleep(0)

        task, stream, seen = asyncio.create_task(other()), _Stream(Endless()), []
        for _ in range(10):
            assert len(await stream.read(1 << 16)) <= 4096
            seen.append(turns[0])
        task.cancel()
        return seen

    assert asyncio.run(run()) == list(range(1, 11))


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\na: ", http("200 OK")[:-4], CHUNKED, CHUNKED + b"9\r\n"])
@pytest.mark.parametrize("drip", [b"x", b"1\r\nx\r\n"])
def test_an_answer_that_comes_slowly_has_the_same_deadline(head: bytes, drip: bytes) -> None:
    with pytest.raises(OutcomeUnknown):
        told(head, SENT, drip=drip, seconds=0.2)


def test_no_connection_means_nothing_was_made(vendor: Simulator) -> None:
    vendor.down()
    try:
        with pytest.raises(NotMade, match="JobNimbus can't be reached: ") as raised:
            call(vendor.url, "/api1/contacts", makes=SENT)
        assert raised.value.status is None
    finally:
        vendor.up()
    assert call(vendor.url, "/api1/contacts").status == 200


def test_a_connection_that_takes_too_long_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue of a socket that accepts nothing is full after two connections."""
    monkeypatch.setattr(httpx, "Timeout", lambda *_, original=httpx.Timeout, **__: original(None, connect=0.2))
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for _ in range(2)]
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(full.getsockname())
        with pytest.raises(NotMade, match=r"^JobNimbus can't be reached: no connection in 3 seconds$"):
            call(f"http://127.0.0.1:{full.getsockname()[1]}", makes=SENT)
        for connection in waiting:
            connection.close()


@pytest.mark.parametrize("makes", [SENT, None])
def test_too_many_calls_return_when_to_retry(vendor: Simulator, makes: Sent | None) -> None:
    vendor.fail("429_retry_after", retry_after=7)
    with pytest.raises(NotMade, match=r"^JobNimbus answered 429: Too many requests$") as raised:
        call(vendor.url, "/api1/contacts", makes=makes, json={})
    assert (raised.value.status, raised.value.retry_after) == (429, 7)


@pytest.mark.parametrize("makes", [SENT, None])
@pytest.mark.parametrize("status", [423, 425, 429, 477])
def test_a_temporary_refusal_is_no_effect(status: int, makes: Sent | None) -> None:
    with pytest.raises(NotMade, match=rf"^JobNimbus answered {status}: Wait$") as raised:
        told(http(f"{status} No", b"Wait"), makes)
    assert (raised.value.status, raised.value.retry_after) == (status, None)


@pytest.mark.parametrize("makes", [SENT, None])
@pytest.mark.parametrize("status", [400, 404, 409, 413, 423, 451, 477, 499])
@pytest.mark.parametrize(("text", "seconds"), [("86400", 86400), ("0", 0), ("soon", None), ("", None)])
def test_any_refusal_with_retry_after_is_temporary(
    status: int, makes: Sent | None, text: str, seconds: float | None
) -> None:
    with pytest.raises(NotMade) as raised:
        told(http(f"{status} No", b"{}", f"retry-after: {text}"), makes)
    assert (type(raised.value), raised.value.status, raised.value.retry_after) == (NotMade, status, seconds)


@pytest.mark.parametrize(("makes", "outcome"), [(SENT, OutcomeUnknown), (None, NotMade)])
@pytest.mark.parametrize("status", [408, 500, 501, 503, 521, 599, 600, 999])
def test_a_status_outside_the_list_says_nothing(status: int, makes: Sent | None, outcome: type[CallFailed]) -> None:
    with pytest.raises(CallFailed) as raised:
        told(http(f"{status} What", b"", "retry-after: 7"), makes)
    assert (type(raised.value), raised.value.retry_after) == (outcome, 7)


@pytest.mark.parametrize("status", [400, 402, 404, 405, 409, 410, 413, 422, 451])
def test_other_refusals_stay_refusals(status: int) -> None:
    assert told(http(f"{status} No"), SENT).status == status


def test_an_unknown_outcome_keeps_retry_after() -> None:
    with pytest.raises(OutcomeUnknown) as raised:
        told(http("503 Service Unavailable", b"", "retry-after: 30"), SENT)
    assert (raised.value.status, raised.value.retry_after) == (503, 30)


@pytest.mark.parametrize(("text", "seconds"), [("120", 120), (" 0 ", 0), ("Sun, 06 Nov 1994 08:49:37 GMT", 0)])
def test_retry_after(text: str, seconds: float) -> None:
    assert retry_after(text) == seconds


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"])
def test_a_retry_after_may_be_a_date(form: str) -> None:
    seconds = retry_after((datetime.now(UTC) + timedelta(hours=1)).strftime(form))
    assert seconds is not None
    assert 3590 <= seconds <= 3600


@pytest.mark.parametrize("text", ["", "-1", "soon", "1.5", "9" * 400, "١", "Sun, 99 Nov 1994 08:49:37 GMT"])
def test_an_invalid_retry_after_is_ignored(text: str) -> None:
    assert retry_after(text) is None


@pytest.mark.parametrize(("makes", "method"), [(SENT, "POST"), (None, "GET")])
def test_a_redirect_is_not_followed(vendor: Simulator, makes: Sent | None, method: str) -> None:
    vendor.fail("redirect")
    with pytest.raises(NotMade, match="answered 302 with a redirect, which isn't followed"):
        call(vendor.url, "/api1/contacts", makes=makes, json={})
    assert [(seen.method, seen.path) for seen in vendor.requests] == [(method, "/api1/contacts")]


def test_a_wrong_key_is_recognized(vendor: Simulator) -> None:
    for makes in (SENT, None):
        with pytest.raises(Unauthorized, match=r"^JobNimbus answered 401: Unauthorized$"):
            call(vendor.url, "/api1/contacts", makes=makes, credential="key-of-nobody", json={})


@pytest.mark.parametrize("makes", [SENT, None])
@pytest.mark.parametrize(
    ("body", "headers", "words"),
    [
        (b"<h1>No</h1>", ["content-type: Text/HTML"], "JobNimbus answered 403 with an HTML page, probably a firewall"),
        (b"\n<!DOCTYPE html><html>No", [], "JobNimbus answered 403 with an HTML page, probably a firewall"),
        (b"<html><body>No", ["content-type: text/plain"], "JobNimbus answered 403 with an HTML page, probably a"),
        (b"Forbidden", ["content-type: text/plain"], "JobNimbus answered 403: Forbidden"),
        (b'{"title": "Error 1020", "detail": "No"}', [], "JobNimbus answered 403: No"),
        (b"", ["retry-after: 3600"], "JobNimbus answered 403"),
    ],
)
def test_a_403_of_something_in_front_is_no_refusal_of_the_key(
    body: bytes, headers: list[str], words: str, makes: Sent | None
) -> None:
    with pytest.raises(Blocked) as raised:
        told(http("403 Forbidden", body, *headers), makes)
    assert str(raised.value).startswith(words)
    assert raised.value.retry_after is None


def test_the_adapter_judges_other_refusals() -> None:
    answer = told(http("400 Bad Request", b"Duplicate contact\r\n\x1b[1m exists\n"), SENT)
    assert answer.status == 400
    assert str(answer) == "JobNimbus answered 400: Duplicate contact [1m exists"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"message": "No such status"}', "No such status"),
        ('{"error": "No"}', "No"),
        ('{"errorMessage": "No"}', "No"),
        ('{"detail": "No", "message": {}}', "No"),
        ('{"errors": [{"message": "No"}]}', "No"),
        ('{"code": 7}', '{"code": 7}'),
        ("[" * 100_000, "[" * 500),
        ("x" * 501, "x" * 500),
        ("", ""),
    ],
)
def test_the_reason_is_the_vendors_words(text: str, reason: str) -> None:
    assert Answer("JobNimbus", 400, text).reason() == reason


def test_an_html_page_is_not_used_as_a_reason() -> None:
    assert str(told(http("404 Not Found", b"<h1>Oops</h1>", "content-type: text/html"))) == "JobNimbus answered 404"


@pytest.mark.parametrize("status", ["401 Unauthorized", "429 Too Many", "500 Error", "400 Bad Request"])
def test_the_credential_is_never_repeated(status: str) -> None:
    try:
        message = str(told(http(status, f"Wrong key {KEY}, sorry".encode()), SENT))
    except CallFailed as error:
        message = str(error)
    assert message.endswith(": Wrong key …, sorry")


def test_a_credential_that_is_no_header_is_not_repeated(vendor: Simulator) -> None:
    with pytest.raises(CallFailed) as raised:
        call(vendor.url, "/api1/contacts", credential=f"{KEY}\nx")
    assert KEY not in str(raised.value)
    assert raised.value.__suppress_context__
    assert KEY not in repr(Calls("JobNimbus", "", KEY, {"authorization": KEY}, None, None))  # type: ignore[arg-type]


def test_a_call_keeps_nothing_for_the_next() -> None:
    response = http("200 OK", b"", "set-cookie: session=1; Path=/")
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(response)
        writer.close()
        await writer.wait_closed()

    async def run() -> None:
        async with (
            await asyncio.start_server(serve, "127.0.0.1", 0) as listener,
            calls.client(allow_loopback=True) as client,
        ):
            for _ in range(2):
                await client.get(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/")

    asyncio.run(run())
    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()
    assert b"connection: close" in heads[1].lower()


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1.2.3", "[::1]", "localhost", "2130706433", "0x7f000001", "127.1"),
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "100.100.100.200"),
        *("168.63.129.16", "192.0.0.192", "192.88.99.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("[::]", "[fd00:ec2::254]", "[fe80::1]", "[ff02::1]", "[fec0::1]", "[::10.0.0.1]", "[2001:db8::1]"),
        *("[::ffff:10.0.0.1]", "[::ffff:8.8.8.8]", "[64:ff9b::a00:1]", "[64:ff9b::808:808]", "[64:ff9b:1::1]"),
        *("[2002:a00:1::1]", "[2002:808:808::1]", "[2001:0:1::1]", "[100::1]", "[5f00::1]"),
    ],
)
def test_an_address_that_is_not_public_is_refused(host: str) -> None:
    with pytest.raises(Refused, match="isn't a public address"):
        call(f"https://{host}/", makes=SENT, allow_loopback=False)


@pytest.mark.parametrize("host", ["10.0.0.1", "169.254.169.254", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]"])
def test_allowing_loopback_allows_only_loopback(host: str) -> None:
    with pytest.raises(Refused, match="isn't a public address"):
        call(f"https://{host}/", makes=SENT)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450::1"])
def test_a_public_address_is_public(address: str) -> None:
    assert guard.is_public(ip_address(address))


def test_no_network_for_special_purposes_is_public() -> None:
    for network in guard._SPECIAL:
        assert not guard.is_public(ip_network(network)[0])


@pytest.mark.parametrize("url", ["http://93.184.216.34/", "ftp://93.184.216.34/", "file:///etc/passwd", "//x", ""])
@pytest.mark.parametrize("allow_loopback", [True, False])
def test_only_https_is_called(url: str, allow_loopback: bool) -> None:
    with pytest.raises((Refused, NotMade), match=r"isn't an https one|can't be reached"):
        call(url, makes=SENT, allow_loopback=allow_loopback)


def test_http_to_the_internet_is_refused() -> None:
    with pytest.raises(Refused, match=r"93\.184\.216\.34 isn't an https one"):
        call("http://93.184.216.34/", makes=SENT)


def test_a_user_in_the_address_is_refused(vendor: Simulator) -> None:
    with pytest.raises(Refused, match="has a user or a password in it"):
        call(vendor.url.replace("//", "//jane:secret@"), "/api1/contacts")
    assert vendor.requests == []


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Every name resolves to these addresses.
    The names that were looked up are added to the list.
    """
    looked_up: list[str] = []
    original = socket.getaddrinfo

    def getaddrinfo(host: str, port: Any, **more: Any) -> Any:
        if host.replace(".", "").isdigit():
            return original(host, port, **more)
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return looked_up


def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "93.184.216.34", "10.0.0.1")
    with pytest.raises(Refused, match=r"crm\.example\.com is at 10\.0\.0\.1"):
        call("https://crm.example.com/", makes=SENT)


def test_a_name_with_only_one_loopback_address_is_not_called_by_http(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "127.0.0.1", "93.184.216.34")
    with pytest.raises(Refused, match="isn't an https one"):
        call("http://crm.example.com/", makes=SENT)


def test_the_connection_goes_to_the_address_that_was_checked(
    vendor: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = resolving(monkeypatch, "127.0.0.1")
    assert call(f"http://crm.example.com:{vendor.port}", "/api1/contacts").status == 200
    assert names == ["crm.example.com"]
    assert vendor.requests[0].headers["host"] == f"crm.example.com:{vendor.port}"


@pytest.mark.parametrize("addresses", [("127.0.0.99", "127.0.0.1"), ("127.0.0.1", "127.0.0.99")])
def test_the_next_address_is_tried_if_one_accepts_no_connection(
    vendor: Simulator, monkeypatch: pytest.MonkeyPatch, addresses: tuple[str, str]
) -> None:
    resolving(monkeypatch, *addresses)
    assert call(f"http://crm.example.com:{vendor.port}", "/api1/contacts", makes=SENT, json={}).status == 400
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..example.com", "x" * 64 + ".example.com"])
def test_a_name_without_an_address_may_get_one_later(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.worker.names.SECONDS", 60)  # the resolver may be slow
    with pytest.raises(NotMade, match=rf"{host} can't be reached: its name has no address now \(.+\)$"):
        call(f"https://{host}/", makes=SENT)


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The look-up of *.dead.example doesn't end during the test. The names that were looked up are in the list."""
    asked, the_end, original = [], threading.Event(), socket.getaddrinfo

    def getaddrinfo(host: str, *arguments: Any, **more: Any) -> Any:
        asked.append(host)
        if host.endswith("dead.example"):
            the_end.wait(60)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return original(host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr("app.worker.names.SECONDS", 0.2)
    yield asked
    the_end.set()


def test_a_name_that_never_resolves_holds_up_nobody_else(
    vendor: Simulator, endless: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither other calls nor the end of the worker: this test ends before the look-up does."""
    monkeypatch.setattr("app.worker.names.SECONDS", 2)  # in which a busy machine looks localhost up

    async def before(_: Sent | None) -> float:
        return asyncio.get_running_loop().time() + 60

    async def run() -> list[Answer | BaseException]:
        async with calls.client(allow_loopback=True) as client:

            def get(url: str) -> Awaitable[Answer]:
                headers = {"authorization": f"Bearer {KEY}"}
                return Calls("JobNimbus", url, KEY, headers, client, before).request("GET", "/api1/contacts")

            dead = [get("https://crm.dead.example") for _ in range(40)]
            here = get(vendor.url.replace("127.0.0.1", "localhost"))
            return await asyncio.gather(*dead, here, return_exceptions=True)

    *lost, answer = asyncio.run(run())
    assert isinstance(answer, Answer)
    assert {f"{type(error).__name__}: {error}" for error in lost} == {
        "NotMade: crm.dead.example can't be reached: its name did not resolve in 2 seconds"
    }
    # All calls to a host wait for one look-up, so that a connection never has more than one thread.
    assert endless.count("crm.dead.example") == 1
    assert len([thread for thread in threading.enumerate() if "crm.dead.example" in thread.name]) == 1


def test_the_threads_of_all_names_are_limited(endless: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.worker.names.THREADS", 3)

    async def run() -> list[Any]:
        look_ups = names.Names()
        hosts = [f"{letter}.dead.example" for letter in "abcd"]
        results: list[Any] = await asyncio.gather(*map(look_ups.addresses, hosts), return_exceptions=True)
        return results

    assert str(asyncio.run(run())[3]) == "d.dead.example wasn't called: 3 other names are being looked up"
    assert sorted(endless) == ["a.dead.example", "b.dead.example", "c.dead.example"]


def test_a_name_that_has_resolved_is_looked_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = resolving(monkeypatch, "10.0.0.1")

    async def run() -> None:
        look_ups = names.Names()
        for _ in range(2):
            assert await look_ups.addresses("crm.example.com") == [ip_address("10.0.0.1")]

    asyncio.run(run())
    assert asked == ["crm.example.com"] * 2


def test_tls_checks_the_certificate_against_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    hello: list[str | None] = []
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.sni_callback = lambda connection, name, context: hello.append(name)
    client_side = ssl.create_default_context()
    trust(server_side, client_side, "crm.example.com")
    monkeypatch.setattr(httpx, "create_ssl_context", lambda **_: client_side)
    resolving(monkeypatch, "127.0.0.1")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(http("200 OK", b"fine", "connection: close"))
        writer.close()
        with suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()

    async def run(host: str) -> str:
        async def before(_: Sent | None) -> float:
            return asyncio.get_running_loop().time() + 60

        async with (
            await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_side) as listener,
            calls.client(allow_loopback=True) as client,
        ):
            port = listener.sockets[0].getsockname()[1]
            return (await Calls("It", f"https://{host}:{port}", KEY, {}, client, before).request("GET", "/")).text

    assert asyncio.run(run("crm.example.com")) == "fine"
    assert hello == ["crm.example.com"]
    with pytest.raises(NotMade, match="CERTIFICATE_VERIFY_FAILED"):
        asyncio.run(run("other.example.com"))


def trust(server_side: ssl.SSLContext, client_side: ssl.SSLContext, name: str) -> None:
    """Gives the server a certificate for the name, and the client trust in it."""
    import tempfile

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    signed_certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate = signed_certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.NamedTemporaryFile() as file:
        file.write(private + certificate)
        file.flush()
        server_side.load_cert_chain(file.name)
    client_side.load_verify_locations(cadata=certificate.decode())
