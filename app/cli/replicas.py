"""What ``leads serve`` checks about the replicas before it starts."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
from psycopg.rows import DictRow

from app import session
from app.cli.addresses import call, connect
from app.cli.output import Mistake
from app.server.replicas import name_of

PATIENCE = 2
"""Seconds that a connection to a replica may take. The server starts without a replica that is silent."""


def check(url: str, replica_urls: Sequence[str]) -> None:
    """Raises Mistake if the database can't say which changes a replica must have, or if an address is that
    of a server that can never be used. A replica that can't be reached is no mistake, and neither is one
    that was promoted: the server avoids them.
    """
    with connect(url, session.SERVER) as connection:
        try:
            call(connection, "auth.current_position")
        except psycopg.errors.InsufficientPrivilege as error:
            raise Mistake(
                f"DATABASE_REPLICA_URL is set, and the database refuses positions: {error}. As a superuser, run in "
                "this database: psql -f app/superuser.sql"
            ) from None
        place = _place(connection)
    with ThreadPoolExecutor(len(replica_urls)) as threads:
        faults = threads.map(lambda replica: _fault(replica, place), replica_urls)
        for replica_url, fault in zip(replica_urls, faults, strict=True):
            if fault is not None:
                raise Mistake(f"DATABASE_REPLICA_URL has the address {name_of(replica_url)}. {fault}")


def _fault(replica_url: str, primary: dict[str, object]) -> str | None:
    """Why the server can never be used as a replica. None: it can, or it can't be reached now."""
    with (
        suppress(psycopg.OperationalError),
        connect(replica_url, session.SERVER, connect_timeout=PATIENCE) as connection,
    ):
        for name, value in _place(connection).items():
            if value != primary.get(name, value):
                return f"Its {name} is {value}, and that of DATABASE_URL is {primary[name]}. Correct the address."
        # A replica that is late may lack the functions.
        with suppress(psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedFunction):
            try:
                faults = [str(row["session_faults"]) for row in call(connection, "api.session_faults")]
            except psycopg.errors.InsufficientPrivilege:
                faults = [f'The login "{connection.info.user}" may not execute the API\'s functions.']
            if faults:
                return " ".join(faults) + " Use the login leads_api."
    return None


def _place(connection: psycopg.Connection[DictRow]) -> dict[str, object]:
    """What a primary and its replicas have in common, as far as the login may read it."""
    place = {"database": call(connection, "current_database")[0]["current_database"]}
    connection.commit()
    with suppress(psycopg.errors.InsufficientPrivilege):
        place = {"system identifier": call(connection, "pg_control_system")[0]["system_identifier"]} | place
    connection.rollback()
    return place
