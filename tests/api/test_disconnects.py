"""A client that disconnects loses its place. One that only stops sending gets its response."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.api.test_metrics import scrape, url_in, value
from tests.support.database import Database, Organization
from tests.support.process import PATIENT, Server
from tests.support.pushing import wait_for
from tests.support.routes import HELD, held

ADDED = """
create function api.sleep(ms integer)
returns api.answer
language sql
stable
begin atomic
  select row(200, null, '{}')::api.answer from pg_catalog.pg_sleep(sleep.ms / 1000.0);
end;

create table public.done (note text);

create function api.slow_write(ms integer, note text)
returns api.answer
language plpgsql
volatile
security definer
as $$
begin
  perform pg_catalog.pg_sleep(slow_write.ms / 1000.0);
  insert into public.done values (slow_write.note);
  return row(200, null, '{}')::api.answer;
end $$;

grant execute on function api.sleep(integer), api.slow_write(integer, text) to leads_api;
insert into api.route (method, path, function, scope)
values ('GET', '/sleep', 'api.sleep', 'read'), ('POST', '/slow-write', 'api.slow_write', 'write');
"""


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    """A server with slow routes."""
    database = new_database()
    database.sql(ADDED + HELD)
    return database


@pytest.fixture(scope="module")
def server(database: Database, new_server: Callable[..., Server]) -> Server:
    """A server with one connection to PostgreSQL."""
    return new_server(database, PATIENT, LEADS_CONNECTIONS="1", LEADS_QUEUE="3", LEADS_METRICS="127.0.0.1:0")


@pytest.fixture(scope="module")
def waiting_server(database: Database, new_server: Callable[..., Server]) -> Server:
    """A server that waits long until it counts a client of HTTP/1.0 that has stopped sending as gone."""
    program = f"from app.server import protocol; protocol.OLD_PATIENCE = 120.0\n{PATIENT}"
    return new_server(database, program, LEADS_CONNECTIONS="1")


@pytest.fixture(scope="module")
def key(new_organization: Callable[..., Organization]) -> str:
    """A key of the scope write."""
    return new_organization().keys["write"]


@pytest.fixture
def client(server: Server, key: str) -> Iterator[httpx.Client]:
    """A client with the key."""
    with server.client(key) as client:
        yield client


def request(server: Server, key: str, line: str, version: str = "1.1") -> socket.socket:
    """Sends a request without a body, and returns its network connection."""
    host, _, port = server.base.removeprefix("http://").rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    head = f"{line} HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 0\r\n\r\n"
    connection.sendall(head.replace(" /", " /api/v1/", 1).encode())
    return connection


def read(connection: socket.socket) -> bytes:
    """Returns what the server sends until it closes the connection."""
    with contextlib.closing(connection):
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def asleep(database: Database) -> list[int]:
    """The server's sessions that run a statement which sleeps."""
    rows = database.sql("select pid from pg_stat_activity where datname = %s and wait_event = 'PgSleep'", database.name)
    return [row["pid"] for row in rows]


def done(database: Database) -> set[str]:
    """The notes of the writes that were made."""
    return {row["note"] for row in database.sql("select note from public.done")}


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_client_that_disconnects_leaves_the_queue(
    server: Server, database: Database, client: httpx.Client, key: str, version: str
) -> None:
    url = url_in(server.log)

    def queued() -> float:
        return value(scrape(url), "leads_pool_waiting_requests", reason="connection")

    with ThreadPoolExecutor(2) as threads:
        with held(database):
            slow = threads.submit(client.get, "/wait")
            wait_for(lambda: asleep(database))
            gone = [request(server, key, f"POST /slow-write?ms=0&note=gone-{n}", version) for n in range(3)]
            wait_for(lambda: queued() == 3)
            assert client.get("/health").status_code == 503  # the queue is full
            for connection in gone:
                connection.close()
            wait_for(lambda: queued() == 0)
            # Their places are free again.
            stays = threads.submit(client.post, f"/slow-write?ms=0&note=stays-{version}")
            wait_for(lambda: queued() == 1)
            assert not slow.done()
        assert stays.result().status_code == 200
        assert slow.result().status_code == 200
    assert f"stays-{version}" in done(database)
    assert not [note for note in done(database) if note.startswith("gone")]
    reasons = [line.get("reason") for line in server.lines() if line.get("status") == 503]
    assert "The client has disconnected." in reasons


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("is_reset", [False, True], ids=["closed", "reset"])
def test_a_read_whose_client_disconnects_is_cancelled(
    server: Server, database: Database, client: httpx.Client, key: str, version: str, *, is_reset: bool
) -> None:
    connection = request(server, key, "GET /sleep?ms=100000", version)
    wait_for(lambda: asleep(database))
    if is_reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    wait_for(lambda: not asleep(database))  # The statement itself would end later.
    assert client.get("/health").status_code == 200


def test_a_write_that_runs_continues(server: Server, database: Database, client: httpx.Client, key: str) -> None:
    connection = request(server, key, "POST /slow-write?ms=1000&note=continued")
    wait_for(lambda: asleep(database) or done(database))
    connection.close()
    wait_for(lambda: "continued" in done(database))
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("is_slow", [False, True], ids=["at once", "later"])
def test_a_client_that_has_stopped_sending_still_gets_its_response(
    waiting_server: Server, database: Database, key: str, version: str, *, is_slow: bool
) -> None:
    with held(database) if is_slow else contextlib.nullcontext():
        connection = request(waiting_server, key, "GET /wait", version)
        connection.shutdown(socket.SHUT_WR)
        if is_slow:
            wait_for(lambda: asleep(database))
            # The server takes what arrives in this order, so it then knows that the client has stopped sending.
            assert httpx.get(waiting_server.base + "/livez", verify=False).status_code == 200
            if version == "1.1":
                assert connection.recv(7, socket.MSG_PEEK) == b"HTTP/1."  # the first interim response
    answer = read(connection)
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    while answer.startswith(interim):
        answer = answer.removeprefix(interim)
        assert version == "1.1"
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n{}")
    # A response that needs no time may be made before the server knows that the client has stopped sending.
    if is_slow or version == "1.0":
        assert b"\r\nconnection: close\r\n" in answer


def test_all_requests_of_a_client_that_has_stopped_sending_are_answered(server: Server, key: str) -> None:
    connection = request(server, key, "GET /sleep?ms=300")
    for _ in range(2):
        connection.sendall(f"GET /api/v1/health HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    connection.shutdown(socket.SHUT_WR)
    assert read(connection).count(b"HTTP/1.1 200 OK\r\n") == 3


def test_a_client_that_stops_in_the_middle_of_a_request_is_disconnected(server: Server) -> None:
    host, _, port = server.base.removeprefix("http://").rpartition(":")
    for part in (
        b"",
        b"GET /api/v1/health HT",
        b"POST /api/v1/leads HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
    ):
        connection = socket.create_connection((host, int(port)), timeout=30)
        connection.sendall(part)
        connection.shutdown(socket.SHUT_WR)
        assert read(connection) == b""
