"""One ``leads migrate`` at a time: a table lock in a session of its own, so that the lock ends with its process.

The session holds no snapshot, because CREATE INDEX CONCURRENTLY in the other session would wait for it forever. For the
same reason a second process doesn't wait inside LOCK TABLE, where it would have a catalogue snapshot: it asks again.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from app.migrations import MigrationError, applied_ids

Say = Callable[[str], None]

_POLL_SECONDS = 0.5
# "if not exists" doesn't help two sessions that create the same thing at the same moment.
_CREATED_BY_ANOTHER = (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable, psycopg.errors.DuplicateSchema)


@dataclass(frozen=True)
class Lock:
    """The lock on a database's migrations. url: the migrating login's."""

    url: str
    connection: psycopg.Connection[Any]

    def check(self) -> None:
        """Raises psycopg.OperationalError where the session, and with it the lock, is gone."""
        # Empty: a query would take a snapshot, and as a prepared statement would keep it.
        self.connection.execute("")


@contextmanager
def locked(url: str, say: Say = lambda sentence: None) -> Iterator[Lock]:
    """Holds the lock for the block; waits for another process that has it. Raises MigrationError and psycopg.Error."""
    with psycopg.connect(url, autocommit=True, connect_timeout=10, application_name="leads migrate") as connection:
        _check_login(connection)
        applied_ids(connection)  # before anything is created: a database that is refused stays as it is
        no_time_limits(connection)
        _create_table(connection)
        has_said = False
        while not _is_taken(connection):
            if not has_said:
                say("Another leads migrate is running on this database. Waiting until it ends ...")
                has_said = True
            time.sleep(_POLL_SECONDS)
        yield Lock(url, connection)


def no_time_limits(connection: psycopg.Connection[Any]) -> None:
    """Lifts the limits that the server, the database or the login may set for sessions."""
    names = ["statement_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"]
    if connection.info.server_version >= 170000:
        names.append("transaction_timeout")
    for name in names:
        connection.execute(f"set {name} = 0".encode())


def _create_table(connection: psycopg.Connection[Any]) -> None:
    while connection.execute("select where to_regclass('yoyo.migrating') is null").rowcount:
        try:
            connection.execute("create schema if not exists yoyo")
            connection.execute("create table if not exists yoyo.migrating ()")
        except _CREATED_BY_ANOTHER:
            time.sleep(0.05)


def _is_taken(connection: psycopg.Connection[Any]) -> bool:
    """Whether the lock is ours now. ACCESS EXCLUSIVE would stop pg_dump, and need a transaction id."""
    connection.execute("begin isolation level read committed")
    try:
        connection.execute("lock table yoyo.migrating in exclusive mode nowait")
    except psycopg.errors.LockNotAvailable:
        connection.execute("rollback")
        return False
    return True


def _check_login(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute(
        "select rolcreaterole or rolsuper, has_database_privilege(current_database(), 'create') "
        "from pg_catalog.pg_roles where rolname = session_user"
    ).fetchone()
    if row is None or not row[0]:
        raise MigrationError(
            "The migrating login may not create roles. As a superuser, run: "
            f"alter role {connection.info.user} createrole"
        )
    if not row[1]:
        raise MigrationError(
            "The migrating login may not create schemas. As the owner of the database, run: "
            f"alter database {connection.info.dbname} owner to {connection.info.user}"
        )
