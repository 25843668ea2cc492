"""Runs migrations while the API serves: short waits for locks, many attempts,
and a record of what ran.

If a session waits for a lock, all later sessions wait behind it. So no statement waits for longer
than LOCK_TIMEOUT. After that time the whole transaction is rolled back, and runs again after a
random pause, in which the other sessions continue. yoyo's tables (schema yoyo) record the
migrations that have run. A migration and its record are one transaction.
"""

import itertools
import random
import re
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

import psycopg
import yoyo
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from app import migrations, session
from app.migration_lock import Lock, no_time_limits
from app.migrations import Backfill, Migration, MigrationError

LOCK_TIMEOUT = 200
"""Milliseconds that a statement waits for a lock, and that other sessions wait behind it."""
GIVE_UP_AFTER = 300.0
"""Seconds after which a migration that doesn't get its locks gives up."""

_Result = TypeVar("_Result")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.4, 3.0
"""Seconds between two attempts. They grow from the first to the longest.
Each is shortened at random by up to half.
"""
_BATCH_ROWS = 1000
_BATCH_SECONDS = 0.1
"""The target duration of a backfill's batch, in which its rows are locked."""
_INDEX = re.compile(
    r'\bcreate\s+(?:unique\s+)?index\s+concurrently\s+(?:if\s+not\s+exists\s+)?"?(\w+)"?\s+on\s+(?:only\s+)?"?(\w+)"?\.',
    re.IGNORECASE,
)
_CONCURRENTLY = re.compile(r"\bconcurrently\b", re.IGNORECASE)
_EXPECTED = """
select coalesce(sum(greatest(c.reltuples, 0)), 0)
from pg_catalog.pg_partition_tree(%s) as t join pg_catalog.pg_class as c on c.oid = t.relid
where t.isleaf
"""
_HOLDERS = """
select distinct l.pid, coalesce(a.usename, '?')
from pg_catalog.pg_locks as l
join pg_catalog.pg_class as c on c.oid = l.relation
join pg_catalog.pg_stat_activity as a on a.pid = l.pid
where
  l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = current_database())
  and l.granted and l.pid <> pg_backend_pid()
  and c.relnamespace in (
    select n.oid from pg_catalog.pg_namespace as n where n.nspname !~ '^pg_' and n.nspname <> 'yoyo'
  )
order by 1
limit 5
"""
_NO_TEMP_FILE_LIMIT = """
select set_config('temp_file_limit', '-1', false) where has_parameter_privilege('temp_file_limit', 'set')
"""
_GUARDED = "select from pg_catalog.pg_trigger where tgname = '_100_refuse_rollback' and not tgisinternal"
# yoyo's rollback would run nothing, because the files have no rollback,
# and would delete the records of the migrations.
_GUARD = """
create or replace function yoyo.refuse_rollback() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception 'Migrations go forward only: write a migration that reverses the change, or restore a backup.';
end
$$;
create trigger _100_refuse_rollback before delete or truncate on yoyo._yoyo_migration
  for each statement execute function yoyo.refuse_rollback();
"""


class Report(Protocol):
    """Receives the progress."""

    def say(self, sentence: str) -> None:
        """Receives one sentence."""

    def fill(self, migration: Migration, changed: int, expected: int) -> None:
        """Receives how many more rows a backfill has changed.
        expected: an estimate of all rows of its table.
        """


class Silent:
    """A report that ignores the progress."""

    def say(self, sentence: str) -> None:
        """Ignores the sentence."""

    def fill(self, migration: Migration, changed: int, expected: int) -> None:
        """Ignores the rows."""


def apply(
    lock: Lock,
    report: Report = Silent(),
    *,
    folder: Path | None = None,
    give_up_after: float = GIVE_UP_AFTER,
) -> Iterator[Migration]:
    """Runs the pending migrations in order. Yields each before it runs.

    folder: the folder of the files. give_up_after: seconds.
    Raises MigrationError and psycopg.Error.
    """
    migrations.check_sums()
    pending = migrations.pending(lock.url, folder)
    if not pending:
        return
    with _backend(lock.url) as backend:
        for migration in pending:
            yield migration
            _Run(lock, backend, migration, report, give_up_after).run()


def mark_applied(lock: Lock) -> list[Migration]:
    """Records the pending migrations as applied without running them, and returns them.

    Raises MigrationError if the schema doesn't have the version of this release, and psycopg.Error.
    """
    migrations.check_sums()
    pending = migrations.pending(lock.url)
    if not pending:
        return []
    with _backend(lock.url) as backend:
        try:
            version = backend.connection.execute("select api.schema_version()").fetchone()[0]
        except (psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction):
            version = 0
        if version < migrations.newest():
            raise MigrationError(
                f"The schema is at version {version}, and this release needs {migrations.newest()}. Nothing was "
                "recorded. Run all that leads migrate --plan prints first."
            )
        backend.mark_migrations([_of_yoyo(migration) for migration in pending])
    return pending


def as_script(migration: Migration) -> str:
    """The migration as a script for psql. Raises MigrationError."""
    if backfill := migration.backfill:
        loop = f"while {backfill.function}({_BATCH_ROWS}) > 0 loop commit; end loop;"
        return f"{migration.text}\ndo $$ begin {loop} end $$;\n"
    if migration.is_transactional:
        return f"begin;\nset local lock_timeout = {LOCK_TIMEOUT};\n\n{migration.text}\ncommit;\n"
    steps = [f"set lock_timeout = {_step_timeout(step, GIVE_UP_AFTER)};\n-- step{step}" for step in migration.steps]
    return f"{migration.header}\n{''.join(steps)}\nreset lock_timeout;\n"


def _step_timeout(step: str, give_up_after: float) -> int:
    """Milliseconds. CONCURRENTLY blocks no other session while it waits,
    and each attempt would start it again.
    """
    return round(give_up_after * 1000) if _CONCURRENTLY.search(step) else LOCK_TIMEOUT


class _Run:
    """One migration on one session."""

    def __init__(self, lock: Lock, backend: Any, migration: Migration, report: Report, give_up_after: float) -> None:
        self.lock, self.backend, self.migration = lock, backend, migration
        self.report, self.give_up_after = report, give_up_after
        self.connection: psycopg.Connection[Any] = backend.connection

    def run(self) -> None:
        backfill = self.migration.backfill
        if backfill:
            self._fill(backfill)
        elif self.migration.is_transactional:
            self._patiently(self._as_one_transaction)
            return
        else:
            for step in self.migration.steps:
                self._patiently(partial(self._step, step))
        self._patiently(self._record)

    def _as_one_transaction(self) -> None:
        with self.backend.transaction():
            self._execute(f"set local lock_timeout = {LOCK_TIMEOUT}")
            self._execute(self.migration.text)
            # yoyo's tables belong to the login, not to the role that the migration has set.
            self._execute("set local role none; set local search_path = yoyo")
            self.backend.mark_one(_of_yoyo(self.migration))

    def _record(self) -> None:
        with self.backend.transaction():
            self.backend.mark_one(_of_yoyo(self.migration))

    def _step(self, text: str) -> None:
        self._execute(f"set lock_timeout = {_step_timeout(text, self.give_up_after)}")
        for name, schema in _INDEX.findall(text):
            self._drop_invalid_index(name, schema)
        try:
            self._execute(text)
        finally:
            # A step that is a transaction may have failed before its commit.
            if self.connection.info.transaction_status == TransactionStatus.INERROR:
                self._execute("rollback")
            if not self.connection.closed:
                self._execute("reset role")

    def _drop_invalid_index(self, name: str, schema: str) -> None:
        """Drops what a CREATE INDEX CONCURRENTLY that broke off has left behind."""
        row = self.connection.execute(
            "select i.indexrelid::regclass::text from pg_catalog.pg_index as i "
            "join pg_catalog.pg_class as c on c.oid = i.indexrelid "
            # The index of a partitioned table is of another kind.
            # It is invalid until each partition has its part.
            "where c.relname = %s and c.relnamespace = to_regnamespace(%s) and c.relkind = 'i' and not i.indisvalid",
            [name, schema],
        ).fetchone()
        if row:
            self.report.say(f"Dropping the index {row[0]}: its creation broke off, and it is invalid.")
            self._execute(f"drop index concurrently if exists {row[0]}")

    def _fill(self, backfill: Backfill) -> None:
        self._execute(f"set lock_timeout = {LOCK_TIMEOUT}")
        row = self.connection.execute(_EXPECTED, [backfill.table]).fetchone()
        expected = int(row[0]) if row else 0
        rows = _BATCH_ROWS
        while True:
            start = time.monotonic()
            changed = self._patiently(partial(self._batch, backfill, rows))
            if changed == 0:
                return
            self.report.fill(self.migration, changed, expected)
            pace = _BATCH_SECONDS / max(time.monotonic() - start, 0.001)
            rows = max(100, min(10 * _BATCH_ROWS, round(rows * min(max(pace, 0.5), 2))))

    def _batch(self, backfill: Backfill, rows: int) -> int:
        row = self.connection.execute(f"select {backfill.function}(%s)".encode(), [rows]).fetchone()
        return int(row[0]) if row else 0

    def _execute(self, text: str) -> None:
        self.connection.execute(text.encode())

    def _patiently(self, attempt: Callable[[], _Result]) -> _Result:
        """Makes attempts until one gets its locks.
        Raises MigrationError after give_up_after seconds.
        """
        end = time.monotonic() + self.give_up_after
        for number in itertools.count(1):
            self.lock.check()
            try:
                return attempt()
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                reason = (error.diag.message_primary or "").removeprefix("canceling statement due to ")
                holders = self._holders()
            if time.monotonic() > end:
                raise MigrationError(
                    f"{self.migration.path.name} gave up after {number} attempts in {self.give_up_after:.0f} seconds: "
                    f"{reason}. {holders} End what holds the lock, or run leads migrate again at a quieter time."
                )
            self.report.say(f"  attempt {number}: {reason}; trying again. {holders}".rstrip())
            pause = min(_FIRST_PAUSE * 1.5 ** (number - 1), _LONGEST_PAUSE)
            time.sleep(pause * random.uniform(0.5, 1))
        raise AssertionError

    def _holders(self) -> str:
        """A sentence that names the sessions that hold locks on our tables;
        empty if there are none.
        """
        rows = self.connection.execute(_HOLDERS).fetchall()
        sessions = ", ".join(f"{pid} ({login})" for pid, login in rows)
        return f"Sessions that hold locks now: {sessions}." if sessions else ""


@contextmanager
def _backend(url: str) -> Iterator[Any]:
    """yoyo's connection, with yoyo's tables, and a trigger that refuses to delete the record of
    a migration.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with yoyo.get_backend(_yoyo_url(url)) as backend:
            # yoyo's own lock is a row, which stays after a SIGKILL. Our lock replaces it.
            backend.break_lock()
            backend.ensure_internal_schema_updated()
            connection = backend.connection
            no_time_limits(connection)
            # So after a SIGKILL the server cancels our statement at once.
            with suppress(psycopg.errors.InvalidParameterValue):
                connection.execute("set client_connection_check_interval = '1s'")
            # The sort for an index on a large table may need more than a query of a client may use.
            connection.execute(_NO_TEMP_FILE_LIMIT)
            if connection.execute(_GUARDED).fetchone() is None:
                connection.execute(_GUARD.encode())
            yield backend


def _of_yoyo(migration: Migration) -> Any:
    return yoyo.migrations.Migration(migration.id, str(migration.path), str(migration.path.parent))


def _yoyo_url(url: str) -> str:
    parameters = {
        name: str(value)
        for name, value in conninfo_to_dict(session.address(url, session.COMMAND, "leads migrate")).items()
        if value is not None
    }
    database = parameters.pop("dbname", "")
    parameters["schema"] = "yoyo"
    return f"postgresql+psycopg:///{database}?{urlencode(parameters)}"
