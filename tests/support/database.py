"""The database of a test, and organizations with keys in it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from app import embedded, sealing
from app.cli.keys import digest
from app.worker import vault
from tests.support.keys import new_key

OF_DATABASE = "database = (select oid from pg_database where datname = current_database())"
"""A condition on pg_locks. A table has the same OID in each copy of the template, and the tests share one server."""


@dataclass(frozen=True)
class Database:
    """The database of a test."""

    server: embedded.Server
    name: str

    def url(self, login: str = "postgres") -> str:
        """Returns the address of the database for a login."""
        return self.server.url(login, self.name)

    def connect(self, login: str = "postgres", **options: Any) -> psycopg.Connection[dict[str, Any]]:
        """Returns a connection in autocommit mode, whose rows are dictionaries."""
        return psycopg.connect(self.url(login), autocommit=True, row_factory=dict_row, **options)

    def sql(self, statement: str, *values: Any, login: str = "postgres") -> list[dict[str, Any]]:
        """Runs one statement as the login, by default a superuser, and returns its rows."""
        with self.connect(login) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def configured(self, **settings: str) -> Iterator[None]:
        """During the block, the server has these settings."""
        for name, value in settings.items():
            self.sql(f"alter system set {name} = '{value}'")
        self.sql("select pg_reload_conf()")
        try:
            yield
        finally:
            for name in settings:
                self.sql(f"alter system reset {name}")
            self.sql("select pg_reload_conf()")


def create_database(server: embedded.Server, name: str, template: str | None = None) -> Database:
    """Creates a database, as a copy if ``template`` names one. Raises ObjectInUse with a list of the
    sessions if the template is in use for longer than 30 seconds.
    """
    copied = f"template {template} strategy file_copy" if template else ""
    with psycopg.connect(server.url("postgres", "postgres"), autocommit=True) as connection:
        # PostgreSQL waits for 5 seconds itself. On a busy machine, a session or a worker of autovacuum ends later.
        for remaining in reversed(range(6)):
            try:
                connection.execute(f"create database {name} owner leads_migrator {copied}".encode())
                break
            except psycopg.errors.ObjectInUse as error:
                if not remaining:
                    sessions = connection.execute(
                        "select pid, backend_type, state, query from pg_stat_activity where datname = %s", [template]
                    ).fetchall()
                    error.add_note(f"sessions: {sessions}")
                    raise
    database = Database(server, name)
    embedded.harden(database.url())
    return database


@dataclass(frozen=True)
class Organization:
    """An organization with a key of each scope."""

    id: str
    keys: dict[str, str]


def make_organization(database: Database, name: str = "Acme Restoration", environment: str = "test") -> Organization:
    """Creates an organization with a key of each scope."""
    rows = database.sql("select admin.create_organization(%s, %s) as id", name, environment, login="leads_operator")
    organization = Organization(str(rows[0]["id"]), {})
    for scope in ("read", "write", "admin"):
        organization.keys[scope] = make_key(database, organization.id, scope)
    return organization


def make_key(database: Database, organization_id: str, scope: str, environment: str = "test") -> str:
    """Creates a key, and returns it."""
    key = new_key(environment)
    database.sql("select admin.create_key(%s, %s, %s)", organization_id, scope, digest(key), login="leads_operator")
    if "ENTRANCE" in os.environ:
        wait_until_announced(database)
    return key


def wait_until_announced(database: Database) -> None:
    """Waits until the entrance to the cells knows all keys. If the database is no cell, there is nothing to
    wait for.
    """
    end = time.monotonic() + 30
    while database.sql("select key_id from auth.unannounced_key"):
        assert time.monotonic() < end, "leads cells sync does not announce a key."
        time.sleep(0.01)


WORKER_KEY = bytes(range(32))
"""The key of the worker that the template of the databases knows (LEADS_CRM_KEY)."""


def announce_worker_key(url: str) -> None:
    """Announces WORKER_KEY, as a worker does when it starts. url: of leads_worker."""
    public_key = sealing.public_bytes(sealing.private_key_of(WORKER_KEY))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select webhook.announce_keys(array[%s], array[%s])", [vault.key_id(WORKER_KEY), public_key])
