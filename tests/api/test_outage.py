"""Overload, a missing database, lost connections, locks:
a clear 503, and a server that recovers.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import embedded
from tests.support.contract import check_problem
from tests.support.database import Database, Organization
from tests.support.process import PATIENT, Server
from tests.support.routes import HELD, SLOW, held

ADDED = """
create function api.settings()
returns api.answer
language sql
stable
begin atomic
  select row(200, null, json_object_agg(s.name, s.setting)::text)::api.answer from pg_catalog.pg_settings as s;
end;

grant execute on function api.settings() to leads_api;
insert into api.route (method, path, function, scope) values ('GET', '/settings', 'api.settings', 'read');
"""


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    """A server with a slow route."""
    database = new_database()
    database.sql(SLOW + HELD + ADDED)
    return database


@pytest.fixture(scope="module")
def patient(database: Database, new_server: Callable[..., Server]) -> Server:
    """A server whose requests wait as long as a test holds them."""
    return new_server(database, PATIENT)


@pytest.fixture
def lead(server: Server, acme: Organization) -> str:
    """The path of a lead."""
    with server.client(acme.keys["write"]) as client:
        location: str = client.post("/leads", json={"email": "a@example.com"}).headers["location"]
    return location.removeprefix("/api/v1")


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Waits until it is true. Fails after a time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def busy(database: Database) -> list[int]:
    """The processes of the API server's connections that run a request's statement."""
    rows = database.sql(
        "select pid from pg_stat_activity where datname = %s and application_name = 'leads-api' and state = 'active'"
        # not the connection that reads the routes
        " and strpos(query, 'auth.enter') > 0",
        database.name,
    )
    return [row["pid"] for row in rows]


@contextlib.contextmanager
def locked(database: Database, lead: str | None = None) -> Iterator[None]:
    """While a DBA has locked the table of leads, or another transaction the one lead."""
    with database.connect() as connection, connection.transaction(force_rollback=True):
        if lead is None:
            connection.execute("lock table app.lead in access exclusive mode")
        else:
            connection.execute("select from app.lead where id = %s for update", [lead.removeprefix("/leads/")])
        yield


def test_a_full_queue_is_503_at_once(database: Database, new_server: Callable[..., Server], acme: Organization) -> None:
    server = new_server(database, PATIENT, LEADS_CONNECTIONS="1", LEADS_QUEUE="0")
    with server.client(acme.keys["write"]) as client, ThreadPoolExecutor(1) as threads:
        count = database.sql("select count(*) from app.lead")
        with held(database):
            slow = threads.submit(client.get, "/wait")
            wait_until(lambda: busy(database))
            for method in ("GET", "POST"):
                answer = client.request(method, "/leads", json={"email": "a@example.com"})
                problem = check_problem(answer, 503, "unavailable")
                assert "Nothing was done" in problem["detail"]
                assert answer.elapsed.total_seconds() < 60, "it waits for no connection"
            # Requests that need no connection are answered.
            check_problem(client.get("/nowhere"), 404, "not_found")
            assert not slow.done()
        assert slow.result().status_code == 200
        # A task of the server, such as the one that records the use of keys, may have the connection for a moment.
        wait_until(lambda: client.get("/health").status_code == 200)
        assert database.sql("select count(*) from app.lead") == count


def test_a_queue_with_room_is_only_a_delay(patient: Server, database: Database, acme: Organization) -> None:
    with patient.client(acme.keys["read"]) as client, ThreadPoolExecutor(40) as threads:
        with held(database):
            slow = [threads.submit(client.get, "/wait") for _ in range(4)]
            wait_until(lambda: len(busy(database)) == 4)
            quick = [threads.submit(client.get, "/health") for _ in range(36)]
            assert {answer.result().status_code for answer in quick} == {200}
        assert {answer.result().status_code for answer in slow} == {200}


def test_ended_idle_connections_are_opened_again(server: Server, database: Database, acme: Organization) -> None:
    condition = "datname = %s and application_name like 'leads-api%%' and wait_event = 'ClientRead'"

    def sessions() -> int:
        return len(database.sql(f"select pid from pg_stat_activity where {condition}", database.name))

    def end_sessions() -> list[dict[str, Any]]:
        ended = f"select pg_terminate_backend(pid, 5000) from pg_stat_activity where {condition}"
        return database.sql(ended, database.name)

    with server.client(acme.keys["write"]) as client:
        for _ in range(2):
            # Eight connections, and the one that listens.
            # One that the server is probing at this moment does not wait for a statement.
            wait_until(lambda: sessions() >= 9 and len(end_sessions()) >= 8)
            for _ in range(10):
                assert client.get("/health").status_code == 200
            assert client.post("/leads", json={"email": "a@example.com"}).status_code == 201
        wait_until(lambda: sessions() >= 9)
    assert not [line for line in server.lines() if line["level"] == "error"]


def test_a_read_is_repeated_if_its_connection_ends(patient: Server, database: Database, acme: Organization) -> None:
    with patient.client(acme.keys["read"]) as client, ThreadPoolExecutor(1) as threads:
        with held(database):
            read = threads.submit(client.get, "/wait")
            wait_until(lambda: busy(database))
            (first,) = busy(database)
            database.sql("select pg_terminate_backend(%s, 5000)", first)
            wait_until(lambda: set(busy(database)) - {first})
        assert read.result().status_code == 200


def test_a_write_whose_connection_is_ended_has_an_unknown_outcome(
    patient: Server, database: Database, acme: Organization, lead: str
) -> None:
    with patient.client(acme.keys["write"]) as client, ThreadPoolExecutor(1) as threads:
        write = threads.submit(client.post, "/slow-write?seconds=100")
        wait_until(lambda: busy(database))
        database.sql("select pg_terminate_backend(%s, 5000)", *busy(database))
        problem = check_problem(write.result(), 503, "outcome_unknown")
        assert "unknown" in problem["detail"]
        assert client.patch(lead, json={"lead_score": 5}).status_code == 200


def test_a_cancelled_statement_is_503_and_changes_nothing(
    patient: Server, database: Database, acme: Organization
) -> None:
    with patient.client(acme.keys["write"]) as client, ThreadPoolExecutor(1) as threads:
        write = threads.submit(client.post, "/slow-write?seconds=100")
        wait_until(lambda: busy(database))
        # As statement_timeout does.
        database.sql("select pg_cancel_backend(%s)", *busy(database))
        problem = check_problem(write.result(), 503, "unavailable")
        assert "Nothing was done" in problem["detail"]


def test_the_session_has_every_timeout(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["read"]) as client:
        settings = client.get("/settings").json()
    assert settings["statement_timeout"] == "10000"
    assert settings["lock_timeout"] == "50"
    assert settings["idle_in_transaction_session_timeout"] == "10000"
    assert settings["default_transaction_isolation"] == "read committed"
    assert settings["TimeZone"] == "UTC"
    assert settings["transaction_read_only"] == "on"


def test_a_lock_on_a_table_is_503_in_time_and_changes_nothing(
    server: Server, database: Database, acme: Organization, lead: str
) -> None:
    with server.client(acme.keys["write"]) as client, ThreadPoolExecutor(2) as threads:
        with locked(database):
            read = threads.submit(client.get, lead)
            write = threads.submit(
                client.post, "/leads", json={"email": "b@example.com"}, headers={"Idempotency-Key": "k"}
            )
            # Other requests are answered meanwhile.
            assert client.get("/health").status_code == 200
            for answer in (read.result(), write.result()):
                problem = check_problem(answer, 503, "unavailable")
                assert "Nothing was done" in problem["detail"]
                # tests/server/test_locks.py has the end of the wait.
                assert answer.elapsed.total_seconds() > 4
        created = client.post("/leads", json={"email": "b@example.com"}, headers={"Idempotency-Key": "k"})
        assert created.status_code == 201
        assert "idempotency-replayed" not in created.headers


class Line:
    """A network connection to the database that can be interrupted."""

    def __init__(self, folder: Path, target: str) -> None:
        self.folder = folder
        self._path = str(folder / ".s.PGSQL.5432")
        self._target = target
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.is_deaf = False
        """Whether responses are dropped."""
        self.lag = 0.0
        """Seconds between the last data and the end of a connection."""
        self.connect()

    def connect(self) -> None:
        """Accepts connections."""
        Path(self._path).unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self._path)
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Ends all connections without a message, and accepts no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._target)
                self._pairs.append((near, far))
                for source, sink, is_answer in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._carry, args=(source, sink, is_answer), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError), source:
            while part := source.recv(65536):
                if not (is_answer and self.is_deaf):
                    sink.sendall(part)
        time.sleep(self.lag)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def line(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    """A network connection to the module's database."""
    server = database.server
    line = Line(tmp_path_factory.mktemp("line"), f"{server.socket_dir}/.s.PGSQL.{server.port}")
    yield line
    line.cut()


@pytest.fixture(scope="module")
def far_server(database: Database, new_server: Callable[..., Server], line: Line) -> Server:
    """A server that reaches its database through this network connection."""
    return new_server(replace(database, server=embedded.Server(line.folder, 5432)), LEADS_QUEUE="2")


def test_a_repeat_after_a_lost_answer_has_no_second_effect(
    far_server: Server, database: Database, acme: Organization, line: Line
) -> None:
    before = database.sql("select count(*) from app.lead where organization_id = %s", acme.id)[0]["count"]
    with far_server.client(acme.keys["write"]) as client, ThreadPoolExecutor(1) as threads:
        body, headers = {"email": "lost@example.com"}, {"Idempotency-Key": "lost"}
        # The connection has then prepared the statement, and sends nothing before it.
        assert client.post("/leads", json=body).status_code == 201
        line.is_deaf = True
        write = threads.submit(client.post, "/leads", json=body, headers=headers)
        wait_until(lambda: len(database.sql("select 1 from app.lead where email = 'lost@example.com'")) == 2)
        line.cut()
        problem = check_problem(write.result(), 503, "outcome_unknown")
        assert "Idempotency-Key" in problem["detail"]
        line.is_deaf = False
        line.connect()
        again = client.post("/leads", json=body, headers=headers)
        assert again.status_code == 201
        assert again.headers["idempotency-replayed"] == "true"
    count = database.sql("select count(*) from app.lead where organization_id = %s", acme.id)[0]["count"]
    assert count == before + 2


def test_the_last_message_of_an_ended_session_is_no_answer(
    far_server: Server, database: Database, acme: Organization, line: Line
) -> None:
    line.lag = 0.3
    with far_server.client(acme.keys["write"]) as client, ThreadPoolExecutor(2) as threads:
        with held(database):
            read = threads.submit(client.get, "/wait")
            write = threads.submit(client.post, "/slow-write?seconds=9")
            wait_until(lambda: len(busy(database)) == 2)
            for pid in busy(database):
                database.sql("select pg_terminate_backend(%s, 5000)", pid)
        check_problem(write.result(), 503, "outcome_unknown")
        assert read.result().status_code == 200
    line.lag = 0


def test_requests_are_503_while_the_database_is_down_and_work_afterwards(
    far_server: Server, acme: Organization, line: Line
) -> None:
    with far_server.client(acme.keys["write"]) as client, ThreadPoolExecutor(3) as threads:
        line.cut()
        wait_until(lambda: httpx.get(far_server.base + "/readyz").status_code == 503)
        not_ready = httpx.get(far_server.base + "/readyz")
        assert (not_ready.json(), not_ready.headers["retry-after"]) == ({"status": "unavailable"}, "1")
        assert httpx.get(far_server.base + "/livez").status_code == 200
        # Two requests wait for the maximum time. The queue is full for the third, whose line comes first.
        answers = [threads.submit(client.get, "/health") for _ in range(3)]
        for answer in answers:
            check_problem(answer.result(), 503, "unavailable")
        lines = [entry for entry in far_server.lines() if entry.get("path") == "/api/v1/health"][-3:]
        assert [entry["wait_ms"] > 4000 for entry in lines[1:]] == [True, True]
        assert lines[0]["time"] < lines[1]["time"]
        # A request that gave up is no longer in the queue. One that still waits is served.
        waiting = threads.submit(client.post, "/leads", json={"email": "a@example.com"})
        time.sleep(0.3)
        assert not waiting.done()
        line.connect()
        assert waiting.result().status_code in (201, 503)  # because of the pause before the next attempt to connect
        wait_until(lambda: httpx.get(far_server.base + "/readyz").status_code == 200)
        for _ in range(5):
            assert client.get("/health").status_code == 200
            assert client.post("/leads", json={"email": "a@example.com"}).status_code == 201
    assert not [entry for entry in far_server.lines() if entry["level"] == "error"]
