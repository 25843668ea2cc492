"""Attacks with the API server's login, leads_api:
the attacker knows its password, and sends SQL of their choice.
"""

from collections.abc import Iterator, Sequence

from tests.attacks.analyst import shared_state
from tests.attacks.harness import ERROR, SAME, VICTIM_ACTS, VICTIMS, Attack

READS = (
    "api.list_leads()",
    "api.list_leads(200, null, null, null, array['{victim_email}'])",
    "api.list_audit_events(200)",
    "api.get_organization()",
    "api.get_health()",
    "api.list_crm_connections()",
    "api.list_forms()",
    "api.list_keys()",
    "api.list_keys(200)",
    "api.get_lead('{victim_lead}')",
    "api.get_audit_event('{victim_event}')",
    "api.list_signals('{victim_lead}')",
    "api.list_scores('{victim_lead}')",
    "api.get_crm_sync('{victim_lead}')",
    "api.get_push('{victim_lead}')",
    "api.list_webhooks()",
    "api.get_webhook('{victim_webhook}')",
    "api.list_webhook_deliveries('{victim_webhook}')",
)
WRITES = (
    "api.update_lead('{victim_lead}', '{\"lead_score\": 1}')",
    "api.score_lead('{victim_lead}')",
    "api.push_lead('{victim_lead}')",
    "api.create_signals('{victim_lead}', '{\"type\": \"storm_event\"}')",
    'api.create_lead(\'{"email": "new@example.com", "organization_id": "{victim}"}\')',
    'api.create_lead(\'{"email": "new@example.com", "pipeline_stage": "{victim_stage}"}\')',
    "api.create_lead('{\"email\": \"{victim_email}\"}', '{victim_name}')",
    "api.update_lead('{own_lead}', '{\"pipeline_stage\": \"{victim_stage}\"}')",
    "api.update_lead('{own_lead}', '{\"id\": \"{victim_lead}\"}')",
    "api.delete_key('{victim_key}')",
    "api.rotate_key('{victim_key}', '{}')",
    "api.rotate_key('{victim_key}', '{\"overlap_hours\": 0}', '{victim_name}')",
    'api.create_key(\'{"scope": "admin", "organization_id": "{victim}"}\')',
    "api.put_lead('{victim_reference}', '{\"email\": \"{victim_email}\"}')",
    "api.put_lead('{victim_reference}', '{\"email\": \"{victim_email}\"}', '*')",
    *(
        'api.store_leads(\'[{"email": "{victim_email}", "reference": "{victim_reference}", "phone": "+15550100199"}, '
        f'{{"email": "{{victim_email}}", "id": "{{victim_lead}}"}}]\', \'application/json\', \'{rule}\', \'{key}\')'
        for rule in ("error", "skip", "update")
        for key in ("reference", "email", "phone")
    ),
    'api.update_webhook(\'{victim_webhook}\', \'{"url": "https://mallory.example/", "include": "values"}\')',
    "api.update_webhook('{victim_webhook}', '{\"state\": \"disabled\", \"skip_missed\": true}', '*')",
    "api.update_webhook('{own_webhook}', '{\"id\": \"{victim_webhook}\"}')",
    "api.update_webhook('{own_webhook}', '{\"organization_id\": \"{victim}\"}')",
    "api.rotate_webhook_secret('{victim_webhook}', 'mine', '\\x00', 'k', '{\"overlap_hours\": 0}')",
    "api.rotate_webhook_secret('{victim_webhook}', 'mine', '\\x00', 'k', '{}', '{victim_shown}')",
    "api.create_webhook('{\"url\": \"https://mallory.example/\"}', 'mine', '\\x00', 'k', '{victim_shown}')",
    "api.create_webhook('{\"url\": \"https://mallory.example/\", \"organization_id\": \"{victim}\"}', 'mine', '\\x00', 'k')",
    "api.delete_webhook('{victim_webhook}')",
    "api.redeliver_webhook('{victim_webhook}', '{victim_delivery}')",
    "api.redeliver_webhook('{own_webhook}', '{victim_delivery}')",
    "api.test_webhook('{victim_webhook}')",
)

# How a claim is forged. {victim_digest} is what the database stores: the digest of the digest.
FORGED = (
    "select 1",
    "set leads.key_digest = ''",
    "set leads.key_digest = 'not hexadecimal'",
    "set leads.key_digest = '{victim_digest}'",
    "set leads.key_digest = '{victim_key}'",
    "select set_config('leads.key_digest', '{victim_digest}', false)",
    "select set_config('leads.key_digest', repeat('0', 64), false)",
    "set app.organization_id = '{victim}'",
    "set app.tenant = '{victim}'",
    "set row_security = off",
    "set session_replication_role = replica",
    "set search_path = pg_temp, app, audit, auth",
    "set role leads_exec",
    "set session authorization leads_owner",
    "select auth.enter('{victim_digest}', 'r', 'read', false)",
    "select auth.enter('{victim_key}', 'r', 'read', false)",
    "select auth.enter('{victim}', 'r', 'read', false)",
    "select auth.enter(null, 'r', null, false)",
    "select auth.enter('', 'r', null, false)",
    "select auth.enter('{victim_digest}', 'r', null, false)",
    "select auth.enter('{own_read}', 'r', 'admin', false)",
)

DENIED = (
    "insert into audit.event (organization_id, action) values ('{victim}', 'lead.created')",
    "update audit.event set payload = '{}'",
    "delete from audit.event",
    "truncate audit.event",
    "alter table audit.event disable trigger all",
    "drop trigger _100_refuse_change on audit.event",
    "select audit.write_event('{victim}', 'lead.created', null, '{}')",
    "select audit.load_events('{victim}', '[]')",
    "table audit.retirement",
    "select admin.archive_events(2026, '{victim}', 0, 10)",
    "select admin.retire_year(2026, 'x', '\\x00', '[]')",
    "select admin.finish_retirement(2026, now())",
    "select admin.drop_year(2026)",
    "select audit.lock_partitions(2026)",
    "select audit.detach_partitions(2026)",
    "select audit.drop_partitions(2026)",
    "select audit.record_retirement('{victim}', '')",
    "select audit.record_archive_erasure('{victim}', '{victim_lead}', '')",
    "select admin.record_archive_erasure('{victim}', '{victim_lead}', 2026, '\\x00', '[]')",
    "select admin.load_history('{victim}', '{}')",
    "insert into crm.sync (organization_id, lead_id, vendor, account) values ('{victim}', '{victim_lead}', 'webhook', 'x')",
    "update crm.sync set status = 'ok'",
    "select crm.hold_pushes('{victim}', true)",
    "select app.store_leads('{victim}', '{}', false, 'reference', 'update', true)",
    "insert into admin.import_line (organization_id, position) values ('{victim}', 1)",
    "table admin.import_row",
    "delete from crm.sync",
    "update crm.attempt set outcome = 'created'",
    "select crm.lease_syncs('{k}', 64)",
    "select crm.request_push('{victim_lead}')",
    "select crm.wake_worker('{victim}', '{victim_lead}')",
    "select crm.settle_attempt('{victim_lead}', 1, 'created')",
    "select webhook.lease_deliveries('{k}', 64)",
    "select webhook.settle_delivery('{victim}', '{victim_delivery}', 1, 'delivered')",
    "select webhook.endpoint_item('{victim}', '{victim_webhook}')",
    "select webhook.message('{victim}', 'lead.created', null, now(), 1, '{victim_lead}', null, true)",
    "select webhook.rotate_secret('{victim}', '{victim_webhook}', '\\x00', 'k', '0')",
    "select webhook.change_endpoint('{victim}', '{victim_webhook}', '{}')",
    "select webhook.announce_keys(array['k'], array[decode(repeat('42', 32), 'hex')])",
    "select webhook.recipients('{victim}', '{victim_lead}')",
    "select webhook.redeliver('{victim}', '{victim_webhook}', '{victim_delivery}')",
    "select webhook.send_test('{victim}', '{victim_webhook}')",
    "update webhook.sealing_key set public_key = decode(repeat('42', 32), 'hex')",
    "update auth.key_use set last_used_at = now()",
    "table auth.position_key",
    "select inner_key from auth.position_key",
    "insert into auth.position_key (id, system_identifier, timeline, inner_key, outer_key) values ('\\x00', 1, '1', '', '')",
    "delete from auth.position_key",
    "select webhook.queue_deliveries()",
    "select webhook.delete_old_deliveries(100)",
    "update webhook.endpoint set url = 'https://mallory.example'",
    "insert into webhook.unqueued_batch (organization_id) values ('{victim}')",
    "update api.route set function = 'x'",
    "select admin.create_key('{victim}', 'admin', '\\x00')",
    "select admin.bind_analyst('leads_api', '{victim}')",
    "select auth.organization_id('read')",
    "select auth.key_id()",
    "select digest from auth.api_key",
    "insert into auth.api_key (organization_id, scopes, digest) values ('{victim}', '{read}', sha256(''))",
    "select auth.new_key('live')",
    "select auth.add_key('{victim}', 'admin', sha256(''), null, null)",
    "select auth.add_successor('{victim}', '{victim_key}', sha256(''))",
    "select auth.end_overlap('{victim}', '{victim_key}', '0')",
    "table auth.claimed_key",
    "select app.keep_answer(null, null)",
    "grant leads_exec to leads_api",
    "alter role leads_api bypassrls",
    "create extension dblink",
    "select lo_create(0)",
    "select pg_read_file('PG_VERSION')",
    "copy (select 1) to program 'id'",
    "alter system set fsync = off",
    "create function api.mine() returns integer language sql return 1",
    "create or replace function auth.organization_id(scope text) returns uuid language sql return '{victim}'::uuid",
)

TABLE_FORMS = (
    "select * from {table}",
    "select ctid, * from {table} where ctid = '(0,1)'",
    "select * from {table} tablesample system (100)",
    "copy {table} to stdout",
    "select query_to_xml('select * from {table}', true, true, '')",
    "explain analyze select * from {table}",
    "insert into {table} default values",
    "update {table} set organization_id = organization_id",
    "delete from {table}",
)


def attacks(tables: Sequence[str], roles: Sequence[str]) -> Iterator[Attack]:
    """All of them. tables: the relations of our schemas; roles: of the whole server."""
    yield from shared_state()
    for table in tables:
        for form in TABLE_FORMS:
            statement = form.replace("{table}", table)
            yield Attack(statement, (statement,), ERROR)
    for role in roles:
        for form in ('set role "{role}"', 'set session authorization "{role}"', 'grant "{role}" to leads_api'):
            statement = form.replace("{role}", role)
            yield Attack(statement, (statement, "table app.lead"), ERROR)
    yield from _claims()
    yield from _own_key()
    yield from _hijacks()
    yield from _sessions()
    for statement in DENIED:
        yield Attack(statement, (statement,), ERROR, is_twin=True)
        yield Attack(f"own key, then {statement}", ("begin", *_entered(), statement), ERROR, is_twin=True)


# auth.enter sets it for the queries. The policies do not read it.
_PIN = "set leads.organization_id = '{victim}'"


def _body(call: str) -> str:
    return f"select (a.r).status, (a.r).body from (select {call} as r) as a"


def _entered(scope: str = "write", key: str = "own_admin") -> tuple[str, ...]:
    return (f"select auth.enter('{{{key}}}', 'r', '{scope}', false)",)


def _claims() -> Iterator[Attack]:
    for forged in FORGED:
        for call in READS:
            yield Attack(f"{forged}, then {call}", (_PIN, forged, _body(call)), SAME, is_twin=True)
        yield Attack(f"{forged}, then auth.caller()", (_PIN, forged, "select auth.caller()"), SAME, is_twin=True)
    for claim in ("{victim_digest}", "{victim_key}", "{victim}", "{own_read}"):
        recorded = f"select auth.record_key_uses('{{{claim}}}', '{{1}}')"
        # It is rolled back: the own key's use would be in one copy only, where api.list_keys() shows it.
        yield Attack(f"{claim}: its use", (_PIN, "begin", recorded), SAME, is_twin=True)
    for call in (read for read in READS if "victim" not in read):
        # Without a key, both copies return the same, and no rows.
        yield Attack(f"no key: {call}", (_body(call),))
        yield Attack(
            f"no key, by the shim's own statement: {call}",
            (
                f"select (a.r).status, (a.r).body from (select {call} as r from auth.enter(null, 'r', null, true) offset 0) as a",
            ),
        )
    for bad in ("'x'", "repeat('f', 64)", "repeat('0', 63)", "null", "''", "'\\x00'", "repeat('a', 100000)", "E'\\n'"):
        for scope in ("read", "write", "admin", "", "none"):
            yield Attack(f"bad key {bad} for {scope!r}", (f"select auth.enter({bad}, 'r', '{scope}', false)",), ERROR)
    for isolation in ("repeatable read", "serializable"):
        yield Attack(
            f"a claim under {isolation}",
            (f"begin isolation level {isolation}", *_entered(), _body("api.list_leads()")),
            ERROR,
        )


def _own_key() -> Iterator[Attack]:
    """The attacker's own key with the victim's ids:
    the result is the same as for ids that exist nowhere.
    """
    for call in (*READS, *WRITES):
        for scope, key in (("read", "own_read"), ("write", "own_write"), ("admin", "own_admin")):
            yield Attack(f"own {scope} key: {call}", ("begin", *_entered(scope, key), _body(call)), SAME, is_twin=True)
            yield Attack(
                f"own {scope} key, the organization forged after: {call}",
                ("begin", *_entered(scope, key), _PIN, _body(call)),
                SAME,
                is_twin=True,
            )
            yield Attack(
                f"own {scope} key, the context forged after: {call}",
                (
                    "begin",
                    *_entered(scope, key),
                    _PIN,
                    "set local leads.key_digest = '{victim_digest}'",
                    _body(call),
                ),
                SAME,
                is_twin=True,
            )
    for call in (read for read in READS if "victim" not in read):
        yield Attack(f"own key, in both copies: {call}", ("begin", *_entered("admin"), _body(call)))
    yield Attack(
        "a replayed context",
        ("begin", *_entered(), "commit", _body("api.list_leads()"), "select current_setting('leads.key_digest', true)"),
    )
    yield Attack(
        "a context kept by a savepoint",
        ("begin", "savepoint s", *_entered(), "rollback to s", _body("api.list_leads()")),
    )
    yield Attack(
        "the idempotency key of another",
        ("begin", *_entered(), _body("api.create_lead('{\"email\": \"new@example.com\"}', 'canary1')")),
    )
    yield Attack(
        "a forged actor",
        (
            "begin",
            "set local leads.source = 'system'",
            "set local leads.key_id = '{victim_key}'",
            *_entered(),
            _body('api.create_lead(\'{"email": "forged@example.com"}\')'),
            _body("api.list_audit_events(200)"),
        ),
        SAME,
        is_twin=True,
    )
    yield Attack(
        "a cursor kept beyond the claim",
        (
            "begin",
            *_entered("read", "own_read"),
            "declare c cursor with hold for select api.list_leads()",
            "commit",
            "fetch all c",
        ),
    )


_TRAP = (
    "create function pg_temp.evil(v pg_catalog.text) returns pg_catalog.bool language plpgsql "
    "as $$ begin raise notice 'evil runs as %', current_user; return true; end $$",
    *(
        f'create domain pg_temp."{name}" as pg_catalog.{base} check (pg_temp.evil(value::pg_catalog.text))'
        for name, base in {
            "text": "text",
            "uuid": "uuid",
            "integer": "int4",
            "jsonb": "jsonb",
            "boolean": "bool",
        }.items()
    ),
    *(
        f"create temp table {name} (id pg_catalog.int4)"
        for name in ("lead", "event", "api_key", "organization", "pg_class", "claimed_key")
    ),
    "create function pg_temp.sha256(b pg_catalog.bytea) returns pg_catalog.bytea language sql as $$ select b $$",
    "create function pg_temp.current_setting(a pg_catalog.text, b pg_catalog.bool) returns pg_catalog.text language sql as $$ select 'x' $$",
)


def _hijacks() -> Iterator[Attack]:
    for path in ("pg_temp", "pg_temp, pg_catalog", "api, app, auth, pg_temp", '"$user"'):
        for call in (*READS[:6], *WRITES[:4]):
            yield Attack(
                f"hijack by search_path {path}: {call}",
                (*_TRAP, f"set search_path = {path}", "begin", *_entered("read", "own_read"), _body(call)),
                SAME,
                is_twin=True,
            )
            yield Attack(
                f"hijack by search_path {path}, with what is stored: {call}",
                (*_TRAP, f"set search_path = {path}", "set leads.key_digest = '{victim_digest}'", _body(call)),
                SAME,
                is_twin=True,
            )


def _sessions() -> Iterator[Attack]:
    for statement in (
        "select query from pg_stat_activity where usename = 'leads_api' and pid <> pg_backend_pid() and query like '%canary%'",
        "select usename, application_name from pg_stat_activity where usename is distinct from user and query like '%canary%'",
        "select * from pg_prepared_statements",
        "select * from pg_cursors",
        "select * from pg_stats where schemaname in ('app', 'audit', 'auth', 'crm', 'intake', 'scoring', 'webhook')",
        "select * from pg_statistic",
        "select * from pg_authid",
        "select proname, prosrc from pg_proc where pronamespace::regnamespace::text in ('api', 'auth') order by oid",
        "select api.problems()",
        "select api.routes()",
        "select api.schema_version()",
        "select api.session_faults()",
        "select database_to_xml(true, false, '')",
        "select schema_to_xml('app', true, false, '')",
        "select * from ts_stat('select to_tsvector(email) from app.lead')",
    ):
        yield Attack(statement, (statement,))
    yield Attack("listen on every channel", ("listen leads_work", "listen leads_routes", VICTIM_ACTS, "select 1"))
    # The next tenant of a pool gets the session of the previous one.
    # Its request is the API server's own statement.
    request = VICTIMS + (
        "select (a.r).status, (a.r).headers, (a.r).body from (select {call} as r "
        "from auth.enter('{secret}', 'r', 'read', false) offset 0) as a"
    )
    calls = (
        "api.list_leads()",
        "api.list_audit_events()",
        "api.create_lead('{\"email\": \"canary@pool.example\"}', 'k')",
    )
    for name, poison in POISON.items():
        for call in calls:
            yield Attack(
                f"left on a pooled session: {name}, then {call}",
                (*poison, request.replace("{call}", call).replace("'read'", "'write'"), *READ_BACK),
            )


POISON = {
    "nothing": (),
    "a prepared statement": ("prepare p as select api.list_leads()",),
    "a cursor with hold": ("declare c cursor with hold for select api.list_leads()",),
    "a cursor with hold, of one's own": (
        "begin",
        "select auth.enter('{own_read}', 'r', 'read', false)",
        "declare c cursor with hold for select api.list_leads()",
        "commit",
    ),
    "a listener": ("listen leads_work", "listen leads_routes"),
    "a search_path": ("set search_path = pg_temp, api, auth",),
    "objects of one's own in front": (*_TRAP, "set search_path = pg_temp, pg_catalog"),
    "one's own claim": ("set leads.key_digest = '{own_read}'",),
    "a forged request id": ("set leads.request_id = 'mallory'",),
    "a read-only session": ("set default_transaction_read_only = on",),
    "an isolation": ("set default_transaction_isolation = 'serializable'",),
    "row_security": ("set row_security = off",),
    "an open transaction": ("begin", "select 1"),
    "a savepoint": ("begin", "savepoint s"),
    "a failed transaction": ("begin", "select 1 / 0"),
    "a deferred error": ("set client_min_messages = debug5",),
    "a role": ("set role leads_exec",),
    "a time zone": ("set timezone = 'Asia/Kathmandu'", "set datestyle = 'German'", "set bytea_output = 'escape'"),
}

READ_BACK = (
    "rollback",
    "select current_setting('leads.key_digest', true) as claim",
    "select current_setting('leads.request_id', true) <> 'x'",
    "fetch all c",
    "execute p",
    "select name, statement from pg_prepared_statements where name <> ''",
    "select name from pg_cursors",
    _body("api.list_leads()"),
    _body("api.list_audit_events()"),
    "select query from pg_stat_activity where pid = pg_backend_pid() and query like '%secret%'",
)
