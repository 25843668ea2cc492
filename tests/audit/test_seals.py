"""The hash chain of the audit log: verification detects and names what a superuser changes."""

import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from tests.support.chain import seal, verdict
from tests.support.contract import check_problem
from tests.support.database import OF_DATABASE, Database, Organization, make_organization
from tests.support.process import Leads, Server, mistake, printed
from tests.support.pushing import wait_for, working

# An attacker who can alter the tables disables the triggers first.
# What a superuser can switch off before changing the log. Partitions inherit it.
UNGUARDED = (
    "alter table audit.event disable trigger user; "
    "alter table audit.seal disable trigger user; "
    "alter table audit.event drop constraint if exists event_created_at_is_the_time_of_its_id; "
)


@pytest.fixture
def tampered(new_database: Callable[..., Database]) -> Database:
    """A database with a chain of some seals, and a second organization whose chain stays
    unchanged.
    """
    database = new_database()
    for name in ("Acme Restoration", "Beacon Roofing"):
        make_organization(database, name)
    seal(database)
    return database


def organizations(database: Database) -> list[UUID]:
    """Returns the organizations of the database, the oldest first."""
    return [row["organization_id"] for row in database.sql("select organization_id from app.organization order by 1")]


@dataclass(frozen=True)
class Case:
    """An attack on the third event of the first organization ({o}),
    and what verification reports.
    """

    name: str
    sql: str
    code: str | None
    position: int | None = 3
    has_event: bool = True


THIRD = "(select s.event_id from audit.seal as s where s.organization_id = '{o}' and s.position = 3)"
CASES = [
    Case(
        "the payload",
        f"update audit.event set payload = '{{\"key_id\":null}}' where id = {THIRD}",
        "payload_mismatch",
    ),
    Case(
        "a space in the payload",
        f"update audit.event set payload = (payload || ' ')::json where id = {THIRD}",
        "payload_mismatch",
    ),
    Case(
        "the payload and its digest",
        f"update audit.event set payload = '{{}}', payload_digest = sha256(salt || '{{}}'::bytea) where id = {THIRD}",
        "hash_mismatch",
    ),
    Case("the salt", f"update audit.event set salt = null where id = {THIRD}", "payload_mismatch"),
    Case("the action", f"update audit.event set action = 'lead.updated' where id = {THIRD}", "hash_mismatch"),
    Case("the source", f"update audit.event set source = 'api' where id = {THIRD}", "hash_mismatch"),
    Case("the request", f"update audit.event set correlation_id = 'x' where id = {THIRD}", "hash_mismatch"),
    Case("the lead", f"update audit.event set lead_id = organization_id where id = {THIRD}", "hash_mismatch"),
    # The time is part of the key: the seal's event is gone.
    Case("the time", f"update audit.event set created_at = created_at + '1 ms' where id = {THIRD}", "event_missing"),
    Case(
        "the id",
        # Of 150 random ids, one comes before the other events, and is found first: not_sealed.
        f"update audit.event set id = overlay(gen_random_uuid()::text placing 'f' from 1)::uuid where id = {THIRD}",
        "event_missing",
    ),
    Case("the event goes", f"delete from audit.event where id = {THIRD}", "event_missing"),
    Case(
        "the event goes with its seal",
        "with gone as (delete from audit.seal where organization_id = '{o}' and position = 3 returning event_id) "
        "delete from audit.event where id = (select event_id from gone)",
        "seal_missing",
        has_event=False,
    ),
    Case(
        "the first goes with its seal",
        "with gone as (delete from audit.seal where organization_id = '{o}' and position = 1 returning event_id) "
        "delete from audit.event where id = (select event_id from gone)",
        "seal_missing",
        1,
        has_event=False,
    ),
    Case(
        "the gap is closed",
        "with gone as (delete from audit.seal where organization_id = '{o}' and position = 3 returning event_id) "
        "delete from audit.event where id = (select event_id from gone); "
        "update audit.seal set position = position + 1000 where organization_id = '{o}' and position > 3; "
        "update audit.seal set position = position - 1001 where organization_id = '{o}' and position > 1000",
        "hash_mismatch",
    ),
    Case(
        "the hash",
        "update audit.seal set hash = sha256('x') where organization_id = '{o}' and position = 3",
        "hash_mismatch",
    ),
    Case(
        "the event's own hash",
        "update audit.seal set event_hash = sha256('x') where organization_id = '{o}' and position = 3",
        "hash_mismatch",
    ),
    Case(
        "the event's own hash and the seal's",
        "update audit.seal set event_hash = sha256('x'), hash = sha256("
        "(select s.hash from audit.seal as s where s.organization_id = '{o}' and s.position = 2) || sha256('x')) "
        "where organization_id = '{o}' and position = 3",
        "hash_mismatch",
    ),
    Case(
        # A unique constraint covers the positions of one year.
        "a position exists twice",
        "insert into audit.seal (organization_id, position, event_id, event_hash, hash, created_at) "
        "select s.organization_id, s.position, i.id, s.event_hash, s.hash, app.id_time(i.id) "
        "from audit.seal as s "
        "cross join (select (lpad(to_hex((extract(epoch from date_trunc('year', now() at time zone 'UTC') "
        "+ interval '1 year') * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid as id) as i "
        "where s.organization_id = '{o}' and s.position = 3",
        "seal_missing",
        has_event=False,
    ),
    Case(
        "two change places",
        "update audit.seal set position = position + 1000 where organization_id = '{o}' and position in (3, 4); "
        "update audit.seal set position = 1007 - position where organization_id = '{o}' and position > 1000",
        "hash_mismatch",
    ),
    Case(
        "the seal alone goes",
        "delete from audit.seal where organization_id = '{o}' and position = 3",
        "seal_missing",
        has_event=False,
    ),
    Case(
        "an event is slipped in",
        "insert into audit.event (id, organization_id, action, source, payload, payload_digest, created_at) "
        "select i.id, '{o}', 'lead.updated', 'api', '{}', sha256('{}'), app.id_time(i.id) "
        "from (select app.new_id() as id offset 0) as i",
        "not_sealed",
        None,
    ),
    Case(
        "an old event is slipped in",
        # At the beginning of the year, whose partition exists.
        "insert into audit.event (id, organization_id, action, source, payload, payload_digest, created_at) "
        "select i.id, '{o}', 'lead.updated', 'api', '{}', sha256('{}'), app.id_time(i.id) "
        "from (select (lpad(to_hex((extract(epoch from date_trunc('year', now() at time zone 'UTC')) * 1000)::bigint), "
        "12, '0') || '70008000000000000000')::uuid as id) as i",
        "not_sealed",
        None,
    ),
    Case(
        "an event that waits goes",
        "insert into app.pipeline_stage (organization_id, name, position) values ('{o}', 'later', 90); "
        "delete from audit.event where organization_id = '{o}' and id in (select event_id from audit.unsealed)",
        "event_missing",
        None,
    ),
    Case(
        "an event that waits is taken from the queue",
        "insert into app.pipeline_stage (organization_id, name, position) values ('{o}', 'later', 90); "
        "delete from audit.unsealed where organization_id = '{o}'",
        "not_sealed",
        None,
    ),
    Case(
        "the end is cut off",
        "with gone as (delete from audit.seal where organization_id = '{o}' and position > 3 returning event_id) "
        "delete from audit.event where id in (select event_id from gone)",
        None,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verification_names_the_change(tampered: Database, case: Case) -> None:
    first, second = organizations(tampered)
    before = {each: verdict(tampered, each) for each in (first, second)}
    assert all(each["holds"] for each in before.values())
    tampered.sql(UNGUARDED + case.sql.replace("{o}", str(first)))

    results = [verdict(tampered, first, limit=limit) for limit in (10_000, 2, 1)]
    for each in results:
        if case.code is None:
            assert each["holds"], each
            continue
        assert (each["holds"], each["code"]) == (False, case.code)
        assert each["position"] == case.position
        assert (each["event_id"] is not None) == case.has_event
        assert each["detail"]
    assert verdict(tampered, second) == before[second]
    # A stored head detects what the chain alone cannot.
    if case.name == "the end is cut off":
        assert verdict(tampered, first, head=before[first]["head"])["code"] == "head_mismatch"


def test_only_a_stored_head_detects_a_rebuilt_chain(tampered: Database) -> None:
    first = organizations(tampered)[0]
    head = verdict(tampered, first)["head"]
    tampered.sql(
        UNGUARDED + "update audit.event set payload = '{}', payload_digest = sha256(salt || '{}'::bytea) "
        f"where id = {THIRD.replace('{o}', str(first))}; delete from audit.seal where organization_id = '{first}'; "
        f"insert into audit.unsealed select organization_id, id from audit.event where organization_id = '{first}'"
    )
    seal(tampered)
    assert verdict(tampered, first)["holds"]
    assert verdict(tampered, first, head=head)["code"] == "head_mismatch"


def test_the_trigger_refuses_superusers_too(tampered: Database) -> None:
    for statement in ("update audit.seal set hash = hash", "delete from audit.seal", "truncate audit.seal"):
        for setting in ("origin", "replica"):
            with pytest.raises(psycopg.Error, match="refused") as raised:
                tampered.sql(f"set session_replication_role = {setting}; {statement}")
            assert raised.value.sqlstate == "PT409"


def test_the_chain_can_be_computed_in_python(tampered: Database) -> None:
    for organization in organizations(tampered):
        link = hashlib.sha256(organization.bytes).digest()
        rows = tampered.sql(
            "select s.position, s.hash, e.id, e.organization_id, e.action, e.source, e.correlation_id, e.lead_id,"
            " e.payload::text, e.salt, e.payload_digest, app.utc_text(e.created_at) as created_at"
            " from audit.seal as s join audit.event as e on e.id = s.event_id"
            " where s.organization_id = %s order by s.position",
            organization,
        )
        assert len(rows) > 5
        for position, row in enumerate(rows, 1):
            digest = hashlib.sha256(row["salt"] + row["payload"].encode()).digest()
            assert digest == row["payload_digest"]
            fields = [
                position,
                *(row[name] and str(row[name]) for name in ("id", "organization_id", "action", "source")),
                *(row[name] and str(row[name]) for name in ("correlation_id", "lead_id")),
                digest.hex(),
                row["created_at"],
            ]
            own = hashlib.sha256(json.dumps(fields, ensure_ascii=False).encode()).digest()
            link = hashlib.sha256(link + own).digest()
            assert (row["position"], row["hash"]) == (position, link)


def test_an_event_that_commits_late_is_sealed_later(database: Database) -> None:
    organization = make_organization(database)
    add = "insert into app.pipeline_stage (organization_id, name, position) values (%s, %s, 50)"
    with database.connect() as late, late.transaction():
        late.execute(add, (organization.id, "late"))
        database.sql(add, organization.id, "early")
        # The sealer waits for no transaction, and no transaction waits for the sealer.
        with database.connect() as sealer, sealer.transaction():
            sealer.execute("set local lock_timeout = '20s'")
            after, sealed = None, set()
            while row := sealer.execute("select * from admin.seal_events(%s, 1000)", (after,)).fetchone():
                after = row["organization_id"]
                sealed.add(str(after))
            assert organization.id in sealed
            database.sql("set lock_timeout = '20s'; " + add.replace("%s", "'{}'").format(organization.id, "meanwhile"))
        seal(database)
    assert (
        database.sql("select count(*) as n from audit.unsealed where organization_id = %s", organization.id)[0]["n"]
        == 1
    )
    seal(database)
    result = verdict(database, organization.id)
    assert (result["holds"], result["unsealed"]) == (True, 0)
    order = database.sql(
        "select e.payload ->> 'pipeline_stage' as stage from audit.seal as s join audit.event as e on e.id = s.event_id"
        " where s.organization_id = %s order by s.position desc limit 3",
        organization.id,
    )
    assert [row["stage"] for row in order] == ["late", "meanwhile", "early"]


def test_an_event_that_is_queued_twice_does_not_stop_the_sealer(database: Database) -> None:
    organization, other = make_organization(database), make_organization(database)
    seal(database)
    database.sql(
        "insert into audit.unsealed"
        " select organization_id, event_id from audit.seal where organization_id = %s limit 1",
        organization.id,
    )
    add = "insert into app.pipeline_stage (organization_id, name, position) values (%s, 'later', 90)"
    for each in (organization, other):
        database.sql(add, each.id)
    seal(database)
    for each in (organization, other):
        result = verdict(database, each.id)
        assert (result["holds"], result["unsealed"]) == (True, 0)


def test_a_batch_costs_the_same_however_long_the_chain_is(database: Database) -> None:
    organization = make_organization(database)
    add = "insert into app.lead (organization_id, email) select %s, 'ada@example.com' from generate_series(1, %s)"

    def blocks() -> int:
        """The blocks that a batch of one event reads, with few dead rows in the queue."""
        counts: list[int] = []
        with database.connect() as connection:
            connection.execute("vacuum audit.unsealed")
            # A call can also read the catalogue: the first one, and one after an invalidation.
            for _ in range(4):
                connection.execute(add, [organization.id, 1])
                explained = connection.execute(
                    "explain (analyze, buffers, format json) select * from admin.seal_events(null, 1000)"
                ).fetchall()
                plan = explained[0]["QUERY PLAN"][0]["Plan"]
                assert plan["Actual Rows"] == 1
                counts.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
        return min(counts)

    short = blocks()
    database.sql(add, organization.id, 5000)
    while seal(database):
        pass
    # The indexes can be a level deeper. VACUUM keeps dead rows that ANALYZE, which may run just now, still sees.
    wait_for(lambda: blocks() < short + 10)


def test_a_verdict_counts_at_most_10000_unsealed_events(database: Database) -> None:
    organization = make_organization(database)
    queue = "insert into audit.unsealed select %s, gen_random_uuid() from generate_series(1, 10001)"
    database.sql(queue, organization.id)
    assert verdict(database, organization.id)["unsealed"] == 10_000
    database.sql("delete from audit.unsealed where organization_id = %s", organization.id)


def test_concurrent_sealers_build_one_chain(database: Database) -> None:
    organizations = [make_organization(database) for _ in range(3)]
    stop = threading.Event()
    failed: list[Exception] = []

    def sealing() -> None:
        try:
            with database.connect("leads_worker") as connection:
                while not stop.is_set():
                    after = None
                    while row := connection.execute("select * from admin.seal_events(%s, 7)", (after,)).fetchone():
                        after = row["organization_id"]
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=sealing) for _ in range(3)]
    for thread in threads:
        thread.start()
    add = "insert into app.lead (organization_id, email) select %s, 'ada@example.com' from generate_series(1, 5)"
    for _ in range(20):
        for organization in organizations:
            database.sql(add, organization.id)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed
    seal(database)
    for organization in organizations:
        result = verdict(database, organization.id)
        assert (result["holds"], result["unsealed"]) == (True, 0)
        assert result["verified_to"] > 100


def test_a_worker_seals_within_seconds(database: Database, tmp_path: Path) -> None:
    organization = make_organization(database)
    waiting = "select count(*) as n from audit.unsealed where organization_id = %s"
    assert database.sql(waiting, organization.id)[0]["n"] > 0
    with working(database, tmp_path):
        wait_for(lambda: database.sql(waiting, organization.id)[0]["n"] == 0)
    result = verdict(database, organization.id)
    assert (result["holds"], result["unsealed"]) == (True, 0)
    assert result["verified_to"] > 0


class TestOverHttp:
    """GET /audit-log/verify."""

    @pytest.fixture
    def organization(self, database: Database, server: Server) -> Organization:
        organization = make_organization(database)
        seal(database)
        return organization

    def test_reports_an_unchanged_log(self, organization: Organization, server: Server) -> None:
        with server.client(organization.keys["admin"]) as client:
            answer = client.get("/audit-log/verify")
        assert answer.status_code == 200
        body = answer.json()
        assert list(body) == [
            "organization_id", "holds", "fault", "verified_from", "verified_to", "next_after", "head", "unsealed",
        ]  # fmt: skip
        assert body["organization_id"] == organization.id
        assert (body["holds"], body["fault"], body["verified_from"], body["next_after"]) == (True, None, 1, None)
        assert body["verified_to"] > 5
        assert body["head"].startswith(f"{body['verified_to']}:")

    def test_verifies_in_parts(self, organization: Organization, server: Server) -> None:
        with server.client(organization.keys["admin"]) as client:
            whole = client.get("/audit-log/verify").json()
            after: str | None = "0"
            position = 0
            while after is not None:
                part = client.get("/audit-log/verify", params={"after": after, "limit": 3}).json()
                assert part["holds"]
                assert part["verified_from"] == position + 1
                after, position = part["next_after"], part["verified_to"]
        assert (position, part["head"]) == (whole["verified_to"], whole["head"])

    def test_accepts_a_stored_head(self, organization: Organization, server: Server) -> None:
        with server.client(organization.keys["admin"]) as client:
            head = client.get("/audit-log/verify", params={"limit": 3}).json()["head"]
            assert client.get("/audit-log/verify", params={"head": head}).json()["holds"]
            other = client.get("/audit-log/verify", params={"head": "3:" + 64 * "0"}).json()
        assert (other["holds"], other["fault"]["code"], other["fault"]["position"]) == (False, "head_mismatch", 3)

    def test_names_the_changed_event(self, database: Database, server: Server) -> None:
        organization, other = make_organization(database), make_organization(database)
        seal(database)
        database.sql(UNGUARDED + CASES[0].sql.replace("{o}", organization.id))
        third = database.sql(f"select {THIRD.replace('{o}', organization.id)} as id")[0]["id"]
        with server.client(organization.keys["admin"]) as client:
            fault = client.get("/audit-log/verify").json()["fault"]
        assert (fault["position"], fault["event_id"], fault["code"]) == (3, str(third), "payload_mismatch")
        with server.client(other.keys["admin"]) as client:
            assert client.get("/audit-log/verify").json()["holds"]

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("limit=0", "out_of_range"),
            ("limit=10001", "out_of_range"),
            ("after=-1", "invalid_position"),
            ("after=x", "invalid_position"),
            ("head=3", "invalid_head"),
        ],
    )
    def test_refuses_invalid_parameters(
        self, organization: Organization, server: Server, query: str, code: str
    ) -> None:
        with server.client(organization.keys["admin"]) as client:
            answer = client.get(f"/audit-log/verify?{query}")
        check_problem(answer, 400, "invalid_parameter", (query.split("=", maxsplit=1)[0], code))

    def test_requires_scope_admin(self, organization: Organization, server: Server) -> None:
        with server.client(organization.keys["write"]) as client:
            check_problem(client.get("/audit-log/verify"), 403, "insufficient_scope")


class TestOnTheCommandLine:
    """leads audit."""

    def test_seals_exports_and_verifies(self, tampered: Database, leads: Leads, tmp_path: Path) -> None:
        addresses = {"LEADS_OPERATOR_URL": tampered.url("leads_operator")}
        first, second = organizations(tampered)
        make_organization(tampered, "Cedar Plumbing")
        assert printed(leads("audit", "seal", **addresses)).endswith("events were sealed.")
        heads = tmp_path / "heads.json"
        heads.write_text(printed(leads("audit", "seal", "--export", **addresses)))
        assert [row["organization_id"] for row in json.loads(heads.read_text())][:2] == [str(first), str(second)]
        process = leads("audit", "verify", "--head", str(heads), "--json", **addresses)
        assert process.returncode == 0
        assert [row["holds"] for row in json.loads(process.stdout)] == [True, True, True]

        tampered.sql(UNGUARDED + CASES[-1].sql.replace("{o}", str(first)))
        assert leads("audit", "verify", **addresses).returncode == 0
        process = leads("audit", "verify", "--head", str(heads), "--organization", str(first), **addresses)
        assert process.returncode == 1
        assert "head_mismatch" in process.stdout
        tampered.sql(UNGUARDED + CASES[0].sql.replace("{o}", str(second)))
        process = leads("audit", "verify", "--json", **addresses)
        assert process.returncode == 1
        assert [row["code"] for row in json.loads(process.stdout)] == [None, "payload_mismatch", None]

    def test_reports_mistakes(self, database: Database, leads: Leads, tmp_path: Path) -> None:
        organization = make_organization(database)
        nowhere = "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"
        assert nowhere in mistake(leads("audit", "verify", "--organization", nowhere))
        heads = tmp_path / "heads.json"
        for text in (
            "{}",
            f'[{{"organization_id": "{nowhere}", "head": 5}}]',
            f'[{{"organization_id": "{nowhere}", "head": "0:"}}]',
        ):
            heads.write_text(text)
            assert "leads audit seal --export" in mistake(leads("audit", "verify", "--head", str(heads)))
        heads.write_text(json.dumps([{"organization_id": nowhere, "head": "1:" + 64 * "0"}]))
        process = leads("audit", "verify", "--head", str(heads), "--json")
        assert process.returncode == 1
        # The existing organizations are still reported.
        assert organization.id in [row["organization_id"] for row in json.loads(process.stdout)]
        assert f"doesn't have: {nowhere}" in process.stderr
        assert "The file has no head of " in process.stderr


def test_no_event_has_a_time_after_its_seal(new_database: Callable[..., Database]) -> None:
    database = new_database()
    organization = make_organization(database)
    with database.connect() as writer, database.connect("leads_operator") as sealer:
        # From the second call on, the function's plans exist, and each statement locks only its own tables.
        sealer.execute("select * from admin.seal_events(null, 1000)")
        stage = "insert into app.pipeline_stage (organization_id, name, position) values (%s, 'late', 50)"
        writer.execute(stage, [organization.id])
        writer.execute("begin; lock table audit.event")
        thread = threading.Thread(
            target=sealer.execute, args=["select * from admin.seal_events(null, 1000)"], daemon=True
        )
        thread.start()
        # The sealer waits before it reads the events.
        waiting = (
            "select count(*) as n from pg_locks "
            f"where relation = 'audit.event'::regclass and not granted and {OF_DATABASE}"
        )
        wait_for(lambda: database.sql(waiting)[0]["n"] == 1)
        time.sleep(0.01)
        row = writer.execute(
            "insert into app.lead (organization_id, email, created_at, updated_at) "
            "select %s, 'late@example.com', t, t from date_trunc('milliseconds', clock_timestamp()) as t "
            "returning id, created_at",
            [organization.id],
        ).fetchone()
        assert row
        writer.execute("commit")
        thread.join()
    seals = database.sql(
        "select s.sealed_at from audit.seal as s join audit.event as e on e.id = s.event_id where e.lead_id = %s",
        row["id"],
    )
    assert [seal["sealed_at"] >= row["created_at"] for seal in seals] == [True]
