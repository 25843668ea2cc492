"""Exports: each row once, in constant memory, and with an end that a cut-off export lacks."""

import contextlib
import csv
import hashlib
import io
import itertools
import json
import os
import re
import signal
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from app import embedded
from app.cli import migrate
from app.cli.keys import digest
from app.server.api import STREAMS
from tests.api.test_kills import Cluster
from tests.support.contract import check_problem
from tests.support.database import Database, Organization, make_key, make_organization
from tests.support.process import Server

MANY = 40_000
"""Leads of the large organization: 20 MB of NDJSON, more than the buffers of the network hold."""
FORMULAS = ("=1+1", "+1 555 010 0199", "-1", "@SUM(A1)", '=HYPERLINK("http://x.example","y")', "＝1+1")
LEADS = """
insert into app.lead (organization_id, email, name, company, phone, pipeline_stage, pain_points, source, created_at)
select %s, 'p' || s || '@example.com', 'Name ' || s, 'Company, "' || s || '"', '+1555' || s + 1000000,
  case when s %% 2 = 0 then 'won' else 'new' end, 'The walls are wet since ' || s, case when s %% 3 = 0 then 'web' end,
  date_trunc('milliseconds', now()) - s / 7 * interval '1 millisecond'
from generate_series(1, %s) as s
"""


def leads_of(database: Database, organization: Organization, number: int) -> set[str]:
    """Adds leads, some of which have the same time. Returns the ids of all."""
    with database.connect() as connection, connection.transaction():
        connection.execute("set local session_replication_role = replica")
        connection.execute(LEADS.encode(), (organization.id, number))
    rows = database.sql("select id::text from app.lead where organization_id = %s", organization.id)
    return {row["id"] for row in rows}


@pytest.fixture(scope="module")
def large(new_organization: Callable[..., Organization]) -> Organization:
    """The organization with many leads."""
    return new_organization()


@pytest.fixture(scope="module")
def large_ids(database: Database, large: Organization) -> set[str]:
    """Its leads."""
    return leads_of(database, large, MANY)


@pytest.fixture(scope="module")
def client(server: Server, acme: Organization) -> Iterator[httpx.Client]:
    """A client of an organization with a few leads of every kind."""
    with server.client(acme.keys["admin"]) as client:
        for number, text in enumerate(FORMULAS):
            lead = {"name": text, "company": 'A, "B"\nC; D', "email": f"f{number}@example.com", "source": "web"}
            assert client.post("/leads", json=lead).status_code == 201
        whole = {
            "email": "whole@example.com",
            "phone": "+1 555 010 0177",
            "reference": "=cmd",
            "industry": "roofing",
            "pain_points": "Größe: 5 m²",
            "details": {"roof_age": 12, "note": "=1+1"},
        }
        id = client.post("/leads", json=whole).json()["id"]
        assert client.patch(f"/leads/{id}", json={"pipeline_stage": "qualified", "lead_score": 7}).status_code == 200
        yield client


def lines_of(text: str) -> list[dict[str, Any]]:
    """The rows of NDJSON, whose last line says that it is complete."""
    assert text.endswith("\n")
    *rows, last = map(json.loads, text.splitlines())
    assert last == {"complete": True, "rows": len(rows)}
    return rows


def records_of(content: bytes) -> list[dict[str, str]]:
    """The rows of CSV, whose last record says that it is complete."""
    text = content.decode()
    header, *rows, last = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert last == ["# complete", str(len(rows)), *[""] * (len(header) - 2)]
    assert {len(row) for row in rows} <= {len(header)}
    assert text.endswith("\r\n")
    return [dict(zip(header, row, strict=True)) for row in rows]


def open_socket(server: Server, key: str, path: str = "/leads/export", version: str = "1.1") -> socket.socket:
    """Sends a request, and reads nothing yet."""
    host, _, port = server.base.removeprefix("http://").rpartition(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(60)
    connection.connect((host, int(port)))
    connection.sendall(f"GET /api/v1{path} HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    return connection


def rest_of(connection: socket.socket) -> bytes:
    """What the connection still has, until its end or its reset."""
    parts: list[bytes] = []
    with connection, contextlib.suppress(ConnectionResetError):
        while part := connection.recv(262_144):
            parts.append(part)
    return b"".join(parts)


def memory(server: Server, name: str = "VmRSS") -> int:
    """The server's resident memory in KiB. VmHWM: its peak."""
    match = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text())
    assert match is not None
    return int(match[1])


def last_line(server: Server, path: str = "/api/v1/leads/export") -> dict[str, Any]:
    """The log's last line of a request for the path, which has ended. Empty: none has."""
    return next((line for line in reversed(server.lines()) if line.get("path") == path), {})


def number_of_disconnects(server: Server) -> int:
    """The exports whose client has disconnected."""
    return sum(line.get("reason") == "The client has disconnected." for line in server.lines())


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Waits until it is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_line_has_all_fields_of_the_lead(client: httpx.Client) -> None:
    response = client.get("/leads/export")
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.headers["content-disposition"] == 'attachment; filename="leads.ndjson"'
    assert "link" not in response.headers
    rows = lines_of(response.text)
    listed = client.get("/leads", params={"limit": 200}).json()["data"]
    assert [row["id"] for row in rows] == [lead["id"] for lead in listed]
    for row, lead in zip(rows, listed, strict=True):
        assert list(row)[:12] == list(lead)
        whole = client.get(f"/leads/{row['id']}").json() | client.get(f"/leads/{row['id']}/details").json()
        assert row == whole


def test_an_event_is_exported_as_it_is_listed(client: httpx.Client) -> None:
    rows = lines_of(client.get("/audit-log/export").text)
    listed = client.get("/audit-log", params={"limit": 200}).json()
    assert listed["next_cursor"] is None
    assert rows == listed["data"]
    records = records_of(client.get("/audit-log/export", params={"format": "csv"}).content)
    assert [json.loads(record["payload"]) for record in records] == [row["payload"] for row in rows]
    assert [record["id"] for record in records] == [row["id"] for row in rows]


@pytest.mark.parametrize("path", ["/leads/export", "/audit-log/export"])
def test_nothing_to_export_is_a_complete_export(client: httpx.Client, path: str) -> None:
    none = {"end_at": "2020-01-01"}
    assert lines_of(client.get(path, params=none).text) == []
    assert records_of(client.get(path, params=none | {"format": "csv"}).content) == []


def test_a_text_that_is_a_formula_is_escaped_in_csv(client: httpx.Client) -> None:
    response = client.get("/leads/export", params={"format": "csv"})
    assert response.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    records, rows = records_of(response.content), lines_of(client.get("/leads/export").text)
    for record, row in zip(records, rows, strict=True):
        assert list(record) == list(row)
        for name, cell in record.items():
            value = row[name]
            text = "" if value is None else json.dumps(value) if name == "details" else str(value)
            escaped = "'" + text if text[:1] in {*"=+-@\t\r\n＝＋－＠"} - {""} and isinstance(value, str) else text
            assert json.loads(cell) == value if name == "details" else cell == escaped
            assert cell[:1] not in {*"=+-@"}
    assert {record["name"] for record in records} >= {"'" + text for text in FORMULAS}
    assert {record["phone"] for record in records} == {"", "'+1 555 010 0177"}


FILTERS: list[dict[str, str]] = [
    {"pipeline_stage": "won"},
    {"pipeline_stage": "won,lost"},
    {"source": "web"},
    {"source": "web,fair"},
    {"pipeline_stage": "won,new", "source": "web"},
    {"email": "P7@example.com"},
    {"email": "p7@example.com,p8@example.com", "pipeline_stage": "won"},
    {"phone": "+1 555 1000 012"},
    {"phone": "+15551000012", "source": "web"},
    {"reference": "nothing"},
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_the_filters_are_those_of_the_list(
    server: Server, large: Organization, large_ids: set[str], filters: dict[str, str]
) -> None:
    with server.client(large.keys["read"]) as client:
        rows = [row["id"] for row in lines_of(client.get("/leads/export", params=filters).text)]
        listed: list[str] = []
        page = client.get("/leads", params=filters | {"limit": "200"}).json()
        listed = [lead["id"] for lead in page["data"]]
        assert rows[: len(listed)] == listed
        assert (len(rows) > len(listed)) == (page["next_cursor"] is not None)
    assert len(rows) == len(set(rows))
    assert set(rows) <= large_ids


def test_a_period_is_exported_as_it_is_listed(client: httpx.Client) -> None:
    leads = client.get("/leads").json()["data"]
    period = {"start_at": leads[-2]["created_at"], "end_at": leads[1]["created_at"]}
    expected = client.get("/leads", params=period).json()["data"]
    assert [row["id"] for row in lines_of(client.get("/leads/export", params=period).text)] == [
        lead["id"] for lead in expected
    ]
    for filters in ({"action": "lead.updated"}, {"source": "api"}, {"lead_id": leads[0]["id"]}, period):
        expected = client.get("/audit-log", params=filters | {"limit": "200"}).json()["data"]
        assert lines_of(client.get("/audit-log/export", params=filters).text) == expected


@pytest.mark.parametrize(
    ("query", "status", "field", "code"),
    [
        ("format=xml", 400, "format", "unknown_format"),
        ("limit=1", 400, "limit", "unknown_parameter"),
        ("cursor=eyJ", 400, "cursor", "unknown_parameter"),
        ("start_at=x", 400, "start_at", "invalid_timestamp"),
        ("pipeline_stage=nowhere", 422, "pipeline_stage", "unknown_stage"),
        ("phone=x", 422, "phone", "invalid_phone"),
    ],
)
def test_a_wrong_request_is_an_error_before_the_first_byte(
    client: httpx.Client, query: str, status: int, field: str, code: str
) -> None:
    word = {400: "invalid_parameter", 422: "validation_failed"}[status]
    check_problem(client.get(f"/leads/export?{query}"), status, word, (field, code))


@pytest.mark.parametrize("path", ["/leads/export", "/audit-log/export"])
def test_head_has_the_headers_and_no_body(server: Server, large: Organization, large_ids: set[str], path: str) -> None:
    with server.client(large.keys["read"]) as client:
        for _ in range(2):
            response = client.head(path, params={"format": "csv"})
            assert (response.status_code, response.content) == (200, b"")
            assert response.headers["content-type"].startswith("text/csv")
        assert client.get("/health").status_code == 200


def test_each_lead_is_exported_once_while_others_are_written(
    server: Server, database: Database, new_organization: Callable[..., Organization]
) -> None:
    organization = new_organization()
    ids = leads_of(database, organization, 5000)
    done = threading.Event()
    writes: Counter[str] = Counter()

    def write() -> None:
        some = sorted(ids)[::50]
        with server.client(organization.keys["write"]) as client:
            for number in itertools.count():
                if done.is_set():
                    return
                writes["created"] += (
                    client.post("/leads", json={"email": f"new{number}@example.com"}).status_code == 201
                )
                lead = some[number % len(some)]
                writes["changed"] += (
                    client.patch(f"/leads/{lead}", json={"lead_score": number % 100}).status_code == 200
                )

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    try:
        with server.client(organization.keys["read"]) as client:
            for number in range(1, 11):
                exported = [row["id"] for row in lines_of(client.get("/leads/export").text)]
                assert len(exported) == len(set(exported))
                assert set(exported) >= ids
                until(lambda: min(writes["created"], writes["changed"]) > 2 * number)  # noqa: B023
    finally:
        done.set()
        for writer in writers:
            writer.join()
    assert writes["created"] > 20
    assert writes["changed"] > 20


def test_a_slow_reader_gets_each_row_once_and_holds_no_connection(
    server: Server, large: Organization, large_ids: set[str]
) -> None:
    """A dozen of slow readers neither fill the memory, nor make others wait."""
    keys = [large.keys[scope] for scope in ("read", "write", "admin")]
    with server.client(large.keys["read"]) as other, contextlib.ExitStack() as opened:
        lines_of(other.get("/leads/export").text)
        before = memory(server)
        readers = [opened.enter_context(open_socket(server, key)) for key in keys for _ in range(STREAMS)]
        until(lambda: all(reader.recv(1, socket.MSG_PEEK) for reader in readers))
        time.sleep(0.5)
        # Without the wait for the reader, this would be 12 times 20 MB.
        assert memory(server) - before < len(readers) * 2048

        def is_free() -> bool:
            """Whether no request waits for a connection. On a busy machine, the first pages are still being read."""
            responses = [other.get("/health") for _ in range(20)]
            assert {response.status_code for response in responses} == {200}
            return not any("wait" in response.headers["server-timing"] for response in responses)

        until(is_free)
        for reader in readers[1:]:
            reader.close()
        body = rest_of_slowly(readers[0])
    rows = lines_of(unchunked(body).decode())
    assert {row["id"] for row in rows} == large_ids
    assert len(rows) == len(large_ids)


def rest_of_slowly(connection: socket.socket) -> bytes:
    """Reads all of a response, with pauses."""
    parts: list[bytes] = []
    while not parts or not parts[-1].endswith(b"0\r\n\r\n"):
        part = connection.recv(1_000_000)
        assert part
        parts.append(part)
        if len(parts) % 100 == 0:
            time.sleep(0.01)
    connection.close()
    return b"".join(parts)


def unchunked(response: bytes) -> bytes:
    """The body of a response in chunks (RFC 9112, section 7.1). Fails if its end is missing."""
    head, _, rest = response.partition(b"\r\n\r\n")
    assert b"\r\ntransfer-encoding: chunked" in head
    parts: list[bytes] = []
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            assert rest == b"\r\n"
            return b"".join(parts)
        parts.append(rest[:length])
        assert rest[length : length + 2] == b"\r\n"
        rest = rest[length + 2 :]


def test_a_large_export_needs_the_memory_of_a_few_pages(
    server: Server, large: Organization, large_ids: set[str]
) -> None:
    with server.client(large.keys["read"]) as client:
        client.get("/leads/export", params={"pipeline_stage": "won"})
        before, peak = memory(server), memory(server, "VmHWM")
        with client.stream("GET", "/leads/export", params={"format": "csv"}) as response:
            size = sum(len(part) for part in response.iter_raw())
        assert size > 5_000_000
        # The body is 9 MB.
        assert memory(server, "VmHWM") - max(before, peak) < 4096


def test_a_client_that_disconnects_ends_its_export(server: Server, large: Organization, large_ids: set[str]) -> None:
    before = number_of_disconnects(server)
    for number in range(1, 2 * STREAMS + 1):
        connection = open_socket(server, large.keys["read"])
        assert connection.recv(12) == b"HTTP/1.1 200"
        connection.close()
        until(lambda: number_of_disconnects(server) == before + number)  # noqa: B023
    with server.client(large.keys["read"]) as client:
        assert client.get("/leads/export", params={"email": "p7@example.com"}).status_code == 200


def test_a_key_has_four_exports_at_once(
    server: Server, database: Database, large: Organization, large_ids: set[str]
) -> None:
    key = make_key(database, large.id, "read")
    readers = [open_socket(server, key) for _ in range(STREAMS)]
    for reader in readers:
        assert reader.recv(1)
    with server.client(key) as client, server.client(large.keys["read"]) as other:
        check_problem(client.get("/leads/export"), 503, "unavailable")
        assert client.get("/leads").status_code == 200
        assert other.get("/leads/export", params={"email": "p7@example.com"}).status_code == 200
        for reader in readers:
            reader.close()
        until(lambda: client.get("/leads/export", params={"email": "p7@example.com"}).status_code == 200)


def test_a_key_that_is_revoked_cuts_its_export_off(
    server: Server, database: Database, large: Organization, large_ids: set[str]
) -> None:
    key = make_key(database, large.id, "read")
    connection = open_socket(server, key)
    assert connection.recv(1)
    database.sql("update auth.api_key set revoked_at = now() where digest = decode(%s, 'hex')", digest(key).hex())
    body = rest_of(connection)
    assert b'"complete"' not in body
    assert not body.endswith(b"0\r\n\r\n")
    until(lambda: last_line(server).get("reason") == "A page could not be read: unauthorized.")


def test_before_http_1_1_the_end_of_the_connection_is_the_end(
    server: Server, client: httpx.Client, acme: Organization
) -> None:
    connection = open_socket(server, acme.keys["read"], version="1.0")
    head, _, body = rest_of(connection).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert lines_of(body.decode()) == lines_of(client.get("/leads/export").text)


def test_before_http_1_1_a_cut_off_export_ends_with_a_reset(
    server: Server, database: Database, large: Organization, large_ids: set[str]
) -> None:
    key = make_key(database, large.id, "read")
    connection = open_socket(server, key, version="1.0")
    assert connection.recv(1)
    database.sql("update auth.api_key set revoked_at = now() where digest = decode(%s, 'hex')", digest(key).hex())
    with connection, pytest.raises(ConnectionResetError):
        # Until the connection ends. An end without a reset gives an empty part.
        deque(iter(partial(connection.recv, 262_144), b""), maxlen=0)


def test_a_server_with_cors_streams_too(
    database: Database, new_server: Callable[..., Server], large: Organization, large_ids: set[str]
) -> None:
    server = new_server(database, LEADS_CORS_ORIGINS="https://app.example.com")
    with server.client() as client:
        origin = {"Origin": "https://app.example.com", "Authorization": f"Bearer {large.keys['read']}"}
        response = client.get("/leads/export", headers=origin)
        assert response.headers["access-control-allow-origin"] == "https://app.example.com"
        assert {row["id"] for row in lines_of(response.text)} == large_ids
        assert client.head("/leads/export", headers=origin).status_code == 200
    before = memory(server)
    reader = open_socket(server, large.keys["read"])
    assert reader.recv(1)
    time.sleep(0.3)
    assert memory(server) - before < 4096
    reader.close()
    until(lambda: last_line(server).get("reason") == "The client has disconnected.")


def test_kill_9_of_the_server_leaves_an_export_that_is_not_complete(
    database: Database, new_server: Callable[..., Server], large: Organization, large_ids: set[str]
) -> None:
    server = new_server(database)
    connection = open_socket(server, large.keys["read"])
    assert connection.recv(1)
    server.process.kill()
    server.process.wait()
    body = rest_of(connection)
    assert b'"complete"' not in body
    with server.client(large.keys["read"]) as client, pytest.raises(httpx.TransportError):
        client.get("/leads/export")


def test_httpx_reports_an_export_that_was_cut_off(
    database: Database, new_server: Callable[..., Server], large: Organization, large_ids: set[str]
) -> None:
    server = new_server(database)
    with server.client(large.keys["read"]) as client, client.stream("GET", "/leads/export") as response:
        parts = response.iter_raw(1000)
        next(parts)
        os.kill(server.process.pid, signal.SIGKILL)
        with pytest.raises(httpx.TransportError):
            list(parts)
    server.process.wait()


@pytest.fixture(scope="module")
def own_cluster(run_dir: Path) -> Iterator[Cluster]:
    """A PostgreSQL that can be killed."""
    folder = run_dir / f"export-{os.getpid()}"
    with embedded.running(folder, options={"fsync": "off"}) as server:
        migrate.apply(server.url("leads_migrator"))
        cluster = Cluster(folder, server)
        yield cluster
    cluster.wait()


def test_kill_9_of_postgresql_neither_loses_nor_doubles_a_row(
    own_cluster: Cluster, new_server: Callable[..., Server]
) -> None:
    organization = make_organization(own_cluster.database)
    ids = leads_of(own_cluster.database, organization, MANY)
    server = new_server(own_cluster.database)

    def export(harm: Callable[[], None]) -> list[dict[str, Any]]:
        connection = open_socket(server, organization.keys["read"])
        assert connection.recv(1, socket.MSG_PEEK)
        time.sleep(0.3)
        harm()
        return lines_of(unchunked(rest_of_slowly(connection)).decode())

    def kill_sessions() -> None:
        own_cluster.database.sql(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'leads-api'"
        )

    def kill_all() -> None:
        own_cluster.stop(signal.SIGKILL)
        threading.Timer(1.0, own_cluster.start).start()

    for harm in (kill_sessions, kill_all):
        rows = export(harm)
        assert len(rows) == MANY
        assert {row["id"] for row in rows} == ids
    until(lambda: own_cluster.database.sql("select 1"))


def test_an_added_route_can_be_streamed(
    new_database: Callable[..., Database], new_server: Callable[..., Server]
) -> None:
    """The server knows nothing of leads: it follows the cursor of any function."""
    database = new_database()
    database.sql("""
        create function api.count_up(start integer default 1, cursor text default null)
        returns api.answer language plpgsql stable as $$
        declare
          v_number integer := coalesce(cursor::integer, start);
        begin
          if v_number = 13 then
            raise sqlstate 'PT422' using message = 'validation_failed';
          end if;
          return row(200, json_build_object('Content-Type', 'text/plain', 'Next-Cursor',
            case when v_number % 10 <> 0 then v_number + 1 end), v_number || E'\\n')::api.answer;
        end $$;
        grant execute on function api.count_up(integer, text) to leads_api;
        insert into api.route (method, path, function, scope, is_streamed) values
          ('GET', '/numbers', 'api.count_up', 'read', true),
          ('GET', '/no-cursor', 'api.get_health', 'read', true);
        """)
    key = make_organization(database).keys["read"]
    server = new_server(database)
    with server.client(key) as client:
        response = client.get("/numbers")
        assert response.text == "".join(f"{number}\n" for number in range(1, 11))
        assert response.headers["content-type"] == "text/plain"
        check_problem(client.get("/numbers?start=13"), 422, "validation_failed")
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/numbers?start=11")
        assert last_line(server, "/api/v1/numbers")["reason"] == "A page could not be read: validation_failed."
        # Left out, because the server could not stream it.
        check_problem(client.get("/no-cursor"), 404, "not_found")


@pytest.mark.parametrize("function", ["api.export_leads", "api.export_audit_events"])
def test_a_cursor_of_another_organization_shows_nothing_of_it(
    database: Database,
    acme: Organization,
    client: httpx.Client,
    large: Organization,
    large_ids: set[str],
    function: str,
) -> None:
    """An attacker with the server's login sends the cursor that the server itself would send."""
    table = "app.lead" if function == "api.export_leads" else "audit.event"
    [row] = database.sql(
        "select app.utc_text(t.created_at) as at, t.id::text, app.cursor_text(json_build_object('x', 1)::text) as x "
        f"from {table} as t where t.organization_id = %s order by t.created_at desc, t.id desc limit 1",
        large.id,
    )
    content = f'{{"created_at":"{row["at"]}","id":"{row["id"]}","rows":500}}'
    [cursor] = database.sql("select app.cursor_text(%s) as text", content)
    claim = hashlib.sha256(acme.keys["read"].encode()).hexdigest()
    with database.connect("leads_api") as session:

        def body(cursor: str) -> str:
            call = f"{function}(cursor => '{cursor}')"
            entered = f"auth.enter('{claim}', 'a-request', 'read', true)"
            [row] = session.execute(
                f"select (a.r).body from (select {call} as r from {entered} offset 0) as a"
            ).fetchall()
            return str(row["body"])

        rows = [json.loads(line) for line in body(cursor["text"]).splitlines()]
        assert {row["organization_id"] for row in rows if "id" in row} <= {acme.id}
        for wrong in ("x", row["x"], cursor["text"] + "A"):
            with pytest.raises(psycopg.errors.CheckViolation):
                body(wrong)
    # Without a key, there is nothing to export.
    with database.connect("leads_api") as session:
        session.execute(f"set leads.organization_id = '{large.id}'")
        [row] = session.execute(f"select ({function}()).body").fetchall()
        assert lines_of(str(row["body"])) == []
