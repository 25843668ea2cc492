"""``leads migrate``: upgrades a database to the schema of this release."""

import click
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from app import migration_diff, migration_lock, migration_run, migrations, session, unreleased
from app.cli import doctor
from app.cli.addresses import Addresses, addresses, connect
from app.cli.cluster import admin_grants, other_databases
from app.cli.output import Mistake, progress
from app.migrations import Migration

_PLAN = """\
-- This is what leads migrate runs. You can run it yourself, as the login of LEADS_MIGRATE_URL:
--   leads migrate --plan > plan.sql
--   psql -v ON_ERROR_STOP=1 --file=plan.sql "$LEADS_MIGRATE_URL"
-- If a statement fails with a lock timeout, its transaction is rolled back, and psql stops. Run this file again, from
-- the "begin;" of that transaction to the end. Then record what you ran:
--   leads migrate --mark-applied
"""


@click.command()
@click.option("--plan", is_flag=True, help="Print the SQL of the pending migrations, and apply nothing.")
@click.option(
    "--diff",
    is_flag=True,
    help="With --plan: print instead how each function, view, policy, grant and other object of the database would "
    "change. Needs CREATEDB: the migrations run in a scratch database, which is dropped afterwards.",
)
@click.option(
    "--mark-applied",
    is_flag=True,
    help="Record the pending migrations as applied, and run nothing: for a plan that was run through psql.",
)
@click.option(
    "--give-up-after",
    type=click.IntRange(1, 86400),
    default=int(migration_run.GIVE_UP_AFTER),
    show_default=True,
    metavar="SECONDS",
    help="How long to try again while a migration doesn't get its locks.",
)
@click.option("--set-passwords", is_flag=True, help="Set the passwords of the logins to those in their addresses.")
@click.option(
    "--yes",
    is_flag=True,
    help="With --set-passwords: don't ask, although another database of the server has the same logins.",
)
def migrate(plan: bool, diff: bool, mark_applied: bool, give_up_after: int, set_passwords: bool, yes: bool) -> None:
    """Apply the migrations that the database lacks.

    Connects with LEADS_MIGRATE_URL. That login needs CREATEROLE and must own the database;
    it need not be a superuser.

    The API can serve meanwhile. Each migration waits 200 ms for a lock and then lets the others go
    first and tries again. A second leads migrate waits until the first one ends. After an
    interruption, run leads migrate again. Migrations go forward only.
    """
    if (diff and not plan) or (plan + mark_applied + set_passwords > 1):
        raise click.UsageError("--diff needs --plan. --plan, --mark-applied and --set-passwords exclude each other.")
    with addresses(creates=not plan and not mark_applied) as urls:
        url = urls.of_migrate()
        connect(url).close()
        try:
            if diff:
                print_diff(url)
                return
            if plan:
                print_plan(url)
                return
            if mark_applied:
                mark(url)
                return
            apply(url, give_up_after)
        except migrations.MigrationError as error:
            raise Mistake(str(error)) from None
        if set_passwords:
            give_passwords(urls, is_confirmed=yes)


class _Report:
    """Progress on standard error: sentences, and a bar for backfills."""

    def __init__(self) -> None:
        self.bar: Progress | None = None
        self.task: TaskID | None = None
        self.changed = 0

    def say(self, sentence: str) -> None:
        click.echo(sentence, err=True)

    def fill(self, migration: Migration, changed: int, expected: int) -> None:
        if self.bar is None or self.task is None:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self.bar = progress(*columns)
            self.bar.start()
            self.task = self.bar.add_task(migration.path.name, total=expected or None)
            self.changed = 0
        self.changed += changed
        self.bar.update(self.task, completed=self.changed, total=max(expected, self.changed) if expected else None)

    def end(self) -> None:
        """Ends the bar, and says how many rows the backfill has changed."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
            click.echo(f"  {self.changed} rows changed.", err=True)


def apply(url: str, give_up_after: float = migration_run.GIVE_UP_AFTER) -> None:
    """Applies the pending migrations, names each, and keeps the catalogue.
    Raises MigrationError and psycopg.Error.
    """
    report = _Report()
    count, is_unreleased, name = 0, False, ""
    with migration_lock.locked(url, report.say) as lock, doctor.keeping_catalogue(url):
        try:
            for migration in migration_run.apply(lock, report, give_up_after=give_up_after):
                report.end()
                name = migration.path.name
                click.echo(f"Applying {name} ...", err=True)
                count += 1
            with psycopg.connect(session.address(url, session.COMMAND, "leads migrate"), autocommit=True) as connection:
                if is_unreleased := unreleased.is_pending(connection):
                    name = "The unreleased changes"
                    click.echo("Applying the unreleased changes of this checkout ...", err=True)
                    unreleased.apply(connection)
        except psycopg.Error as error:
            raise _failure(name, error, str(conninfo_to_dict(url).get("user"))) from None
        finally:
            report.end()
    what = [f"{count} migration{'s' * (count > 1)}"] if count else []
    what += ["the unreleased changes of this checkout (migrations/next.sql and sql/)"] if is_unreleased else []
    click.echo(f"Applied {' and '.join(what)}." if what else "Nothing to apply: the schema is up to date.", err=True)


def mark(url: str) -> None:
    """Records the pending migrations as applied. Raises MigrationError and psycopg.Error."""
    with migration_lock.locked(url, _Report().say) as lock:
        marked = migration_run.mark_applied(lock)
    for migration in marked:
        click.echo(f"Recorded {migration.path.name}.", err=True)
    click.echo(
        "Run leads doctor now. It shows what the plan has changed; leads doctor --accept keeps that as the schema."
        if marked
        else "Nothing to record: all migrations are recorded as applied.",
        err=True,
    )


def _failure(name: str, error: psycopg.Error, login: str) -> Mistake:
    message = error.diag.message_primary or str(error).strip()
    if "permission denied to grant role" in message:
        remedy = (
            "The roles belong to the whole cluster, and this login lacks ADMIN OPTION on them: another login created "
            f"them, or pg_upgrade restored them. Migrate as that login. Or: {admin_grants(login)}"
        )
    else:
        remedy = "Fix the cause, and run leads migrate again."
    name = next(iter(getattr(error, "__notes__", ())), name)
    return Mistake(f"{name or 'leads migrate'} failed: {message}. {remedy}")


def print_plan(url: str) -> None:
    """Prints the SQL of the pending migrations. Raises MigrationError and psycopg.Error."""
    migrations.check_sums()
    pending = migrations.pending(url)
    if pending:
        click.echo(_PLAN)
    for migration in pending:
        click.echo(f"-- {migration.path.name}\n{migration_run.as_script(migration)}\n")
    if pending:
        click.echo(f"{len(pending)} migrations to apply.", err=True)
    if not _says_what_is_left_out(url) and not pending:
        click.echo("Nothing to apply: the schema is up to date.", err=True)


def print_diff(url: str) -> None:
    """Prints what the pending migrations change. Raises MigrationError and psycopg.Error."""
    difference = migration_diff.of_pending(url)
    click.echo(difference, nl=False)
    if not _says_what_is_left_out(url) and not difference:
        click.echo("The pending migrations change no object.", err=True)


def _says_what_is_left_out(url: str) -> bool:
    with psycopg.connect(session.address(url, session.COMMAND, "leads migrate"), autocommit=True) as connection:
        is_pending = unreleased.is_pending(connection)
    if is_pending:
        click.echo(
            "leads migrate also applies the unreleased changes of this checkout (migrations/next.sql and sql/). They "
            "are not shown.",
            err=True,
        )
    return is_pending


def give_passwords(addresses: Addresses, *, is_confirmed: bool) -> None:
    """Sets the passwords in the addresses.
    Only SCRAM verifiers are sent: no password leaves this process.

    Asks first if another database of the cluster has the same logins, unless is_confirmed.
    """
    urls = {
        "DATABASE_URL": ("leads_api", addresses.api),
        "LEADS_OPERATOR_URL": ("leads_operator", addresses.operator),
        "LEADS_WORKER_URL": ("leads_worker", addresses.worker),
    }
    if addresses.router:
        # Only a cell needs this login.
        urls["LEADS_ROUTER_URL"] = ("leads_router", addresses.router)
    passwords = {}
    for name, (login, url) in urls.items():
        address = conninfo_to_dict(url or "")
        if not address.get("password"):
            click.echo(f"{login}: {name} has no password, so the login's password stays as it is.", err=True)
            continue
        if address.get("user") != login:
            raise Mistake(f"{name} names the login {address.get('user')}; it must be {login}.")
        passwords[name] = (login, str(address["password"]))
    if not passwords:
        raise Mistake(
            "No password is set. Put the addresses of the other logins, with passwords, into the environment."
        )
    with connect(addresses.of_migrate(), autocommit=True) as connection:
        others = [] if is_confirmed else other_databases(connection)
    if others:
        _confirm_passwords(others)
    with connect(addresses.of_migrate()) as connection:
        for name, (login, password) in passwords.items():
            try:
                set_password(connection, login, password)
            except psycopg.errors.InsufficientPrivilege as error:
                user = connection.info.user
                raise Mistake(
                    f'The login "{user}" can\'t change passwords: {error.diag.message_primary}. {admin_grants(user)}'
                ) from None
            click.echo(f"{login}: the password in {name} is set.", err=True)


def _confirm_passwords(others: list[str]) -> None:
    """Asks whether the passwords may change for these databases too. Raises click.Abort."""
    question = (
        f"The logins also belong to the database {', '.join(others)} of this server. Change their passwords there?"
    )
    try:
        is_meant = click.confirm(question, err=True)
    except click.Abort:
        click.echo("\nNo password was changed. Use --yes to change them without a confirmation.", err=True)
        raise
    if not is_meant:
        click.echo("No password was changed.", err=True)
        raise click.Abort


def set_password(connection: psycopg.Connection[object], login: str, password: str) -> None:
    """Sets a login's password by its SCRAM-SHA-256 verifier (RFC 5803)."""
    verifier = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(login), sql.Literal(verifier)))
