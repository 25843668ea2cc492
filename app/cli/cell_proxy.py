"""``leads cells plproxy``: the script that makes a database the router of the cells."""

import click

from app import settings
from app.cells import files, proxy
from app.cli.cell_addresses import by_cell


@click.command()
@click.option(
    "--address",
    "addresses",
    multiple=True,
    metavar="NAME=ADDRESS",
    help="The address at which the router's PostgreSQL reaches the database of a cell, such as "
    "'east=host=db-east.internal dbname=leads passfile=/etc/leads/pgpass'. [default: as in its operator_url]",
)
def plproxy(addresses: tuple[str, ...]) -> None:
    """Print the SQL script that makes a database the router of the cells, with PL/Proxy instead of HAProxy.

    A superuser runs it in a migrated database without organizations, and again after a cell was added or
    the database was migrated. An API server of this database then answers for all cells.

    \b
    leads cells plproxy > router.sql
    psql -v ON_ERROR_STOP=1 -d leads_router -f router.sql
    """
    click.echo(proxy.script(files.read(settings.read().cells_dir), by_cell(addresses)), nl=False)
