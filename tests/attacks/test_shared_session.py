"""An attacker sends SQL on the session that serves the next request, as a pooler shares it.

The control is a prepared statement: if the attacker gives its name to another statement, that one
receives the next caller's claim. If no statement is prepared, nothing that the attacker leaves on
the session reads or changes anything.
"""

import asyncio
import hashlib
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import pq

from app.embedded.account import server_account
from app.server import loading, postgres
from app.server.application import ROUTES_PAUSE
from app.session import SERVER
from tests.support import pooler
from tests.support.database import Database, Organization, make_organization
from tests.support.process import Server

PREPARE = """
prepare "{name}" (text, text, text, text, uuid) as
  select 200, '{{}}', to_json(set_config('attacker.seen', $1, false))::text
"""
# Not DEALLOCATE ALL: PgBouncer notices that, and prepares its statements again.
STEAL = 'deallocate "{name}";' + PREPARE

# What somebody leaves behind, all with the login's own rights.
# {digest}: their own claim, {name}: our statement's name.
LEFT = {
    "our statement's name": PREPARE,
    "a search path, and tables and types for it": (
        "create temp table lead (id int); create temp table claimed_key as select 1 as organization_id; "
        "create domain pg_temp.text as pg_catalog.text check (value = 'poison'); "
        "create domain pg_temp.uuid as pg_catalog.uuid check (false); "
        "create function pg_temp.enter(text, text, text, text) returns void language sql as 'select'; "
        "set search_path = pg_temp, pg_catalog"
    ),
    "a cursor": "begin; declare held cursor with hold for select 1 as a; commit",
    "locks": "select pg_advisory_lock(n), pg_advisory_lock(n, n) from generate_series(-100, 100) as n",
    "ears": "listen leads_routes; listen leads_work",
    "a role": "set session authorization leads_api; set role leads_api",
    "a claim": "set leads.key_digest = '{digest}'; set leads.request_id = 'poison'; set leads.organization_id = 'poison'",
    "formats": (
        "set timezone = 'Asia/Tokyo'; set datestyle = 'German'; set intervalstyle = 'sql_standard'; "
        "set bytea_output = 'escape'; set extra_float_digits = -15; set transform_null_equals = on; "
        "set quote_all_identifiers = on; set standard_conforming_strings = off; set array_nulls = off"
    ),
}

# What denies service: with the login's password one can end its sessions as well.
# A pooler that resets takes it away.
SPITE = {
    "a time limit": "set statement_timeout = 1",
    "no writing": "set default_transaction_read_only = on",
    "an old snapshot": "set default_transaction_isolation = 'repeatable read'",
    "no row-level security": "set row_security = off",
}

# What somebody may look at on a session of the login's.
LOOKS = (
    "select s.* from pg_settings as s",
    "select current_setting('attacker.seen', true), current_setting('leads.key_digest', true)",
    "select p.* from pg_prepared_statements as p",
    "select c.* from pg_cursors as c",
    "select a.* from pg_stat_activity as a",
)


def claim(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    """A database in which PUBLIC can create temporary objects and take advisory locks."""
    database = new_database()
    database.sql(f"grant temporary on database {database.name} to public")
    database.sql("grant execute on function pg_advisory_lock(bigint), pg_advisory_lock(integer, integer) to public")
    return database


@pytest.fixture(scope="module")
def alice(database: Database) -> Organization:
    """The next caller."""
    return make_organization(database, "Alice Roofing")


@pytest.fixture(scope="module")
def mallory(database: Database) -> Organization:
    """The attacker, who has a key and the login's password."""
    return make_organization(database, "Mallory Plumbing")


@pytest.fixture(scope="module")
def lead(database: Database, alice: Organization) -> str:
    """The id of a lead of Alice's."""
    rows = database.sql(
        "insert into app.lead (organization_id, email) values (%s, 'alices.lead@example.com') returning id", alice.id
    )
    return str(rows[0]["id"])


@pytest.fixture(scope="module")
def statement(database: Database) -> postgres.Statement:
    """That of GET /leads/{id}."""
    match = loading.load(database.url("leads_api")).match("/leads/x")
    assert match
    return match.routes["GET"].statement


def left_between(
    database: Database, statement: postgres.Statement, lead: str, key: str, poison: str, *, is_preparing: bool
) -> tuple[list[tuple[bytes | None, ...]], str]:
    """Answers to Alice, by a pool of one connection, with the poison after the first;
    what can be looked at then.
    """

    async def ask(pool: postgres.Pool) -> tuple[bytes | None, ...]:
        values = (claim(key).encode(), b"request", b"read", b"t", lead.encode())
        result = await pool.execute(statement, values)
        return tuple(result.get_value(0, column) for column in range(3))

    def run(pgconn: pq.abc.PGconn, sql: str) -> list[bytes | None]:
        result = pgconn.exec_(sql.encode())
        assert result.status in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK), result.error_message
        return [result.get_value(row, column) for row in range(result.ntuples) for column in range(result.nfields)]

    async def both() -> tuple[list[tuple[bytes | None, ...]], str]:
        pool = postgres.Pool(database.url("leads_api"), 1, 8, is_preparing=is_preparing)
        await pool.open()
        try:
            before = await ask(pool)
            (connection,) = pool._all
            # As a pooler does: the attacker's statements run on the session of the next request.
            pgconn = connection.pgconn
            pgconn.exit_pipeline_mode()
            assert pgconn.prepare(b"", b"select 'poison'").status == pq.ExecStatus.COMMAND_OK
            run(pgconn, poison)
            pgconn.enter_pipeline_mode()
            answers = [before, await ask(pool), await ask(pool)]
            assert connection in pool._all
            pgconn.exit_pipeline_mode()
            return answers, str([run(pgconn, query) for query in LOOKS])
        finally:
            await pool.close()

    return asyncio.run(both())


def test_a_replaced_prepared_statement_reveals_the_key_and_all_leads(
    database: Database, alice: Organization, lead: str, statement: postgres.Statement
) -> None:
    """The control: on a session that is shared, this is what the other path is there for."""
    poison = STEAL.format(name=statement.name.decode())
    claim_settings = claim(alice.keys["read"])
    answers, rest = left_between(database, statement, lead, alice.keys["read"], poison, is_preparing=True)
    assert b"alices.lead@example.com" in (answers[0][2] or b"")
    assert answers[1][2] == f'"{claim_settings}"'.encode()  # the attacker's words for an answer
    assert claim_settings in rest
    reached = database.sql(
        "select (api.list_leads()).body as b from auth.enter(%s, 'r', 'read', true)", claim_settings, login="leads_api"
    )
    assert "alices.lead@example.com" in reached[0]["b"]


@pytest.mark.parametrize("what", LEFT)
def test_objects_left_on_the_session_change_no_answer_and_see_no_claim(
    database: Database, alice: Organization, mallory: Organization, lead: str, statement: postgres.Statement, what: str
) -> None:
    poison = LEFT[what].format(name=statement.name.decode(), digest=claim(mallory.keys["read"]))
    answers, seen = left_between(database, statement, lead, alice.keys["read"], poison, is_preparing=False)
    assert b"alices.lead@example.com" in (answers[0][2] or b"")
    assert answers[1:] == answers[:1] * 2
    assert claim(alice.keys["read"]) not in seen
    assert "alices.lead" not in seen


def test_no_statement_of_ours_depends_on_the_search_path(database: Database) -> None:
    """Every function is qualified, and there is no operator, cast or type."""
    with database.connect("leads_api") as session:
        functions = [str(row["function"]) for row in session.execute("select function from api.routes()")]
    table = loading.load(database.url("leads_api"))
    by_method = [match.routes for match in table.fixed.values()]
    by_method += [routes for _, routes in table.patterns.values()]
    texts = {route.statement.text.decode() for routes in by_method for route in routes.values()}
    assert len(texts) > 10
    for text in texts:
        head, _, rest = text.partition("from (select ")
        assert head == "select (a.r).status, (a.r).headers, (a.r).body "
        call, _, rest = rest.partition(" as r from ")
        assert rest == "auth.enter($1, $2, $3, $4) offset 0) as a"
        function, _, parameters = call.removesuffix(")").partition("(")
        assert function in functions
        for parameter in parameters.split(", ") if parameters else []:
            assert re.fullmatch(r"(api\.read_instant)?\(\$\d+\)", parameter)


# Through PgBouncer


@pytest.fixture(scope="module")
def new_pooler(database: Database, run_dir: Path) -> Iterator[Callable[..., str]]:
    """Starts PgBouncer before the module's database, with one session that all share;
    gives the shim's address there.
    """
    program = pooler.program()
    if program is None:
        pytest.skip("NOT TESTED: PgBouncer is not installed (Debian: apt install pgbouncer)")
    account = server_account()
    if os.geteuid() != account.pw_uid:
        # PgBouncer can connect as leads_api.
        with (run_dir / "postgres" / "pg_ident.conf").open("a") as file:
            file.write(f'leads  "{account.pw_name}"  leads_api\n')
        database.sql("select pg_reload_conf()")
    with ExitStack() as stack:

        def start(*, is_resetting: bool) -> str:
            started = pooler.running(program, database.server, database.name, is_resetting=is_resetting)
            return stack.enter_context(started).url

        yield start


@pytest.fixture(scope="module")
def pooled(new_pooler: Callable[..., str]) -> str:
    """The address of a pooler that resets nothing."""
    return new_pooler(is_resetting=False)


@pytest.fixture(scope="module")
def resetting(new_pooler: Callable[..., str]) -> str:
    """The address of the pooler as docs/pooler.md has it."""
    return new_pooler(is_resetting=True)


@pytest.fixture(scope="module")
def server(database: Database, new_server: Callable[..., Server], pooled: str) -> Server:
    """A server behind the pooler that resets nothing."""
    return new_server(database, DATABASE_URL=pooled, LEADS_PREPARED_STATEMENTS="off")


def poisoned(url: str, poison: str) -> None:
    """Leaves the poison on the pooler's session."""
    with psycopg.connect(url, autocommit=True) as attacker:
        attacker.execute(poison.encode())


def looked_at(url: str) -> str:
    """All that can be looked at on the pooler's session."""
    with psycopg.connect(url, autocommit=True) as attacker:
        return str([attacker.execute(query.encode()).fetchall() for query in LOOKS])


def test_the_pooler_gives_the_server_and_the_attacker_one_session(
    server: Server, pooled: str, alice: Organization
) -> None:
    """Otherwise the tests below would prove nothing."""
    poisoned(pooled, "set leads.mark = 'here'")
    with server.client(alice.keys["read"]) as client:
        assert client.get("/health").status_code == 200
    with psycopg.connect(pooled, autocommit=True) as attacker:
        assert attacker.execute("select current_setting('leads.mark', true)").fetchall() == [("here",)]


def test_prepared_statements_behind_a_pooler_reveal_the_key(
    database: Database,
    new_server: Callable[..., Server],
    pooled: str,
    alice: Organization,
    lead: str,
    statement: postgres.Statement,
) -> None:
    """The control. PgBouncer passes names as they are. From 1.21 on it gives each statement a name
    of its own, PGBOUNCER_1 and so on, which is as visible to others on the session.
    """
    poisoned(pooled, "discard all")
    named = new_server(database, DATABASE_URL=pooled, LEADS_CONNECTIONS="1")
    with named.client(alice.keys["read"]) as client:
        before = client.get(f"/leads/{lead}")
        # As the session has it, whoever gave it.
        name = next(name for name, text in prepared(pooled) if text.encode() == statement.text)
        poisoned(pooled, STEAL.format(name=name))
        after = client.get(f"/leads/{lead}")
    assert before.json()["email"] == "alices.lead@example.com"
    assert after.json() == claim(alice.keys["read"])
    assert claim(alice.keys["read"]) in looked_at(pooled)
    poisoned(pooled, "discard all")


def test_the_reset_removes_a_replaced_statement(
    database: Database, new_server: Callable[..., Server], resetting: str, alice: Organization, lead: str
) -> None:
    """Nobody needs this, because the server prepares nothing behind a pooler. But if somebody
    forgets that setting, the documented reset still keeps the claim.
    """
    if pooler.version(pooler.program() or "") < (1, 21):
        pytest.skip("This PgBouncer doesn't track prepared statements, so that they fail behind it.")
    named = new_server(database, DATABASE_URL=resetting, LEADS_CONNECTIONS="1")
    with named.client(alice.keys["read"]) as client:
        before = [client.get(f"/leads/{lead}").json() for _ in range(2)]
        for number in range(1, 20):
            poisoned(resetting, PREPARE.format(name=f"PGBOUNCER_{number}"))
        after = [client.get(f"/leads/{lead}").json() for _ in range(2)]
    assert after == before
    assert claim(alice.keys["read"]) not in looked_at(resetting)


def prepared(url: str) -> list[tuple[str, str]]:
    """The names and texts of the statements that the pooler's session has."""
    with psycopg.connect(url, autocommit=True) as attacker:
        return attacker.execute("select name, statement from pg_prepared_statements").fetchall()


def used(server: Server, alice: Organization, lead: str) -> list[tuple[int, Any]]:
    """The API's responses to Alice, without the parts that are new each time."""
    with server.client(alice.keys["write"]) as client:
        created = client.post(
            "/leads", json={"email": "new@example.com"}, headers={"Idempotency-Key": uuid.uuid4().hex}
        )
        path = created.headers.get("location", "/leads/none").removeprefix("/api/v1")
        answers = [
            created,
            client.patch(path, json={"pipeline_stage": "won", "lead_score": 92}),
            client.post(f"{path}/signals", json={"type": "storm_event"}),
            client.post(f"{path}/score"),
            client.get(path),
            client.get(f"/leads/{lead}"),
            client.get("/leads?start_at=2000-01-01&end_at=2001-01-01"),
            client.get("/leads?limit=0&cursor=abc"),
            client.get("/organizations/me"),
            client.get("/health"),
        ]
    fresh = (
        "id",
        "lead_id",
        "created_at",
        "updated_at",
        "scored_at",
        "observed_at",
        "request_id",
        "qualification_completed_at",
    )

    def kept(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: kept(inner) for name, inner in value.items() if name not in fresh or inner is None}
        return [kept(inner) for inner in value] if isinstance(value, list) else value

    # The lead that stands has all its fields, times too.
    return [(answer.status_code, answer.json() if answer is answers[5] else kept(answer.json())) for answer in answers]


@pytest.mark.parametrize("what", LEFT)
def test_objects_left_on_a_poolers_session_change_no_answer_and_see_no_claim(
    server: Server,
    pooled: str,
    alice: Organization,
    mallory: Organization,
    lead: str,
    statement: postgres.Statement,
    what: str,
) -> None:
    poisoned(pooled, "discard all")
    before = used(server, alice, lead)
    assert [status for status, _ in before] == [201, 200, 201, 200, 200, 200, 200, 400, 200, 200]
    poisoned(pooled, LEFT[what].format(name=statement.name.decode(), digest=claim(mallory.keys["read"])))
    assert used(server, alice, lead) == before
    seen = looked_at(pooled)
    assert claim(alice.keys["write"]) not in seen
    assert "alices.lead" not in seen


def test_the_server_leaves_nothing_on_a_poolers_session(
    server: Server, pooled: str, alice: Organization, lead: str
) -> None:
    poisoned(pooled, "discard all")
    used(server, alice, lead)
    with psycopg.connect(pooled, autocommit=True) as attacker:
        for relation in ("pg_prepared_statements", "pg_cursors", "pg_listening_channels()"):
            assert attacker.execute(f"select * from {relation}".encode()).fetchall() == []
        locks = "select * from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'"
        assert attacker.execute(locks).fetchall() == []
        row = attacker.execute("select current_setting('leads.key_digest'), current_setting('leads.request_id')")
        assert row.fetchall() == [("", "")]


def test_an_added_route_is_found_without_listening(
    database: Database, server: Server, pooled: str, alice: Organization
) -> None:
    poisoned(pooled, "discard all")
    database.sql(
        "insert into api.route (method, path, function, scope) values ('GET', '/again', 'api.get_health', 'read')"
    )
    end = time.monotonic() + 6 * ROUTES_PAUSE
    with server.client(alice.keys["read"]) as client:
        while client.get("/again").status_code != 200:
            assert time.monotonic() < end
            time.sleep(0.2)


@pytest.mark.parametrize("what", SPITE)
def test_a_pooler_that_resets_removes_settings_that_deny_service(
    database: Database,
    new_server: Callable[..., Server],
    pooled: str,
    resetting: str,
    alice: Organization,
    lead: str,
    what: str,
) -> None:
    for url, is_denied in ((pooled, True), (resetting, False)):
        poisoned(url, "discard all")
        server = new_server(database, DATABASE_URL=url, LEADS_PREPARED_STATEMENTS="off")
        before = used(server, alice, lead)
        poisoned(url, SPITE[what])
        assert (used(server, alice, lead) != before) is is_denied
    poisoned(pooled, "discard all")


def test_a_pooler_that_resets_gives_each_session_the_servers_settings(resetting: str) -> None:
    """The server's own options don't come through: the pooler ignores them.

    The sessions are one: if the reset is longer than PgBouncer can send, it closes the session
    instead, and each request costs a new one.
    """
    sessions = set()
    for _ in range(2):
        with psycopg.connect(resetting, autocommit=True) as session:
            rows = session.execute("select lower(name), setting from pg_settings").fetchall()
            sessions.add(session.execute("select pg_backend_pid()").fetchone())
        settings: dict[str, str] = dict(rows)
        for name, value in SERVER.items():
            # Of a session's start only; a login's own setting of it loads nothing but from a folder
            # of trusted files.
            if name != "local_preload_libraries":
                assert settings[name] == value.replace("\\ ", " "), name
        # The time limit is the last: it would end a statement behind it.
        poisoned(resetting, "set jit = on; set timezone = 'Asia/Tokyo'; listen leads_routes; set statement_timeout = 1")
    assert len(sessions) == 1
