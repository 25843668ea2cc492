"""``leads migrate``: brings a database to this release's schema."""

import click
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from app import migrations
from app.cli import doctor
from app.cli.addresses import Addresses, addresses, connect
from app.cli.output import Mistake


@click.command()
@click.option("--plan", is_flag=True, help="Print the SQL that would run, and apply nothing.")
@click.option("--set-passwords", is_flag=True, help="Give the logins the passwords that stand in their addresses.")
@click.option("--break-lock", is_flag=True, help="Take the lock of a leads migrate that broke off.")
def migrate(plan: bool, set_passwords: bool, break_lock: bool) -> None:
    """Apply the migrations that the database lacks.

    As the login in LEADS_MIGRATE_URL, which needs CREATEROLE and owns the database, and need not be a superuser.
    """
    with addresses() as found:
        url = found.of_migrate()
        connect(url).close()
        try:
            if plan:
                print_plan(url)
                return
            apply(url, break_lock=break_lock)
        except migrations.MigrationError as error:
            raise Mistake(str(error)) from None
        if set_passwords:
            give_passwords(found)


def apply(url: str, *, break_lock: bool = False) -> None:
    """Applies what is pending, says so, and keeps what the schema is then. Raises MigrationError and psycopg.Error."""
    count = 0
    with doctor.keeping_catalogue(url):
        for migration in migrations.apply(url, break_lock=break_lock):
            click.echo(f"Applying {migration.path.name} ...", err=True)
            count += 1
    click.echo(f"{count} applied." if count else "Nothing to apply: the schema is up to date.", err=True)


def print_plan(url: str) -> None:
    """Prints the migrations that are pending, whole."""
    migrations.check_sums()
    pending = migrations.pending(url)
    for migration in pending:
        click.echo(f"-- {migration.path.name}\n{migration.path.read_text()}")
    click.echo(f"{len(pending)} to apply." if pending else "Nothing to apply: the schema is up to date.", err=True)


def give_passwords(found: Addresses) -> None:
    """Sends a SCRAM verifier for each address that has a password: the password itself never leaves this process."""
    urls = {"leads_api": found.api, "leads_operator": found.operator, "leads_worker": found.worker}
    with connect(found.of_migrate()) as connection:
        for login, url in urls.items():
            address = conninfo_to_dict(url or "")
            if not address.get("password"):
                continue
            if address.get("user") != login:
                raise Mistake(f"An address names the login {address.get('user')}; it must be {login}.")
            set_password(connection, login, str(address["password"]))
            click.echo(f"The password of {login} is set.", err=True)


def set_password(connection: psycopg.Connection[object], login: str, password: str) -> None:
    """Sets a login's password by its SCRAM-SHA-256 verifier (RFC 5803)."""
    verifier = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(login), sql.Literal(verifier)))
