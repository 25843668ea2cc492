"""One ``leads migrate`` at a time: a table lock in a separate session,
so that the lock ends when the process ends.

The session holds no snapshot, because CREATE INDEX CONCURRENTLY in the other session would wait for
it forever. For the same reason a second process doesn't wait inside LOCK TABLE, where it would hold
a snapshot: it tries again and again.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from app import session
from app.migrations import MigrationError, applied_ids

Say = Callable[[str], None]

_POLL_SECONDS = 0.5
_HOLDER = """
select
  a.pid, a.usename, coalesce(host(a.client_addr), 'this machine'),
  to_char(a.backend_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
from pg_catalog.pg_locks as l
join pg_catalog.pg_stat_activity as a on a.pid = l.pid
where
  l.database = (select d.oid from pg_catalog.pg_database as d where d.datname = current_database())
  and l.relation = to_regclass('yoyo.migrating') and l.mode = 'ExclusiveLock' and l.granted
"""
# "if not exists" doesn't prevent this error if two sessions create the same object at the same
# time.
_CREATED_BY_ANOTHER = (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateTable, psycopg.errors.DuplicateSchema)


@dataclass(frozen=True)
class Lock:
    """The lock on a database's migrations. url: the migrating login's."""

    url: str
    connection: psycopg.Connection[Any]

    def check(self) -> None:
        """Raises psycopg.OperationalError if the session has ended, and the lock with it."""
        # An empty statement takes no snapshot.
        self.connection.execute("")


@contextmanager
def locked(url: str, say: Say = lambda sentence: None) -> Iterator[Lock]:
    """Holds the lock for the block. Waits while another process has it.
    Raises MigrationError and psycopg.Error.
    """
    # Not with standard_conforming_strings, which _check_database reads.
    settings = {name: value for name, value in session.COMMAND.items() if name != "standard_conforming_strings"}
    with psycopg.connect(session.address(url, settings, "leads migrate"), autocommit=True) as connection:
        _check_login(connection)
        # Before anything is created, so that a database that is refused stays unchanged.
        if not applied_ids(connection):
            _check_database(connection)
        no_time_limits(connection)
        _create_table(connection)
        has_reported = False
        while not _is_taken(connection):
            if not has_reported:
                say(
                    f"Another leads migrate is running on this database{_holder(connection)}. Waiting until it ends ..."
                )
                has_reported = True
            time.sleep(_POLL_SECONDS)
        yield Lock(url, connection)


def _holder(connection: psycopg.Connection[Any]) -> str:
    """The session that has the lock, in parentheses; empty if it has just ended."""
    row = connection.execute(_HOLDER).fetchone()
    return " (process {} of PostgreSQL, login {}, from {}, since {})".format(*row) if row else ""


def no_time_limits(connection: psycopg.Connection[Any]) -> None:
    """Removes the time limits that the server, the database or the login may set for sessions."""
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
    """Whether this session has the lock now.
    ACCESS EXCLUSIVE would block pg_dump, and need a transaction id.
    """
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


def _check_database(connection: psycopg.Connection[Any]) -> None:
    name = sql.Identifier(connection.info.dbname).as_string()
    encoding, is_standard = connection.execute(
        "select pg_encoding_to_char(encoding)::text, current_setting('standard_conforming_strings') = 'on' "
        "from pg_catalog.pg_database where datname = current_database()"
    ).fetchall()[0]
    if encoding != "UTF8":
        raise MigrationError(
            f"The database has the encoding {encoding}, and UTF8 is needed, so that it can store every name. Nothing "
            f"was changed. Create another database, and use its address: create database NAME encoding 'UTF8' "
            f"template template0 owner {connection.info.user}"
        )
    if not is_standard:
        raise MigrationError(
            "standard_conforming_strings is off, and functions would read backslashes in another way. Nothing was "
            f"changed. As the owner of the database, run: alter database {name} set standard_conforming_strings = on"
        )
