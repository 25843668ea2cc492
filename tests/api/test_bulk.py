"""POST /leads/bulk and PUT /leads/by-reference/{reference} over HTTP."""

import gzip
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import psycopg
import pytest

from bench.site import Site, running
from tests.support.contract import check_problem
from tests.support.database import OF_DATABASE, Database, Organization, make_organization
from tests.support.process import Server
from tests.support.pushing import wait_for


@pytest.fixture(scope="module")
def server(database: Database, new_server: Callable[..., Server]) -> Server:
    """A server with one connection for short requests."""
    return new_server(database, LEADS_CONNECTIONS="1")


@pytest.fixture(scope="module")
def client(server: Server, acme: Organization) -> Iterator[httpx.Client]:
    """A client with the scope admin."""
    with server.client(acme.keys["admin"]) as client:
        yield client


def statuses(response: httpx.Response) -> list[str]:
    """The status of each row, and the codes of its errors."""
    assert response.status_code == 200, response.text
    return [
        " ".join([result["status"], *(error["code"] for error in result["errors"])])
        for result in response.json()["results"]
    ]


BODIES: dict[str, tuple[str, str]] = {
    "json": ("application/json", '[{"email": "%s-1@example.com"}, {"email": "x"}, {"lead_score": "1"}]'),
    "lines": (
        "application/x-ndjson; charset=utf-8",
        '{"email": "%s-1@example.com"}\n{"email": "x"}\n\n{"lead_score": "1"}\n',
    ),
    "csv": ("text/csv", "\ufeffemail;lead_score\r\n%s-1@example.com;7\r\nx;\r\n;many\r\n"),
}


@pytest.mark.parametrize("form", BODIES)
@pytest.mark.parametrize("is_compressed", [False, True])
def test_each_media_type_has_the_same_rows(client: httpx.Client, form: str, is_compressed: bool) -> None:
    media_type, text = BODIES[form]
    content = text.replace("%s", f"{form}-{is_compressed}").encode()
    headers = {"Content-Type": media_type}
    if is_compressed:
        headers["Content-Encoding"], content = "gzip", gzip.compress(content)
    response = client.post("/leads/bulk", content=content, headers=headers)
    assert statuses(response) == ["created", "failed invalid_email", "failed wrong_type contact_required"]
    [lead] = client.get("/leads", params={"email": f"{form}-{is_compressed}-1@example.com"}).json()["data"]
    assert lead["id"] == response.json()["results"][0]["id"]


WRONG: dict[str, tuple[bytes, str, int, str]] = {
    "no array": (b'{"email": "x@example.com"}', "application/json", 400, "body not_an_array"),
    "no JSON": (b'[{"email": 1},', "application/json", 400, "body invalid_json"),
    "no UTF-8": (b"email\n\xff", "text/csv", 400, "body not_utf8"),
    "a column twice": (b"email,email\nx,y", "text/csv", 400, "body invalid_csv"),
    "unknown columns": (b"emial,name\nx,y\nx,y", "text/csv", 422, "emial unknown_column"),
    "too many rows": (b"[" + b"1," * 10_000 + b"1]", "application/json", 422, "body too_many"),
    "too many lines": (b"{}\n" * 10_001, "application/x-ndjson", 422, "body too_many"),
    "too many rows of CSV": (b"email\n" + b"x\n" * 10_001, "text/csv", 422, "body too_many"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_can_not_be_read_is_refused_as_a_whole(client: httpx.Client, name: str) -> None:
    content, media_type, status, error = WRONG[name]
    response = client.post("/leads/bulk", content=content, headers={"Content-Type": media_type})
    field, code = error.split()
    check_problem(response, status, "invalid_body" if status == 400 else "validation_failed", (field, code))


def test_wrong_parameters_are_listed_together(client: httpx.Client) -> None:
    response = client.post("/leads/bulk?on_duplicate=x&match=y&atomic=1", json=[])
    wrong = (("atomic", "invalid_boolean"), ("match", "unknown_key"), ("on_duplicate", "unknown_rule"))
    check_problem(response, 400, "invalid_parameter", *wrong)


def test_ten_thousand_rows_are_stored_and_recorded_once(client: httpx.Client, database: Database) -> None:
    rows = [{"email": f"many{n}@example.com", "reference": f"many-{n}"} for n in range(10_000)]
    answers = [
        client.post("/leads/bulk", json=rows, headers={"Idempotency-Key": "many"}, timeout=100) for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert answers[0].json()["created"] == 10_000
    assert [result["row"] for result in answers[0].json()["results"]] == list(range(1, 10_001))
    counts = database.sql(
        "select count(*) as leads, sum((select count(*) from audit.event as e "
        "where e.organization_id = l.organization_id and e.lead_id = l.id))::integer as events "
        "from app.lead as l where l.email like 'many%'"
    )
    assert counts == [{"leads": 10_000, "events": 10_000}]


def test_simultaneous_uploads_store_a_reference_once(server: Server, acme: Organization, database: Database) -> None:
    rows = [{"email": "race@example.com", "reference": f"race-{n}"} for n in range(200)]

    def upload(rule: str) -> httpx.Response:
        with server.client(acme.keys["write"], params={"on_duplicate": rule}) as client:
            return client.post("/leads/bulk", json=rows)

    with ThreadPoolExecutor(4) as executor:
        answers = list(executor.map(upload, ["skip", "update", "error", "skip"]))
    assert sum(answer.json()["created"] for answer in answers) == 200
    assert database.sql("select count(*) as n from app.lead where reference like 'race-%%'") == [{"n": 200}]


@pytest.mark.parametrize("seed", range(24))
def test_an_upload_does_what_its_rows_do_one_after_the_other(
    server: Server, new_organization: Callable[..., Organization], database: Database, seed: int
) -> None:
    draw = random.Random(seed)

    def maybe(*values: str) -> str | None:
        return draw.choice(values) if draw.random() < 0.7 else None

    rows = [
        {
            name: value
            for name, value in {
                "name": f"Row {number}",
                "company": maybe("Alder"),
                "reference": maybe("1", "2", "3", "4"),
                "email": maybe("a@example.com", "A@example.com", "b@example.com", "c@example.com", "wrong"),
                "phone": maybe("+1 555 010 0199", "+15550100199", "+44 20 7946 0018"),
            }.items()
            if value is not None
        }
        for number in range(30)
    ]
    query = {
        "match": draw.choice(["reference", "email", "phone"]),
        "on_duplicate": draw.choice(["error", "skip", "update", "update"]),
    }
    outcomes = []
    for size in (len(rows), 1):
        organization = new_organization()
        with server.client(organization.keys["write"], params=query) as client:
            parts = [rows[start : start + size] for start in range(0, len(rows), size)]
            results = [status for part in parts for status in statuses(client.post("/leads/bulk", json=part))]
        stored = database.sql(
            # Not by id: a row that repeats a key is stored after the others.
            "select name, company, reference, email, phone, revision from app.lead where organization_id = %s "
            "order by name, reference",
            organization.id,
        )
        outcomes.append((results, stored))
    assert outcomes[0] == outcomes[1]


def test_an_erasure_empties_the_kept_answer(client: httpx.Client, database: Database) -> None:
    body = [{"email": "erase1@example.com"}, {"email": "erase2@example.com"}]
    headers = {"Idempotency-Key": "erased"}
    first = client.post("/leads/bulk", json=body, headers=headers).json()["results"][0]["id"]
    assert client.delete(f"/leads/{first}").json()["status"] == "erased"
    check_problem(client.post("/leads/bulk", json=body, headers=headers), 409, "erased")
    assert database.sql("select 1 from app.idempotency_key where strpos(body, %s) > 0", first) == []


def test_a_waiting_upload_occupies_no_connection_of_short_requests(
    client: httpx.Client, server: Server, acme: Organization, database: Database
) -> None:
    client.put("/leads/by-reference/held", json={"email": "held@example.com"})
    with (
        ThreadPoolExecutor(1) as executor,
        server.client(acme.keys["write"]) as uploading,
        database.connect() as other,
    ):
        with other.transaction():
            other.execute("select from app.lead where reference = 'held' for update")
            body = [{"name": "Held", "reference": "held"}]
            upload = executor.submit(uploading.post, "/leads/bulk?on_duplicate=update", json=body)
            waiting = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            wait_for(lambda: database.sql(waiting))
            responses = [client.get("/health") for _ in range(20)]
            assert {response.status_code for response in responses} == {200}
            # The server itself may use the connection for a moment, to record when keys were used.
            waits = ["wait" in response.headers["server-timing"] for response in responses]
            assert sum(waits) <= 2, "they wait for no connection"
            assert not upload.done()
        assert statuses(upload.result()) == ["updated"]


def test_a_large_body_is_read_only_for_a_valid_key(server: Server) -> None:
    host, port = server.base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 30) as raw:
        raw.sendall(
            b"POST /api/v1/leads/bulk HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer lk_test_no\r\n"
            b"Content-Type: application/json\r\nContent-Length: 16000000\r\n\r\n["
        )
        assert raw.recv(100).startswith(b"HTTP/1.1 401 ")


def test_a_body_over_16_mib_is_refused(client: httpx.Client) -> None:
    response = client.post("/leads/bulk", content=b" " * (16 * 1024 * 1024 + 1), headers={"Content-Type": "text/csv"})
    assert "16 MiB" in check_problem(response, 413, "payload_too_large")["detail"]


def test_a_reference_in_a_path_can_be_any_text(client: httpx.Client) -> None:
    for reference in ("a/b", "ü ñ", "signals", "50%", "a?b#c"):
        path = "/leads/by-reference/" + "".join(f"%{byte:02X}" for byte in reference.encode())
        response = client.put(path, json={"email": "path@example.com"})
        assert response.status_code == 201, response.text
        assert client.get(response.headers["location"].removeprefix("/api/v1")).status_code == 200
        details = client.get(f"/leads/{response.json()['id']}/details").json()
        assert details["reference"] == reference
        assert client.put(path, json={"reference": reference}).status_code == 200


def test_another_organizations_reference_makes_no_difference(
    client: httpx.Client, server: Server, new_organization: Callable[..., Organization]
) -> None:
    with server.client(new_organization().keys["write"]) as theirs:
        lead = theirs.put("/leads/by-reference/shared", json={"email": "theirs@example.com"}).json()
        for body in ({"reference": "shared", "name": "ours"}, {"reference": "shared", "email": "ours@example.com"}):
            client.post("/leads/bulk?on_duplicate=update", json=[body])
        assert client.put("/leads/by-reference/shared", json={"name": "ours"}).status_code == 200
        assert theirs.get(f"/leads/{lead['id']}").json() == theirs.get(f"/leads/{lead['id']}").json() | lead


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[Site, Database]]:
    """``leads serve`` with a PostgreSQL of its own, with fsync."""
    with running() as started:
        yield started


@pytest.mark.parametrize("kill", [Site.kill_serve, Site.kill_postmaster, Site.kill_backend])
def test_a_kill_loses_and_doubles_nothing(site: tuple[Site, Database], kill: Callable[[Site], None]) -> None:
    process, database = site
    organization = make_organization(database, kill.__name__)
    rows = [{"email": f"kill{n}@example.com", "name": "A"} for n in range(4_000)]
    # The last one waits until the kill, for a row that the test has locked.
    rows.append({"name": "Held", "reference": "held"})
    lead = "insert into app.lead (organization_id, email, reference) values (%s, 'held@example.com', 'held')"
    database.sql(lead, organization.id)
    results: list[dict[str, Any]] = []
    locks = f"select 1 from pg_locks where relation = 'app.lead'::regclass and {OF_DATABASE}"
    writes = f"{locks} and mode = 'RowExclusiveLock'".encode()

    url = process.base + "/api/v1/leads/bulk?on_duplicate=update"

    def upload() -> None:
        headers = {"Authorization": f"Bearer {organization.keys['write']}", "Idempotency-Key": "upload"}
        while not results:
            try:
                response = httpx.post(url, json=rows, headers=headers, timeout=60)
                if response.status_code == 200:
                    results.append(response.json())
                else:
                    assert response.status_code in (409, 503), response.text
            except httpx.TransportError:
                pass
            time.sleep(0.1)

    thread = threading.Thread(target=upload)
    with suppress(psycopg.OperationalError), database.connect() as holder, database.connect() as session:
        holder.execute("begin")
        holder.execute("select from app.lead where organization_id = %s for update", [organization.id])
        thread.start()
        while not session.execute(writes).fetchall():
            assert not results
        kill(process)
        assert not results
    thread.join(90)
    assert results[0]["created"] == 4_000
    with psycopg.connect(process.wait().url(), autocommit=True) as connection:
        [counts] = connection.execute(
            "select (select count(*) from app.lead where organization_id = %(id)s), "
            "(select count(distinct email) from app.lead where organization_id = %(id)s), "
            "(select count(*) from audit.event where organization_id = %(id)s and action = 'lead.created')",
            {"id": organization.id},
        )
    assert counts == (4_001, 4_001, 4_001)
    assert json.dumps(results[0]).count('"status": "created"') == 4_000


@pytest.mark.parametrize(
    "body",
    [
        b'email,name\nu1@example.com,"unclosed\nu2@example.com,Bob\nu3@example.com,Carl\n',
        b'email,name\nu1@example.com,"a"b\n',
    ],
)
def test_a_quotation_mark_that_is_not_closed_loses_no_row(
    server: Server, new_organization: Callable[..., Organization], body: bytes
) -> None:
    with server.client(new_organization().keys["write"]) as client:
        response = client.post("/leads/bulk", content=body, headers={"Content-Type": "text/csv"})
        check_problem(response, 400, "invalid_body", ("body", "invalid_csv"))
        assert client.get("/leads").json()["data"] == []


def test_a_value_without_a_column_is_a_fault_of_its_row(
    server: Server, new_organization: Callable[..., Organization]
) -> None:
    with server.client(new_organization().keys["write"]) as client:
        for body in (b"email,\na@example.com,x\nb@example.com,\n", b"\nemail;\nb@example.com;\na@example.com;x\n"):
            response = client.post("/leads/bulk", content=body, headers={"Content-Type": "text/csv"})
            assert (response.json()["created"], response.json()["failed"]) == (1, 1), response.text


@pytest.mark.parametrize("reference", ["%00", "a%00b", "a%ff", "%FE"])
def test_a_reference_that_is_no_text_is_an_error(
    server: Server, new_organization: Callable[..., Organization], reference: str
) -> None:
    with server.client(new_organization().keys["write"]) as client:
        response = client.put(f"/leads/by-reference/{reference}", json={"email": "a@example.com"})
        code = "not_utf8" if "%f" in reference.lower() else "nul_character"
        check_problem(response, 400, "invalid_parameter", ("reference", code))
        assert client.get("/leads").json()["data"] == []
