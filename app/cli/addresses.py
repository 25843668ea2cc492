"""The database and the login that a command uses:
one of the addresses in the environment, or the embedded server's.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import click
import psycopg
from psycopg.rows import DictRow, dict_row

from app import embedded, session
from app.cli.output import Mistake
from app.settings import read

ANNOUNCEMENT_PATIENCE = 5.0
"""Seconds after which a new key is printed although the router of the cells does not know it."""
_BATCH = 1000
"""The events that one call of a function of the worker takes."""


@dataclass(frozen=True)
class Addresses:
    """libpq connection strings of the logins; None if the variable is not set."""

    api: str | None
    migrate: str | None
    operator: str | None
    worker: str | None
    is_embedded: bool
    router: str | None = None

    def of_migrate(self) -> str:
        """The address of the migrating login. Raises Mistake."""
        return _required(self.migrate, "LEADS_MIGRATE_URL", "the login that runs the migrations")

    def of_operator(self) -> str:
        """The address of the operator's login. Raises Mistake."""
        return _required(self.operator, "LEADS_OPERATOR_URL", "the login leads_operator")

    def of_api(self) -> str:
        """The address of the API server's login. Raises Mistake."""
        return _required(self.api, "DATABASE_URL", "the login leads_api")

    def of_worker(self) -> str:
        """The address of the worker's login. Raises Mistake."""
        return _required(self.worker, "LEADS_WORKER_URL", "the login leads_worker")


@contextmanager
def addresses(*, bi_port: int | None = None, creates: bool = False, is_supervised: bool = False) -> Iterator[Addresses]:
    """The addresses in the environment, or those of the embedded server,
    which runs until the block ends.

    If one of the variables is set, other than LEADS_ROUTER_URL, the embedded server isn't used. If there
    is a directory of cells, the operator's address is that of a cell (app/cli/cell_choice.py).
    bi_port: the TCP port on which the embedded server accepts analysts. creates: whether a missing
    database of the embedded server is created. Otherwise it is a mistake. is_supervised: whether the embedded server is
    started again if it ends.
    Raises Mistake, SettingsError and EmbeddedError.
    """
    env = read()
    if env.database_url or env.migrate_url or env.operator_url or env.worker_url:
        yield Addresses(env.database_url, env.migrate_url, env.operator_url, env.worker_url, False, env.router_url)
        return
    if not creates and not is_supervised and (env.cells_dir / "cells.toml").exists():
        # Imported here: other commands need none of it.
        from app.cli.cell_choice import operator_url

        yield Addresses(None, None, operator_url(env), None, False)
        return
    if not creates and not embedded.exists(env.data_dir):
        raise Mistake(f"There is no database yet in {env.data_dir}. Run leads serve first, which creates it.")
    with embedded.running(env.data_dir, tcp_port=bi_port, is_supervised=is_supervised) as server:
        yield Addresses(
            api=server.url("leads_api"),
            migrate=server.url("leads_migrator"),
            operator=server.url("leads_operator"),
            worker=server.url("leads_worker"),
            is_embedded=True,
        )


@contextmanager
def operator(cell: str | None = None) -> Iterator[psycopg.Connection[DictRow]]:
    """A connection as the operator, which commits at the end of the block. cell: the name of the cell.
    Raises Mistake and psycopg.Error.
    """
    if cell is None:
        with addresses() as urls, connect(urls.of_operator()) as connection:
            yield connection
        return
    from app.cells import files

    with connect(files.known_cell(files.read(read().cells_dir), cell).operator_url) as connection:
        yield connection


def connect(url: str, settings: Mapping[str, str] = session.COMMAND, **options: Any) -> psycopg.Connection[DictRow]:
    """A connection with these settings of its session, whose rows are dictionaries.
    Raises Mistake if PostgreSQL is too old, and psycopg.Error.
    """
    connection = psycopg.connect(session.address(url, settings, "leads"), row_factory=dict_row, **options)
    if connection.info.server_version < 150000:
        major = connection.info.server_version // 10000
        connection.close()
        raise Mistake(f"This is PostgreSQL {major}; 15 or later is needed. Upgrade the server.")
    return connection


def call(connection: psycopg.Connection[DictRow], function: str, *arguments: object) -> list[DictRow]:
    """The rows that an SQL function returns for these arguments."""
    placeholders = ", ".join(["%s"] * len(arguments))
    return connection.execute(f"select * from {function}({placeholders})", arguments).fetchall()


def work_off(connection: psycopg.Connection[DictRow], function: str, count: str) -> int:
    """Calls a function of the worker, such as admin.seal_events, until nothing is left, and commits each
    call. Returns the sum of the column count.
    """
    total, after = 0, None
    while batch := call(connection, function, after, _BATCH):
        connection.commit()
        total += batch[0][count]
        # After an incomplete batch the organization has nothing left. After a full one it is called again.
        after = batch[0]["organization_id"] if batch[0][count] < _BATCH else after
    return total


def wait_for_announcement(connection: psycopg.Connection[DictRow], organization: UUID) -> None:
    """Commits, and waits until the router of the cells knows the new key, so that it can be used at once."""
    connection.commit()
    end = time.monotonic() + ANNOUNCEMENT_PATIENCE
    while not call(connection, "admin.is_announced", organization)[0]["is_announced"]:
        if time.monotonic() > end:
            click.echo(
                "The router does not have it yet, and may refuse it. Check that leads cells sync is running and "
                "reaches each router: leads cells check",
                err=True,
            )
            return
        connection.commit()
        time.sleep(0.02)


def _required(url: str | None, name: str, login: str) -> str:
    if url is None:
        raise Mistake(f"{name} is not set. Set it to the address of the database, with {login}.")
    return url


def call_with_settings(connection: psycopg.Connection[DictRow], function: str, *arguments: object) -> list[DictRow]:
    """The rows of a function. Raises Mistake with all faults of the settings."""
    try:
        return call(connection, function, *arguments)
    except psycopg.Error as error:
        if error.sqlstate != "PT422" or not error.diag.message_detail:
            raise
        faults = json.loads(error.diag.message_detail)
        raise Mistake("\n".join(f"{fault['field']}: {fault['detail']}" for fault in faults)) from None
