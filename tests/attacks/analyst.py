"""Attacks by an analyst: a login of admin.create_analyst, with SQL of its choice."""

from collections.abc import Iterator, Mapping, Sequence

from tests.attacks.harness import ERROR, NO_ROW, SAME, VICTIM_ACTS, Attack

EXPLAIN = "explain (analyze, timing off, summary off, buffers off) "

# Settings in which other products store the tenant, our own settings,
# and those that change the role.
NAMES = (
    "app.tenant",
    "app.tenant_id",
    "app.organization_id",
    "app.current_organization",
    "leads.organization_id",
    "leads.key_digest",
    "leads.source",
    "request.jwt.claims",
    "request.jwt.claim.sub",
    "rls.tenant",
    "role.organization_id",
)

FORMS = (
    "select {columns} from {table}",
    "select count(*) from {table}",
    "select t::text from {table} as t",
    "select ctid, {columns} from {table} where ctid >= '(0,0)'",
    "select xmin, xmax, {columns} from {table} where ctid = '(0,41)'",
    "select {columns} from {table} tablesample system (100)",
    "select {columns} from {table} tablesample bernoulli (100) repeatable (1)",
    "copy {table} to stdout",
    "copy (select {columns} from {table}) to stdout with (format csv, header)",
    "copy (select {columns} from {table} order by 1, 2) to stdout with (format binary)",
    "select query_to_xml('select {columns} from {table}', true, true, '')",
    "select table_to_xml('{table}', true, false, '')",
    "declare c cursor with hold for select {columns} from {table};fetch all c",
    "prepare p as select {columns} from {table};execute p",
    "lock table {table} in access share mode",
    "create temp table mine as select {columns} from {table};table mine",
    "select {columns} from only {table} for share",
)

# Conditions that select another organization's rows of a view.
# No lead of the attacker has a score of 90.
ANOTHERS = {
    "bi.pipeline_daily": "stage = '{victim_stage}'",
    "bi.source_performance": "source = '{victim_source}'",
    "bi.source_daily": "source = '{victim_source}'",
    "bi.score_calibration": "score_from = 90 and leads > 0",
}

# complete_until is the present time, which the two copies are not asked at the same moment.
COLUMNS = {"bi.freshness": "organization_id, time_zone, complete_until < now() as is_late"}


def attacks(tables: Mapping[str, str], views: Sequence[str], roles: Sequence[str]) -> Iterator[Attack]:
    """All of them. tables: each with the columns that analysts' views need, or ``*``; roles:
    of the whole server.
    """
    yield from _relations(tables, views)
    yield from _settings()
    yield from _roles(roles)
    yield from _leaks()
    yield from _strings()
    yield from _catalogues()
    yield from _oracles()
    yield from _copies()
    yield from _changes()
    yield from shared_state()
    yield from _sessions()


def _relations(tables: Mapping[str, str], views: Sequence[str]) -> Iterator[Attack]:
    for table, columns in (*tables.items(), *((view, COLUMNS.get(view, "*")) for view in views)):
        for number, form in enumerate(FORMS):
            statements = form.replace("{columns}", columns).replace("{table}", table).split(";")
            if "'select" in form:
                statements = [form.replace("{columns}", columns.replace("'", "''")).replace("{table}", table)]
            # An analyst learns nothing about tables outside schema bi.
            is_refused = table in tables and form != FORMS[-3]
            yield Attack(
                f"{table} {number}",
                ("begin", *statements) if "lock" in form else tuple(statements),
                ERROR if is_refused else SAME,
            )
    for view in views:
        condition = ANOTHERS.get(view, "organization_id = '{victim}'")
        yield Attack(f"{view} of another", (f"select * from {view} where {condition}",), NO_ROW, True)


def _settings() -> Iterator[Attack]:
    read = "select * from bi.leads where organization_id = '{victim}'"
    for name in NAMES:
        for value in ("victim", "victim_digest"):
            literal = f"'{{{value}}}'"
            for how, statements in {
                "set": (f"set {name} = {literal}", read),
                "set local": ("begin", f"set local {name} = {literal}", read),
                "inside the statement": (
                    f"select l.* from (select set_config('{name}', {literal}, true) offset 0) as s, bi.leads as l "
                    "where l.organization_id = '{victim}'",
                ),
                "behind the rows": (
                    f"select l.* from bi.leads as l where set_config('{name}', {literal}, false) is not null "
                    "and l.organization_id = '{victim}'",
                ),
            }.items():
                yield Attack(f"setting {name}, {value}, {how}", statements, NO_ROW, True)
    for setting in (
        "row_security = off",
        "session_replication_role = replica",
        "session_preload_libraries = 'x'",
        "local_preload_libraries = 'x'",
        "allow_system_table_mods = on",
        "log_statement = 'all'",
        "client_min_messages = debug5",
        "debug_print_plan = on",
        "debug_print_rewritten = on",
        "track_functions = 'all'",
        "log_statement_stats = on",
        "log_min_messages = debug5",
        "search_path = app, audit, auth, crm, scoring, bi",
        "default_tablespace = 'pg_global'",
        "temp_tablespaces = 'pg_global'",
        "backend_flush_after = 0",
        "xmloption = document",
        "transform_null_equals = on",
        "array_nulls = off",
        "default_transaction_isolation = 'serializable'",
        "lo_compat_privileges = on",
        "check_function_bodies = off",
        "role = 'leads_owner'",
        "session_authorization = 'leads_owner'",
        "is_superuser = on",
        "ignore_system_indexes = on",
        "zero_damaged_pages = on",
    ):
        yield Attack(f"set {setting}", (f"set {setting}", "select * from bi.leads where email not like 'own%'"), NO_ROW)
        yield Attack(
            f"alter role set {setting}", (f"alter role mallory set {setting}", "alter role mallory reset all"), SAME
        )
    for statement in (
        "show all",
        "select name, setting from pg_settings where source = 'session'",
        "select * from pg_db_role_setting",
        "select current_setting('leads.key_digest', true)",
        "select * from pg_file_settings",
        "select * from pg_hba_file_rules",
    ):
        yield Attack(statement, (statement,))


def _roles(roles: Sequence[str]) -> Iterator[Attack]:
    for role in roles:
        for form in (
            f'set role "{role}"',
            f'set session authorization "{role}"',
            f"select set_config('role', '{role}', false)",
            f'begin;set local role "{role}"',
            f'grant "{role}" to mallory',
            f'create role mallorys in role "{role}"',
            f'alter role "{role}" password null',
        ):
            if role == "mallory" and "password" in form:
                # An analyst may change the password of its own login.
                # The suite uses the original one.
                continue
            # With every role: it sees no row of another organization.
            yield Attack(
                f"{form}, then read",
                (
                    *form.split(";"),
                    "select * from bi.leads order by id",
                    "table app.lead",
                    "table audit.event",
                    "select * from bi.leads where email not like 'own%'",
                ),
                NO_ROW,
            )


# Reads all rows of a table, of all organizations, in their physical order.
SCAN = ("set enable_indexscan = off", "set enable_bitmapscan = off", "set enable_indexonlyscan = off")


def _leaks() -> Iterator[Attack]:
    leaky = {
        "cast": "email::integer > 0",
        "cast of an id": "id::text::integer > 0",
        "division": "1 / (length(email) - length(email)) > 0",
        "division by a score": "1 / (lead_score - 97) > 0",
        "a regular expression": "email ~ ('(' || email)",
        "xml": "xmlparse(document email) is not null",
        "json": "pain_points::json is not null",
        "a date": "name::timestamptz > now()",
        "a format": "format('%' || email) <> ''",
        "an array": "(array[1])[email::integer] is null",
        "raising": "to_number(email, 'x') > 0",
        "settings": "set_config('mallory.seen', coalesce(current_setting('mallory.seen', true), '') || email, false) <> ''",
        "a notification": "pg_notify('seen', email) is null",
        "a sleep": "pg_sleep(case when lead_score = 97 then 6 else 0 end) is null",
        "a big value": "repeat(email, 1000000000) <> ''",
        "a regclass": "email::regclass is null",
        "a collation": 'email collate "C" < name collate "und-x-icu"',
        "numeric": "power(lead_score, 100000) > 0",
    }
    for name, condition in leaky.items():
        for relation in ("bi.leads", "app.lead"):
            yield Attack(
                f"leaky: {name} over {relation}",
                (
                    *SCAN,
                    "listen seen",
                    f"select count(*) from {relation} where {condition}",
                    "select current_setting('mallory.seen', true)",
                ),
            )
            yield Attack(
                f"leaky: {name} over another's in {relation}",
                (f"select 1 from {relation} where organization_id = '{{victim}}' and {condition}",),
                NO_ROW,
                True,
            )
            yield Attack(
                f"leaky: {name} in a do block, over {relation}",
                (
                    *SCAN,
                    f"do $$ declare r record; begin for r in select * from {relation} where {condition} loop "
                    "raise notice '%', r; end loop; end $$",
                ),
            )
    trap = (
        "create function pg_temp.spy(v text) returns boolean language plpgsql cost 0.0000001 "
        "as $$ begin raise notice 'spied %', v; return true; end $$"
    )
    for relation, column in (
        ("bi.leads", "email"),
        ("app.lead", "email"),
        ("audit.event", "payload"),
        ("bi.lead_changes", "new_value"),
        ("bi.stage_history", "stage"),
        ("app.stage_stay", "stage"),
        ("app.stage_day", "stage"),
    ):
        yield Attack(
            f"temp function over {relation}", (trap, f"select 1 from {relation} where pg_temp.spy({column}::text)")
        )
        yield Attack(
            f"temp operator over {relation}",
            (
                "create function pg_temp.spy2(a text, b text) returns boolean language plpgsql cost 0.0000001 "
                "as $$ begin raise notice 'spied %', a; return true; end $$",
                "create operator pg_temp.=== (leftarg = text, rightarg = text, function = pg_temp.spy2)",
                f"select 1 from {relation} where {column}::text operator(pg_temp.===) 'x'",
            ),
        )
        yield Attack(
            f"temp leakproof function over {relation}",
            (
                "create temp table made ()",
                trap.replace("cost", "leakproof cost"),
                f"select 1 from {relation} where pg_temp.spy({column}::text)",
            ),
        )
        yield Attack(
            f"temp view over {relation}",
            (trap, f"create temp view v as select * from {relation} where pg_temp.spy({column}::text)", "table v"),
        )
        yield Attack(
            f"temp domain over {relation}",
            (
                trap,
                "create domain pg_temp.d as text check (pg_temp.spy(value))",
                f"select {column}::text::pg_temp.d from {relation}",
            ),
        )
        yield Attack(
            f"temp aggregate over {relation}",
            (
                "create function pg_temp.step(a text, b text) returns text language sql as $$ select a || b $$",
                "create aggregate pg_temp.joined(text) (sfunc = pg_temp.step, stype = text, initcond = '')",
                f"select pg_temp.joined({column}::text order by {column}::text) from {relation}",
            ),
        )


def _strings() -> Iterator[Attack]:
    """Functions that run SQL from a string."""
    read = "select * from {relation}"
    for relation in ("bi.leads", "app.lead", "audit.event", "auth.api_key", "pg_statistic", "pg_authid"):
        text = read.replace("{relation}", relation)
        for call in (
            f"query_to_xml('{text}', true, false, '')",
            f"query_to_xmlschema('{text}', true, false, '')",
            f"query_to_xml_and_xmlschema('{text}', true, false, '')",
            f"table_to_xml('{relation}', true, false, '')",
            f"table_to_xmlschema('{relation}', true, false, '')",
            f"table_to_xml_and_xmlschema('{relation}', true, false, '')",
        ):
            yield Attack(call, (f"select {call}",))
        yield Attack(
            f"cursor_to_xml of {relation}",
            ("begin", f"declare c cursor for {text}", "select cursor_to_xml('c', 1000, true, false, '')"),
        )
        yield Attack(
            f"cursor_to_xmlschema of {relation}",
            ("begin", f"declare c cursor for {text}", "select cursor_to_xmlschema('c', true, false, '')"),
        )
        yield Attack(f"do over {relation}", (f"do $$ begin execute 'create temp table x as {text}'; end $$",))
    for schema in ("app", "audit", "auth", "bi", "crm", "scoring", "admin", "api", "pg_catalog"):
        for name in ("schema_to_xml", "schema_to_xmlschema", "schema_to_xml_and_xmlschema"):
            if schema != "pg_catalog":
                yield Attack(f"{name} of {schema}", (f"select {name}('{schema}', true, false, '')",))
    for column, relation in (
        ("email", "bi.leads"),
        ("email", "app.lead"),
        ("payload::text", "audit.event"),
        ("new_value", "bi.lead_changes"),
    ):
        yield Attack(
            f"ts_stat of {relation}",
            (
                f"select * from ts_stat('select to_tsvector(''simple'', coalesce({column}, '''')) from {relation}') order by word",
            ),
        )
        yield Attack(
            f"ts_rewrite of {relation}",
            (
                f"select ts_rewrite('a'::tsquery, 'select ''a''::tsquery, plainto_tsquery(''simple'', {column}) from {relation} "
                f"order by {column} desc limit 1')",
            ),
        )
    for call in (
        "database_to_xml(true, false, '')",
        "database_to_xmlschema(true, false, '')",
        "database_to_xml_and_xmlschema(true, false, '')",
        "pg_get_viewdef('bi.leads'::regclass)",
        "pg_get_functiondef('auth.analyst_organization_id()'::regprocedure)",
        "auth.analyst_organization_id()",
        "auth.organization_id('read')",
        "auth.key_id()",
        "admin.analysts()",
        "admin.organizations()",
        "admin.bind_analyst('mallory', '{victim}')",
        "admin.create_analyst('mallory2', '{victim}', 'SCRAM-SHA-256$x')",
        "audit.write_event(null, null, null, null)",
        "admin.archive_events(2026, '{victim}', 0, 10)",
        "admin.archive_organizations(2026)",
        "admin.retired_parts(2026)",
        "admin.drop_year(2026)",
        "audit.detach_partitions(2026)",
        "audit.newest_retirement('{victim}')",
        "audit.retired_ranges('{victim}')",
        "audit.load_events('{victim}', '[]')",
        "admin.load_history('{victim}', '{}')",
        "api.list_leads()",
        "crm.lease_syncs('{k}', 64)",
        "webhook.lease_deliveries('{k}', 64)",
        "xpath('/', xmlparse(document '<!DOCTYPE x [<!ENTITY y SYSTEM \"file:///etc/passwd\">]><x>&y;</x>'))",
    ):
        yield Attack(call, (f"select {call}",), SAME, "{victim" in call)


def _catalogues() -> Iterator[Attack]:
    schemas = "array['admin', 'api', 'app', 'audit', 'auth', 'bi', 'crm', 'intake', 'scoring', 'webhook']"
    oids = f"select oid from pg_class where relnamespace::regnamespace::text = any ({schemas})"
    for statement in (
        f"select * from pg_stats where schemaname = any ({schemas})",
        f"select * from pg_stats_ext where schemaname = any ({schemas})",
        f"select * from pg_stats_ext_exprs where schemaname = any ({schemas})",
        "select * from pg_statistic",
        "select * from pg_statistic_ext_data",
        f"select * from pg_statistic_ext where stxrelid in ({oids})",
        f"select relname, reltuples, relpages, relallvisible from pg_class where oid in ({oids}) order by oid",
        f"select relname, relkind, relacl, reloptions from pg_class where oid in ({oids}) order by oid",
        "select attrelid::regclass, attname, attstattarget, attacl from pg_attribute where attrelid = 'app.lead'::regclass",
        f"select relname, n_tup_ins, n_tup_upd, n_tup_del, n_live_tup from pg_stat_all_tables where schemaname = any ({schemas}) order by relid",
        f"select relname, heap_blks_read > 0, toast_blks_read is null from pg_statio_all_tables where schemaname = any ({schemas}) order by relid",
        f"select indexrelname, idx_tup_read, idx_tup_fetch from pg_stat_all_indexes where schemaname = any ({schemas}) order by indexrelid",
        f"select relname, n_tup_ins from pg_stat_xact_all_tables where schemaname = any ({schemas}) and n_tup_ins > 0 order by relid",
        "select * from pg_stat_user_functions",
        f"select c.relname, pg_relation_size(c.oid) from pg_class as c where oid in ({oids}) order by oid",
        f"select c.relname, pg_total_relation_size(c.oid) from pg_class as c where oid in ({oids}) order by oid",
        "select pg_table_size('app.lead'::regclass), pg_indexes_size('app.lead'::regclass)",
        "select pg_database_size(current_database())",
        "select xact_commit > 0, tup_inserted from pg_stat_database where datname = current_database()",
        "select usename, application_name, state, query from pg_stat_activity where usename is distinct from user order by backend_start",
        "select query from pg_stat_activity where query <> '<insufficient privilege>' and pid <> pg_backend_pid()",
        "select * from pg_stat_get_activity(null) where query like '%canary%' and pid <> pg_backend_pid()",
        "select * from pg_stat_ssl where pid <> pg_backend_pid() and ssl",
        "select locktype, mode, relation::regclass from pg_locks where pid <> pg_backend_pid() and locktype <> 'virtualxid'",
        "select * from pg_prepared_statements",
        "select * from pg_prepared_xacts",
        "select * from pg_cursors",
        "select * from pg_seclabels",
        "select relname, last_value from pg_sequences as s, pg_class as c where c.relname = s.sequencename order by 1",
        "select * from pg_largeobject",
        "select * from pg_largeobject_metadata",
        "select * from pg_authid",
        "select * from pg_shadow",
        "select rolname, rolcanlogin, rolvaliduntil from pg_roles order by oid",
        "select roleid::regrole, member::regrole from pg_auth_members order by 1::text, 2::text",
        "select * from pg_user_mapping",
        "select * from pg_user_mappings",
        "select * from pg_subscription",
        "select * from pg_publication",
        "select description from pg_description where objoid in (" + oids + ") order by objoid, objsubid",
        "select * from pg_policies order by schemaname, tablename, policyname",
        f"select proname, prosrc from pg_proc where pronamespace::regnamespace::text = any ({schemas}) order by oid",
        "select * from information_schema.role_table_grants order by 3, 4, 5, 6",
        f"select * from information_schema.columns where table_schema = any ({schemas}) order by 2, 3, 5",
        "select * from information_schema.triggers",
        "select conname, pg_get_constraintdef(oid) from pg_constraint where conrelid in (" + oids + ") order by oid",
        "select tgname, pg_get_triggerdef(oid) from pg_trigger where tgrelid in (" + oids + ") order by oid",
        "select indexrelid::regclass, pg_get_indexdef(indexrelid) from pg_index where indrelid in ("
        + oids
        + ") order by indexrelid",
        "select * from pg_stat_progress_copy",
        "select * from pg_stat_progress_analyze",
        "select * from pg_stat_replication",
        "select * from pg_get_backend_memory_contexts()",
        "select * from pg_shmem_allocations",
        "select * from pg_buffercache",
        "select * from pg_stat_statements",
        "select pg_stat_get_tuples_inserted('app.lead'::regclass), pg_stat_get_live_tuples('app.lead'::regclass)",
        "select count(*) from pg_stat_get_backend_idset() as b (id) where pg_stat_get_backend_activity(id) like '%canary%' "
        "and pg_stat_get_backend_pid(id) <> pg_backend_pid()",
    ):
        yield Attack(statement, (statement,))
    for column in ("email", "source", "pipeline_stage", "organization_id"):
        yield Attack(
            f"statistics of {column}, analyzed again",
            ("analyze app.lead", f"select * from pg_stats where attname = '{column}' and schemaname = 'app'"),
        )


# Conditions on a value, in every form on which a plan can depend.
QUESTIONS = (
    "select id from {leads} where email = '{victim_email}'",
    "select id from {leads} where email >= '{victim_email}' and email <= '{victim_email}'",
    "select id from {leads} where lower(email collate \"C\") = '{victim_email}'",
    "select id from {leads} where id = '{victim_lead}'",
    "select id from {leads} where id between '{victim_lead}' and '{victim_lead}'",
    "select id from {leads} where organization_id = '{victim}'",
    "select id from {leads} where organization_id = '{victim}' and email = '{victim_email}'",
    "select id from {leads} where organization_id between '{victim}' and '{victim}'",
    "select id from {leads} where source in ('{victim_source}', 'x')",
    "select id from {leads} where source >= '{victim_source}' and source <= '{victim_source}' order by created_at limit 1",
    "select count(*) from {leads} where pipeline_stage = '{victim_stage}'",
    "select count(*) from {leads} where pipeline_stage between '{victim_stage}' and '{victim_stage}'",
    "select max(created_at) from {leads} where company between '{victim_company}' and '{victim_company}'",
    "select a.id from {leads} as a join {leads} as b on b.email = a.email where a.name between '{victim_name}' and '{victim_name}'",
    "select a.id from (select 1 as one) as o left join {leads} as a on a.email between '{victim_email}' and '{victim_email}'",
    "select 1 from {leads} as a full join (select '{victim_email}'::text as e) as o on o.e = a.email",
    "select 1 where exists (select from {leads} as a where a.email between '{victim_email}' and '{victim_email}')",
    "select 1 where not exists (select from {leads} as a where a.email between '{victim_email}' and '{victim_email}')",
    "select (select a.id from {leads} as a where a.email between '{victim_email}' and '{victim_email}' limit 1)",
    "select 1 from {leads} where email between '{victim_email}' and '{victim_email}' union all select 2",
    "select 1 from {events} where lead_id = '{victim_lead}'",
    "select 1 from {events} where lead_id between '{victim_lead}' and '{victim_lead}'",
    "select 1 from {events} where {event_id} between '{victim_event}' and '{victim_event}'",
    "select 1 from {signals} where lead_id between '{victim_lead}' and '{victim_lead}'",
    "select 1 from {scores} where lead_id between '{victim_lead}' and '{victim_lead}'",
    "select 1 from {syncs} where lead_id between '{victim_lead}' and '{victim_lead}'",
    "select 1 from {stages} where {stage} between '{victim_stage}' and '{victim_stage}'",
    "select 1 from {stays} where stage between '{victim_stage}' and '{victim_stage}'",
    "select 1 from {stays} where lead_id between '{victim_lead}' and '{victim_lead}'",
    "select 1 from {days} where stage between '{victim_stage}' and '{victim_stage}'",
)

RELATIONS = {
    "views": {
        "leads": "bi.leads",
        "events": "bi.lead_changes",
        "event_id": "event_id",
        "signals": "bi.signals",
        "scores": "bi.scores",
        "syncs": "bi.crm_syncs",
        "stages": "bi.stage_history",
        "stage": "stage",
        "stays": "bi.stage_history",
        "days": "bi.pipeline_daily",
    },
    "tables": {
        "leads": "app.lead",
        "events": "audit.event",
        "event_id": "id",
        "signals": "scoring.signal",
        "scores": "scoring.score",
        "syncs": "crm.sync",
        "stages": "app.pipeline_stage",
        "stage": "name",
        "stays": "app.stage_stay",
        "days": "app.stage_day",
    },
}

PLANS: tuple[tuple[str, ...], ...] = (
    (),
    *(
        (f"set enable_{name} = off",)
        for name in (
            "seqscan",
            "indexscan",
            "bitmapscan",
            "indexonlyscan",
            "tidscan",
            "sort",
            "incremental_sort",
            "hashagg",
            "hashjoin",
            "mergejoin",
            "nestloop",
            "material",
            "memoize",
            "gathermerge",
            "parallel_append",
            "parallel_hash",
            "partition_pruning",
            "presorted_aggregate",
            "async_append",
            "self_join_elimination",
            "distinct_reordering",
            "group_by_reordering",
        )
    ),
    ("set enable_indexscan = off", "set enable_bitmapscan = off", "set enable_indexonlyscan = off"),
    ("set enable_seqscan = off", "set enable_indexscan = off", "set enable_indexonlyscan = off"),
    ("set enable_seqscan = off", "set enable_bitmapscan = off"),
    (
        "set enable_indexscan = off",
        "set enable_bitmapscan = off",
        "set enable_indexonlyscan = off",
        "set cpu_operator_cost = 0",
    ),
    (
        "set enable_indexscan = off",
        "set enable_bitmapscan = off",
        "set enable_indexonlyscan = off",
        "set cpu_operator_cost = 1000",
    ),
    ("set random_page_cost = 1000000",),
    ("set seq_page_cost = 1000000", "set cpu_tuple_cost = 0"),
    ("set jit = on", "set jit_above_cost = 0", "set jit_optimize_above_cost = 0"),
    (
        "set parallel_setup_cost = 0",
        "set parallel_tuple_cost = 0",
        "set min_parallel_table_scan_size = 0",
    ),
    ("set debug_parallel_query = on", "set force_parallel_mode = on"),
    ("set from_collapse_limit = 1", "set join_collapse_limit = 1"),
    ("set geqo_threshold = 2", "set geqo_seed = 0.5"),
    ("set work_mem = '64kB'", "set hash_mem_multiplier = 1"),
    ("set constraint_exclusion = on",),
    ("set cursor_tuple_fraction = 0.001",),
    ("set default_statistics_target = 1",),
)

# Otherwise "loops" shows whether the leader or a worker was first. High costs can make any plan parallel.
ONE_WORKER = ("set max_parallel_workers_per_gather = 1", "set parallel_leader_participation = off")

PREPARED = ("force_generic_plan", "force_custom_plan", "auto")


def _oracles() -> Iterator[Attack]:
    for where, names in RELATIONS.items():
        for number, question in enumerate(QUESTIONS):
            statement = question
            for name, value in names.items():
                statement = statement.replace(f"{{{name}}}", value)
            scene = frozenset({"product"} if where == "views" else {"granted"})
            for plan in PLANS:
                statements = (*ONE_WORKER, *plan, EXPLAIN + statement)
                yield Attack(f"explain {where} {number}, {', '.join(plan)}", statements, SAME, True, scene)
            yield Attack(
                f"explain without analyze {where} {number}", (f"explain (verbose, costs) {statement}",), SAME, True
            )
            yield Attack(f"ask {where} {number}", (f"select count(*) from ({statement}) as a",), SAME, True)
        for mode in PREPARED:
            for column, value in (("email", "victim_email"), ("source", "victim_source"), ("id", "victim_lead")):
                kind = "uuid" if column == "id" else "text"
                yield Attack(
                    f"explain prepared {where}, {mode}, {column}",
                    (
                        f"set plan_cache_mode = {mode}",
                        f"prepare p({kind}) as select id from {names['leads']} where {column} between $1 and $1",
                        *(EXPLAIN + f"execute p('{{{value}}}')" for _ in range(7)),
                    ),
                    SAME,
                    True,
                )
        # Attacks without a value: if EXPLAIN shows figures of the whole table,
        # it shows how many rows others have.
        for plan in ((), PLANS[23], PLANS[24]):
            yield Attack(
                f"explain analyze all of {names['leads']}, {', '.join(plan)}",
                (*plan, EXPLAIN + f"select id from {names['leads']}"),
            )
        yield Attack(f"explain all of {names['leads']}", (f"explain select id from {names['leads']}",))
    for form in (
        "insert into app.lead (organization_id, email) values ('{victim}', 'x@example.com')",
        "insert into bi.leads (id, organization_id, email) values ('{victim_lead}', '{own}', 'x@example.com')",
        "insert into app.pipeline_stage (organization_id, name, position) values ('{victim}', '{victim_stage}', 1)",
        "insert into app.lead (organization_id, id, email) values ('{victim}', '{victim_lead}', 'x@example.com') on conflict do nothing",
        "insert into auth.analyst (organization_id, role_oid, role_name) values ('{victim}', 1, 'mallory')",
        "insert into auth.api_key (organization_id, scopes, digest) values ('{own}', '{read}', decode('{victim_digest}', 'hex'))",
        "insert into crm.sync (organization_id, lead_id, vendor, account) values ('{own}', '{victim_lead}', 'webhook', 'x')",
        "insert into scoring.signal (organization_id, lead_id, type) values ('{own}', '{victim_lead}', 'storm_event')",
        "update bi.leads set organization_id = '{victim}' where id = '{own_lead}'",
        "update app.lead set id = '{victim_lead}' where id = '{own_lead}'",
        "delete from bi.leads where id = '{victim_lead}'",
        "delete from app.organization where organization_id = '{victim}'",
        "merge into bi.leads as l using (select '{victim_lead}'::uuid as id) as s on s.id = l.id when matched then delete",
        "create temp table mine (organization_id uuid references app.organization)",
        "select 1 from bi.leads where id = '{victim_lead}' for update",
        "select has_table_privilege('{victim}', 'app.lead', 'select')",
        "select nextval('{victim}')",
        'refresh materialized view "{victim}"',
    ):
        yield Attack(f"constraint: {form}", (form,), SAME, True)
        if "references" not in form:  # EXPLAIN takes no CREATE TABLE
            yield Attack(f"constraint: explain {form}", (EXPLAIN + form,), SAME, True)


def _copies() -> Iterator[Attack]:
    for statement in (
        "copy app.lead from stdin",
        "copy bi.leads from stdin",
        "copy bi.leads to stdout",
        "copy (table bi.leads) to stdout",
        "copy (table app.lead) to '/tmp/mallory'",
        "copy (table bi.leads) to program 'cat'",
        "copy app.lead from '/etc/passwd'",
        "copy app.lead from program 'id'",
        "copy (select * from audit.event) to stdout with (format text, header)",
        "copy (delete from bi.leads returning *) to stdout",
        "copy pg_statistic to stdout",
        "copy pg_authid to stdout",
        "copy app.lead (email) to stdout",
        "copy app.lead (id, email) to stdout with (format csv, force_quote *)",
    ):
        yield Attack(
            statement, (statement,), SAME if "bi.leads) to stdout" in statement or "app.lead (" in statement else ERROR
        )


def _changes() -> Iterator[Attack]:
    for statement in (
        "create schema mine",
        "create table bi.mine ()",
        "create table public.mine ()",
        "create temp table mine (x integer)",
        "create temp view mine as table app.lead",
        "create view bi.mine as table app.lead",
        "create materialized view bi.mine as table app.lead",
        "create function bi.mine() returns integer language sql return 1",
        "create function pg_temp.mine() returns setof app.lead language sql security definer as 'table app.lead'",
        "create or replace view bi.leads as select * from app.lead",
        "create or replace function auth.analyst_organization_id() returns uuid language sql return '{own}'::uuid",
        "create rule mine as on select to app.lead do instead select 1",
        "create trigger mine after insert on app.lead execute function audit.tg_record('lead', 'id')",
        "create policy mine on app.lead using (true)",
        "alter policy lead_bi_select on app.lead using (true)",
        "drop policy lead_bi_select on app.lead",
        "alter table app.lead disable row level security",
        "alter table app.lead no force row level security",
        "alter table app.lead add column x text",
        "alter table app.lead alter column email set statistics 100",
        "alter view bi.leads reset (security_invoker)",
        "alter view bi.leads owner to mallory",
        "alter function auth.analyst_organization_id() security invoker",
        "alter role mallory bypassrls",
        "alter role mallory superuser",
        "alter role mallory rename to victoria2",
        "alter role victoria password 'x'",
        "create role mallory2",
        "create user mapping for mallory server x",
        "grant select on app.lead to mallory",
        "grant usage on schema app to mallory",
        "create index on app.lead (email)",
        "create statistics mine on email, name from app.lead",
        "create operator === (leftarg = text, rightarg = text, function = texteq)",
        "create cast (text as integer) with inout as implicit",
        'create collation mine from "C"',
        "create text search dictionary mine (template = thesaurus, dictfile = '/etc/passwd', dictionary = simple)",
        "create text search configuration mine (copy = simple)",
        "create conversion mine for 'UTF8' to 'LATIN1' from utf8_to_iso8859_1",
        "create domain mine as text",
        "create type mine as (x text)",
        "create aggregate mine(text) (sfunc = textcat, stype = text)",
        "create sequence mine",
        "create event trigger mine on ddl_command_start execute function x()",
        "create publication mine for all tables",
        "create subscription mine connection 'host=x' publication y",
        "create extension dblink",
        "create extension postgres_fdw",
        "create extension file_fdw",
        "create extension pageinspect",
        "create extension pg_stat_statements",
        "create extension pg_buffercache",
        "create extension pgstattuple",
        "create extension hstore",
        "create extension plpython3u",
        "create server mine foreign data wrapper postgres_fdw",
        "create foreign data wrapper mine",
        "create language c",
        "create database mine template attack_one",
        "do $$ begin execute format('alter database %I set row_security = off', current_database()); end $$",
        "create tablespace mine location '/tmp'",
        "alter system set log_statement = 'all'",
        "import foreign schema x from server y into bi",
        "security label on table app.lead is 'x'",
        "comment on table app.lead is 'x'",
        "truncate app.lead",
        "vacuum app.lead",
        "cluster app.lead",
        "reindex table app.lead",
        "load 'auto_explain'",
        "checkpoint",
        "reassign owned by leads_owner to mallory",
        "drop owned by leads_owner",
        "select dblink('', 'table app.lead')",
        "select * from dblink('dbname=attack_two', 'table app.lead') as t (x text)",
        "select lo_create(0)",
        "select lo_from_bytea(0, 'x')",
        "select lo_import('/etc/passwd')",
        "select lo_get(1)",
        "select lo_open(1, 262144)",
        "select lo_put(1, 0, 'x')",
        "select lo_export(1, '/tmp/x')",
        "select loread(0, 100)",
        "select pg_read_file('postgresql.conf')",
        "select pg_read_binary_file('PG_VERSION')",
        "select pg_read_server_files('x')",
        "select pg_ls_dir('.')",
        "select * from pg_ls_logdir()",
        "select * from pg_ls_waldir()",
        "select * from pg_ls_tmpdir()",
        "select pg_stat_file('PG_VERSION')",
        "select pg_current_logfile()",
        "select pg_logdir_ls()",
        "select pg_rotate_logfile()",
        "select pg_switch_wal()",
        "select pg_create_logical_replication_slot('x', 'test_decoding')",
        "select pg_create_physical_replication_slot('x')",
        "select * from pg_logical_slot_peek_changes('x', null, null)",
        "select pg_log_backend_memory_contexts(pg_backend_pid())",
        "select pg_stat_reset()",
        "select pg_stat_reset_single_table_counters('app.lead'::regclass)",
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'leads_api'",
        "select pg_cancel_backend(pid) from pg_stat_activity where usename = 'victoria'",
        "select pg_reload_conf()",
        "select brin_summarize_new_values('app.lead'::regclass)",
        "select pg_relation_filenode('app.lead'::regclass) is not null",
        "select get_raw_page('app.lead', 0)",
        "select * from pgstattuple('app.lead')",
        "select pg_nextoid('pg_class', 'oid', 'pg_class_oid_index')",
        "select pg_collation_actual_version(950)",
        "select binary_upgrade_set_next_pg_type_oid(1)",
        "select pg_restore_relation_stats('schemaname', 'app', 'relname', 'lead', 'reltuples', 1::real)",
        "select amvalidate(1)",
        "select pg_get_replica_identity_index('app.lead'::regclass)",
        "select row_security_active('app.lead')",
    ):
        yield Attack(statement, (statement,))


def shared_state() -> Iterator[Attack]:
    """Functions that fill or show what all sessions share. app/superuser.sql revokes them."""
    locks = [
        f"pg_{attempt}advisory_{scope}lock{mode}"
        for attempt in ("", "try_")
        for scope in ("", "xact_")
        for mode in ("", "_shared")
    ]
    for lock in locks:
        for arguments in ("1::bigint", "1, 1"):
            yield Attack(f"fill shared state: {lock}({arguments})", (f"select {lock}({arguments})",), "42501")
    yield Attack("fill shared state: a snapshot", ("select pg_export_snapshot()",), "42501")
    for call in ("pg_current_xact_id()", "txid_current()"):
        yield Attack(f"use up transaction ids: {call}", (f"select {call}",), "42501")
    # Before PostgreSQL 17 the function has three parameters, and stays (app/superuser.sql).
    for call in (
        "pg_logical_emit_message(false, 'x', 'y', false)",
        "pg_logical_emit_message(true, 'x', ''::bytea, true)",
    ):
        yield Attack(f"fill shared state: {call}", (f"select {call}",), ERROR)
    for call in (
        "pg_current_wal_lsn()",
        "pg_current_wal_insert_lsn()",
        "pg_current_wal_flush_lsn()",
        "pg_control_checkpoint()",
        "pg_last_wal_receive_lsn()",
        "pg_last_wal_replay_lsn()",
        "pg_control_recovery()",
        "pg_last_xact_replay_timestamp()",
        "pg_get_replication_slots()",
        "pg_stat_get_replication_slot('x')",
        "pg_stat_get_subscription(null)",
        "pg_stat_get_archiver()",
        "pg_stat_get_recovery_prefetch()",
    ):
        yield Attack(f"watch others write: {call}", (f"select {call}",), "42501")
    for relation in (
        "pg_stat_wal",
        # Some of them are newer than PostgreSQL 15.
        "pg_stat_io",
        "pg_stat_get_backend_io(pg_backend_pid())",
        "pg_stat_get_backend_wal(pg_backend_pid())",
    ):
        yield Attack(f"watch others write: {relation}", (f"select * from {relation}",), ERROR)
    for relation in (
        "pg_stat_replication where num_nonnulls(sent_lsn, replay_lsn, client_addr) > 0",
        "pg_stat_wal_receiver where num_nonnulls(received_tli, flushed_lsn, latest_end_time, conninfo) > 0",
    ):
        yield Attack(f"watch others write: {relation}", (f"select * from {relation}",), NO_ROW)
    for call in ("pg_promote()", "pg_wal_replay_pause()", "pg_wal_replay_resume()"):
        yield Attack(f"control a replica: {call}", (f"select {call}",), "42501")
    yield Attack("the password of a replica", ("show primary_conninfo",), "42501")
    yield Attack("fill shared state: a prepared transaction", ("begin", "prepare transaction 'x'"), ERROR)


def _sessions() -> Iterator[Attack]:
    yield Attack(
        "listen on every channel",
        (
            "listen leads_work",
            "listen leads_routes",
            "listen seen",
            'listen "*"',
            VICTIM_ACTS,
            "select 1",
            "select pg_listening_channels()",
        ),
    )
    yield Attack(
        "forge a notification", ("notify leads_routes", "notify leads_work", "select pg_notify('leads_work', 'x')")
    )
    yield Attack(
        "a prepared plan across a role change",
        (
            "prepare p as select * from bi.leads where email not like 'own%'",
            "execute p",
            "set role leads_bi",
            "execute p",
            "set role leads_owner",
            "execute p",
            "set session authorization default",
            "execute p",
        ),
        NO_ROW,
    )
    yield Attack(
        "a prepared plan across row_security",
        ("prepare p as select * from app.lead", "execute p", "set row_security = off", "execute p"),
    )
    yield Attack(
        "a cursor across a role change",
        ("declare c cursor with hold for table bi.leads", "set role leads_bi", "fetch all c"),
    )
    yield Attack(
        "a scroll cursor where current of",
        (
            "begin",
            "declare c scroll cursor for select * from bi.leads for update",
            "fetch absolute 21 c",
            "fetch backward all c",
        ),
    )
    yield Attack(
        "a snapshot kept open",
        (
            "begin isolation level repeatable read",
            "select count(*) from bi.leads",
            VICTIM_ACTS,
            "select count(*) from bi.leads",
        ),
    )
    yield Attack(
        "serializable, as an oracle",
        ("begin isolation level serializable", "select count(*) from bi.leads", VICTIM_ACTS, "commit"),
    )
    yield Attack(
        "rows that others have just written, by ctid",
        (VICTIM_ACTS, "select xmin, * from app.lead where ctid > '(0,0)'::tid and organization_id <> '{own}'"),
        NO_ROW,
    )
    yield Attack(
        "a recursive view",
        (
            "with recursive r as (select id, organization_id from bi.leads union select l.id, l.organization_id from bi.leads as l join r on "
            "l.id <> r.id) select count(*) from r",
        ),
    )
    yield Attack(
        "own rows alone", ("select distinct organization_id from bi.leads", "select email from bi.leads order by email")
    )
    for view in (
        *("leads", "lead_changes", "pipeline_daily", "score_calibration", "source_performance", "stage_history"),
        *("signals", "scores", "crm_syncs"),
    ):
        yield Attack(
            f"a row of another in bi.{view}, as json",
            (f"select to_jsonb(v) from bi.{view} as v where to_jsonb(v)::text like '%canary%'",),
            NO_ROW,
        )
    for option in (
        "-c role=leads_owner",
        "-c session_authorization=leads_owner",
        "-c row_security=off",
        "-c search_path=app",
    ):
        yield Attack(
            f"options {option}",
            (f"select set_config('{option[3:].split('=')[0]}', '{option.split('=')[1]}', false)", "table bi.leads"),
        )
