"""Attacks with the password of leads_api, the API server's login,
and SQL of the attacker's choice.
"""

import hashlib
from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.attacks.logins import Session, executable_functions, relations
from tests.support.database import Database, Organization, make_key, make_organization
from tests.support.process import Server


def claim(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@pytest.fixture(scope="module")
def alice(database: Database) -> Organization:
    return make_organization(database, "Alice Roofing")


@pytest.fixture(scope="module")
def bob(database: Database) -> Organization:
    """A stranger with a lead of his own."""
    bob = make_organization(database, "Bob Plumbing")
    database.sql("insert into app.lead (organization_id, email) values (%s, 'bobs.lead@example.com')", bob.id)
    return bob


@pytest.fixture
def session(database: Database, alice: Organization, bob: Organization) -> Iterator[Session]:
    """A session of leads_api."""
    with database.connect("leads_api") as connection:
        yield connection


def test_no_table_is_readable(session: Session, database: Database) -> None:
    for relation in relations(database):
        for statement in ("select * from {}", "delete from {}", "copy {} to stdout", "table {}"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement.format(relation))


def test_only_reviewed_functions_are_executable(session: Session) -> None:
    """The functions that the login can execute. A new function must be reviewed and added here."""
    assert executable_functions(session) == {
        "auth.caller",
        "auth.current_position",
        "auth.enter",
        "auth.is_announced",
        "auth.position_states",
        "auth.record_key_uses",
        "api.create_form",
        "api.create_key",
        "api.create_lead",
        "api.create_signals",
        "api.create_webhook",
        "api.delete_key",
        "api.delete_lead",
        "api.delete_webhook",
        "api.export_audit_events",
        "api.export_leads",
        "api.get_audit_event",
        "api.get_crm_sync",
        "api.get_health",
        "api.get_lead",
        "api.get_lead_details",
        "api.get_lead_everything",
        "api.get_organization",
        "api.get_push",
        "api.get_webhook",
        "api.input_faults",
        "api.is_change_cursor",
        "api.is_cursor",
        "api.is_export_cursor",
        "api.list_audit_events",
        "api.list_crm_connections",
        "api.list_forms",
        "api.list_keys",
        "api.list_leads",
        "api.list_scores",
        "api.list_signals",
        "api.list_webhook_deliveries",
        "api.list_webhooks",
        "api.openapi",
        "api.preflight_form",
        "api.problems",
        "api.push_lead",
        "api.read_instant",
        "api.redeliver_webhook",
        "api.rotate_webhook_secret",
        "api.routes",
        "api.schema_version",
        "api.score_lead",
        "api.sealing_key",
        "api.session_faults",
        "api.put_lead",
        "api.rotate_key",
        "api.store_leads",
        "api.submit_form",
        "api.test_webhook",
        "api.update_lead",
        "api.update_lead_details",
        "api.update_webhook",
        "api.verify_audit_log",
    }


def test_only_uses_of_own_keys_are_recorded(
    session: Session, database: Database, alice: Organization, bob: Organization
) -> None:
    stored = database.sql("select encode(digest, 'hex') as d from auth.api_key where organization_id = %s", bob.id)
    forged = [*(row["d"] for row in stored), bob.id, claim("guess"), "", "{}"]
    claims = [claim(alice.keys["read"]), *forged]
    with session.transaction():
        session.execute("select auth.enter(%s, 'r', 'read', false)", [claim(alice.keys["admin"])])
        session.execute("select set_config('leads.organization_id', %s, true)", [bob.id])
        session.execute("select auth.record_key_uses(%s, %s)", [claims, [0.0] * len(claims)])
    recorded = database.sql("select organization_id, key_id from auth.key_use")
    assert [str(row["organization_id"]) for row in recorded] == [alice.id]


@pytest.mark.parametrize("role", ["leads_owner", "leads_auth", "leads_exec", "leads_jobs", "leads_audit", "postgres"])
def test_it_can_not_become_another_role(session: Session, role: str) -> None:
    for statement in (f"set role {role}", f"set session authorization {role}", f"grant {role} to leads_api"):
        with pytest.raises(psycopg.Error):
            session.execute(statement)


READS = (
    "api.list_leads()",
    "api.list_leads(200, null, null, null, '{bobs.lead@example.com}')",
    "api.list_audit_events()",
    "api.get_organization()",
    "api.get_health()",
    "api.list_crm_connections()",
    "api.list_forms()",
    "api.list_keys()",
)


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    "forged",
    [
        "",  # nothing set at all
        "set leads.key_digest = ''",
        "set leads.key_digest = 'not hexadecimal'",
        "set leads.key_digest = '{guess}'",
        "set leads.key_digest = '{stored}'",
        "set role none; set row_security = off",
    ],
)
def test_an_organization_is_reached_only_with_its_key(
    session: Session, database: Database, bob: Organization, read: str, forged: str
) -> None:
    stored = database.sql("select encode(digest, 'hex') as d from auth.api_key where organization_id = %s", bob.id)
    session.execute(f"set leads.organization_id = '{bob.id}'")
    session.execute(forged.format(guess=claim("guess"), stored=stored[0]["d"]) or "select 1")
    try:
        answers = [row["a"] for row in session.execute(f"select ({read}).body as a").fetchall()]
    except psycopg.Error as error:
        answers = [str(error)]
    for answer in answers:
        assert (
            answer is None
            or ("bobs.lead" not in answer and bob.id not in answer and '"data":[]' in answer)
            or ("invalid hexadecimal" in answer or "row-level security" in answer)
        )


@pytest.mark.parametrize(
    "read", ["list_leads()", "list_audit_events()", "list_leads(email => '{bobs.lead@example.com}')"]
)
def test_a_key_with_the_setting_of_another_organization_reads_nothing(
    session: Session, alice: Organization, bob: Organization, read: str
) -> None:
    with session.transaction():
        session.execute("select auth.enter(%s, 'r', 'read', true)", [claim(alice.keys["read"])])
        own = session.execute("select (api.list_audit_events()).body as a").fetchall()[0]["a"]
        session.execute(f"set local leads.organization_id = '{bob.id}'")
        answer = session.execute(f"select (api.{read}).body as a").fetchall()[0]["a"]
    assert alice.id in own
    assert '"data":[]' in answer


def test_a_digest_is_not_accepted_as_a_key(session: Session, database: Database, bob: Organization) -> None:
    stored = database.sql("select encode(digest, 'hex') as d from auth.api_key where organization_id = %s", bob.id)
    for digest in (stored[0]["d"], claim(claim(bob.keys["read"])), bob.keys["read"].encode().hex()[:64]):
        with pytest.raises(psycopg.Error, match="unauthorized"):
            session.execute("select auth.enter(%s, 'r', 'read', true)", [digest])


def test_a_key_does_not_reach_another_organizations_ids(
    session: Session, database: Database, alice: Organization, bob: Organization
) -> None:
    lead = database.sql("select id from app.lead where organization_id = %s", bob.id)[0]["id"]
    event = database.sql("select id from audit.event where organization_id = %s limit 1", bob.id)[0]["id"]
    enter = "auth.enter(%s, 'r', 'write', false)"
    for call in (
        f"select (api.get_lead('{lead}')).status as s from {enter}",
        f"select (api.get_audit_event('{event}')).status as s from {enter}",
        f"""select (api.update_lead('{lead}', '{{"lead_score": 1}}')).status as s from {enter}""",
    ):
        assert session.execute(call, [claim(alice.keys["write"])]).fetchall() == [{"s": None}]
    assert database.sql("select lead_score from app.lead where id = %s", lead) == [{"lead_score": 0}]


def test_a_key_that_only_reads_writes_nothing(session: Session, database: Database, alice: Organization) -> None:
    """The attacker chooses the scope for auth.enter. The policies check the key's own scopes."""
    before = database.sql("select count(*) as n from app.lead where organization_id = %s", alice.id)
    with pytest.raises(psycopg.Error):
        session.execute(
            """select api.create_lead('{"email": "new@example.com"}') from auth.enter(%s, 'r', 'read', false)""",
            [claim(alice.keys["read"])],
        )
    session.execute("set leads.key_digest = '" + claim(alice.keys["read"]) + "'")
    with pytest.raises(psycopg.Error):
        session.execute("""select api.create_lead('{"email": "new@example.com"}')""")
    assert database.sql("select count(*) as n from app.lead where organization_id = %s", alice.id) == before


def test_a_get_writes_nothing(session: Session, alice: Organization) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        session.execute(
            """select api.create_lead('{"email": "new@example.com"}') from auth.enter(%s, 'r', 'write', true)""",
            [claim(alice.keys["write"])],
        )


def test_the_claim_ends_with_the_statement(session: Session, alice: Organization) -> None:
    session.execute("select api.list_leads() from auth.enter(%s, 'r', 'read', true)", [claim(alice.keys["read"])])
    rows = session.execute("select current_setting('leads.key_digest', true) as k, (api.get_health()).status as s")
    assert rows.fetchall() == [{"k": "", "s": None}]


def test_an_open_transaction_does_not_keep_a_key_valid(
    session: Session, database: Database, alice: Organization
) -> None:
    key = make_key(database, alice.id, "write")
    ask = "select (api.get_health()).status as s from auth.enter(%s, 'r', 'read', false)"
    session.execute("begin")
    assert session.execute(ask, [claim(key)]).fetchall() == [{"s": 200}]
    database.sql(
        "update auth.api_key set expires_at = clock_timestamp() where digest = sha256(decode(%s, 'hex'))", claim(key)
    )
    assert session.execute("select (api.get_health()).status as s").fetchall() == [{"s": None}]
    session.execute("rollback")

    session.execute("begin isolation level repeatable read")
    with pytest.raises(psycopg.Error, match="unauthorized"):
        session.execute(ask, [claim(alice.keys["write"])])
    session.execute("rollback")


def test_a_setting_of_the_login_does_not_break_the_server(
    database: Database, alice: Organization, new_server: Callable[..., Server]
) -> None:
    settings = {"default_transaction_read_only": "on", "row_security": "off", "idle_session_timeout": "1"}
    for name, value in settings.items():
        database.sql(f"alter role leads_api in database {database.name} set {name} = {value}")
    try:
        with new_server(database).client(alice.keys["write"]) as client:
            assert client.post("/leads", json={"email": "a@example.com"}).status_code == 201
    finally:
        for name in settings:
            database.sql(f"alter role leads_api in database {database.name} reset {name}")


def test_the_actor_does_not_come_from_a_setting(session: Session, database: Database, alice: Organization) -> None:
    """The key proves who made a change.
    An attacker can only write a forged request id into the log.
    """
    for setting in ("leads.source", "leads.key_id", "leads.actor", "application_name"):
        session.execute(f"set {setting} = 'system'")
    session.execute(
        """select api.create_lead('{"email": "x@example.com"}') from auth.enter(%s, 'r', 'write', false)""",
        [claim(alice.keys["write"])],
    )
    event = database.sql(
        "select source, payload ->> 'key_id' as key from audit.event where organization_id = %s "
        "and action = 'lead.created' order by id desc limit 1",
        alice.id,
    )[0]
    assert event["source"] == "api"
    assert event["key"] is not None


def test_temporary_objects_hijack_no_function(session: Session, database: Database, alice: Organization) -> None:
    """With search_path = '' a temporary domain named text is found before pg_catalog's, and its
    CHECK runs as the function's owner. In this database PUBLIC can create temporary objects, as by
    default."""
    database.sql(f"grant temporary on database {database.name} to public")
    with database.connect("leads_api") as connection:
        notices: list[str] = []
        connection.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary or ""))
        connection.execute(
            """
            create function pg_temp.evil(v pg_catalog.text) returns pg_catalog.bool language plpgsql
              as $$ begin raise notice 'evil runs as %', current_user; return true; end $$
            """
        )
        types = {"text": "text", "uuid": "uuid", "integer": "int4", "jsonb": "jsonb", "boolean": "bool", "json": "json"}
        for name, base in types.items():
            connection.execute(
                f'create domain pg_temp."{name}" as pg_catalog.{base} check (pg_temp.evil(value::pg_catalog.text))'
            )
        for table in ("lead", "event", "api_key", "pipeline_stage", "unnest", "pg_proc", "pg_class"):
            connection.execute(f"create temp table {table} (id pg_catalog.int4)")
        connection.execute("select 'a'::pg_temp.text")
        assert notices == ["evil runs as leads_api"]  # the trap works
        notices.clear()
        key = claim(alice.keys["write"])
        for call in (
            "api.list_leads()",
            "api.list_leads(1, null, '{new}', '{website}')",
            """api.create_lead('{"email": "h@example.com"}', 'k1')""",
            "api.list_audit_events(1, null, '{lead.created}')",
            "api.get_health()",
            "api.get_organization()",
            "api.routes()",
            "api.input_faults('{limit}', '{api.page_size}', '{0}')",
        ):
            connection.execute(f"select {call} from auth.enter(%s, 'r', 'write', false)".encode(), [key])
        lead = database.sql("select id from app.lead where organization_id = %s limit 1", alice.id)[0]["id"]
        patch = f"""api.update_lead('{lead}', '{{"name": "h"}}')"""
        connection.execute(f"select {patch} from auth.enter(%s, 'r', 'write', false)".encode(), [key])
        assert notices == []
    database.sql(f"revoke temporary on database {database.name} from public")


def test_it_can_not_change_the_route_table_or_the_log(session: Session) -> None:
    for statement in (
        "insert into api.route (method, path, function) values ('GET', '/x', 'api.get_health')",
        "update api.problem set status = 200",
        "insert into audit.event (organization_id) values (null)",
        "create function api.mine() returns integer language sql return 1",
        "create table app.mine ()",
        "create schema mine",
        "create temp table mine ()",
        "create extension dblink schema api",
        "alter function api.get_lead(uuid) owner to leads_api",
        "comment on function api.get_lead(uuid) is 'mine'",
        "select audit.write_event(null, null, null, null)",
        "select audit.load_events(null, null)",
        "select admin.load_history(null, null)",
        "select admin.organizations()",
        "select auth.organization_id('read')",
        "select lo_create(0)",
        "select pg_read_file('/etc/passwd')",
        "copy (select 1) to '/tmp/x'",
        "copy (select 1) to program 'id'",
        "alter system set fsync = off",
        "alter role leads_api bypassrls",
        "select set_config('session_replication_role', 'replica', false)",
    ):
        with pytest.raises(psycopg.Error) as caught:
            session.execute(statement.encode())
        assert caught.value.sqlstate == "42501", statement


def test_the_suite_can_fail(database: Database, bob: Organization) -> None:
    """The control: a superuser reads it all, and so does a naive policy on a setting that names
    the tenant.
    """
    with database.connect() as connection:
        assert connection.execute("select email from app.lead where email = 'bobs.lead@example.com'").fetchall()
        connection.execute(
            "create policy naive on app.lead for select to leads_api "
            "using (organization_id = current_setting('leads.organization_id', true)::uuid)"
        )
        connection.execute("grant usage on schema app to leads_api; grant select on app.lead to leads_api")
    with database.connect("leads_api") as connection:
        connection.execute(f"set leads.organization_id = '{bob.id}'".encode())
        assert connection.execute("select email from app.lead").fetchall() == [{"email": "bobs.lead@example.com"}]
