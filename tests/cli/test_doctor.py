"""``leads doctor``: each rule finds its fault and nothing else,
and the remedies leave nothing to be found.

``doctor_cases.sql`` has the faults. A case is one or more headers and the SQL that makes the fault:

    -- subject: words of the finding   another header, with or without words: what else is found
    -- ...                             more is found, too much to list
    -- since PostgreSQL 16             the case needs that version
    -- with the analyst doctor_ann     the analyst's login is created first

``{year}`` stands for the present year, which the names of the audit log's partitions contain.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from app import embedded, migrations
from app.cli import doctor
from app.settings import ROOT
from tests.support.database import Database, create_database

ROUNDS = 5
"""A remedy may reveal another finding: an object that a rule no longer names is still new."""

ANALYST = (
    "create role doctor_ann login; grant doctor_ann to leads_migrator with admin option; "
    "with o as (insert into app.organization (name) values ('Acme') returning organization_id) "
    "insert into auth.analyst (organization_id, role_oid, role_name) "
    "select o.organization_id, r.oid, r.rolname from o cross join pg_roles as r where r.rolname = 'doctor_ann'; "
    "alter role doctor_ann connection limit 20; "
    "do $$ begin execute 'grant leads_bi to doctor_ann' || case when current_setting('server_version_num')::integer "
    ">= 160000 then ' with inherit true, set false' else '' end; end $$; "
)


@dataclass(frozen=True)
class Case:
    """A fault in a database. findings: words of the finding by subject."""

    sql: str
    findings: dict[str, str]
    has_more: bool
    since: int


def read_cases() -> Iterator[Case]:
    """The cases in the file."""
    text = (Path(__file__).parent / "doctor_cases.sql").read_text().replace("{year}", str(datetime.now(UTC).year))
    for block in re.findall(r"^-- .*?(?=\n\n|\Z)", text, re.DOTALL | re.MULTILINE):
        headers = re.findall(r"^-- (.*)", block, re.MULTILINE)
        sql = re.sub(r"^-- .*\n", "", block, flags=re.MULTILINE)
        findings, has_more, since = {}, False, 15
        for header in headers:
            if header == "...":
                has_more = True
            elif header.startswith("since PostgreSQL "):
                since = int(header.split()[-1])
            elif header == "with the analyst doctor_ann":
                sql = ANALYST + sql
            else:
                subject, _, words = header.partition(": ")
                findings[subject] = words
        yield Case(sql, findings, has_more, since)


CASES = list(read_cases())


@pytest.fixture(scope="module")
def server(run_dir: Path) -> Iterator[embedded.Server]:
    """An embedded server with its usual settings, which leads migrate has migrated.

    On the server that the tests share, other tests' roles and settings would be found.
    """
    with embedded.running(run_dir / "doctor") as server:
        process = leads(run_dir, "migrate")
        assert process.returncode == 0, process.stderr
        # At New Year, a run needs the year after the next, and soon after it the last year.
        with psycopg.connect(server.url("postgres")) as connection:
            year = "extract(year from now() at time zone 'UTC')::integer"
            connection.execute(f"select audit.create_partitions({year} + n) from unnest('{{-1, 2}}'::integer[]) as n")
        yield server


@pytest.fixture(scope="module")
def connection(server: embedded.Server) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A superuser's connection to a database whose catalogue is kept."""
    with create_database(server, "cases", "leads").connect() as connection:
        yield connection


def findings(connection: psycopg.Connection[dict[str, Any]], release: int | None = None) -> dict[str, dict[str, Any]]:
    """The findings by subject; the first finding of each subject."""
    rows = connection.execute("select * from admin.findings(%s)", [release]).fetchall()
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        first.setdefault(row["subject"], row)
    return first


def is_sql(remedy: str) -> bool:
    """Whether the remedy is SQL that a transaction can run."""
    return remedy.endswith(";") and "alter system" not in remedy


def run(connection: psycopg.Connection[dict[str, Any]], remedy: str) -> None:
    """Runs a remedy, if it is SQL or the superuser's script."""
    if remedy.endswith("app/superuser.sql"):
        connection.execute((ROOT / "app" / "superuser.sql").read_bytes())
    elif is_sql(remedy):
        connection.execute(remedy)


def test_a_clean_database_has_no_finding(connection: psycopg.Connection[dict[str, Any]]) -> None:
    assert findings(connection, migrations.newest()) == {}


@pytest.mark.parametrize("setting", ["fsync", "autovacuum"])
def test_a_setting_of_the_server_is_found(setting: str, connection: psycopg.Connection[dict[str, Any]]) -> None:
    def change(statement: str, value: str) -> None:
        connection.execute(statement.encode())
        connection.execute("select pg_reload_conf()")
        end = time.monotonic() + 60
        while connection.execute(f"show {setting}").fetchall() != [{setting: value}]:
            assert time.monotonic() < end
            time.sleep(0.01)

    try:
        change(f"alter system set {setting} = off", "off")
        present = findings(connection)
        assert present.keys() == {f"setting {setting}"}
        remedy, reload, _ = present[f"setting {setting}"]["remedy"].split(";")
        assert reload == " select pg_reload_conf()"
        change(remedy, "on")
        assert findings(connection) == {}
    finally:
        change(f"alter system reset {setting}", "on")


@pytest.mark.parametrize(("whose", "subject"), [("database leads", "the database"), ("role all", "all roles")])
def test_a_setting_of_the_database_is_one_finding(whose: str, subject: str, server: embedded.Server) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True, row_factory=dict_row) as connection:
        connection.execute(f"alter {whose} set log_parameter_max_length = -1")
        try:
            with psycopg.connect(server.url("postgres"), row_factory=dict_row) as later:
                assert later.execute("show log_parameter_max_length").fetchall() == [{"log_parameter_max_length": "-1"}]
                present = findings(later)
            assert present.keys() == {f"setting log_parameter_max_length of {subject}"}
            run(connection, next(iter(present.values()))["remedy"])
            assert findings(connection) == {}
        finally:
            connection.execute(f"alter {whose} reset log_parameter_max_length")


def test_a_missing_function_is_restored_without_a_grant_to_everyone_and_with_its_route(
    connection: psycopg.Connection[dict[str, Any]],
) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("drop function api.get_health()")
        present = findings(connection)
        # The route stays: to delete it would be no way back.
        assert not is_sql(present["route GET /health"]["remedy"])
        connection.execute(present["function api.get_health()"]["remedy"])
        present = findings(connection)
        assert present.keys() == {"grant execute on routine api.get_health() to leads_api"}
        connection.execute(present["grant execute on routine api.get_health() to leads_api"]["remedy"])
        assert findings(connection) == {}


def test_a_restored_analyst_is_one_finding(connection: psycopg.Connection[dict[str, Any]]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute(ANALYST.encode())
        # The login has another oid, as after the restore of a dump.
        connection.execute(
            "drop role doctor_ann; create role doctor_ann login connection limit 20 in role leads_bi; "
            "grant doctor_ann to leads_migrator with admin option"
        )
        rows = connection.execute("select * from admin.findings()").fetchall()
        about = [row for row in rows if row["subject"].endswith(" doctor_ann")]
        assert [row["subject"] for row in about] == ["analyst doctor_ann"]
        assert about[0]["remedy"].startswith("leads bi revoke doctor_ann ")


@pytest.mark.parametrize("case", CASES, ids=lambda case: next(iter(case.findings)))
def test_a_fault_is_found_and_its_remedy_works(case: Case, connection: psycopg.Connection[dict[str, Any]]) -> None:
    if connection.info.server_version < case.since * 10000:
        pytest.skip(f"PostgreSQL {case.since} or later")
    with connection.transaction(force_rollback=True):
        connection.execute(case.sql.encode())
        present = findings(connection)
        assert case.has_more or present.keys() == case.findings.keys()
        for subject, words in case.findings.items():
            assert words in present[subject]["finding"]
        for _ in range(ROUNDS):
            for row in present.values():
                run(connection, row["remedy"])
            present = findings(connection)
            if not any(is_sql(row["remedy"]) for row in present.values()):
                break
        # What is left has no remedy that a transaction can run.
        for row in present.values():
            assert row["remedy"].startswith(("/* as a superuser */ alter system set ", "Restore this definition: "))


def test_the_file_has_every_case() -> None:
    assert len(CASES) == 126
    assert len({case.sql for case in CASES}) == len(CASES)


def test_analysts_who_can_take_all_connections_are_found(
    connection: psycopg.Connection[dict[str, Any]],
) -> None:
    if connection.info.server_version >= 160000:
        pytest.skip("The server reserves connections.")
    with connection.transaction(force_rollback=True):
        connection.execute(ANALYST.encode())
        connection.execute("alter role doctor_ann connection limit 70")
        assert "connections of analysts" not in findings(connection)
        connection.execute("alter role doctor_ann connection limit 71")
        assert "connections of analysts" in findings(connection)


def test_a_database_that_is_not_frozen_is_found(connection: psycopg.Connection[dict[str, Any]]) -> None:
    with connection.transaction(force_rollback=True):
        for age, is_found in ((499_000_000, False), (501_000_000, True)):
            connection.execute(
                "update pg_catalog.pg_database set datfrozenxid = mod((pg_snapshot_xmax(pg_current_snapshot())::text"
                "::numeric - %s + 4294967296), 4294967296)::text::xid where datname = 'template0'",
                [age],
            )
            present = findings(connection)
            assert ("database template0" in present) == is_found
        assert "refuses every write" in present["database template0"]["finding"]


def test_a_locale_without_other_letters_is_found(server: embedded.Server) -> None:
    database = create_database(server, "locale", "leads")
    # Only template0 can be copied with another locale, and it would have to be migrated.
    changed = "update pg_catalog.pg_database set datlocprovider = 'c', datctype = 'C' where datname = %s"
    database.sql(changed, database.name)
    with database.connect() as connection:
        words = connection.execute("select unnest(app.lead_words('Bj\u00f8rn', null, null)) as w order by w").fetchall()
        assert [row["w"] for row in words] == ["bj", "rn"]
        present = findings(connection)
        assert present.keys() == {"locale of the database"}
        make, _, repeat = present["locale of the database"]["remedy"].partition("run there as a superuser: ")
        assert "C.UTF-8" in make
        for statement in repeat.split("; "):
            connection.execute(statement.encode())


def test_disabled_foreign_keys_are_found(connection: psycopg.Connection[dict[str, Any]]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("alter table app.pipeline_stage disable trigger all")
        present = findings(connection)
        assert sum("RI_ConstraintTrigger" in subject for subject in present) == 6
        for row in present.values():
            connection.execute(row["remedy"])
        assert not findings(connection)


def test_each_invalid_route_is_a_finding_of_its_own(connection: psycopg.Connection[dict[str, Any]]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("update api.route set function = 'api.nothing' where method = 'GET'")
        results = findings(connection)
        gets = connection.execute("select path from api.route where method = 'GET'").fetchall()
        assert results.keys() == {f"route GET {row['path']}" for row in gets}


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


def test_a_missing_catalogue_is_one_finding(connection: psycopg.Connection[dict[str, Any]]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("delete from admin.catalogue_entry")
        assert findings(connection)["catalogue"]["remedy"] == "leads migrate"
        assert findings(connection).keys() == {"catalogue"}


def test_another_postgresqls_catalogue_is_not_compared(connection: psycopg.Connection[dict[str, Any]]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("update admin.catalogue_entry set definition = 'PostgreSQL 14' where object = 'server'")
        connection.execute("update admin.catalogue_entry set definition = 'other' where object like 'function %'")
        results = findings(connection)
        assert results.keys() == {"catalogue"}
        assert "leads doctor --accept" in results["catalogue"]["remedy"]


def test_an_alias_that_another_minor_release_prints_differently_is_no_drift(
    connection: psycopg.Connection[dict[str, Any]],
) -> None:
    changed = set()
    for pattern, replacement in ((r" AS (\w+)", r" \3"), (r" (?!AS |SET )(\w+)", r" AS \3")):
        with connection.transaction(force_rollback=True):
            kept = "regexp_replace(e.definition, '(UPDATE|DELETE FROM) (\\S+)' || %s, '\\1 \\2' || %s)"
            rows = connection.execute(
                f"update admin.catalogue_entry as e set definition = {kept} "
                f"where e.definition like '%%BEGIN ATOMIC%%' and e.definition <> {kept} returning e.object",
                [pattern, replacement] * 2,
            ).fetchall()
            changed |= {row["object"].partition("(")[0] for row in rows}
            assert connection.execute("select object from admin.drift()").fetchall() == []
    assert {"function admin.keep_catalogue", "function app.keep_answer"} <= changed


def test_drift_from_before_a_migration_is_not_kept(
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


# The command


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
        timeout=300,
    )


def test_the_migrating_login_finds_nothing_in_a_clean_database(server: embedded.Server, run_dir: Path) -> None:
    process = leads(run_dir, "doctor")
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith("Nothing found.\n")
    assert "pg_hba.conf" in process.stdout
    assert "leads migrate --plan" not in process.stdout


def test_the_operator_finds_nothing_and_lists_what_it_can_not_see(server: embedded.Server, run_dir: Path) -> None:
    process = leads(run_dir, "doctor", LEADS_OPERATOR_URL=server.url("leads_operator"))
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith("Nothing found.\n")
    assert "leads migrate --plan" in process.stdout


def test_json(server: embedded.Server, run_dir: Path) -> None:
    process = leads(run_dir, "doctor", "--json")
    assert process.returncode == 0
    answer = json.loads(process.stdout)
    assert answer["findings"] == []
    assert {"subject", "question", "look"} == set(answer["not_seen"][0])


def test_a_finding_is_exit_code_1(server: embedded.Server, run_dir: Path) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("create index lead_mine on app.lead (organization_id, company)")
        try:
            process = leads(run_dir, "doctor")
            assert process.returncode == 1
            assert "index app.lead_mine on app.lead\n  No migration has created it.\n" in process.stdout
            assert "      drop index app.lead_mine;\n" in process.stdout
            assert "\n1 finding. " in process.stdout
            results = json.loads(leads(run_dir, "doctor", "--json").stdout)["findings"]
            assert results == [
                {
                    "subject": "index app.lead_mine on app.lead",
                    "finding": "No migration has created it.",
                    "remedy": "drop index app.lead_mine;",
                }
            ]
        finally:
            connection.execute("drop index app.lead_mine")
    assert leads(run_dir, "doctor").returncode == 0


def test_migrate_names_drift_and_only_accept_keeps_it(server: embedded.Server, run_dir: Path) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("create index lead_mine on app.lead (organization_id, company)")
        process = leads(run_dir, "migrate")
        assert process.returncode == 0
        assert "Changed by hand" in process.stderr
        assert "index app.lead_mine on app.lead" in process.stderr
        assert leads(run_dir, "doctor").returncode == 1
        accepted = leads(run_dir, "doctor", "--accept")
        assert accepted.returncode == 0
        assert accepted.stderr.splitlines() == ["Accepted:", "  index app.lead_mine on app.lead"]
        assert leads(run_dir, "doctor", "--accept").stderr == "There are no changes to accept.\n"
        assert leads(run_dir, "migrate").stderr == "Nothing to apply: the schema is up to date.\n"
        connection.execute("drop index app.lead_mine")
        assert "It doesn't exist" in leads(run_dir, "doctor").stdout
    assert leads(run_dir, "doctor", "--accept").returncode == 0


def test_a_failed_migration_keeps_the_catalogue_of_earlier_ones(server: embedded.Server) -> None:
    url = server.url("leads_migrator")
    with suppress(ZeroDivisionError), doctor.keeping_catalogue(url):
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("create index lead_mine on app.lead (organization_id, company)")
        raise ZeroDivisionError
    assert doctor.examine(url, is_migrating=True)[0] == []
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection, doctor.keeping_catalogue(url):
        connection.execute("drop index app.lead_mine")
    assert doctor.examine(url, is_migrating=True)[0] == []


def test_a_restored_dump_has_no_finding(server: embedded.Server, run_dir: Path) -> None:
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
    results = doctor.examine(url, is_migrating=True)[0]
    assert {finding.subject for finding in results} == {"grant temporary on database to public"}
    embedded.harden(server.url("postgres", "restored"))
    process = leads(run_dir, "doctor", LEADS_MIGRATE_URL=url)
    assert (process.returncode, process.stderr) == (0, "")


def test_an_empty_database_needs_migrations(server: embedded.Server, run_dir: Path) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("create database empty owner leads_migrator")
    process = leads(run_dir, "doctor", "--json", LEADS_MIGRATE_URL=server.url("leads_migrator", "empty"))
    assert process.returncode == 1
    results = json.loads(process.stdout)["findings"]
    assert [(finding["subject"], finding["remedy"]) for finding in results] == [
        ("version", "leads migrate"),
        ("migrations", "leads migrate"),
    ]
    assert migrations.all_()[0].path.name in results[1]["finding"]


def test_a_migration_that_the_database_lacks_is_found(
    server: embedded.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _copied_migrations(tmp_path, monkeypatch)
    (folder / f"{migrations.newest() + 1:04}.more.sql").write_text("select 1;\n")
    results = {
        finding.subject: finding for finding in doctor.examine(server.url("leads_migrator"), is_migrating=True)[0]
    }
    assert results["version"].remedy == "leads migrate"
    assert "more.sql" in results["migrations"].finding


def test_an_edited_migration_is_found(server: embedded.Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _copied_migrations(tmp_path, monkeypatch) / migrations.all_()[0].path.name
    path.write_text(path.read_text() + "-- edited\n")
    (finding,) = doctor.examine(server.url("leads_operator"), is_migrating=False)[0]
    assert finding.finding == f"migrations/{path.name} was edited after its release: it is not what SHA256SUMS says."
    assert "git checkout" in finding.remedy


def _copied_migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "migrations"
    shutil.copytree(migrations.FOLDER, folder)
    monkeypatch.setattr(migrations, "FOLDER", folder)
    return folder


def test_a_long_remedy_is_cut_in_text(monkeypatch: pytest.MonkeyPatch) -> None:
    long = doctor.Finding("function f()", "It doesn't exist.", "\n".join(f"line {number}" for number in range(40)))
    lines = list(doctor._text([long], [], []))
    assert "      … (29 more lines: leads doctor --json prints them)" in lines


@pytest.mark.parametrize("name", ["LEADS_MIGRATE_URL", "LEADS_OPERATOR_URL"])
def test_a_missing_database_is_reported_in_a_sentence(name: str, run_dir: Path) -> None:
    process = leads(run_dir, "doctor", **{name: "postgresql://leads_operator@/leads?host=/nowhere"})
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr.startswith("The database can't be reached: ")
    assert process.stderr.count("\n") == 1


def test_the_shims_address_alone_is_a_mistake(run_dir: Path) -> None:
    process = leads(run_dir, "doctor", DATABASE_URL="postgresql://leads_api@/leads?host=/nowhere")
    assert process.returncode == 2
    assert "LEADS_OPERATOR_URL is not set" in process.stderr


def test_concurrent_migrations_keep_the_catalogue(server: embedded.Server) -> None:
    database = create_database(server, "concurrent", "leads")
    url = database.url("leads_migrator")
    with doctor.keeping_catalogue(url), doctor.keeping_catalogue(url):
        database.sql("create index lead_mine on app.lead (organization_id, company)")
    assert doctor.examine(url, is_migrating=True)[0] == []


def test_a_binding_without_its_login_is_found(connection: psycopg.Connection[dict[str, Any]]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute(ANALYST)
        connection.execute("alter role doctor_ann rename to doctor_eve")
        results = findings(connection)
        assert results.keys() == {"analyst doctor_ann", "role doctor_eve"}
        assert "leads bi revoke doctor_ann" in results["analyst doctor_ann"]["remedy"]


def test_events_that_wait_for_their_seal_are_found(connection: psycopg.Connection[dict[str, Any]]) -> None:
    with connection.transaction(force_rollback=True):
        row = connection.execute("insert into app.organization (name) values ('Acme') returning organization_id")
        organization = row.fetchall()[0]["organization_id"]
        subject = f"organization {organization}"
        assert subject not in findings(connection)
        # A UUID of version 7 has the event's time. It is compared with the start of the transaction.
        id = UUID(int=int((time.time() - 120) * 1000) << 80 | 7 << 76 | 2 << 62)
        connection.execute(
            "insert into audit.event (id, organization_id, action, source, payload, payload_digest, created_at) "
            "values (%s, %s, 'organization.updated', 'sql', '{}', sha256(''), app.id_time(%s))",
            [id, organization, id],
        )
        connection.execute("insert into audit.unsealed (organization_id, event_id) values (%s, %s)", [organization, id])
        assert findings(connection)[subject]["finding"].startswith("Events without a seal: 8. The oldest is of ")
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
        rows = [row for row in findings(connection).values() if "before it was sealed" in row["finding"]]
        assert len(rows) == 1
