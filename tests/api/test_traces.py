"""What a request's line in the log, its response and its audit row tell about it, and what they
don't.
"""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest

from tests.support.database import Database, Organization, make_key
from tests.support.process import PATIENT, Server
from tests.support.pushing import wait_for

NEVER = "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
def client(server: Server, acme: Organization) -> Iterator[httpx.Client]:
    """A client whose key the server knows."""
    with server.client(acme.keys["admin"]) as client:
        line = ask(server, client)
        wait_for(lambda: ask(server, client)["key_id"] or None)
        assert line["organization_id"] in (None, acme.id)
        yield client


def ask(server: Server, client: httpx.Client, method: str = "GET", path: str = "/health", **options: Any) -> Any:
    """Sends the request, and returns its line."""
    return line_of(server, client.request(method, path, **options))


def line_of(server: Server, response: httpx.Response) -> dict[str, Any]:
    id = response.headers["x-request-id"]
    (line,) = [line for line in server.lines() if line.get("request_id") == id and "status" in line]
    return line


def key_id(database: Database, key: str) -> str:
    digest = hashlib.sha256(hashlib.sha256(key.encode()).hexdigest().encode()).digest()
    stored = hashlib.sha256(hashlib.sha256(key.encode()).digest()).digest()
    (row,) = database.sql("select id::text from auth.api_key where digest in (%s, %s)", digest, stored)
    return str(row["id"])


def metrics(response: httpx.Response) -> dict[str, float]:
    """The durations of the header Server-Timing."""
    text = response.headers.get("server-timing", "")
    assert re.fullmatch(r"(?:[a-z]+;dur=[0-9]+\.[0-9]{2}(?:, |$))*", text)
    return {name: float(value) for name, value in re.findall(r"([a-z]+);dur=([0-9.]+)", text)}


def test_a_line_tells_the_route_the_organization_the_key_and_the_database_time(
    server: Server, database: Database, acme: Organization, client: httpx.Client
) -> None:
    lead = client.post("/leads", json={"email": "a@example.com"}).json()["id"]
    expected = {"organization_id": acme.id, "key_id": key_id(database, acme.keys["admin"])}
    for method, path, route, status in (
        ("GET", f"/leads/{lead}", "/leads/{id}", 200),
        ("HEAD", f"/leads/{lead}", "/leads/{id}", 200),
        ("PATCH", f"/leads/{lead}", "/leads/{id}", 415),
        ("GET", f"/leads/{NEVER}", "/leads/{id}", 404),
        ("GET", "/leads?limit=x", "/leads", 400),
        ("GET", "/leads/export", "/leads/export", 200),
    ):
        line = ask(server, client, method, path)
        assert {name: line[name] for name in expected} == expected
        assert (line["route"], line["status"]) == (route, status)
        assert 0 < line["db_ms"] < line["ms"]
    for path in ("/nowhere", "/leads/a/b/c"):
        line = ask(server, client, "GET", path)
        assert (line["route"], line["db_ms"], line["key_id"]) == (None, None, expected["key_id"])
    for path, template in (("/livez", "/livez"), ("/docs/nothing.js", "/docs/{name}"), ("/nowhere", None)):
        line = line_of(server, httpx.get(server.base + path))
        assert (line["route"], line["key_id"]) == (template, None)


def test_a_key_is_known_after_its_first_accepted_request(
    server: Server, database: Database, acme: Organization
) -> None:
    for scope, method, path in (
        ("read", "GET", "/health"),
        ("read", "POST", "/leads"),
        ("write", "GET", f"/leads/{NEVER}"),
    ):
        key = make_key(database, acme.id, scope)
        with server.client(key) as client:
            first = ask(server, client, method, path)
            assert first["key_id"] is None
            known = wait_for(lambda: ask(server, client, method, path)["key_id"])  # noqa: B023
        assert known == key_id(database, key)
    with server.client("lk_test_unknown") as client:
        for _ in range(3):
            line = ask(server, client)
            assert (line["organization_id"], line["key_id"], line["sqlstate"]) == (None, None, "PT401")


def test_a_revoked_key_is_still_named(server: Server, database: Database, acme: Organization) -> None:
    key = make_key(database, acme.id, "read")
    with server.client(key) as client:
        ask(server, client)
        wait_for(lambda: ask(server, client)["key_id"])
        database.sql("update auth.api_key set revoked_at = now() where id = %s", key_id(database, key))
        line = ask(server, client)
    assert (line["status"], line["sqlstate"], line["key_id"]) == (401, "PT401", key_id(database, key))


def test_the_token_of_a_form_is_a_key(server: Server, database: Database, client: httpx.Client) -> None:
    form = client.post("/forms", json={"requests_per_minute": 6000}).json()
    address = server.base + form["address"]
    httpx.post(address, json={"name": "Ada", "email": "ada@example.com"})
    (row,) = database.sql("select key_id::text, organization_id::text from intake.form where id = %s", form["id"])
    line = wait_for(
        lambda: next(
            (
                line
                for line in [line_of(server, httpx.post(address, json={"name": "Ada", "email": "ada@example.com"}))]
                if line["key_id"]
            ),
            None,
        )
    )
    assert {name: line[name] for name in row} == row
    assert line["route"] == "/in/{token}"
    assert line["path"] == "/in/***"


def test_a_line_has_the_sqlstate_of_any_error(server: Server, client: httpx.Client) -> None:
    for method, path, body, status, sqlstate in (
        ("POST", "/leads", {"lead_score": 101}, 422, "PT422"),
        ("POST", "/leads", "{", 400, "22P02"),
        ("GET", "/leads?limit=0", None, 400, "23514"),
    ):
        options = {} if body is None else {"json": body} if isinstance(body, dict) else {"content": body}
        line = ask(server, client, method, path, headers={"Content-Type": "application/json"}, **options)
        assert (line["status"], line["sqlstate"]) == (status, sqlstate)
    assert "sqlstate" not in ask(server, client)


def test_server_timing_is_on_every_response_that_the_database_made(
    server: Server, acme: Organization, client: httpx.Client
) -> None:
    created = client.post("/leads", json={"email": "b@example.com"})
    lead = created.headers["location"].removeprefix("/api/v1")
    tag = {"If-None-Match": created.headers["etag"]}
    for response, status in (
        (created, 201),
        (client.get(lead), 200),
        (client.request("HEAD", lead), 200),
        (client.get(lead, headers=tag), 304),
        (client.get("/leads?limit=0"), 400),
        (client.get(f"/leads/{NEVER}"), 404),
        (client.post("/leads", json={"lead_score": 101}), 422),
        (client.get("/leads/export"), 200),
        (httpx.get(server.base + "/api/v1/leads", headers={"Authorization": "Bearer x"}), 401),
    ):
        assert response.status_code == status
        line = line_of(server, response)
        if "content-length" in response.headers or status == 304:
            assert metrics(response) == {"db": line["db_ms"]}
        else:  # the header of a download tells the time of its first page
            assert 0 < metrics(response)["db"] <= line["db_ms"]
    assert "server-timing" not in client.get("/nowhere").headers
    assert client.get(lead, headers=tag).content == b""


def test_the_wait_for_a_connection_is_shown(
    database: Database, new_server: Callable[..., Server], acme: Organization
) -> None:
    server = new_server(database, PATIENT, LEADS_CONNECTIONS="1")
    with server.client(acme.keys["write"]) as client, database.connect() as connection:
        lead = client.post("/leads", json={"email": "c@example.com"}).json()["id"]
        connection.execute("begin")
        connection.execute("select from app.lead where id = %s for update", [lead])
        # Each attempt of the PATCH occupies the only connection until its lock_timeout.
        patch = threading.Thread(target=client.patch, args=(f"/leads/{lead}",), kwargs={"json": {"lead_score": 1}})
        patch.start()
        response = client.get("/leads?limit=1")
        while "wait" not in metrics(response):
            assert patch.is_alive()
            response = client.get("/leads?limit=1")
        connection.execute("rollback")
        patch.join()
    line = line_of(server, response)
    assert metrics(response) == {"db": line["db_ms"], "wait": line["wait_ms"]}
    assert line["wait_ms"] > 0


def test_server_timing_can_be_switched_off(
    database: Database, new_server: Callable[..., Server], acme: Organization
) -> None:
    server = new_server(database, LEADS_SERVER_TIMING="off")
    with server.client(acme.keys["read"]) as client:
        response = client.get("/leads")
        assert "server-timing" not in response.headers
        assert line_of(server, response)["db_ms"] > 0


def test_only_an_allowed_origin_may_read_server_timing(
    database: Database, new_server: Callable[..., Server], acme: Organization
) -> None:
    server = new_server(database, LEADS_CORS_ORIGINS="https://app.example.com")
    with server.client(acme.keys["read"]) as client:
        for origin, allowed in (("https://app.example.com", "https://app.example.com"), ("https://x.example", None)):
            response = client.get("/leads", headers={"Origin": origin})
            assert response.headers.get("timing-allow-origin") == allowed
            assert metrics(response)["db"] > 0
        assert "timing-allow-origin" not in client.get("/leads").headers


def test_the_trace_id_is_in_the_log_the_audit_row_and_the_view(
    server: Server, database: Database, acme: Organization, client: httpx.Client
) -> None:
    headers = {"traceparent": PARENT, "X-Request-Id": "traced"}
    response = client.post("/leads", json={"email": "traced@example.com"}, headers=headers)
    lead = response.json()["id"]
    assert line_of(server, response)["trace_id"] == TRACE
    assert response.headers["x-request-id"] == "traced"
    client.patch(f"/leads/{lead}", json={"lead_score": 3})
    client.patch(f"/leads/{lead}", json={"lead_score": 4}, headers={"traceparent": PARENT.replace("00-", "ff-", 1)})
    events = client.get("/audit-log", params={"lead_id": lead}).json()["data"]
    assert (events[-1]["payload"]["trace_id"], events[-1]["correlation_id"]) == (TRACE, "traced")
    assert ["trace_id" in event["payload"] for event in reversed(events)] == [True, False, False]
    assert list(events[-1]["payload"])[-1] == "trace_id"
    assert "trace_id" not in ask(server, client)
    # The reads that answer a request of the wrong form have the trace, too.
    assert (
        ask(server, client, "GET", "/leads?limit=0", headers=headers | {"X-Request-Id": "wrong"})["trace_id"] == TRACE
    )


def test_an_erasure_keeps_the_trace_id(client: httpx.Client) -> None:
    headers = {"traceparent": PARENT}
    lead = client.post("/leads", json={"email": "erased@example.com"}, headers=headers).json()["id"]
    assert client.delete(f"/leads/{lead}", headers=headers).status_code in (200, 204)
    events = client.get("/audit-log", params={"lead_id": lead}).json()["data"]
    assert {event["action"] for event in events} >= {"lead.created", "lead.erased"}
    assert {event["payload"]["trace_id"] for event in events} == {TRACE}
    assert "erased@example.com" not in json.dumps(events)


def test_the_statement_of_the_previous_release_still_works(database: Database, acme: Organization) -> None:
    """It sends the request's id alone."""
    digest = hashlib.sha256(acme.keys["write"].encode()).hexdigest()
    with psycopg.connect(database.url("leads_api"), autocommit=True) as connection:
        for request_id, expected in (
            ("old", ("old", None)),
            (f"new {TRACE}", ("new", TRACE)),
            ("odd x", ("odd", None)),
        ):
            row = connection.execute(
                "select (a.r).body from (select api.create_lead(%s) as r "
                "from auth.enter(%s, %s, 'write', false) offset 0) as a",
                ['{"email": "old@example.com"}', digest, request_id],
            ).fetchone()
            assert row is not None
            lead = json.loads(row[0])["id"]
            (event,) = database.sql(
                "select correlation_id, payload ->> 'trace_id' as trace_id from audit.event where lead_id = %s", lead
            )
            assert tuple(event.values()) == expected


def test_nothing_private_is_in_the_log_or_in_a_header(
    server: Server, database: Database, acme: Organization, client: httpx.Client
) -> None:
    """A key, its digests, a query, a value of a body, an e-mail address."""
    form = client.post("/forms", json={"requests_per_minute": 6000}).json()["address"]
    token = form.rpartition("/")[2]
    keys = [acme.keys["admin"], token, "lk_test_wrongwrongwrong", "whsec_c2VjcmV0LXNlY3JldA=="]
    secret = "secretvalue"
    responses = [
        httpx.post(server.base + form, json={"name": secret, "email": f"{secret}@example.com"}),
        httpx.post(server.base + form, content=secret, headers={"Traceparent": token}),
    ]
    for key in keys:
        for method, path in (
            ("POST", f"/leads?{secret}=1"),
            ("POST", "/leads"),
            ("GET", f"/leads?email={secret}@example.com"),
            ("GET", f"/leads/{key}"),
            ("GET", f"/{key}"),
            ("PATCH", f"/leads/{NEVER}"),
        ):
            headers = {"Authorization": f"Bearer {key}", "X-Request-Id": key, "traceparent": key, "tracestate": secret}
            body = {"email": f"{secret}@example.com", "name": secret, "lead_score": secret}
            with server.client() as other:
                responses.append(other.request(method, path, headers=headers, json=None if method == "GET" else body))
    assert server.lines()
    log = server.log.read_text()
    digests = [hashlib.sha256(key.encode()).hexdigest() for key in keys]
    digests += [hashlib.sha256(bytes.fromhex(digest)).hexdigest() for digest in digests]
    sent = "".join(f"{name}: {value}\n" for response in responses for name, value in response.headers.items())
    for private in (*keys, *digests, secret, "example.com"):
        assert private not in log
        assert private not in sent
