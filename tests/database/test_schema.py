"""The migrations, sql/ and schema.sql define the same objects."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from app import embedded, migration_lock, migration_run, migrations, unreleased
from app.settings import ROOT
from tests.support.database import Database
from tools import frozen, schema

pytestmark = pytest.mark.skipif("LEADS_PG_BIN" in os.environ, reason="schema.sql is written as PostgreSQL 18 prints it")


def psql(database: Database, *arguments: str, text: str | None = None) -> None:
    command = [str(embedded.binary("psql")), "-X", "-q", "-v", "ON_ERROR_STOP=1", database.url("leads_migrator")]
    process = subprocess.run([*command, *arguments], input=text, text=True, capture_output=True, check=False)
    assert process.returncode == 0, process.stderr


def released(database: Database, folder: Path | None = None) -> None:
    """Runs the released migrations, as leads migrate does."""
    with migration_lock.locked(database.url("leads_migrator")) as lock:
        for _ in migration_run.apply(lock, folder=folder):
            pass


def apply_unreleased(database: Database) -> None:
    with psycopg.connect(database.url("leads_migrator"), autocommit=True) as connection:
        unreleased.apply(connection)


def test_leads_migrate_creates_the_schema_in_schema_sql(database: Database) -> None:
    assert schema.dump(database.url()) == schema.FILE.read_text(), "run: make schema, and read what changed"


def test_psql_creates_the_same_schema_as_leads_migrate(new_database: Callable[..., Database]) -> None:
    migrated, scripted = new_database(template=None), new_database(template=None)
    released(migrated)
    for migration in migrations.all_():
        psql(scripted, text=migration_run.as_script(migration))
    psql(scripted, "-c", "create schema yoyo")
    for database in (migrated, scripted):
        apply_unreleased(database)
    assert schema.dump(migrated.url()) == schema.dump(scripted.url())


def test_a_release_needs_nothing_but_its_migrations(new_database: Callable[..., Database]) -> None:
    if unreleased.current() is not None:
        pytest.skip("this checkout has unreleased changes")
    database = new_database(template=None)
    released(database)
    assert schema.dump(database.url()) == schema.FILE.read_text()


def test_tables_and_then_sql_create_the_same_schema(new_database: Callable[..., Database], tmp_path: Path) -> None:
    """A function, policy or grant that is in a migration and no longer in sql/ is found:
    next.sql must drop it.
    """
    for path in migrations.FOLDER.iterdir():
        text = path.read_text()
        (tmp_path / path.name).write_text(frozen.without_frozen_blocks(text) if path.suffix == ".sql" else text)
    database = new_database(template=None)
    released(database, tmp_path)
    apply_unreleased(database)
    if unreleased.current() is None:
        psql(database, "-f", str(ROOT / "sql" / "load.sql"))
    assert schema.dump(database.url()) == schema.FILE.read_text()


def test_loading_sql_again_changes_nothing(new_database: Callable[..., Database]) -> None:
    database = new_database()
    psql(database, "-f", str(ROOT / "sql" / "load.sql"))
    assert schema.dump(database.url()) == schema.FILE.read_text()


@pytest.mark.parametrize(
    "fault",
    [
        "grant select on app.lead to leads_api",
        "grant select (name) on app.lead to leads_api",
        "create function app.leftover() returns integer language sql return 1",
        "alter table app.lead no force row level security",
        "create policy leftover on app.lead for select to leads_exec using (true)",
        "alter table app.lead alter column name set statistics 100",
        "insert into api.route (method, path, function) values ('GET', '/leftover', 'api.get_health')",
    ],
)
def test_an_object_from_nowhere_is_detected(fault: str, new_database: Callable[..., Database]) -> None:
    database = new_database()
    database.sql(fault)
    assert schema.dump(database.url()) != schema.FILE.read_text()


def files(pattern: str) -> set[str]:
    return {f"{path.parent.name}.{path.name.removesuffix('.sql')}" for path in Path(ROOT, "sql").glob(pattern)}


def test_files_are_named_as_the_objects(database: Database) -> None:
    objects = {
        row["name"]
        for row in database.sql(
            """
            select n.nspname || '.' || p.proname as name
            from pg_catalog.pg_proc as p join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
            where n.nspname in ('admin', 'api', 'app', 'audit', 'auth', 'bi', 'crm', 'intake', 'scoring', 'webhook')
            union all
            select n.nspname || '.' || c.relname
            from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
            where
              n.nspname in ('admin', 'api', 'app', 'audit', 'auth', 'bi', 'crm', 'intake', 'scoring', 'webhook')
              and c.relkind = 'v'
            union all
            select distinct n.nspname || '.' || c.relname || '.policies'
            from pg_catalog.pg_policy as p
            join pg_catalog.pg_class as c on c.oid = p.polrelid
            join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
            union all
            select distinct n.nspname || '.' || c.relname || '.triggers'
            from pg_catalog.pg_trigger as t
            join pg_catalog.pg_class as c on c.oid = t.tgrelid
            join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
            where not t.tgisinternal and not c.relispartition and n.nspname <> 'yoyo'
            union all
            select n.nspname || '.' || c.relname || '.grants'
            from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
            where n.nspname in ('admin', 'api', 'app', 'audit', 'auth', 'bi', 'crm', 'intake', 'scoring', 'webhook')
              and c.relkind in ('r', 'p')
              and not c.relispartition
            """
        )
    }
    # Functions that a CHECK or a DEFAULT needs are in a migration.
    in_migrations = set()
    for path in [*(migration.path for migration in migrations.all_()), migrations.FOLDER / "next.sql"]:
        text = frozen.without_frozen_blocks(path.read_text())
        created = re.findall(r"^create (?:function|procedure) (\w+\.\w+)", text, re.MULTILINE)
        in_migrations |= set(created)
    names = files("*/*.sql") - files("*/*.rows.sql") - files("*/*.partitions.sql")
    assert names == objects - in_migrations


def test_load_sql_lists_every_file() -> None:
    listed = frozen.load_order(ROOT)
    assert sorted(listed) == sorted(path.relative_to(ROOT) for path in Path(ROOT, "sql").glob("*/*.sql"))


def test_schema_version_is_the_newest_migrations(database: Database) -> None:
    assert database.sql("select api.schema_version() as n", login="leads_api") == [{"n": migrations.newest()}]


def test_an_edited_migration_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = tmp_path / "migrations"
    copied.mkdir()
    for path in migrations.FOLDER.iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(migrations, "FOLDER", copied)
    monkeypatch.setattr(migrations, "SUMS", copied / "SHA256SUMS")
    migrations.check_sums()
    with (copied / "0.9.0-03.leads.sql").open("a") as file:
        file.write("-- one line more\n")
    with pytest.raises(migrations.MigrationError, match=r"0\.9\.0-03\.leads\.sql was edited after its release"):
        migrations.check_sums()
