"""Which database a command speaks to, and as whom: four addresses, one login each, or the embedded server's."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from app import embedded, settings
from app.cli.output import Mistake


@dataclass(frozen=True)
class Addresses:
    """libpq connection strings of the four logins; None: not given."""

    api: str | None
    migrate: str | None
    operator: str | None
    worker: str | None
    is_embedded: bool

    def of_migrate(self) -> str:
        """The migrating login's. Raises Mistake."""
        return _given(self.migrate, "LEADS_MIGRATE_URL", "the login that runs the migrations")

    def of_operator(self) -> str:
        """The operator's. Raises Mistake."""
        return _given(self.operator, "LEADS_OPERATOR_URL", "leads_operator")

    def of_api(self) -> str:
        """The shim's. Raises Mistake."""
        return _given(self.api, "DATABASE_URL", "leads_api")

    def of_worker(self) -> str:
        """The worker's. Raises Mistake."""
        return _given(self.worker, "LEADS_WORKER_URL", "leads_worker")


@contextmanager
def addresses(*, bi_port: int | None = None) -> Iterator[Addresses]:
    """The addresses that the environment gives, or the embedded server's, which runs for the block.

    One of the four variables is enough for the embedded server to stay out. bi_port: the embedded server takes
    analysts there. Raises SettingsError and EmbeddedError.
    """
    given = settings.read()
    if given.database_url or given.migrate_url or given.operator_url or given.worker_url:
        yield Addresses(given.database_url, given.migrate_url, given.operator_url, given.worker_url, False)
        return
    with embedded.running(given.data_dir, tcp_port=bi_port) as server:
        yield Addresses(
            api=server.url("leads_api"),
            migrate=server.url("leads_migrator"),
            operator=server.url("leads_operator"),
            worker=server.url("leads_worker"),
            is_embedded=True,
        )


@contextmanager
def operator() -> Iterator[psycopg.Connection[DictRow]]:
    """A connection as the operator, committed at the end of the block. Raises Mistake and psycopg.Error."""
    with addresses() as found, connect(found.of_operator()) as connection:
        yield connection


def connect(url: str, **options: Any) -> psycopg.Connection[DictRow]:
    """A connection whose rows are dictionaries. Raises Mistake for a PostgreSQL that is too old, and psycopg.Error."""
    connection = psycopg.connect(url, row_factory=dict_row, application_name="leads", connect_timeout=10, **options)
    if connection.info.server_version < 150000:
        major = connection.info.server_version // 10000
        connection.close()
        raise Mistake(f"This is PostgreSQL {major}; 15 or later is needed. Upgrade the server.")
    return connection


def call(connection: psycopg.Connection[DictRow], function: str, *arguments: object) -> list[DictRow]:
    """The rows of a function of ours, called with the arguments in their order."""
    placeholders = ", ".join(["%s"] * len(arguments))
    return connection.execute(f"select * from {function}({placeholders})", arguments).fetchall()


def _given(url: str | None, name: str, login: str) -> str:
    if url is None:
        raise Mistake(f"{name} is not set: give it the address of the database, with {login}.")
    return url
