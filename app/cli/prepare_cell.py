"""``leads cells prepare``: what a superuser installs in a cell for moves."""

import click
import psycopg

from app import session, settings
from app.cells import files, preparation
from app.cli.cell_addresses import by_cell
from app.cli.output import Mistake


@click.command()
@click.argument("name")
@click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="NAME=ADDRESS",
    help="The address at which PostgreSQL of this cell reaches the database of another one, such as "
    "'b=host=db2.internal dbname=leads sslmode=verify-full'. [default: as in its operator_url]",
)
@click.option(
    "--superuser-url",
    metavar="URL",
    help="Run the script as this superuser, in the database of the cell. Without it, the script is printed.",
)
def prepare(name: str, peers: tuple[str, ...], superuser_url: str | None) -> None:
    """Print the SQL script that a superuser runs in the cell NAME, so that organizations can move.

    Run the script in each cell, and again after a cell was added: it contains the addresses of the
    others. It can be run again at any time. It checks wal_level and the other settings first.

    \b
    leads cells prepare a > prepare.sql
    psql -v ON_ERROR_STOP=1 -d leads -f prepare.sql
    """
    cells = files.read(settings.read().cells_dir)
    script = preparation.script(files.known_cell(cells, name), cells, by_cell(peers))
    if superuser_url is None:
        click.echo(script, nl=False)
        return
    with psycopg.connect(session.address(superuser_url, session.COMMAND, "leads"), autocommit=True) as connection:
        connection.add_notice_handler(_show)
        try:
            connection.execute(script.encode())
        except psycopg.errors.RaiseException as error:
            raise Mistake(f"{error.diag.message_primary} {error.diag.message_hint}") from None
    click.echo(f"The cell {name} is prepared.", err=True)


def _show(notice: psycopg.errors.Diagnostic) -> None:
    if notice.severity_nonlocalized == "WARNING":
        click.echo(f"{notice.message_primary} {notice.message_hint or ''}".strip(), err=True)
