"""One attempt of a delivery: its signatures, what counts as a success, and the addresses that are never called."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app import sealing
from app.worker import calls, deliveries
from app.worker.connection import Connection
from app.worker.delivery import Delivery, Result, deliver
from app.worker.totals import Totals
from app.worker.vault import Vault
from app.worker.webhook_queue import WebhookQueue
from tests.support import hooks
from tests.support.hooks import Hooks

VAULT = Vault([b"k" * 32, b"o" * 32])
NEW, OLD = sealing.new_secret(), sealing.new_secret()
BODY = '{"type":"lead.created","data":{"lead_id":"1","name":"Jürgen"}}'
ID = UUID(int=7)


def sealed(secret: str, key: int = 0) -> tuple[bytes, str]:
    return sealing.seal(secret, VAULT.public_keys()[key]), VAULT.ids[key]


def attempt(
    url: str,
    *,
    secrets: tuple[tuple[bytes, str], ...] = (sealed(NEW),),
    seconds: float = 60,
    allow_loopback: bool = True,
    vault: Vault = VAULT,
) -> Result:
    async def run() -> Result:
        deadline = asyncio.get_running_loop().time() + seconds
        delivery = Delivery(uuid4(), uuid4(), ID, 1, url, f"msg_{ID}", BODY, secrets, None, deadline)
        async with calls.client(allow_loopback=allow_loopback) as client:
            return await deliver(client, vault, delivery)

    return asyncio.run(run())


@pytest.fixture(scope="module")
def server() -> Iterator[Hooks]:
    with hooks.receiving() as running:
        yield running


@pytest.fixture
def receiver(server: Hooks) -> Hooks:
    server.secrets = {"/hook": NEW}
    for kept in (server.messages, server.requests, server.invalid):
        kept.clear()
    for settings in (server.statuses, server.headers, server.latency):
        settings.clear()
    return server


def test_the_event_is_posted_with_a_signature_that_the_library_verifies(receiver: Hooks) -> None:
    assert attempt(receiver.url("/hook")) == Result("delivered", 200)
    (request,) = receiver.requests
    assert receiver.invalid == []
    assert request.content == BODY.encode()
    assert request.method == "POST"
    assert request.headers["webhook-id"] == f"msg_{ID}"
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "leads-api"
    assert not {"cookie", "authorization", "traceparent"} & set(request.headers)


def test_during_the_overlap_both_secrets_verify_and_no_other(receiver: Hooks) -> None:
    assert attempt(receiver.url("/hook"), secrets=(sealed(NEW), sealed(OLD, key=1))).outcome == "delivered"
    (request,) = receiver.requests
    assert request.headers["webhook-signature"].count("v1,") == 2
    for secret in (NEW, OLD):
        Webhook(secret).verify(request.content, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(sealing.new_secret()).verify(request.content, request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(request.content + b" ", request.headers)


def test_a_secret_whose_key_is_lost_sends_nothing_and_says_what_to_do(receiver: Hooks) -> None:
    result = attempt(receiver.url("/hook"), secrets=(sealed(NEW), sealed(OLD)), vault=Vault([b"x" * 32]))
    assert (result.outcome, result.http_status) == ("failed", None)
    assert result.message == (
        f"The secret was sealed to the key {VAULT.ids[0]}, which is not here: "
        "restore that key, or rotate the webhook's secret."
    )
    assert receiver.requests == []


def test_a_previous_secret_whose_key_is_lost_is_left_out(receiver: Hooks) -> None:
    vault = Vault([b"k" * 32])
    assert attempt(receiver.url("/hook"), secrets=(sealed(NEW), sealed(OLD, key=1)), vault=vault).outcome == "delivered"
    assert receiver.requests[0].headers["webhook-signature"].count("v1,") == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_a_success(receiver: Hooks, status: int) -> None:
    receiver.statuses["/hook"] = status
    assert attempt(receiver.url("/hook")) == Result("delivered", status)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503])
def test_another_status_is_a_failure(receiver: Hooks, status: int) -> None:
    receiver.statuses["/hook"] = status
    assert attempt(receiver.url("/hook")) == Result("failed", status, f"The receiver answered {status}")


def test_a_number_that_is_no_status_is_a_failure(receiver: Hooks) -> None:
    receiver.statuses["/hook"] = 999
    assert attempt(receiver.url("/hook")) == Result("failed", None, "The receiver answered 999")


@pytest.mark.parametrize("headers", [{}, {"retry-after": "60"}])
def test_410_says_that_the_receiver_is_gone(receiver: Hooks, headers: dict[str, str]) -> None:
    receiver.statuses["/hook"], receiver.headers["/hook"] = 410, headers
    result = attempt(receiver.url("/hook"))
    assert (result.outcome, result.http_status) == ("gone", 410)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(receiver: Hooks, status: int) -> None:
    receiver.statuses["/hook"] = status
    receiver.headers["/hook"] = {"location": receiver.url("/inside")}
    result = attempt(receiver.url("/hook"))
    assert result == Result("failed", status, f"The receiver answered {status} with a redirect, which isn't followed")
    assert [request.path for request in receiver.requests] == ["/hook"]


@pytest.mark.parametrize(
    ("status", "header", "seconds"), [(429, "7", 7), (503, "120", 120), (413, "0", 0), (500, "999999999", 86_400)]
)
def test_retry_after_is_reported(receiver: Hooks, status: int, header: str, seconds: int) -> None:
    receiver.statuses["/hook"], receiver.headers["/hook"] = status, {"retry-after": header}
    assert attempt(receiver.url("/hook")).retry_after == seconds


def test_a_message_never_has_text_of_the_response_or_of_the_address() -> None:
    answer = b"HTTP/1.1 400 Jane\r\ncontent-length: 8\r\n\r\nJane Doe"
    told = against(answer, path="/secret-path?token=secret")
    assert told.message == "The receiver answered 400"
    refused = attempt("http://127.0.0.1:1/secret-path?token=secret")
    assert refused.message is not None
    assert refused.message.startswith("The receiver can't be reached: ")
    assert "secret" not in refused.message


def against(response: bytes, *, drip: bytes = b"", seconds: float = 60, path: str = "/") -> Result:
    """The result of an attempt at a receiver that sends these bytes, then ``drip`` again and again."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(ConnectionError, EOFError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(response)
            while drip:
                writer.write(drip)
                await writer.drain()
                await asyncio.sleep(0.005)
            await reader.read(1 << 16)  # the body
            await reader.read()  # until the worker closes the connection

    async def run() -> Result:
        loop = asyncio.get_running_loop()
        async with (
            await asyncio.start_server(serve, "127.0.0.1", 0) as listener,
            calls.client(allow_loopback=True) as client,
        ):
            url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}{path}"
            deadline = loop.time() + seconds
            delivery = Delivery(uuid4(), uuid4(), ID, 1, url, f"msg_{ID}", BODY, (sealed(NEW),), None, deadline)
            return await deliver(client, VAULT, delivery)

    return asyncio.run(run())


HEAD = b"HTTP/1.1 200 OK\r\n"
LONG = HEAD + b"content-length: 100000\r\n\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("response", "drip"),
    [
        (HEAD, b"a: b\r\n"),
        (HEAD, b"a" * 200),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (LONG, b"."),
    ],
    ids=["headers", "header", "interim", "body in small pieces"],
)
def test_what_never_ends_is_broken_off(response: bytes, drip: bytes) -> None:
    result = against(response, drip=drip, seconds=60)
    assert (result.outcome, result.http_status) == ("failed", None)
    assert "broke off the connection" in (result.message or "")


@pytest.mark.parametrize(
    "response", [b"", HEAD, LONG, b"SSH-2.0-OpenSSH_9.2\r\n"], ids=["nothing", "head", "body", "no HTTP"]
)
def test_a_response_that_does_not_go_on_ends_at_the_deadline(response: bytes) -> None:
    result = against(response, seconds=1)
    assert (result.outcome, result.http_status) == ("failed", None)
    assert "didn't answer in time" in (result.message or "")


def test_an_endless_body_is_cut_off_and_the_status_decides() -> None:
    result = against(CHUNKED, drip=b"1000\r\n" + b"x" * 4096 + b"\r\n")
    assert result == Result("delivered", 200)
    result = against(CHUNKED.replace(b"200", b"500"), drip=b"1000\r\n" + b"x" * 4096 + b"\r\n")
    assert result.outcome == "failed"


def test_without_time_left_nothing_is_sent(receiver: Hooks) -> None:
    assert attempt(receiver.url("/hook"), seconds=0).outcome == "failed"
    assert receiver.requests == []


# Addresses


NOT_PUBLIC = "The host of the webhook's address isn't at a public address"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1.2.3", "[::1]", "localhost", "LOCALHOST", "2130706433", "0x7f000001"),
        *("017700000001", "127.1", "0", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
        *("[0:0:0:0:0:ffff:0a00:0001]", "10.0.0.1", "167772161", "0xa000001", "172.16.0.1"),
        *("192.168.1.1", "169.254.169.254", "2852039166", "0xa9fea9fe", "[::ffff:169.254.169.254]"),
        *("[fd00:ec2::254]", "[fe80::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::1]", "100.100.100.200"),
        *("168.63.129.16", "224.0.0.1", "255.255.255.255"),
    ],
)
def test_an_address_that_is_not_public_is_never_called(host: str) -> None:
    """In any notation that the resolver understands."""
    assert attempt(f"https://{host}/", allow_loopback=False) == Result("failed", message=NOT_PUBLIC)


@pytest.mark.parametrize(
    "url",
    [
        *("http://93.184.216.34/", "ftp://93.184.216.34/", "gopher://127.0.0.1/", "file:///etc/passwd", "//x", ""),
        *("https://user@93.184.216.34/", "https://user:password@93.184.216.34/", "https://93.184.216.34@127.0.0.1/"),
        *("https://[fe80::1%25lo]/", "https:///", "https://:443/", "https://127.0.0.1:99999/", "https://a b/", "\0"),
        *("https://0177.0.0.1/", "https://012.0.0.1/", "https://localhost./"),
    ],
)
def test_an_address_in_another_form_is_refused(url: str) -> None:
    result = attempt(url, allow_loopback=False)
    assert (result.outcome, result.http_status) == ("failed", None)
    assert result.message
    assert "password" not in result.message.replace("has a user or a password in it", "")


def test_the_fragment_of_an_address_and_a_backslash_name_no_other_host() -> None:
    for url in (
        "https://127.0.0.1#@93.184.216.34/",
        "https://127.0.0.1\\@93.184.216.34/",
        "https://127.0.0.1?@x.example/",
    ):
        assert attempt(url, allow_loopback=False).outcome == "failed"


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Each look-up of a name gets the next of these answers. The names that were looked up are in the list."""
    looked_up: list[str] = []
    original = socket.getaddrinfo

    def getaddrinfo(host: str, port: Any, *arguments: Any, **more: Any) -> Any:
        if not host.endswith(".example"):
            return original(host, port, *arguments, **more)
        addresses = answers[min(len(looked_up), len(answers) - 1)]
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return looked_up


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["127.0.0.1", "93.184.216.34"]])
def test_a_name_at_a_private_address_is_refused_and_the_address_is_not_told(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    resolving(monkeypatch, addresses)
    assert attempt("https://hooks.example/", allow_loopback=False) == Result("failed", message=NOT_PUBLIC)


def test_a_name_that_is_rebound_after_the_check_is_not_looked_up_again(
    receiver: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look-up finds an address that is allowed, and the second one another."""
    looked_up = resolving(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    assert attempt(f"http://hooks.example:{receiver.port}/hook").outcome == "delivered"
    assert looked_up == ["hooks.example"]
    assert receiver.requests[0].headers["host"] == f"hooks.example:{receiver.port}"
    # The next attempt looks it up again, and checks it again.
    assert attempt(f"http://hooks.example:{receiver.port}/hook") == Result("failed", message=NOT_PUBLIC)
    assert len(receiver.requests) == 1


def test_a_receiver_on_this_machine_is_called_only_if_the_process_allows_it(receiver: Hooks) -> None:
    assert attempt(receiver.url("/hook"), allow_loopback=False) == Result("failed", message=NOT_PUBLIC)
    assert attempt(receiver.url("/hook").replace("127.0.0.1", "localhost"), allow_loopback=False).outcome == "failed"
    assert receiver.requests == []


def test_a_redirect_to_a_private_address_calls_nobody(receiver: Hooks) -> None:
    answer = f"HTTP/1.1 307 See\r\nlocation: {receiver.url('/hook')}\r\ncontent-length: 0\r\n\r\n".encode()
    assert against(answer).http_status == 307
    assert receiver.requests == []


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..example.com", "x" * 64 + ".example.com"])
def test_a_name_without_an_address_is_a_failure(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.worker.names.SECONDS", 60)  # the resolver may be slow
    result = attempt(f"https://{host}/")
    assert result.outcome == "failed"
    assert (result.message or "").startswith(f"{host} can't be reached: its name has no address now")


def test_a_bug_counts_as_a_failure_and_is_logged_without_the_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise the delivery would be leased again every 15 seconds."""
    hidden = "https://hooks.example/" + "?token=T0ken"
    settled: list[Result] = []

    def fail(*_: Any, **__: Any) -> Any:
        raise AttributeError(hidden)

    async def settle(_: Any, __: Delivery, result: Result) -> str:
        settled.append(result)
        return "pending"

    monkeypatch.setattr(deliveries, "deliver", fail)
    monkeypatch.setattr(WebhookQueue, "settle", settle)

    async def run() -> None:
        queue = WebhookQueue(Connection("postgresql:///x"), ())
        async with calls.client(allow_loopback=False) as client:
            delivery = Delivery(uuid4(), uuid4(), ID, 1, "https://x", f"msg_{ID}", BODY, (sealed(NEW),), None, 0)
            await deliveries.Deliveries(queue, VAULT, client, Totals(), None).work(delivery)

    asyncio.run(run())
    assert settled == [Result("failed", message="The event can't be sent (AttributeError)")]
    logged = capsys.readouterr().err
    assert '"message":"The delivery failed."' in logged
    assert hidden not in logged
