"""The audit log's partitions: complete when they are created,
and created before they are needed.
"""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support import pushing
from tests.support.chain import log_findings, seal, verdict
from tests.support.database import Database, make_organization

YEAR = datetime.now(UTC).year
NEXT = YEAR + 1


@pytest.fixture
def dropped(database: Database) -> Iterator[int]:
    """The next year, which has no partitions. After the test it has them, also if the test fails."""
    # The run may have begun in the last year.
    database.sql("select admin.create_audit_partitions()")
    [row] = database.sql("select extract(year from now() at time zone 'UTC')::integer + 1 as year")
    database.sql(f"drop table audit.event_{row['year']}, audit.seal_{row['year']}")
    yield row["year"]
    database.sql("select admin.create_audit_partitions()")


def partitions(database: Database) -> list[str]:
    rows = database.sql(
        "select c.relname from pg_inherits as i join pg_class as c on c.oid = i.inhrelid "
        "where i.inhparent in ('audit.event'::regclass, 'audit.seal'::regclass) order by c.relname"
    )
    return [row["relname"] for row in rows]


def without_years(rows: list[dict[str, Any]]) -> list[str]:
    return [str(row).replace(str(YEAR), "YEAR").replace(str(NEXT), "YEAR") for row in rows]


def test_this_year_and_the_next_have_partitions(database: Database) -> None:
    years = (YEAR, NEXT)
    assert partitions(database) == [f"{table}_{year}" for table in ("event", "seal") for year in years]


def test_a_worker_creates_missing_partitions_and_doctor_finds_them(database: Database, dropped: int) -> None:
    findings = {row["subject"]: row for row in database.sql("select * from admin.findings()", login="leads_operator")}
    for table in ("event", "seal"):
        assert "every write of that year fails" in findings[f"table audit.{table}_{dropped}"]["finding"]
    database.sql("select admin.create_audit_partitions()", login="leads_worker")
    subjects = {row["subject"] for row in database.sql("select * from admin.findings()", login="leads_operator")}
    assert not any("audit" in subject for subject in subjects)


def test_the_worker_creates_them_automatically(database: Database, dropped: int, tmp_path: Path) -> None:
    with pushing.working(database, tmp_path):
        pushing.wait_for(lambda: f"seal_{dropped}" in partitions(database))


def test_the_worker_tries_again_while_an_organization_is_being_created(
    database: Database, dropped: int, tmp_path: Path
) -> None:
    with database.connect("leads_operator") as operator:
        operator.execute("begin")
        operator.execute("select admin.create_organization('Acme Restoration', 'test')")
        with pushing.working(database, tmp_path) as worker:
            waits = "waits for the database (LockNotAvailable, 55P03)"
            pushing.wait_for(lambda: worker.log.read_text().count(waits) > 1)
            assert f"event_{dropped}" not in partitions(database)
            operator.execute("commit")
            pushing.wait_for(lambda: f"seal_{dropped}" in partitions(database))


@pytest.mark.parametrize("year", [YEAR, NEXT])
@pytest.mark.parametrize("table", ["event", "seal"])
@pytest.mark.parametrize("setting", ["origin", "replica"])
def test_a_partition_refuses_changes_by_its_own_name(database: Database, table: str, year: int, setting: str) -> None:
    for statement in (
        f"update audit.{table}_{year} set created_at = created_at",
        f"delete from audit.{table}_{year}",
        f"truncate audit.{table}_{year}",
    ):
        with pytest.raises(psycopg.Error, match="refused") as error:
            database.sql(f"set session_replication_role = {setting}; {statement}")
        assert error.value.sqlstate == "PT409"


@pytest.mark.parametrize("login", ["leads_api", "leads_worker", "leads_operator", "leads_router"])
def test_no_login_reads_a_partition_by_its_own_name(database: Database, login: str) -> None:
    for table in ("event", "seal"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.sql(f"select from audit.{table}_{YEAR}", login=login)


def test_the_owner_sees_no_row_of_a_partition(database: Database) -> None:
    make_organization(database)
    assert database.sql(f"select count(*) as n from audit.event_{YEAR}")[0]["n"] > 0
    rows = database.sql(f"set role leads_owner; select count(*) as n from audit.event_{YEAR}", login="leads_migrator")
    assert rows == [] or rows[0]["n"] == 0
    with database.connect("leads_migrator") as connection:
        connection.execute("set role leads_owner")
        assert connection.execute(f"select from audit.event_{YEAR}").fetchall() == []


def test_partitions_are_alike(database: Database) -> None:
    """The guards, the constraints, the indexes and the columns of the next year's are those of
    this year's.
    """
    for statement in (
        "select pg_get_triggerdef(oid) as d, tgenabled from pg_trigger "
        "where tgrelid = %s::regclass and not tgisinternal order by d",
        "select contype, pg_get_constraintdef(oid) as d from pg_constraint where conrelid = %s::regclass order by d",
        "select pg_get_indexdef(indexrelid) as d from pg_index where indrelid = %s::regclass order by d",
        "select attname, attstattarget, attgenerated, attnotnull from pg_attribute "
        "where attrelid = %s::regclass and attnum > 0 order by attnum",
        "select relrowsecurity, relforcerowsecurity, relacl from pg_class where oid = %s::regclass",
    ):
        for table in ("event", "seal"):
            rows = [without_years(database.sql(statement, f"audit.{table}_{year}")) for year in (YEAR, NEXT)]
            assert rows[0] == rows[1], statement


def test_an_events_time_is_the_instant_in_its_id(database: Database) -> None:
    organization = make_organization(database)
    insert = (
        "insert into audit.event (id, organization_id, action, source, payload, payload_digest, created_at) "
        "select i.id, %s, 'lead.updated', 'sql', '{}', sha256(''), app.id_time(i.id) + %s::interval "
        "from (select app.new_id() as id offset 0) as i"
    )
    database.sql(insert, organization.id, "0")
    with pytest.raises(psycopg.errors.CheckViolation, match="event_created_at_is_the_time_of_its_id"):
        database.sql(insert, organization.id, "1 ms")


def test_creating_partitions_waits_for_no_writer_and_no_writer_waits_for_it(database: Database, dropped: int) -> None:
    organization = make_organization(database)
    add = "insert into app.lead (organization_id, email) values (%s, 'ada@example.com')"
    with database.connect() as writer, database.connect() as creator, writer.transaction():
        writer.execute(add, [organization.id])
        with database.connect("leads_worker") as worker, worker.transaction():
            worker.execute("select admin.create_audit_partitions()")
            creator.execute("set lock_timeout = '20s'")
            creator.execute(add, [organization.id])
    assert f"event_{dropped}" in partitions(database)


def test_two_workers_at_once_create_each_partition_once(database: Database, dropped: int) -> None:
    errors: list[Exception] = []

    def create() -> None:
        while True:
            try:
                database.sql("select admin.create_audit_partitions()", login="leads_worker")
            except psycopg.errors.LockNotAvailable:
                continue  # as a worker does: on a busy machine, another one takes longer than lock_timeout
            except psycopg.Error as error:
                errors.append(error)
            return

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [name for name in partitions(database) if name.endswith(str(dropped))] == [
        f"event_{dropped}",
        f"seal_{dropped}",
    ]


def test_the_chain_passes_from_one_year_to_the_next(database: Database) -> None:
    """Events of two partitions are sealed in one chain, paged in order, and found by id."""
    organization = make_organization(database)
    database.sql(
        """
        with made as (
          insert into audit.event (id, organization_id, action, source, payload, salt, payload_digest, created_at)
          select i.id, %s, 'lead.updated', 'sql', '{}', 'salt', sha256('salt' || '{}'::bytea), app.id_time(i.id)
          from (
            select (
              lpad(to_hex((extract(epoch from t.at) * 1000)::bigint), 12, '0') || '70008000000000000000'
            )::uuid as id
            from generate_series(
              make_timestamptz(%s, 12, 31, 23, 59, 58, 'UTC'), make_timestamptz(%s, 1, 1, 0, 0, 2, 'UTC'), '1 second'
            ) as t (at)
          ) as i
          returning organization_id, id
        )
        insert into audit.unsealed (organization_id, event_id) select organization_id, id from made
        """,
        organization.id,
        YEAR,
        NEXT,
    )
    seal(database)
    for limit in (10_000, 2):
        assert verdict(database, organization.id, limit=limit)["holds"]
    rows = database.sql(
        "select tableoid::regclass::text as name, count(*) as n from audit.seal where organization_id = %s group by 1",
        organization.id,
    )
    assert {row["name"]: row["n"] for row in rows}[f"audit.seal_{NEXT}"] == 3


PARTITION = f"audit.event_{NEXT}"
REFUSE = f"trigger _100_refuse_change on {PARTITION}"
ATTACH = f"alter table audit.event attach partition {PARTITION} for values from"
DEFECTS = {
    f"alter table {PARTITION} set unlogged": f"table {PARTITION}",
    f"alter table {PARTITION} owner to leads_migrator": f"table {PARTITION}",
    f"alter table {PARTITION} rename to event_old": "table audit.event_old",
    f"create schema elsewhere; alter table {PARTITION} set schema elsewhere": f"table elsewhere.event_{NEXT}",
    f"alter table audit.event detach partition {PARTITION}": f"table {PARTITION}",
    f"grant insert on {PARTITION} to leads_jobs": f"grant insert on table {PARTITION} to leads_jobs",
    f"grant select (payload) on {PARTITION} to leads_exec": f"grant select on table {PARTITION} to leads_exec",
    f"create policy p on {PARTITION} to leads_jobs using (true)": f"policy p on {PARTITION}",
    f"create trigger x before insert on {PARTITION} for each row execute function audit.tg_refuse('')": (
        f"trigger x on {PARTITION}"
    ),
    f"drop trigger _100_refuse_change on {PARTITION}; create trigger _100_refuse_change before delete on {PARTITION} "
    f"execute function audit.tg_refuse(''); alter table {PARTITION} enable always trigger _100_refuse_change": REFUSE,
    f"alter table {PARTITION} enable trigger _120_check_erasure": f"trigger _120_check_erasure on {PARTITION}",
    f"alter table {PARTITION} disable trigger _120_check_erasure": f"trigger _120_check_erasure on {PARTITION}",
    f"alter table {PARTITION} add constraint x check (false)": f"constraint x on {PARTITION}",
    f"create index x on {PARTITION} (organization_id)": f"index audit.x on {PARTITION}",
    f"alter table audit.seal_{NEXT} drop constraint seal_{NEXT}_position_is_unique": f"table audit.seal_{NEXT}",
}
"""What a superuser may do to a partition, with the subject of the finding."""
WITHOUT_SQL = {
    f"alter table audit.event detach partition {PARTITION}; {ATTACH} ('{NEXT}-01-01Z') to ('{NEXT}-02-01Z')": (
        f"table {PARTITION}"
    ),
    f"alter table audit.event detach partition {PARTITION}; {ATTACH} ('{NEXT + 9}-01-01Z') to ('{NEXT + 10}-01-01Z')": (
        f"table {PARTITION}"
    ),
    "create table audit.event_default partition of audit.event default": "table audit.event_default",
    f"alter table {PARTITION} alter column source set default 'sql'": f"column {PARTITION}.source",
}
"""Defects whose remedy is a sentence."""


@pytest.fixture(scope="module")
def empty_log(new_database: Callable[..., Database]) -> Database:
    """A database without events."""
    return new_database()


@pytest.mark.parametrize("statement", [*DEFECTS, *WITHOUT_SQL])
def test_doctor_finds_what_a_new_partition_lacks(empty_log: Database, statement: str) -> None:
    """And its remedy, if it is SQL, restores the partition."""
    with empty_log.connect() as connection, connection.transaction(force_rollback=True):
        before = log_findings(connection)
        connection.execute(statement.encode())
        new = [row for row in log_findings(connection) if row not in before]
        assert (DEFECTS | WITHOUT_SQL)[statement] in {row["subject"] for row in new}
        if statement in DEFECTS:
            for row in new:
                if row["remedy"].endswith(";"):
                    connection.execute(row["remedy"].encode())
            assert log_findings(connection) == before
