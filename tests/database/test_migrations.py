"""leads migrate beside other sessions: locks, attempts, interruptions, batches,
and databases that it must refuse.
"""

import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from app import embedded, migration_diff, migration_run, migrations, settings, unreleased
from app.cli import serve
from app.cli.addresses import Addresses
from app.cli.migrate import migrate
from app.cli.output import Mistake
from app.migration_lock import locked
from app.migrations import Backfill, Migration, MigrationError
from app.settings import ROOT
from tests.support.database import Database
from tests.support.process import Leads, leads_on, mistake

ADD_COLUMN = "set local role leads_owner;\nalter table app.lead add column origin text not null default 'web';\n"
OLD_IDS = [
    *("0001.roles", "0002.organizations", "0003.leads", "0004.audit", "0005.api", "0006.functions", "0007.scoring"),
    *("0008.crm", "0009.analysts", "0010.seals", "0011.erasure", "0012.reference"),
]
OURS = (
    "select backend_xmin, backend_xid from pg_stat_activity "
    "where application_name = 'leads migrate' and datname = current_database()"
)
SLEEPING = "select 1 from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
HAS_ORIGIN = "select 1 from pg_attribute where attrelid = 'app.lead'::regclass and attname = 'origin'"
COUNTED = """
set local role leads_owner;
create table app.counted (id integer primary key, filled integer not null default 0);
insert into app.counted select generate_series(1, 3000);
create function admin.fill_counted(batch integer) returns bigint
language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  with filled as (
    update app.counted as c set filled = c.filled + 1
    from (select o.id from app.counted as o where o.filled = 0 order by o.id limit fill_counted.batch for update) as o
    where o.id = c.id
    returning c.id
  )
  select count(*) from filled, pg_sleep(0.05);
end;
"""
FILL = "-- Fills.\n-- backfill: admin.fill_counted (app.counted)\n"

Release = Callable[..., Path]


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """Makes a folder with the migrations of this release, and with further ones by their names."""

    def make(**files: str) -> Path:
        folder = tmp_path / "migrations"
        if not folder.exists():
            shutil.copytree(migrations.FOLDER, folder)
        for number, (name, text) in enumerate(files.items(), 1):
            (folder / f"999.0.0-{number:02}.{name}.sql").write_text(text)
        return folder

    return make


class Heard:
    """Records the reports of the run."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.batches: list[int] = []

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def fill(self, migration: Migration, changed: int, expected: int) -> None:
        self.batches.append(changed)


def run(database: Database, folder: Path, give_up_after: float = 60, heard: Heard | None = None) -> Heard:
    """Applies the pending migrations of the folder. heard: where it reports, if a test reads that during the run."""
    heard = heard or Heard()
    with locked(database.url("leads_migrator"), heard.say) as lock:
        for _ in migration_run.apply(lock, heard, folder=folder, give_up_after=give_up_after):
            pass
    return heard


def run_in_process(database: Database, folder: Path) -> subprocess.Popen[bytes]:
    """The same in a separate process, which a test can kill."""
    program = (
        "import sys; from pathlib import Path; from app import migration_run; from app.migration_lock import locked\n"
        "with locked(sys.argv[1]) as lock: list(migration_run.apply(lock, folder=Path(sys.argv[2])))"
    )
    command = [sys.executable, "-c", program, database.url("leads_migrator"), str(folder)]
    return subprocess.Popen(command, cwd=ROOT)


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@contextmanager
def holding(database: Database, *statements: str) -> Iterator[psycopg.Connection[dict[str, object]]]:
    """Another session, in a transaction that has run these statements."""
    with database.connect() as connection, connection.transaction():
        for statement in statements:
            connection.execute(statement)
        yield connection


# Files


def test_migrations_run_by_release_and_number(tmp_path: Path) -> None:
    names = ["0.9.0-02.b", "0.10.0-01.d", "0001.old", "0.9.0-10.c", "1.0.0-01.e", "0.9.0-01.a"]
    for name in names:
        (tmp_path / f"{name}.sql").touch()
    (tmp_path / "next.sql").touch()
    ids = [migration.id for migration in migrations.all_(tmp_path)]
    assert ids == ["0001.old", "0.9.0-01.a", "0.9.0-02.b", "0.9.0-10.c", "0.10.0-01.d", "1.0.0-01.e"]


def test_a_name_without_a_release_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.0-leads.sql").touch()
    with pytest.raises(MigrationError, match=r"1\.0-leads\.sql must have a name such as"):
        migrations.all_(tmp_path)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("-- backfill: admin.fill\n", "a backfill is one line"),
        ("-- backfill: admin.fill(); drop table x (app.lead)\n", "a backfill is one line"),
        ("-- backfill: admin.fill (app.lead)\nselect 1;\n", "without statements"),
        ("-- transactional: false\nselect 1;\n", "must be in a step"),
        ("-- transactional: false\nselect 1;\n-- step\nselect 1;\n", "must be in a step"),
    ],
)
def test_a_file_that_can_not_be_read_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "file.sql").write_text(text)
    migration = Migration("1.0.0-01.file", tmp_path / "file.sql")
    with pytest.raises(MigrationError, match=fault):
        print(migration.backfill, migration.steps)


def test_a_file_declares_backfill_steps_and_transactionality(tmp_path: Path) -> None:
    path = tmp_path / "file.sql"
    path.write_text(FILL)
    assert Migration("1", path).backfill == Backfill("admin.fill_counted", "app.counted")
    path.write_text("-- Steps.\n-- transactional: false\n-- step\nselect 1;\n-- step: two\nselect 2;\n")
    assert not Migration("2", path).is_transactional
    assert Migration("2", path).steps == ["\nselect 1;\n", "\nselect 2;\n"]
    path.write_text("-- One.\nselect '\n-- transactional: false\n-- step\n';\n")
    assert Migration("3", path).is_transactional


# Locks


def test_a_lock_that_is_not_free_is_tried_again(new_database: Callable[..., Database], release: Release) -> None:
    database, folder = new_database(), release(origin=ADD_COLUMN)
    with holding(database, "lock table app.lead in access share mode") as holder:
        pid = holder.info.backend_pid
        heard = Heard()
        thread = threading.Thread(target=run, args=(database, folder, 600, heard))
        thread.start()
        until(lambda: heard.sentences)
        # A session that comes after the migration waits no longer than the migration does.
        for _ in range(10):
            database.sql("set lock_timeout = '10s'; select count(*) from app.lead")
            time.sleep(0.1)
        assert not database.sql(HAS_ORIGIN)
    thread.join()
    assert "attempt 1: lock timeout; trying again." in heard.sentences[0]
    assert f"{pid} (postgres)" in heard.sentences[0]
    assert len(database.sql(HAS_ORIGIN)) == 1
    assert migrations.pending(database.url("leads_migrator"), folder) == []


def test_a_lock_that_is_never_free_is_reported_in_a_sentence(
    new_database: Callable[..., Database], release: Release
) -> None:
    database, folder = new_database(), release(origin=ADD_COLUMN)
    with holding(database, "lock table app.lead in access share mode") as holder:
        pid = holder.info.backend_pid
        with pytest.raises(MigrationError, match=rf"gave up after \d+ attempts in 1 seconds.*{pid} \(postgres\)"):
            run(database, folder, give_up_after=1)
    assert [migration.id for migration in migrations.pending(database.url("leads_migrator"), folder)] == [
        "999.0.0-01.origin"
    ]
    assert not database.sql(HAS_ORIGIN)
    run(database, folder)
    assert len(database.sql(HAS_ORIGIN)) == 1


def test_a_deadlock_is_tried_again(new_database: Callable[..., Database], release: Release) -> None:
    database = new_database()
    folder = release(
        both="set local role leads_owner;\nset local lock_timeout = 0;\nlock table app.organization;\n"
        "lock table app.gate;\nlock table app.pipeline_stage;\n"
    )
    database.sql(f"alter database {database.name} set deadlock_timeout = '50ms'")
    database.sql("create table app.gate (); alter table app.gate owner to leads_owner")
    heard = Heard()
    thread = threading.Thread(target=run, args=(database, folder, 600, heard))
    waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    with holding(database, "set deadlock_timeout = '10min'", "lock table app.pipeline_stage") as holder:
        # The migration has locked one table, and waits until the holder waits for it.
        with holding(database, "lock table app.gate"):
            thread.start()
            until(lambda: len(database.sql(waiting)) == 1)
            other = threading.Thread(target=holder.execute, args=("lock table app.organization",))
            other.start()
            until(lambda: len(database.sql(waiting)) == 2)
        other.join()
    thread.join()
    assert "attempt 1: deadlock detected; trying again." in heard.sentences[0]
    assert migrations.pending(database.url("leads_migrator"), folder) == []


# One at a time


def test_a_second_run_waits_for_the_first_and_an_index_is_built_meanwhile(
    new_database: Callable[..., Database], release: Release
) -> None:
    """CREATE INDEX CONCURRENTLY waits for every older snapshot:
    neither the lock nor the second run may have one.
    """
    database = new_database()
    folder = release(
        index="-- transactional: false\n-- step\n"
        "create index concurrently if not exists lead_by_name on app.lead (organization_id, name);\n"
    )
    url = database.url("leads_migrator")
    runs: list[Heard] = []
    second = threading.Thread(target=lambda: runs.append(run(database, folder)))
    with locked(url) as lock:
        second.start()
        for _ in range(10):
            lock.check()
        until(lambda: len(database.sql(OURS)) == 2)
        time.sleep(1)
        # The one that waits asks every second, and has a snapshot meanwhile.
        until(lambda: database.sql(OURS) == [{"backend_xmin": None, "backend_xid": None}] * 2)
        for _ in migration_run.apply(lock, folder=folder, give_up_after=60):
            pass
        assert second.is_alive()
    second.join()
    assert len(runs[0].sentences) == 1
    assert re.fullmatch(
        r"Another leads migrate is running on this database \(process \d+ of PostgreSQL, login leads_migrator, from "
        r"this machine, since \S+ \S+ UTC\)\. Waiting until it ends \.\.\.",
        runs[0].sentences[0],
    )
    assert database.sql("select indisvalid from pg_index where indexrelid = 'app.lead_by_name'::regclass") == [
        {"indisvalid": True}
    ]


def test_a_killed_run_leaves_no_lock_behind(new_database: Callable[..., Database], release: Release) -> None:
    database = new_database()
    folder = release(slow=ADD_COLUMN + "select pg_sleep(600);\n")
    process = run_in_process(database, folder)
    until(lambda: database.sql(SLEEPING))
    process.send_signal(signal.SIGKILL)
    process.wait()
    # PostgreSQL notices it within a second, also in the middle of a statement.
    until(lambda: not database.sql(SLEEPING))
    assert not database.sql(HAS_ORIGIN)
    run(database, release(slow=ADD_COLUMN))
    assert len(database.sql(HAS_ORIGIN)) == 1


def test_a_run_that_lost_its_lock_stops(new_database: Callable[..., Database], release: Release) -> None:
    database, folder = new_database(), release(origin=ADD_COLUMN)
    with locked(database.url("leads_migrator")) as lock:
        database.sql("select pg_terminate_backend(%s, 5000)", lock.connection.info.backend_pid)
        with pytest.raises(psycopg.OperationalError):
            list(migration_run.apply(lock, folder=folder))
    assert not database.sql(HAS_ORIGIN)


# Interruptions


def test_an_invalid_index_is_dropped_and_built_again(new_database: Callable[..., Database], release: Release) -> None:
    database = new_database()
    database.sql("create table app.twice (n integer); alter table app.twice owner to leads_owner")
    database.sql("insert into app.twice values (1), (1)")
    folder = release(
        index="-- transactional: false\n-- step\n"
        "create unique index concurrently if not exists twice_n on app.twice (n);\n"
    )
    valid = "select indisvalid from pg_index where indexrelid = 'app.twice_n'::regclass"
    with pytest.raises(psycopg.errors.UniqueViolation):
        run(database, folder)
    assert database.sql(valid) == [{"indisvalid": False}]
    database.sql("delete from app.twice where ctid = '(0,1)'")
    assert "Dropping the index app.twice_n" in run(database, folder).sentences[0]
    assert database.sql(valid) == [{"indisvalid": True}]


def test_steps_are_transactions_of_their_own_and_may_run_again(
    new_database: Callable[..., Database], release: Release
) -> None:
    database = new_database()
    first = "-- transactional: false\n-- step\nbegin;\nset local role leads_owner;\n"
    first += "create table if not exists app.first (n integer);\ncommit;\n"
    folder = release(steps=first + "-- step\nbegin;\nset local role leads_owner;\nselect 1 / 0;\ncommit;\n")
    with pytest.raises(psycopg.errors.DivisionByZero):
        run(database, folder)
    assert database.sql("select to_regclass('app.first')::text as t") == [{"t": "app.first"}]
    folder = release(steps=first + "-- step\nbegin;\nset local role leads_owner;\ndrop table app.first;\ncommit;\n")
    run(database, folder)
    assert database.sql("select to_regclass('app.first')::text as t") == [{"t": None}]


def test_a_killed_backfill_continues(new_database: Callable[..., Database], release: Release) -> None:
    database = new_database()
    run(database, release(counted=COUNTED))
    folder = release(counted=COUNTED, filled=FILL)
    count = "select count(*) filter (where filled > 0) as n from app.counted"
    # A row of the last batch is locked, so that the run does not end before it is killed.
    with holding(database, "update app.counted set filled = filled where id = 3000"):
        process = run_in_process(database, folder)
        until(lambda: database.sql(count)[0]["n"])
        process.send_signal(signal.SIGKILL)
        process.wait()
    rest = 3000 - database.sql(count)[0]["n"]
    assert [migration.id for migration in migrations.pending(database.url("leads_migrator"), folder)] == [
        "999.0.0-02.filled"
    ]
    heard = run(database, folder)
    assert 0 < sum(heard.batches) <= rest
    assert database.sql("select min(filled), max(filled) from app.counted") == [{"min": 1, "max": 1}]
    assert migrations.pending(database.url("leads_migrator"), folder) == []


def test_a_backfill_does_not_wait_long_for_a_row(new_database: Callable[..., Database], release: Release) -> None:
    database = new_database()
    run(database, release(counted=COUNTED))
    folder = release(counted=COUNTED, filled=FILL)
    heard = Heard()
    thread = threading.Thread(target=run, args=(database, folder, 600, heard))
    with holding(database, "update app.counted set filled = filled where id = 1"):
        thread.start()
        until(lambda: heard.sentences)
    thread.join()
    assert "attempt 1: lock timeout" in heard.sentences[0]
    assert sum(heard.batches) == 3000


# A plan that a DBA runs


def test_the_script_of_each_kind_of_migration_runs_in_psql(
    new_database: Callable[..., Database], release: Release
) -> None:
    database = new_database()
    folder = release(
        counted=COUNTED,
        filled=FILL,
        index="-- transactional: false\n"
        "-- step\ncreate index concurrently if not exists counted_i on app.counted (filled);"
        "\n-- step\nbegin;\nset local role leads_owner;\nalter table app.counted add column more integer;\ncommit;\n",
    )
    script = "".join(map(migration_run.as_script, migrations.pending(database.url("leads_migrator"), folder)))
    assert "begin;\nset local lock_timeout = 200;\n" in script
    command = [str(embedded.binary("psql")), "-Xq", "-v", "ON_ERROR_STOP=1", database.url("leads_migrator")]
    process = subprocess.run(command, input=script, text=True, capture_output=True, check=False)
    assert process.returncode == 0, process.stderr
    assert database.sql("select min(filled), max(filled), count(more) from app.counted") == [
        {"min": 1, "max": 1, "count": 0}
    ]


def test_a_plan_that_was_run_is_marked(new_database: Callable[..., Database]) -> None:
    empty = new_database(template=None)
    leads = leads_on(empty)
    assert "The schema is at version 0" in mistake(leads("migrate", "--mark-applied"))
    plan = leads("migrate", "--plan").stdout
    command = [str(embedded.binary("psql")), "-Xq", "-v", "ON_ERROR_STOP=1", empty.url("leads_migrator")]
    subprocess.run(command, input=plan, text=True, capture_output=True, check=True)
    process = leads("migrate", "--mark-applied")
    assert process.returncode == 0, process.stderr
    assert process.stderr.count("Recorded ") == len(migrations.all_())
    assert "leads doctor --accept" in process.stderr
    leads("migrate")  # applies the unreleased changes of the checkout, if there are any
    assert leads("migrate").stderr == "Nothing to apply: the schema is up to date.\n"
    assert "Nothing to record" in leads("migrate", "--mark-applied").stderr


def test_conflicting_options_are_refused(leads: Leads) -> None:
    assert "--diff needs --plan" in mistake(leads("migrate", "--diff"))
    assert "exclude each other" in mistake(leads("migrate", "--plan", "--mark-applied"))


# Forward only, from a known history


@pytest.mark.parametrize("command", ["rollback", "unmark"])
def test_yoyo_does_not_roll_back(new_database: Callable[..., Database], tmp_path: Path, command: str) -> None:
    database = new_database()
    shutil.copy(migrations.all_()[0].path, tmp_path)
    url = migration_run._yoyo_url(database.url("leads_migrator"))
    program = [sys.executable, "-W", "ignore", "-m", "yoyo", command, "--batch", "--all", "--no-config-file"]
    process = subprocess.run([*program, "--database", url, str(tmp_path)], capture_output=True, text=True)
    assert process.returncode != 0
    assert "Migrations go forward only" in process.stderr
    assert migrations.pending(database.url("leads_migrator")) == []


def fingerprint(database: Database) -> list[dict[str, object]]:
    return database.sql(
        "select (select jsonb_agg(m order by m.migration_id) from yoyo._yoyo_migration as m) as applied, "
        "(select jsonb_agg(oid::regclass::text order by oid) from pg_class) as relations"
    )


def of_before(new_database: Callable[..., Database]) -> Database:
    """A database with the migrations that there were before the baseline."""
    database = new_database()
    database.sql(
        "alter table yoyo._yoyo_migration disable trigger user; delete from yoyo._yoyo_migration;"
        "alter table yoyo._yoyo_migration enable trigger user"
    )
    for id in OLD_IDS:
        database.sql("insert into yoyo._yoyo_migration values (md5(%s), %s, now())", id, id)
    return database


@pytest.fixture
def baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release whose history begins with 0.9.0."""
    (tmp_path / "0.9.0-01.roles.sql").write_text("select 1;\n")
    digest = "4a45092ccf992ea92250053a80b931b787924ba61648f420555511b84f10ab6c"
    (tmp_path / "SHA256SUMS").write_text(f"{digest}  0.9.0-01.roles.sql\n")
    monkeypatch.setattr(migrations, "FOLDER", tmp_path)
    monkeypatch.setattr(migrations, "SUMS", tmp_path / "SHA256SUMS")


@pytest.mark.usefixtures("baseline")
@pytest.mark.parametrize("option", [[], ["--plan"], ["--plan", "--diff"], ["--mark-applied"]])
def test_a_database_from_before_the_baseline_is_refused(
    new_database: Callable[..., Database], option: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = of_before(new_database)
    before = fingerprint(database)
    monkeypatch.setenv("LEADS_MIGRATE_URL", database.url("leads_migrator"))
    result = CliRunner().invoke(migrate, option)
    assert isinstance(result.exception, Mistake)
    assert "0001.roles, 0002.organizations" in str(result.exception)
    assert "docs/upgrading.md" in str(result.exception)
    assert fingerprint(database) == before


@pytest.mark.usefixtures("baseline")
def test_serve_refuses_a_database_from_before_the_baseline(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = of_before(new_database)
    before = fingerprint(database)
    addresses = Addresses(
        database.url("leads_api"), database.url("leads_migrator"), database.url("leads_operator"), None, True
    )
    with pytest.raises(Mistake, match=r"docs/upgrading\.md"):
        serve.prepare_embedded(addresses, settings.read({"LEADS_DATA_DIR": str(tmp_path)}))
    assert fingerprint(database) == before


def test_serve_refuses_a_schema_from_before_the_baseline(new_database: Callable[..., Database]) -> None:
    database = new_database()
    database.sql("alter function api.release_version() rename to renamed")
    answer = leads_on(database)("serve", "--port", "0", DATABASE_URL=database.url("leads_api"))
    assert "is at version 0" in mistake(answer)


def test_the_refusal_names_the_data_folder_and_doctor_says_the_same(new_database: Callable[..., Database]) -> None:
    database = of_before(new_database)
    database.sql("alter function api.release_version() rename to renamed")
    leads = leads_on(database)
    sentence = "Export its data, create a new database and load them there, as docs/upgrading.md shows."
    refusal = mistake(leads("migrate", LEADS_DATA_DIR="/srv/leads"))
    assert sentence in refusal
    assert "move its folder /srv/leads away" in refusal
    # The operator can't see the migrations, only that the schema is older.
    for environ, names in (({}, "0001.roles, 0002.organizations"), ({"LEADS_MIGRATE_URL": ""}, "")):
        done = leads("doctor", "--json", LEADS_DATA_DIR="/srv/leads", **environ)
        assert (done.returncode, done.stderr) == (1, "")
        (one,) = json.loads(done.stdout)["findings"]
        assert "a version before the first release created it" in one["finding"]
        assert names in one["finding"]
        assert sentence in one["remedy"]
        assert "move its folder /srv/leads away" in one["remedy"]


def test_a_history_that_the_release_does_not_know_is_refused(leads: Leads, database: Database) -> None:
    database.sql("insert into yoyo._yoyo_migration values ('x', '0000.before', now())")
    try:
        assert "this release doesn't know (0000.before)" in mistake(leads("migrate"))
        assert "0000.before" in leads("doctor").stdout
    finally:
        database.sql("alter table yoyo._yoyo_migration disable trigger user")
        database.sql("delete from yoyo._yoyo_migration where migration_hash = 'x'")
        database.sql("alter table yoyo._yoyo_migration enable trigger user")


def test_a_database_of_a_newer_release_is_up_to_date(leads: Leads, new_database: Callable[..., Database]) -> None:
    database = new_database()
    database.sql("insert into yoyo._yoyo_migration values ('x', '999.0.0-01.later', now())")
    assert "up to date" in leads("migrate", LEADS_MIGRATE_URL=database.url("leads_migrator")).stderr


# The difference


@pytest.fixture
def released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The migrations as a release of this checkout has them: with frozen copies of sql/."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    for path in migrations.FOLDER.glob("[0-9]*.sql"):
        shutil.copy(path, folder)

    def copy(line: re.Match[str]) -> str:
        text = (ROOT / "sql" / line[1]).read_text()
        return f"-- begin frozen sql/{line[1]}\n{text}-- end frozen\n"

    frozen = unreleased.INCLUDE.sub(copy, (ROOT / "sql" / "load.sql").read_text())
    frozen = frozen.replace("begin;\n", "", 1).removesuffix("commit;\n")
    parts = [part for part in unreleased.parts(unreleased.next_text()) if not migrations.is_backfill(part[1])]
    for number, (name, text) in enumerate(parts, 1):
        (folder / f"998.0.0-{number:02}.{name}.sql").write_text(text)
    (folder / f"998.0.0-{len(parts) + 1:02}.frozen.sql").write_text(frozen)
    monkeypatch.setattr(migrations, "FOLDER", folder)
    monkeypatch.setattr(migrations, "SUMS", folder / "SHA256SUMS")
    return folder


def write_sums(folder: Path) -> None:
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("[0-9]*.sql")}
    (folder / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in digests.items()))


def test_the_difference_of_each_kind_of_object(new_database: Callable[..., Database], released: Path) -> None:
    database = new_database(template=None)
    url = database.url("leads_migrator")
    write_sums(released)
    run(database, released)
    assert migration_diff.of_pending(url) == ""
    (released / "999.0.0-01.more.sql").write_text(
        "set local role leads_owner;\n"
        "create or replace function app.trim_text(value text) returns text language sql immutable parallel safe\n"
        "begin atomic select btrim(trim_text.value, ' '); end;\n"
        "create view app.names with (security_invoker = true) as select l.name from app.lead as l;\n"
        "drop policy lead_jobs_select on app.lead;\n"
        "grant delete on app.pipeline_stage to leads_bi;\n"
    )
    write_sums(released)
    database.sql("create function app.by_hand() returns integer language sql return 1")
    before = fingerprint(database)
    with pytest.raises(MigrationError, match="alter role leads_migrator createdb"):
        migration_diff.of_pending(url)
    database.sql("alter role leads_migrator createdb")
    try:
        difference = migration_diff.of_pending(url)
    finally:
        database.sql("alter role leads_migrator nocreatedb")
    # The function that somebody created by hand is no change of a migration.
    assert [line for line in difference.splitlines() if line.startswith("+++ ")] == [
        "+++ function app.trim_text(text) (after)",
        "+++ grant delete on table app.pipeline_stage to leads_bi (after)",
        "+++ policy lead_jobs_select on app.lead (after)",
        "+++ view app.names (after)",
    ]
    assert "\n+ SELECT btrim(value, ' '::text) AS btrim;\n" in difference
    assert "\n-create policy lead_jobs_select on app.lead as permissive for select to leads_jobs" in difference
    assert fingerprint(database) == before
    assert database.sql("select 1 from pg_database where datname like 'leads_diff_%%'") == []
