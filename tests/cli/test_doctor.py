"""`leads doctor`: each rule finds what it is for and nothing else, and its remedy mends it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app import embedded, migrations
from app.cli import doctor
from app.settings import ROOT
from tests.support.database import Database

# The tests' server runs without fsync.
BASELINE = {"setting fsync"}
IS_LED = "organization_id = (select auth.organization_id('{}'))"


@dataclass(frozen=True)
class Case:
    """Something that somebody does to a database. finding: words of what is found."""

    name: str
    sql: str
    subject: str
    finding: str
    also: frozenset[str] | None = field(default_factory=frozenset)
    """What else that touches; None: much."""
    is_mended: bool = True
    """Whether the remedy, where it is SQL, leaves nothing to be found."""
    since: int = 15


BOUND = (
    "create role doctor_ann login; "
    "with o as (insert into app.organization (name) values ('Acme') returning organization_id) "
    "insert into auth.analyst (organization_id, role_oid, role_name) "
    "select o.organization_id, r.oid, r.rolname from o cross join pg_roles as r where r.rolname = 'doctor_ann'; "
)

ROLES = [
    Case("superuser", "alter role leads_exec superuser", "role leads_exec", "SUPERUSER"),
    Case("bypassrls", "alter role leads_jobs bypassrls", "role leads_jobs", "BYPASSRLS"),
    Case("createrole", "alter role leads_operator createrole", "role leads_operator", "CREATEROLE"),
    Case("createdb", "alter role leads_api createdb", "role leads_api", "CREATEDB"),
    Case("replication", "alter role leads_worker replication", "role leads_worker", "REPLICATION"),
    Case("owner logs in", "alter role leads_owner login", "role leads_owner", "It can log in"),
    Case("login can't", "alter role leads_worker nologin", "role leads_worker", "It can't log in"),
    Case(
        "role missing",
        "alter role leads_bi rename to doctor_gone",
        "role leads_bi",
        "missing",
        also=None,
        is_mended=False,
    ),
    Case("noinherit", "alter role leads_auth noinherit", "role leads_auth", "isn't what the migrations have made"),
    Case(
        "shim in an owner",
        "grant leads_exec to leads_api",
        "membership of leads_api in leads_exec",
        "None of our roles is a member",
    ),
    Case(
        "shim reads all data",
        "grant pg_read_all_data to leads_api",
        "membership of leads_api in pg_read_all_data",
        "None of our roles is a member",
    ),
    Case(
        "stranger in an owner",
        "create role doctor_bob login; grant leads_owner to doctor_bob",
        "membership of doctor_bob in leads_owner",
        "Only the migrating login",
    ),
    Case(
        "migrating login in leads_audit",
        "set local role leads_migrator; grant leads_audit to leads_migrator; reset role",
        "membership of leads_migrator in leads_audit",
        "Nobody acts as this role",
    ),
    Case(
        "stranger in leads_eraser",
        "create role doctor_bob login createrole; grant leads_eraser to doctor_bob",
        "membership of doctor_bob in leads_eraser",
        "Nobody acts as this role",
    ),
    Case(
        "stranger in a login",
        "create role doctor_bob login; grant leads_operator to doctor_bob",
        "membership of doctor_bob in leads_operator",
        "can act as this login",
    ),
    Case(
        "analyst may SET ROLE",
        BOUND + "grant leads_bi to doctor_ann with inherit true",
        "membership of doctor_ann in leads_bi",
        "SET ROLE",
        since=16,
    ),
    Case(
        "analyst with BYPASSRLS",
        BOUND + "alter role doctor_ann bypassrls; grant leads_bi to doctor_ann with set false",
        "role doctor_ann",
        "doesn't bind the login",
        since=16,
    ),
    Case(
        "analyst with CREATEDB",
        BOUND + "alter role doctor_ann createdb",
        "role doctor_ann",
        "CREATEDB",
    ),
    Case(
        "analyst reads all data",
        BOUND + "grant pg_read_all_data to doctor_ann",
        "membership of doctor_ann in pg_read_all_data",
        "alone",
    ),
    Case(
        "analyst of nobody",
        "create role doctor_ann login; grant leads_bi to doctor_ann with set false",
        "role doctor_ann",
        "bound to no organization",
        since=16,
    ),
]

ROW_SECURITY = [
    Case(
        "floor dropped",
        "drop policy event_bi_all on audit.event",
        "table audit.event",
        "no restrictive policy",
        also=frozenset({"policy event_bi_all on audit.event"}),
        is_mended=False,
    ),
    Case(
        "analysts' policy on a setting",
        "alter policy lead_bi_select on app.lead "
        "using (organization_id = (select current_setting('app.organization_id')::uuid))",
        "policy lead_bi_select on app.lead",
        "reviewed form",
    ),
    Case("RLS off", "alter table app.lead disable row level security", "table app.lead", "security is off"),
    Case("FORCE off", "alter table auth.api_key no force row level security", "table auth.api_key", "isn't forced"),
    Case(
        "definer view",
        "alter view auth.claimed_key reset (security_invoker)",
        "view auth.claimed_key",
        "reads as its owner",
    ),
    Case(
        "materialized view",
        "create materialized view app.copied as select * from app.lead",
        "materialized view app.copied",
        "can't bind",
    ),
    Case(
        "rule that swallows events",
        "create rule swallow as on insert to audit.event do instead nothing",
        "rule swallow on audit.event",
        "may swallow them",
    ),
    Case(
        "policy for everybody",
        "create policy lead_any on app.lead using (true)",
        "policy lead_any on app.lead",
        "lets everybody pass",
    ),
    Case(
        "policy that lets all through",
        "create policy lead_all on app.lead for select to leads_exec using (true)",
        "policy lead_all on app.lead",
        "rows of all organizations",
    ),
    Case(
        "policy that writes by a reading key",
        f"alter policy lead_exec_update on app.lead using ({IS_LED.format('read')})",
        "policy lead_exec_update on app.lead",
        "isn't of the reviewed form",
    ),
    Case(
        "policy that asks once per row",
        "alter policy lead_exec_select on app.lead using (organization_id = auth.organization_id('read'))",
        "policy lead_exec_select on app.lead",
        "isn't of the reviewed form",
    ),
    Case(
        "policy on a settable name",
        "create policy lead_guc on app.lead to leads_exec using (organization_id::text = current_setting('my.org'))",
        "policy lead_guc on app.lead",
        "isn't of the reviewed form",
    ),
    Case(
        "policy dropped",
        "drop policy lead_exec_insert on app.lead",
        "policy lead_exec_insert on app.lead",
        "It is missing",
    ),
    Case(
        "view outside that reads as leads_jobs",
        "create view public.every_lead as select * from app.lead; alter view public.every_lead owner to leads_jobs",
        "view public.every_lead",
        "outside our schemas",
    ),
    Case(
        "bare tenant table",
        "create table app.note (organization_id uuid, body text)",
        "table app.note",
        "security is off",
        also=frozenset({"trigger _900_record on app.note", "column app.note.organization_id", "column app.note.body"}),
        is_mended=False,
    ),
]

TRIGGERS = [
    Case("no audit", "drop trigger _900_record on app.lead", "trigger _900_record on app.lead", "leave no trace"),
    Case(
        "audit disabled",
        "alter table app.lead disable trigger _900_record",
        "trigger _900_record on app.lead",
        "is disabled",
    ),
    Case(
        "audit of inserts alone",
        "drop trigger _900_record on app.lead; create trigger _900_record after insert on app.lead "
        "for each row execute function audit.tg_lead__record()",
        "trigger _900_record on app.lead",
        "some changes leave no trace",
    ),
    Case(
        "no guard",
        "drop trigger _100_refuse_change on audit.event",
        "trigger _100_refuse_change on audit.event",
        "The guard is missing",
    ),
    Case(
        "no guard of the chain",
        "drop trigger _100_refuse_change on audit.seal",
        "trigger _100_refuse_change on audit.seal",
        "The guard is missing",
    ),
    Case(
        "a guard of the chain that a setting lifts",
        "alter table audit.seal enable trigger _100_refuse_change",
        "trigger _100_refuse_change on audit.seal",
        "session_replication_role",
    ),
    Case(
        "a history that can be rewritten",
        "drop trigger _110_refuse_change on scoring.score",
        "trigger _110_refuse_change on scoring.score",
        "The guard is missing",
    ),
    Case(
        "scores set without a history",
        "alter table app.lead disable trigger _610_keep_set_score",
        "trigger _610_keep_set_score on app.lead",
        "The trigger is disabled",
    ),
    Case(
        "a default model that can be changed",
        "drop trigger _110_refuse_change on scoring.default_model",
        "trigger _110_refuse_change on scoring.default_model",
        "It is missing",
    ),
    Case(
        "guard that replication passes",
        "alter table audit.event enable trigger _110_refuse_truncate",
        "trigger _110_refuse_truncate on audit.event",
        "session_replication_role",
    ),
    Case(
        "any trigger disabled",
        "alter table app.lead disable trigger _500_stamp",
        "trigger _500_stamp on app.lead",
        "is disabled",
    ),
    Case(
        "trigger of somebody's",
        "create trigger spy after insert on app.lead for each row execute function audit.tg_lead__record()",
        "trigger spy on app.lead",
        "No migration has made it",
    ),
]

INDEXES = [
    Case(
        "index not led by the tenant",
        "create index lead_by_company on app.lead (company)",
        "index app.lead_by_company on app.lead",
        "isn't led by organization_id",
    ),
    Case(
        "unique key not led by the tenant",
        "alter table app.lead add constraint lead_email_is_unique unique (email)",
        "constraint lead_email_is_unique on app.lead",
        "isn't led by organization_id",
    ),
    Case(
        "primary key turned round",
        "alter table app.idempotency_key drop constraint idempotency_key_pkey, "
        "add constraint idempotency_key_pkey primary key (key_digest, organization_id)",
        "constraint idempotency_key_pkey on app.idempotency_key",
        "isn't led by organization_id",
    ),
    Case(
        "foreign key not led by the tenant",
        "alter table app.lead add constraint lead_stage_is_there foreign key (pipeline_stage, organization_id) "
        "references app.pipeline_stage (name, organization_id)",
        "constraint lead_stage_is_there on app.lead",
        "isn't led by organization_id",
    ),
    Case(
        "invalid index",
        "update pg_index set indisvalid = false where indexrelid = 'app.lead_by_source'::regclass",
        "index app.lead_by_source on app.lead",
        "is invalid",
    ),
    Case(
        "column statistics",
        "alter table app.lead alter column source set statistics 100",
        "column app.lead.source",
        "keeps statistics",
    ),
    Case(
        "statistics of an expression",
        "create index lead_by_lower on app.lead (organization_id, lower(company))",
        "index app.lead_by_lower on app.lead",
        "keeps statistics",
        is_mended=False,
    ),
    Case(
        "statistics of several columns",
        "create statistics app.source_and_company on source, company from app.lead",
        "statistics app.source_and_company",
        "keeps statistics",
    ),
]

FUNCTIONS = [
    Case(
        "open search_path",
        "alter function audit.tg_record() reset search_path",
        "function audit.tg_record()",
        "search_path, or temporary objects, decide",
    ),
    Case(
        "search_path that temporary objects precede",
        "alter function audit.tg_record() set search_path = ''",
        "function audit.tg_record()",
        "temporary objects",
    ),
    Case(
        "EXECUTE for PUBLIC",
        "grant execute on function auth.enter(text, text, text, boolean) to public",
        "grant execute on routine auth.enter(text,text,text,boolean) to public",
        "Everybody may execute it",
    ),
    Case(
        "EXECUTE for PUBLIC by default",
        "alter default privileges for role leads_exec grant execute on functions to public",
        "default privileges of leads_exec on functions",
        "Everybody may execute each function",
    ),
    Case(
        "definer with another's rights",
        "alter function api.get_lead(uuid) owner to leads_jobs",
        "function api.get_lead(uuid)",
        "It belongs to leads_jobs",
    ),
    Case(
        "owned by a login",
        "alter function app.trim_text(text) owner to leads_migrator",
        "function app.trim_text(text)",
        "It belongs to leads_migrator",
    ),
    Case(
        "definer in app",
        "alter function app.trim_text(text) security definer",
        "function app.trim_text(text)",
        "It is SECURITY DEFINER",
    ),
    Case(
        "leakproof",
        "alter function app.trim_text(text) leakproof",
        "function app.trim_text(text)",
        "counts as leakproof",
    ),
    Case(
        "outside our schemas",
        "create function public.peek() returns bigint language sql as 'select count(*) from app.lead'; "
        "alter function public.peek() owner to leads_jobs",
        "function public.peek()",
        "outside our schemas",
    ),
    Case("GET that writes", "alter function api.get_lead(uuid) volatile", "function api.get_lead(uuid)", "VOLATILE"),
    Case(
        "route without its function",
        "drop function api.get_health()",
        "route GET /health",
        "There is no function api.get_health",
        also=frozenset({"function api.get_health()"}),
        is_mended=False,
    ),
    Case(
        "route with a name that is none",
        "update api.route set function = 'leads.api.get_health.now' where path = '/health'",
        "route GET /health",
        "There is no function",
    ),
    Case(
        "route with a wrong function",
        "update api.route set function = 'api.routes' where path = '/health'",
        "route GET /health",
        "doesn't return api.answer",
    ),
    Case(
        "route that the shim may not call",
        "revoke execute on function api.get_lead(uuid) from leads_api",
        "grant execute on routine api.get_lead(uuid) to leads_api",
        "GET /leads/{id} needs it",
    ),
]

GRANTS = [
    Case(
        "table for the shim",
        "grant select on app.lead to leads_api",
        "grant select on table app.lead to leads_api",
        "by functions alone",
    ),
    Case(
        "column for the operator",
        "grant update (name) on app.lead to leads_operator",
        "grant update (name) on table app.lead to leads_operator",
        "by functions alone",
    ),
    Case(
        "CREATE for the shim",
        "grant create on schema api to leads_api",
        "grant create on schema api to leads_api",
        "stand in for ours",
    ),
    Case(
        "table for PUBLIC",
        "grant select on audit.event to public",
        "grant select on table audit.event to public",
        "Everybody has it",
    ),
    Case(
        "schema for PUBLIC",
        "grant usage on schema app to public",
        "grant usage on schema app to public",
        "Everybody has it",
    ),
    Case(
        "table for a stranger",
        "create role doctor_bob; grant select on app.lead to doctor_bob",
        "grant select on table app.lead to doctor_bob",
        "No migration has made it",
    ),
    Case(
        "grant taken away",
        "revoke select on app.lead from leads_exec",
        "grant select on table app.lead to leads_exec",
        "It is missing",
    ),
    Case(
        "grant option",
        "grant select on app.lead to leads_exec with grant option",
        "grant option for select on table app.lead to leads_exec",
        "No migration has made it",
    ),
    Case(
        "TEMP for PUBLIC",
        "do $$ begin execute format('grant temporary on database %I to public', current_database()); end $$",
        "grant temporary on database to public",
        "temporary objects",
    ),
    Case(
        "CREATE on the database",
        "do $$ begin execute format('grant create on database %I to leads_api', current_database()); end $$",
        "grant create on database to leads_api",
        "can make schemas",
    ),
    Case(
        "CREATE on public",
        "grant create on schema public to public",
        "grant create on schema public to public",
        "stays empty",
    ),
    Case(
        "large objects",
        "grant execute on function lo_create(oid) to public",
        "grant execute on function lo_create(oid) to public",
        "large objects",
    ),
    Case(
        "a superuser's setting",
        "grant set on parameter session_replication_role to leads_api",
        "grant set on parameter session_replication_role to leads_api",
        "a superuser's",
    ),
]

SETTINGS = [
    Case(
        "search_path of the shim",
        "alter role leads_api set search_path = evil",
        "setting search_path of leads_api",
        "what our functions mean",
    ),
    Case(
        "search_path of all",
        "alter role all set search_path = evil",
        "setting search_path of all roles",
        "what our functions mean",
    ),
    Case(
        "row_security of the database",
        "do $$ begin execute format('alter database %I set row_security = off', current_database()); end $$",
        "setting row_security of the database",
        "what our functions mean",
    ),
    Case(
        "replica in this database",
        "do $$ begin execute format("
        "'alter role leads_exec in database %I set session_replication_role = replica', current_database()); end $$",
        "setting session_replication_role of leads_exec",
        "what our functions mean",
    ),
    Case(
        "claim by default",
        "alter role leads_api set leads.key_digest = 'ab'",
        "setting leads.key_digest of leads_api",
        "begin with a claim",
    ),
    Case(
        "commit that can be lost",
        "alter role leads_api set synchronous_commit = off",
        "setting synchronous_commit of leads_api",
        "lose what was acknowledged",
    ),
    Case(
        "parameters in the log",
        "set local log_parameter_max_length = -1",
        "setting log_parameter_max_length",
        "can show parameters",
    ),
    Case(
        "parameters in the log on error",
        "set local log_parameter_max_length_on_error = -1",
        "setting log_parameter_max_length_on_error",
        "can show parameters",
    ),
    Case(
        "rows in the log",
        "set local log_error_verbosity = verbose",
        "setting log_error_verbosity",
        "holds the row",
    ),
]

DRIFT = [
    Case(
        "function replaced",
        "create or replace function app.is_name(value text) returns boolean language sql immutable parallel safe "
        "begin atomic select true; end",
        "function app.is_name(text)",
        "isn't what the migrations have made",
    ),
    Case(
        "function of somebody's",
        "create function app.mine() returns integer language sql immutable begin atomic select 1; end; "
        "alter function app.mine() owner to leads_owner; revoke execute on function app.mine() from public; "
        "grant execute on function app.mine() to leads_api",
        "function app.mine()",
        "No migration has made it",
    ),
    Case(
        "check dropped",
        "alter table app.lead drop constraint lead_email_is_email",
        "constraint lead_email_is_email on app.lead",
        "It is missing",
    ),
    Case("index dropped", "drop index app.lead_by_source", "index app.lead_by_source on app.lead", "It is missing"),
    Case(
        "default changed",
        "alter table app.lead alter column lead_score set default 100",
        "column app.lead.lead_score",
        "isn't what the migrations have made",
    ),
    Case(
        "NOT NULL dropped",
        "alter table app.lead alter column lead_score drop not null",
        "column app.lead.lead_score",
        "isn't what the migrations have made",
    ),
    Case(
        "domain widened",
        "alter domain api.page_size drop constraint page_size_within_1_and_200",
        "domain api.page_size",
        "isn't what the migrations have made",
    ),
    Case(
        "table of somebody's",
        "create table admin.note (id integer primary key, body text); grant select on admin.note to leads_jobs",
        "table admin.note",
        "No migration has made it",
    ),
    Case("unlogged", "alter table app.idempotency_key set unlogged", "table app.idempotency_key", "isn't what"),
    Case(
        "type of somebody's",
        "create type app.mood as enum ('good', 'bad')",
        "type app.mood",
        "No migration has made it",
    ),
]

REFERENCE = [
    Case(
        "a route that shows a type that isn't there",
        "update api.operation set answer = 'api.nothing' where function = 'api.get_health'",
        "route GET /health",
        "There is no composite type api.nothing",
    ),
]

CASES = [*ROLES, *ROW_SECURITY, *TRIGGERS, *INDEXES, *FUNCTIONS, *GRANTS, *SETTINGS, *DRIFT, *REFERENCE]


@pytest.fixture(scope="module")
def connection(database: Database) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A superuser's, on a database whose catalogue is kept."""
    with database.connect() as connection:
        connection.execute("select admin.keep_catalogue()")
        yield connection


def findings(connection: psycopg.Connection[dict[str, Any]], release: int | None = None) -> dict[str, dict[str, Any]]:
    """What is found beside the baseline, by subject: of several with one subject, the first."""
    rows = connection.execute("select * from admin.findings(%s)", [release]).fetchall()
    return {row["subject"]: row for row in reversed(rows) if row["subject"] not in BASELINE}


def test_a_clean_database_has_nothing_but_the_servers_fsync(connection: psycopg.Connection[dict[str, Any]]) -> None:
    rows = connection.execute("select * from admin.findings(%s)", [migrations.newest()]).fetchall()
    assert {row["subject"] for row in rows} == BASELINE
    assert rows[0]["remedy"] == "As a superuser: alter system set fsync = 'on'; then: select pg_reload_conf();"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_found_and_mended(case: Case, connection: psycopg.Connection[dict[str, Any]]) -> None:
    if connection.info.server_version < case.since * 10000:
        pytest.skip(f"PostgreSQL {case.since} or later")
    with connection.transaction(force_rollback=True):
        connection.execute(case.sql)
        found = findings(connection)
        assert case.also is None or found.keys() == {case.subject, *case.also}
        assert case.finding in found[case.subject]["finding"]
        remedy = found[case.subject]["remedy"]
        if remedy.endswith("app/superuser.sql"):
            connection.execute((ROOT / "app" / "superuser.sql").read_bytes())
        elif remedy.endswith(";") and not remedy.startswith("As a superuser"):
            connection.execute(remedy)
        else:
            assert remedy.startswith(("As a superuser: alter system set", "Make it again what it was: "))
            return
        left = findings(connection)
        assert not left if case.is_mended else case.finding not in left.get(case.subject, {"finding": ""})["finding"]


def test_enough_is_tried() -> None:
    assert len(CASES) >= 20
    assert len({case.name for case in CASES}) == len(CASES)


def test_disabled_foreign_keys_are_found(connection: psycopg.Connection[dict[str, Any]]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("alter table app.pipeline_stage disable trigger all")
        found = findings(connection)
        assert sum("RI_ConstraintTrigger" in subject for subject in found) == 6
        for row in found.values():
            connection.execute(row["remedy"])
        assert not findings(connection)


def test_each_route_that_is_bad_is_found_by_its_own_line(connection: psycopg.Connection[dict[str, Any]]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("update api.route set function = 'api.nothing' where method = 'GET'")
        found = findings(connection)
        gets = connection.execute("select path from api.route where method = 'GET'").fetchall()
        assert found.keys() == {f"route GET {row['path']}" for row in gets}


def test_versions_are_compared(connection: psycopg.Connection[dict[str, Any]]) -> None:
    newest = migrations.newest()
    assert findings(connection, newest + 1)["version"]["remedy"] == "leads migrate"
    assert "goes up to" in findings(connection, newest - 1)["version"]["finding"]
    assert "version" not in findings(connection, newest)


@pytest.mark.parametrize("setting", ["search_path = app, audit", "timezone = 'Asia/Tokyo'", "datestyle = 'German'"])
def test_the_catalogue_reads_the_same_in_every_session(
    setting: str, connection: psycopg.Connection[dict[str, Any]]
) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute(f"set local {setting}")
        connection.execute("set local quote_all_identifiers = on")
        assert not findings(connection)


def test_without_a_kept_catalogue_there_is_one_finding(connection: psycopg.Connection[dict[str, Any]]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("delete from admin.catalogue_entry")
        assert findings(connection)["catalogue"]["remedy"] == "leads migrate"
        assert findings(connection).keys() == {"catalogue"}


def test_another_postgresqls_catalogue_is_not_compared(connection: psycopg.Connection[dict[str, Any]]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("update admin.catalogue_entry set definition = 'PostgreSQL 14' where object = 'server'")
        connection.execute("update admin.catalogue_entry set definition = 'other' where object like 'function %'")
        found = findings(connection)
        assert found.keys() == {"catalogue"}
        assert "leads doctor --accept" in found["catalogue"]["remedy"]


def test_what_was_adrift_before_a_migration_and_is_still_is_not_kept(
    connection: psycopg.Connection[dict[str, Any]],
) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute(
            "create index lead_mine on app.lead (organization_id, company);"
            "create index lead_yours on app.lead (organization_id, company);"
            "create table admin.note (id integer);"
            "drop index app.lead_by_source"
        )
        drifted = connection.execute("select jsonb_object_agg(object, definition) as d from admin.drift()").fetchall()
        # The migration makes one of them its own, and something new.
        connection.execute(
            "drop index app.lead_yours; create index lead_yours on app.lead (organization_id, industry);"
            "create index lead_ours on app.lead (organization_id, timeline)"
        )
        connection.execute("select admin.keep_catalogue(%s)", [json.dumps(drifted[0]["d"])])
        assert findings(connection).keys() == {
            "index app.lead_mine on app.lead",
            "index app.lead_by_source on app.lead",
            "table admin.note",
        }
        connection.execute("drop table admin.note")
        assert "table admin.note" not in findings(connection)
        assert not [subject for subject in findings(connection) if "admin.note" in subject]


def test_only_the_migrating_login_keeps_the_catalogue(database: Database) -> None:
    for function in ("admin.keep_catalogue()", "admin.drift()", "admin.catalogue()", "admin.api_findings(6)"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.sql(f"select {function}", login="leads_operator")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.sql("delete from admin.catalogue_entry", login="leads_operator")


# The command, on a server that is as it should be


@pytest.fixture(scope="module")
def server(run_dir: Path) -> Iterator[embedded.Server]:
    """An embedded server with its usual settings, which leads migrate has migrated."""
    with embedded.running(run_dir / "doctor") as server:
        made = leads(run_dir, "migrate")
        assert made.returncode == 0, made.stderr
        yield server


def leads(run_dir: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """A command, on the embedded server unless the environment names an address."""
    names = ("DATABASE_URL", "LEADS_MIGRATE_URL", "LEADS_OPERATOR_URL", "LEADS_WORKER_URL")
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        cwd=ROOT,
        env={**inherited, "LEADS_DATA_DIR": str(run_dir / "doctor"), **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_migrating_login_finds_nothing_in_a_clean_database(server: embedded.Server, run_dir: Path) -> None:
    done = leads(run_dir, "doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Nothing found.\n")
    assert "pg_hba.conf" in done.stdout
    assert "leads migrate --plan" not in done.stdout


def test_the_operator_finds_nothing_and_names_what_it_did_not_see(server: embedded.Server, run_dir: Path) -> None:
    done = leads(run_dir, "doctor", LEADS_OPERATOR_URL=server.url("leads_operator"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Nothing found.\n")
    assert "leads migrate --plan" in done.stdout


def test_json(server: embedded.Server, run_dir: Path) -> None:
    done = leads(run_dir, "doctor", "--json")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert answer["findings"] == []
    assert {"subject", "question", "look"} == set(answer["not_seen"][0])


def test_a_finding_is_exit_code_1(server: embedded.Server, run_dir: Path) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("create index lead_mine on app.lead (organization_id, company)")
        try:
            done = leads(run_dir, "doctor")
            assert done.returncode == 1
            assert "index app.lead_mine on app.lead\n  No migration has made it.\n" in done.stdout
            assert "      drop index app.lead_mine;\n" in done.stdout
            assert "\n1 finding. " in done.stdout
            found = json.loads(leads(run_dir, "doctor", "--json").stdout)["findings"]
            assert found == [
                {
                    "subject": "index app.lead_mine on app.lead",
                    "finding": "No migration has made it.",
                    "remedy": "drop index app.lead_mine;",
                }
            ]
        finally:
            connection.execute("drop index app.lead_mine")
    assert leads(run_dir, "doctor").returncode == 0


def test_migrate_names_drift_and_keeps_none_of_it_and_accept_does(server: embedded.Server, run_dir: Path) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("create index lead_mine on app.lead (organization_id, company)")
        done = leads(run_dir, "migrate")
        assert done.returncode == 0
        assert "Changed by hand" in done.stderr
        assert "index app.lead_mine on app.lead" in done.stderr
        assert leads(run_dir, "doctor").returncode == 1
        assert leads(run_dir, "doctor", "--accept").returncode == 0
        assert leads(run_dir, "migrate").stderr == "Nothing to apply: the schema is up to date.\n"
        connection.execute("drop index app.lead_mine")
        assert "It is missing" in leads(run_dir, "doctor").stdout
    assert leads(run_dir, "doctor", "--accept").returncode == 0


def test_a_migration_that_fails_keeps_what_came_before_it(server: embedded.Server) -> None:
    url = server.url("leads_migrator")
    with suppress(ZeroDivisionError), doctor.keeping_catalogue(url):
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("create index lead_mine on app.lead (organization_id, company)")
        raise ZeroDivisionError
    assert doctor.examine(url, is_migrating=True)[0] == []
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection, doctor.keeping_catalogue(url):
        connection.execute("drop index app.lead_mine")
    assert doctor.examine(url, is_migrating=True)[0] == []


def test_a_restored_dump_has_nothing(server: embedded.Server, run_dir: Path) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("create database restored owner leads_migrator")
    dump = subprocess.run(
        [embedded.binary("pg_dump"), "--format=custom", server.url("postgres")], check=True, capture_output=True
    )
    subprocess.run(
        [embedded.binary("pg_restore"), "--exit-on-error", "--dbname", server.url("postgres", "restored")],
        input=dump.stdout,
        check=True,
    )
    url = server.url("leads_migrator", "restored")
    # What pg_dump doesn't carry is the database's own.
    found = doctor.examine(url, is_migrating=True)[0]
    assert {one.subject for one in found} == {"grant temporary on database to public"}
    embedded.harden(server.url("postgres", "restored"))
    done = leads(run_dir, "doctor", LEADS_MIGRATE_URL=url)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_empty_database_needs_migrations(server: embedded.Server, run_dir: Path) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("create database empty owner leads_migrator")
    done = leads(run_dir, "doctor", "--json", LEADS_MIGRATE_URL=server.url("leads_migrator", "empty"))
    assert done.returncode == 1
    found = json.loads(done.stdout)["findings"]
    assert [(one["subject"], one["remedy"]) for one in found] == [
        ("version", "leads migrate"),
        ("migrations", "leads migrate"),
    ]
    assert migrations.all_()[0].path.name in found[1]["finding"]


def test_a_migration_that_the_database_lacks_is_found(
    server: embedded.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _copied_migrations(tmp_path, monkeypatch)
    (folder / f"{migrations.newest() + 1:04}.more.sql").write_text("select 1;\n")
    found = {one.subject: one for one in doctor.examine(server.url("leads_migrator"), is_migrating=True)[0]}
    assert found["version"].remedy == "leads migrate"
    assert "more.sql" in found["migrations"].finding


def test_an_edited_migration_is_found(server: embedded.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _copied_migrations(tmp_path, monkeypatch) / migrations.all_()[0].path.name
    path.write_text(path.read_text() + "-- edited\n")
    (found,) = doctor.examine(server.url("leads_operator"), is_migrating=False)[0]
    assert found.finding == f"migrations/{path.name} is not what SHA256SUMS says: somebody edited it."
    assert "git checkout" in found.remedy


def _copied_migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "migrations"
    shutil.copytree(migrations.FOLDER, folder)
    monkeypatch.setattr(migrations, "FOLDER", folder)
    return folder


def test_a_long_remedy_is_cut_in_text(monkeypatch: pytest.MonkeyPatch) -> None:
    long = doctor.Finding("function f()", "It is missing.", "\n".join(f"line {number}" for number in range(40)))
    lines = list(doctor._text([long], []))
    assert "      … (29 more lines: leads doctor --json shows them)" in lines


@pytest.mark.parametrize("name", ["LEADS_MIGRATE_URL", "LEADS_OPERATOR_URL"])
def test_a_database_that_is_not_there_is_a_sentence(name: str, run_dir: Path) -> None:
    done = leads(run_dir, "doctor", **{name: "postgresql://leads_operator@/leads?host=/nowhere"})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("The database can't be reached: ")
    assert done.stderr.count("\n") == 1


def test_the_shims_address_alone_is_a_mistake(run_dir: Path) -> None:
    done = leads(run_dir, "doctor", DATABASE_URL="postgresql://leads_api@/leads?host=/nowhere")
    assert done.returncode == 2
    assert "LEADS_OPERATOR_URL is not set" in done.stderr


def test_migrating_twice_side_by_side_keeps_the_catalogue(
    new_database: Callable[..., Database],
) -> None:
    database = new_database()
    url = database.url("leads_migrator")
    with doctor.keeping_catalogue(url), doctor.keeping_catalogue(url):
        database.sql("create index lead_mine on app.lead (organization_id, company)")
    assert {one.subject for one in doctor.examine(url, is_migrating=True)[0]} == BASELINE


def test_a_binding_without_its_login_is_found(connection: psycopg.Connection[dict[str, Any]]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute(BOUND)
        connection.execute("alter role doctor_ann rename to doctor_eve")
        found = findings(connection)
        assert found.keys() == {"analyst doctor_ann"}
        assert "leads bi revoke doctor_ann" in found["analyst doctor_ann"]["remedy"]


def test_events_that_wait_for_their_seal_are_found(connection: psycopg.Connection[dict[str, Any]]) -> None:
    with connection.transaction(force_rollback=True):
        made = connection.execute("insert into app.organization (name) values ('Acme') returning organization_id")
        subject = f"organization {made.fetchall()[0]['organization_id']}"
        assert subject not in findings(connection)
        connection.execute(
            "alter table audit.event disable trigger _100_refuse_change, disable trigger _120_check_erasure; "
            "update audit.event set created_at = created_at - interval '61 seconds'; "
            "alter table audit.event enable always trigger _100_refuse_change, enable always trigger _120_check_erasure"
        )
        assert findings(connection)[subject]["finding"].startswith("7 events wait for their seal, the oldest since ")
        connection.execute("select * from admin.seal_events(null, 1000)")
        assert subject not in findings(connection)


def test_an_event_that_was_removed_before_it_was_sealed_is_found(
    connection: psycopg.Connection[dict[str, Any]],
) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("insert into app.organization (name) values ('Acme')")
        connection.execute(
            "alter table audit.event disable trigger user; "
            "delete from audit.event where action = 'organization.created'; alter table audit.event enable trigger user"
        )
        found = [row for row in findings(connection).values() if "before it was sealed" in row["finding"]]
        assert len(found) == 1
