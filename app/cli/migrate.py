"""``leads migrate``: brings a database to this release's schema."""

import click
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from app import migrations
from app.cli import doctor
from app.cli.addresses import Addresses, addresses, connect
from app.cli.output import Mistake

_PLAN = """\
-- To read: leads migrate runs this, one transaction for each file, and records what it ran in tables of its own in the
-- schemas yoyo (which it makes) and admin (catalogue_entry). Where you run it yourself, it doesn't know of it.
"""


@click.command()
@click.option("--plan", is_flag=True, help="Print the migrations that would run, and apply nothing.")
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
        name = ""
        try:
            for migration in migrations.apply(url, break_lock=break_lock):
                name = migration.path.name
                click.echo(f"Applying {name} ...", err=True)
                count += 1
        except psycopg.Error as error:
            raise _failure(name, error) from None
    click.echo(f"{count} applied." if count else "Nothing to apply: the schema is up to date.", err=True)


def _failure(name: str, error: psycopg.Error) -> Mistake:
    said = error.diag.message_primary or str(error).strip()
    if "permission denied to grant role" in said:
        remedy = (
            "The roles belong to the whole cluster, and another login made them: migrate as that login, or have it, or "
            "a superuser, grant this one leads_owner, leads_auth, leads_exec, leads_jobs, leads_audit and leads_eraser "
            "with admin option."
        )
    elif error.sqlstate == "55P03":
        remedy = "Something else holds a lock: run leads migrate again, at a quieter time."
    else:
        remedy = "Mend the cause, and run leads migrate again."
    return Mistake(f"{name or 'leads migrate'} failed and left nothing behind: {said}. {remedy}")


def print_plan(url: str) -> None:
    """Prints the migrations that are pending, whole, each in its transaction."""
    migrations.check_sums()
    pending = migrations.pending(url)
    if pending:
        click.echo(_PLAN)
    for migration in pending:
        click.echo(f"-- {migration.path.name}\nbegin;\n\n{migration.path.read_text()}\ncommit;\n")
    click.echo(f"{len(pending)} to apply." if pending else "Nothing to apply: the schema is up to date.", err=True)


def give_passwords(found: Addresses) -> None:
    """Sends a SCRAM verifier for each address that has a password: the password itself never leaves this process."""
    urls = {
        "DATABASE_URL": ("leads_api", found.api),
        "LEADS_OPERATOR_URL": ("leads_operator", found.operator),
        "LEADS_WORKER_URL": ("leads_worker", found.worker),
    }
    count = 0
    with connect(found.of_migrate()) as connection:
        for name, (login, url) in urls.items():
            address = conninfo_to_dict(url or "")
            if not address.get("password"):
                click.echo(f"{login}: no password in {name}, so it keeps the one that it has, or has none.", err=True)
                continue
            if address.get("user") != login:
                raise Mistake(f"{name} names the login {address.get('user')}; it must be {login}.")
            set_password(connection, login, str(address["password"]))
            click.echo(f"{login}: the password in {name} is set.", err=True)
            count += 1
    if not count:
        raise Mistake(
            "No password is set. Put the addresses of the other logins, with passwords, into the environment."
        )


def set_password(connection: psycopg.Connection[object], login: str, password: str) -> None:
    """Sets a login's password by its SCRAM-SHA-256 verifier (RFC 5803)."""
    verifier = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(login), sql.Literal(verifier)))
