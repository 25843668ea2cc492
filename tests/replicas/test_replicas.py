"""Reads on a real replica, made by pg_basebackup: how new they are, and what happens when it fails."""

import asyncio
import hashlib
import json
import os
import re
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import psycopg
import pytest

from app.background import Background
from app.cli import replicas
from app.cli.keys import digest
from app.cli.output import Mistake
from app.server.postgres import Statement
from app.server.replicas import Replicas
from bench.hosts import Pair
from tests.support.contract import check_problem
from tests.support.database import Database, Organization, make_key, make_organization
from tests.support.process import Server, leads_here, leads_in
from tests.support.pushing import wait_for
from tests.support.replicas import (
    HEADER,
    is_used,
    made_analyst,
    made_lead,
    metrics,
    name_of,
    paused,
    pausing,
    read_own_writes,
    reading,
    targets,
)
from tests.support.scale import IS_LONG, long

WRITES = 1000 if IS_LONG else 50
"""Writes of each of the four clients that read their own writes."""


@pytest.fixture(scope="module")
def server(pair: Pair, new_server: Callable[..., Server]) -> Server:
    """A server with the replica."""
    server = new_server(
        pair.primary.database,
        DATABASE_REPLICA_URL=pair.standby.server.url("leads_api"),
        LEADS_REPLICA_LAG="2",
        LEADS_RATE_LIMIT="100000",
        LEADS_METRICS="127.0.0.1:0",
        LEADS_CORS_ORIGINS="https://app.example.com",
    )
    wait_for(lambda: is_used(server))
    return server


@pytest.fixture
def client(server: Server, acme: Organization) -> Iterator[httpx.Client]:
    with server.client(acme.keys["admin"]) as client:
        yield client


def test_a_read_with_the_position_of_a_write_is_never_older(client: httpx.Client, server: Server, pair: Pair) -> None:
    leads = [made_lead(client)[0] for _ in range(4)]
    lines = len(server.lines())
    with pausing(pair.standby, 0.15), ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda lead: read_own_writes(client, lead, WRITES), leads))
    assert [result.stale + result.failed for result in results] == [[]] * 4
    answered = targets(server, lines)
    assert answered.count(None) > 0, "the primary answers while the replica is behind"
    assert answered.count(None) < len(answered), "the replica answers when it is not"


def test_reads_that_share_a_connection_get_their_own_answers(client: httpx.Client, pair: Pair) -> None:
    leads = [made_lead(client) for _ in range(32)]
    pair.wait_for_stream()
    foreign = {HEADER: "A" * 64}

    def read(number: int) -> bool:
        path, position = leads[number % len(leads)]
        headers: dict[str, str] = (position, {}, foreign)[number % 3]
        return bool(client.get(path, headers=headers).json()["id"] == path.removeprefix("/leads/"))

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(read, range(320)))


def test_a_replica_answers_as_soon_as_it_has_replayed_the_position(
    pair: Pair, acme: Organization, new_server: Callable[..., Server]
) -> None:
    """A session remembers what it has replayed, but not what it has not."""
    url = pair.standby.server.url("leads_api")
    server = new_server(pair.primary.database, DATABASE_REPLICA_URL=url, LEADS_CONNECTIONS="1")
    wait_for(lambda: is_used(server))
    with server.client(acme.keys["write"]) as client:
        with paused(pair.standby):
            lead, position = made_lead(client)
            assert client.get(lead, headers=position).status_code == 200
        pair.wait_for_stream()
        lines = len(server.lines())

        def is_on_replica() -> bool:
            assert client.get(lead, headers=position).status_code == 200
            return targets(server, lines)[-1] is not None

        wait_for(is_on_replica)


def test_without_the_position_a_read_may_be_older(client: httpx.Client, pair: Pair) -> None:
    def is_older() -> bool:
        """On a busy machine, the server may avoid the replica for a moment."""
        lead, _ = made_lead(client, company="before")
        pair.wait_for_stream()
        with paused(pair.standby):
            reads = read_own_writes(client, lead, 3, sends_position=False)
        return reads.stale == ["before"] * 3

    wait_for(is_older)


def test_a_comparison_in_the_statement_of_the_read_would_be_wrong(
    client: httpx.Client, pair: Pair, acme: Organization
) -> None:
    """The control: the snapshot is older than the comparison, so the statement reads what was before the
    write.
    """
    statement = (
        "select s.states, (api.get_lead(%s)).body::json ->> 'company' as company "
        "from (select auth.enter(%s, 'r', 'read', true) offset 0) as e, (select pg_sleep(3) offset 0) as w, "
        "lateral (select auth.position_states(array[%s]) as states, w.*) as s"
    )

    def compare() -> list[dict[str, Any]]:
        lead, _ = made_lead(client, company="before")
        pair.wait_for_stream()
        with pair.standby.database.connect("leads_api") as reader, ThreadPoolExecutor(1) as threads:
            with paused(pair.standby):
                position = client.patch(lead, json={"company": "after"}).headers[HEADER]
                digest = hashlib.sha256(acme.keys["read"].encode()).hexdigest()
                values = (lead.removeprefix("/leads/"), digest, position)
                answer = threads.submit(lambda: reader.execute(statement, values).fetchall())
                wait_for(lambda: has_snapshot(reader, pair))
            return answer.result()

    rows: list[dict[str, Any]] = []
    # On a busy machine, the replay may not reach the write while the statement sleeps.
    while not rows or rows[0]["states"] != ["replayed"]:
        # The replay cancels a read that is longer than a second and needs rows that were removed.
        with suppress(psycopg.errors.SerializationFailure):
            rows = compare()
    assert rows == [{"states": ["replayed"], "company": "before"}]


def has_snapshot(session: psycopg.Connection[Any], pair: Pair) -> bool:
    """Whether the session's statement has begun to read."""
    query = "select wait_event from pg_stat_activity where pid = %s"
    return bool(pair.standby.database.sql(query, session.info.backend_pid)[0]["wait_event"] == "PgSleep")


def test_the_positions_of_several_writes_are_sent_together(client: httpx.Client, server: Server, pair: Pair) -> None:
    first, second = made_lead(client), made_lead(client)
    pair.wait_for_stream()
    with paused(pair.standby):
        third = made_lead(client)
        lines = len(server.lines())
        for lead, positions in (first, [first, second]), (first, [first, third]), (third, [third, first]):
            value = ", ".join(position[HEADER] for _, position in positions)
            assert client.get(lead[0], headers={HEADER: value}).status_code == 200
    assert targets(server, lines)[1:] == [None, None]


def test_a_position_that_no_response_had_is_an_error(client: httpx.Client, server: Server, pair: Pair) -> None:
    lead, position = made_lead(client)
    pair.wait_for_stream()
    value = position[HEADER]
    forged = value[:-1] + ("A" if value[-1] != "A" else "B")
    higher = value[:40] + ("A" if value[40] != "A" else "B") + value[41:]
    for wrong in (
        forged,
        higher,
        value[:-1],
        value + "A",
        value + ", " + forged,
        "x",
        "",
        "primary, x",
        value + "," * 9,
    ):
        problem = client.get(lead, headers={HEADER: wrong})
        check_problem(problem, 400, "invalid_position")
    # Whichever server answers.
    with paused(pair.standby):
        other, _ = made_lead(client)
        check_problem(client.get(other, headers={HEADER: forged}), 400, "invalid_position")
    # Whoever has no key learns nothing else.
    with server.client("lk_test_wrong") as stranger:
        check_problem(stranger.get(lead, headers={HEADER: forged}), 401, "unauthorized")
    # A write needs no position.
    assert client.patch(lead, json={"company": "x"}, headers={HEADER: forged}).status_code == 200


def test_the_position_of_another_organization_shows_nothing(client: httpx.Client, server: Server, pair: Pair) -> None:
    bob = make_organization(pair.primary.database, "Bob Plumbing")
    lead, position = made_lead(client)
    pair.wait_for_stream()
    with server.client(bob.keys["read"]) as stranger:
        with_it, without = stranger.get("/leads", headers=position), stranger.get("/leads")
        assert (with_it.status_code, with_it.text) == (without.status_code, without.text) == (200, without.text)
        assert stranger.get(lead, headers=position).status_code == 404


def test_a_position_does_not_show_how_much_others_write(client: httpx.Client) -> None:
    """Two positions with nothing between them have the id of the key in common, and nothing else."""
    first, second = (client.patch("/leads/x", json={}).headers[HEADER] for _ in range(2))
    assert first[:10] == second[:10]
    assert sum(a == b for a, b in zip(first[11:], second[11:], strict=True)) < 15


def test_no_login_sees_in_the_catalogues_how_much_others_write(pair: Pair, client: httpx.Client) -> None:
    """With a replica, PostgreSQL shows every login positions of the write-ahead log."""
    primary, standby = pair.primary.database, pair.standby.database
    primary.sql("select pg_create_physical_replication_slot('spied', true)")
    try:
        made_lead(client)
        pair.wait_for_stream()
        for database, query in (
            (primary, "select restart_lsn::text as shown from pg_replication_slots where slot_name = 'spied'"),
            (standby, "select pg_last_xact_replay_timestamp()::text as shown"),
            (standby, "select skip_new::text as shown from pg_stat_recovery_prefetch"),
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                database.sql(query, login="leads_api")
            # The control: they show something.
            assert database.sql(query)[0]["shown"]
    finally:
        primary.sql("select pg_drop_replication_slot('spied')")


def test_the_position_of_another_cluster_is_answered_by_the_primary(
    client: httpx.Client, server: Server, pair: Pair, database: Database
) -> None:
    lead, _ = made_lead(client)
    pair.wait_for_stream()
    other = database.sql("select auth.current_position() as position", login="leads_api")[0]["position"]
    lines = len(server.lines())
    for foreign in (other, "A" * 64, "primary"):
        assert client.get(lead, headers={HEADER: foreign}).status_code == 200
    assert targets(server, lines) == [None] * 3


def test_every_response_of_a_write_has_a_position_and_no_other_one(client: httpx.Client, server: Server) -> None:
    lead, _ = made_lead(client)
    key = {"Idempotency-Key": "replicas-1"}
    form = server.base + client.post("/forms", json={}).json()["address"]
    csv = {"Content-Type": "text/csv"}
    writes = [
        *(client.post("/leads", json={"email": "b@example.com"}, headers=key) for _ in range(2)),
        client.post("/leads", json={"email": "c@example.com"}, headers=key),
        client.patch(lead, json={"company": "x"}, headers={"If-Match": '"other"'}),
        client.patch(lead, json={}),
        client.post(f"{lead}/signals", json={"type": "unknown type"}),
        client.post("/leads/bulk", content=b"email\nbulk@example.com\n", headers=csv),
        httpx.post(form, json={"email": "d@example.com"}),
        httpx.post(form, files={"email": (None, "e@example.com"), "photo": b"x"}),
        client.delete(lead),
        client.patch(lead, json={"company": "x"}),
    ]
    statuses = [201, 201, 422, 412, 200, 422, 200, 200, 200, 200, 404]
    assert [write.status_code for write in writes] == statuses, [write.text for write in writes]
    assert writes[1].headers["Idempotency-Replayed"] == "true"
    assert all(re.fullmatch(r"[A-Za-z0-9+/]{64}", write.headers[HEADER]) for write in writes)
    # Nothing was sent to the database, or it was only a check.
    others = [client.get("/leads"), client.post("/nowhere"), client.post("/leads", content=b"{")]
    assert [HEADER in other.headers for other in others] == [False] * 3
    described = httpx.get(server.base + "/openapi.json").json()
    responses = described["paths"]["/leads/{id}"]["patch"]["responses"]
    for status in "200", "412", "422":
        response = responses[status]
        if name := response.get("$ref"):
            response = described["components"]["responses"][name.rpartition("/")[2]]
        assert HEADER in response["headers"], status


def test_a_write_without_a_known_position_is_read_from_the_primary(
    client: httpx.Client, server: Server, pair: Pair
) -> None:
    lead, _ = made_lead(client)
    pair.primary.database.sql("revoke execute on function auth.current_position from leads_api")
    try:
        written = client.patch(lead, json={"company": "new"})
    finally:
        pair.primary.database.sql("grant execute on function auth.current_position to leads_api")
    assert (written.status_code, written.headers[HEADER]) == (200, "primary")
    lines = len(server.lines())
    assert client.get(lead, headers={HEADER: written.headers[HEADER]}).json()["company"] == "new"
    assert targets(server, lines) == [None]


def test_a_page_of_another_origin_can_use_positions(client: httpx.Client) -> None:
    origin = {"Origin": "https://app.example.com"}
    written = client.post("/leads", json={"email": "a@example.com"}, headers=origin)
    assert HEADER in written.headers["Access-Control-Expose-Headers"].split(", ")
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": HEADER.lower()}
    preflight = client.options("/leads", headers={**origin, **asked})
    assert preflight.status_code == 200
    assert HEADER in preflight.headers["Access-Control-Allow-Headers"].split(", ")


def test_the_position_of_a_response_that_was_awaited_is_not_before_it(client: httpx.Client, pair: Pair) -> None:
    """The worker makes the answer in a transaction of its own, after that of the request."""
    database = pair.primary.database
    connect = "select admin.connect_crm(%s, 'webhook', 'example.com', '{}', null, null)"
    database.sql(connect, acme_id(client), login="leads_operator")

    def push_and_read() -> tuple[httpx.Response, httpx.Response] | None:
        """None: on a busy machine, the response was sent before, after 10 seconds."""
        lead, _ = made_lead(client)
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(client.post, f"{lead}/push-to-crm")
            wait_for(lambda: database.sql("select 1 from crm.sync where lead_id = %s", lead.removeprefix("/leads/")))
            pair.wait_for_stream()
            with paused(pair.standby):
                database.sql("select crm.lease_syncs('{a key}', 1)", login="leads_worker")
                pushed = waiting.result()
                read = client.get(f"{lead}/crm-sync", headers={HEADER: pushed.headers[HEADER]})
        assert pushed.status_code in (200, 202), pushed.text
        return (pushed, read) if pushed.status_code == 200 else None

    pushed, read = wait_for(push_and_read)
    assert read.json() == pushed.json()


def test_a_replica_answers_only_with_a_success(client: httpx.Client, server: Server, pair: Pair) -> None:
    """A record, a key and a seal that the replica lacks are the primary's to judge."""
    lines = len(server.lines())
    with paused(pair.standby):
        lead, _ = made_lead(client)
        assert client.get(lead).status_code == 200
        with server.client(make_key(pair.primary.database, acme_id(client), "read")) as new:
            assert new.get(lead).status_code == 200
        with server.client("lk_test_wrong") as stranger:
            check_problem(stranger.get(lead), 401, "unauthorized")
    assert targets(server, lines) == [None] * 3


def test_no_replica_answers_for_an_organization_that_drains(server: Server, pair: Pair) -> None:
    """It will be fenced in a moment, which a replica may learn too late. So the primary answers, also with a
    new key.
    """
    database = pair.primary.database
    bob = make_organization(database, "Bob Plumbing")

    def is_on_replica(key: str) -> bool:
        lines = len(server.lines())
        pair.wait_for_stream()
        with server.client(key) as client:
            assert client.get("/leads").status_code == 200
        return any("replica" in line for line in server.lines()[lines:])

    wait_for(lambda: is_on_replica(bob.keys["read"]))
    database.sql("select admin.begin_move(%s, 'other')", bob.id, login="leads_operator")
    wait_for(lambda: is_on_replica(bob.keys["read"]))
    database.sql("select admin.drain(%s)", bob.id, login="leads_operator")
    new = make_key(database, bob.id, "read")
    assert not any(is_on_replica(key) for key in (bob.keys["read"], new) for _ in range(5))
    database.sql("select admin.abort_move(%s)", bob.id, login="leads_operator")
    wait_for(lambda: is_on_replica(bob.keys["read"]))
    wait_for(lambda: is_on_replica(new))


def acme_id(client: httpx.Client) -> str:
    return str(client.get("/organizations/me").json()["id"])


def test_all_reads_work_on_the_replica(client: httpx.Client, server: Server, pair: Pair) -> None:
    lead, position = made_lead(client, name="Ada", company="Abbott")
    pair.wait_for_stream()

    def on_replica(method: str, path: str, **headers: str) -> httpx.Response:
        """The response of the replica, which may be avoided for a moment on a busy machine."""
        responses = []

        def is_answered() -> bool:
            request_id = uuid.uuid4().hex
            responses.append(client.request(method, path, headers={**headers, "X-Request-Id": request_id}))
            line = next(line for line in server.lines() if line.get("request_id") == request_id)
            return bool(line.get("replica") == name_of(pair.standby))

        wait_for(is_answered)
        return responses[-1]

    everywhere = "/leads /leads?q=abbott /leads?order=updated_at /audit-log /health /organizations/me /keys".split()
    for path in (*everywhere, *(f"{lead}{below}" for below in ("", "/details", "/signals", "/scores", "/everything"))):
        response = on_replica("GET", path, **position)
        assert response.status_code == 200, response.text
        assert "ratelimit" in response.headers
    assert b'"company":"Abbott"' in on_replica("GET", "/leads/export?format=ndjson", **position).content
    tag = client.get(lead).headers["etag"]
    assert on_replica("GET", lead, **{"If-None-Match": tag}).status_code == 304
    assert on_replica("HEAD", lead).status_code == 200


@long
def test_the_tools_of_leads_mcp_read_their_own_writes(server: Server, pair: Pair, acme: Organization) -> None:
    mcp_server = pytest.importorskip("app.mcp_server")
    fastmcp = pytest.importorskip("fastmcp")
    document = httpx.get(server.base + "/openapi.json").json()

    async def change_and_read() -> list[str]:
        async with fastmcp.Client(mcp_server.make(document, server.base, acme.keys["write"], "write")) as client:
            lead = json.loads((await client.call_tool("create_lead", {"email": "tool@example.com"})).content[0].text)
            pair.wait_for_stream()
            values = []
            with paused(pair.standby):
                for value in ("one", "two"):
                    await client.call_tool("update_lead", {"id": lead["id"], "company": value})
                    result = await client.call_tool("get_lead", {"id": lead["id"]})
                    values.append(json.loads(result.content[0].text)["company"])
            return values

    assert asyncio.run(change_and_read()) == ["one", "two"]


def test_the_metrics_show_who_answers(client: httpx.Client, server: Server, pair: Pair) -> None:
    name = name_of(pair.standby)
    client.get("/leads", headers={HEADER: "primary"})
    expected = (
        'leads_reads_total{reason="requested",target="primary"}',
        f'leads_reads_total{{reason="",target="{name}"}}',
        f'leads_replica_usable{{replica="{name}"}} 1.0',
        f'leads_replica_lag_seconds{{replica="{name}"}} 0.0',
    )

    def are_shown() -> bool:
        client.get("/leads")
        shown = metrics(server)
        return all(each in shown for each in expected)

    wait_for(are_shown)


def test_a_replica_that_is_late_is_avoided(client: httpx.Client, server: Server, pair: Pair) -> None:
    lead, _ = made_lead(client)
    pair.wait_for_stream()
    wait_for(lambda: is_used(server))
    # On a busy machine, it may have been late before.
    fault = "is more than 2 s behind"
    before = server.log.read_text().count(fault)
    with paused(pair.standby):
        client.patch(lead, json={"company": "new"})
        wait_for(lambda: server.log.read_text().count(fault) > before)
        lines = len(server.lines())
        assert client.get(lead).json()["company"] == "new"
        assert targets(server, lines) == [None]
        response = httpx.get(server.base + "/readyz")
        assert (response.status_code, response.json()["failing"]) == (200, [f"replica {name_of(pair.standby)}"])
    wait_for(lambda: is_used(server))


def test_a_silent_replica_is_avoided_within_a_second_and_no_read_fails(
    client: httpx.Client, server: Server, pair: Pair
) -> None:
    lead, _ = made_lead(client)
    pair.wait_for_stream()
    with reading(client, lead) as statuses:
        time.sleep(0.3)
        pair.standby.hang()
        try:
            wait_for(lambda: not is_used(server))
            count = len(statuses)
            wait_for(lambda: len(statuses) > count + 20)
        finally:
            pair.standby.resume()
    assert set(statuses) == {200}
    wait_for(lambda: is_used(server))


def test_no_read_fails_when_the_replica_is_killed(client: httpx.Client, server: Server, pair: Pair) -> None:
    lead, _ = made_lead(client)
    pair.wait_for_stream()
    with reading(client, lead) as statuses:
        wait_for(lambda: len(statuses) > 20)
        pair.standby.end(signal.SIGKILL)
        count = len(statuses)
        wait_for(lambda: len(statuses) > count + 100)
        pair.standby.start()
        wait_for(lambda: is_used(server))
    assert set(statuses) == {200}


def test_admin_keys_can_be_kept_away_from_replicas(
    pair: Pair, acme: Organization, new_server: Callable[..., Server]
) -> None:
    server = new_server(
        pair.primary.database,
        DATABASE_REPLICA_URL=f"postgresql:///?host=/nowhere {pair.standby.server.url('leads_api')}",
        LEADS_REPLICA_ADMIN_KEYS="off",
    )
    wait_for(lambda: httpx.get(server.base + "/readyz").json().get("failing") == ["replica /nowhere:5432"])
    with server.client(acme.keys["admin"]) as admin, server.client(acme.keys["write"]) as writer:
        lead, _ = made_lead(admin)
        pair.wait_for_stream()
        lines = len(server.lines())

        def is_on_replica() -> bool:
            assert admin.get(lead).status_code == writer.get(lead).status_code == 200
            return targets(server, lines)[-1] is not None

        # The server learns the scope of a key after its first request.
        wait_for(is_on_replica)
        assert set(targets(server, lines)[::2]) == {None}

        def is_as_late_as_the_replay() -> bool:
            """Whether the replica still accepts a revoked key. On a busy machine, it may be avoided for a moment."""
            revoke = "update auth.api_key set revoked_at = now() where digest = any (%s)"
            digests = [digest(acme.keys[scope]) for scope in ("admin", "write")]
            with paused(pair.standby):
                pair.primary.database.sql(revoke, digests)
                check_problem(admin.get(lead), 401, "unauthorized")
                status = writer.get(lead).status_code
            wait_for(lambda: writer.get(lead).status_code == 401)
            pair.primary.database.sql("update auth.api_key set revoked_at = null")
            pair.wait_for_stream()
            return status == 200

        wait_for(is_as_late_as_the_replay)
    # The primary gets to know when a key was used, whichever server has answered.
    server.process.terminate()
    server.process.wait(120)
    used = pair.primary.database.sql(
        "select k.scopes[cardinality(k.scopes)] as scope from auth.key_use as u join auth.api_key as k "
        "on k.organization_id = u.organization_id and k.id = u.key_id where k.organization_id = %s",
        acme.id,
    )
    assert {"admin", "write"} <= {row["scope"] for row in used}


def test_an_address_that_can_never_be_a_replica_ends_the_start(pair: Pair, database: Database) -> None:
    primary, standby = pair.primary.server.url("leads_api"), pair.standby.server
    pair.primary.database.sql("create database other")
    pair.wait_for_stream()
    for url, fault in (
        (standby.url("leads_api", "other"), "Its database is other, and that of DATABASE_URL is leads."),
        (standby.url("leads_operator"), "may not execute the API's functions. Use the login leads_api."),
        (standby.url("postgres"), "is a superuser, .* Use the login leads_api."),
    ):
        with pytest.raises(Mistake, match=f"^DATABASE_REPLICA_URL has the address [^ ]+. .*{fault}"):
            replicas.check(primary, [standby.url("leads_api"), url])
    run = leads_in({**os.environ, "DATABASE_URL": primary, "DATABASE_REPLICA_URL": database.url("leads_api")})
    process = run("serve", "--port", "0")
    assert (process.returncode, process.stdout) == (2, "")
    assert re.search("Its system identifier is ([0-9]+), and that of DATABASE_URL is (?!\\1)[0-9]+.", process.stderr)


def test_doctor_asks_the_replicas(pair: Pair, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    standby, primary = pair.standby.server.url("leads_api"), pair.primary.server.url("leads_api")
    monkeypatch.setenv("DATABASE_URL", primary)
    monkeypatch.setenv("LEADS_REPLICA_LAG", "1")

    def findings(*urls: str) -> list[str]:
        monkeypatch.setenv("DATABASE_REPLICA_URL", " ".join(urls))
        answer = json.loads(leads_here(pair.primary.database)("doctor", "--json").stdout)
        rows = [row for row in answer["findings"] if row["subject"].startswith("replica ")]
        return [f"{row['subject'].rpartition(':')[2]} {row['finding']}" for row in rows]

    port = pair.standby.server.port
    feedback = f"{port} VACUUM on the primary cancels reads of the replica, which the primary then answers."
    # On a busy machine, the replica may be late for a moment.
    wait_for(lambda: findings(standby) == [feedback])
    with paused(pair.standby):
        make_organization(pair.primary.database, "Late Roofing")
        wrong = findings(standby, database.url("leads_api"), primary, "postgresql://leads_api@127.0.0.1:1/leads")
    assert len(wrong) == 5
    assert wrong[:2] == [f"{port} It has not replayed the changes that the primary wrote some seconds ago.", feedback]
    for fault, text in zip(
        wrong[2:], ("Its system identifier is ", "It is a primary.", "does not answer"), strict=True
    ):
        assert text in fault


def test_another_cluster_and_another_login_are_recognized_while_requests_run(pair: Pair, database: Database) -> None:
    """The address of a replica can become that of another server."""

    async def wait_for_fault(url: str, pattern: str) -> None:
        """An empty pattern: until there is no fault. On a busy machine, the server may not answer in time at first."""
        servers = Replicas(pair.primary.database.url("leads_api"), [url], size=1, queue=1, most_lag=5)
        watch = asyncio.create_task(servers.run(Background()))
        async with asyncio.timeout(60):
            while not re.fullmatch(pattern, servers.all[0].fault or ""):  # noqa: ASYNC110, because nothing could set an event
                await asyncio.sleep(0.05)
        watch.cancel()
        await servers.close()

    another = "It is another cluster: its system identifier is ([0-9]+), .* primary is (?!\\1)[0-9]+."
    asyncio.run(wait_for_fault(pair.standby.server.url("leads_api"), ""))
    asyncio.run(wait_for_fault(database.url("leads_api"), another))
    asyncio.run(wait_for_fault(pair.standby.server.url("postgres"), ".*is a superuser.*"))


def test_the_primary_answers_if_all_connections_to_the_replica_are_busy(pair: Pair) -> None:
    slow, quick = (Statement(text.encode(), text.encode()) for text in ("select '200', pg_sleep(600)", "select '200'"))

    async def answers() -> list[bool]:
        url = pair.standby.server.url("leads_api")
        servers = Replicas(pair.primary.database.url("leads_api"), [url], size=1, queue=0, most_lag=600)
        watch = asyncio.create_task(servers.run(Background()))
        async with asyncio.timeout(30):
            while not servers.all[0].is_usable:  # noqa: ASYNC110, because nothing could set an event
                await asyncio.sleep(0.05)
        before = await servers.answer(lambda pool, _: pool.execute(quick, ()))
        busy = asyncio.create_task(servers.all[0].pool.execute(slow, (), may_share=False))
        await asyncio.sleep(0)
        during = await servers.answer(lambda pool, _: pool.execute(quick, ()))
        busy.cancel()
        watch.cancel()
        await servers.close()
        return [before is not None, during is not None]

    assert asyncio.run(answers()) == [True, False]


def test_an_analyst_reads_one_organization(pair: Pair, acme: Organization) -> None:
    victim = make_organization(pair.primary.database, "Victim Roofing")
    for organization, email in ((acme, "own@example.com"), (victim, "victim@example.com")):
        pair.primary.database.sql(
            "insert into app.lead (organization_id, email) values (%s, %s)", organization.id, email
        )
    connect = made_analyst(pair, "ann", acme, "--connections", "2")
    with connect() as connection, connect(pair.primary) as primary:
        assert connection.execute("select pg_is_in_recovery()").fetchone() == (True,)
        views = connection.execute(
            "select relname from pg_class where relnamespace = 'bi'::regnamespace and relkind = 'v'"
        ).fetchall()
        for (view,) in views:
            read = f"select count(*), coalesce(string_agg(v::text, ' '), '') from bi.{view} as v".encode()
            rows, text = connection.execute(read).fetchall()[0]
            assert (rows, "victim" in text) == (primary.execute(read).fetchall()[0][0], False), view
        assert connection.execute("select 1 from leads where email = 'own@example.com'").fetchall() == [(1,)]
        limits = {
            "statement_timeout": "1min",
            "idle_in_transaction_session_timeout": "1min",
            "temp_file_limit": "512MB",
        }
        for name, value in limits.items():
            assert connection.execute(f"show {name}".encode()).fetchone() == (value,)
        # They would show how much all organizations write.
        for call in (
            "pg_last_wal_receive_lsn()",
            "pg_last_wal_replay_lsn()",
            "pg_last_xact_replay_timestamp()",
            "pg_control_recovery()",
            "pg_control_checkpoint()",
            "pg_stat_get_recovery_prefetch()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"select {call}".encode())
        for hidden in (
            "pg_stat_wal_receiver where num_nonnulls(status, flushed_lsn, latest_end_time, conninfo) > 0",
            "pg_settings where name in ('primary_conninfo', 'config_file')",
        ):
            assert connection.execute(f"select * from {hidden}".encode()).fetchall() == []
        # The limit is that of one server.
        connect().close()
        with connect(), pytest.raises(psycopg.OperationalError, match='too many connections for role "ann"'):
            connect()


def test_a_revoked_analyst_reads_nothing_new(pair: Pair, acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.primary.database.sql(
        "insert into app.lead (organization_id, email) "
        "select %s, 'n' || n || '@example.com' from generate_series(1, 3) as n",
        acme.id,
    )
    connect = made_analyst(pair, "bea", acme)
    with connect() as session, connect() as reader:
        # Without a snapshot, so that the replay never cancels it.
        reader.execute("declare c cursor with hold for select id from bi.leads")
        assert len(reader.execute("fetch 1 c").fetchall()) == 1
        revoked = leads_here(pair.primary.database)("bi", "revoke", "bea")
        assert revoked.returncode == 0
        pair.wait_for_stream()
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            connect()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("select * from bi.leads")
        # What the page says: a query that had begun goes on, until somebody ends the session.
        assert len(reader.execute("fetch 1 c").fetchall()) == 1
        monkeypatch.setenv("DATABASE_URL", pair.primary.server.url("leads_api"))
        monkeypatch.setenv("DATABASE_REPLICA_URL", pair.standby.server.url("leads_api"))
        answer = json.loads(leads_here(pair.primary.database)("doctor", "--json").stdout)
        remedies = [row["remedy"] for row in answer["findings"] if "login that was dropped" in row["finding"]]
        statement = revoked.stderr.strip().rpartition("superuser: ")[2]
        assert remedies == [f"/* on the replica, as a superuser */ {statement}"]
        assert pair.standby.database.sql(statement) == [{"pg_terminate_backend": True}] * 2
        with pytest.raises(psycopg.OperationalError):
            reader.execute("fetch 1 c")


def test_a_new_password_leaves_an_analysts_sessions(pair: Pair, acme: Organization) -> None:
    connect = made_analyst(pair, "cid", acme)
    with connect() as session:
        rotated = leads_here(pair.primary.database)("bi", "rotate", "cid")
        pair.wait_for_stream()
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            connect()
        session.execute("select * from bi.leads")
        statement = rotated.stderr.strip().rpartition("superuser: ")[2]
        assert pair.standby.database.sql(statement) == [{"pg_terminate_backend": True}]
        with pytest.raises(psycopg.OperationalError):
            session.execute("select * from bi.leads")


def test_a_write_that_is_sent_to_a_replica_is_503(
    pair: Pair, acme: Organization, new_server: Callable[..., Server]
) -> None:
    server = new_server(pair.standby.database)
    with server.client(acme.keys["write"]) as client:
        check_problem(client.post("/leads", json={"email": "a@example.com"}), 503, "unavailable")
        assert client.get("/leads").status_code == 200
    rows = pair.standby.database.sql("select auth.current_position() as position")
    assert rows == [{"position": None}]


def test_a_promoted_replica_is_recognized(
    pair: Pair, acme: Organization, server: Server, new_server: Callable[..., Server]
) -> None:
    """It changes the pair, so it is the last test."""
    # Without its primary, it would wait for it at its end.
    server.process.terminate()
    server.process.wait(120)
    server = new_server(
        pair.primary.database,
        DATABASE_URL=pair.url("leads_api"),
        DATABASE_REPLICA_URL=pair.standby.server.url("leads_api"),
    )
    wait_for(lambda: is_used(server))
    with server.client(acme.keys["write"]) as client:
        lead, old = made_lead(client)
        pair.wait_for_stream()
        pair.primary.stop_sending()
        lost = {HEADER: client.patch(lead, json={"company": "lost"}).headers[HEADER]}
        pair.primary.end(signal.SIGKILL)
        wait_for(lambda: httpx.get(server.base + "/readyz").json().get("failing") == ["primary"])
        # The replica answers reads without the primary.
        wait_for(lambda: client.get(lead, headers=old).status_code == 200)
        pair.promote()
        wait_for(lambda: "It is no replica" in server.log.read_text())
        wait_for(lambda: client.patch(lead, json={"company": "new"}).status_code == 200)
        new = {HEADER: client.patch(lead, json={"company": "newer"}).headers[HEADER]}
        assert new[HEADER][:10] != old[HEADER][:10]
        lines = len(server.lines())
        for headers in (old, lost, new, {}):
            assert client.get(lead, headers=headers).json()["company"] == "newer"
        assert targets(server, lines) == [None] * 4
        if not IS_LONG:
            return
        # The old primary comes back as a replica of the new one.
        pair.rejoin()
        states = pair.standby.database.sql("select auth.position_states(%s) as states", [old[HEADER], new[HEADER]])
        assert states == [{"states": ["replayed", "replayed"]}]
