"""``leads cells``: complete installations, each with a part of the organizations, behind one router."""

import click

from app import settings
from app.cells import files, router
from app.cells.files import Cell
from app.cli.output import Group, Mistake, json_option, one
from app.cli.prepare_cell import prepare


@click.group(cls=Group)
def cells() -> None:
    """Add and list cells, and keep the map by which the router finds the cell of a request.

    A cell is a complete installation, with a part of the organizations. The directory of the cells is
    in LEADS_CELLS_DIR (default: .data/cells).
    """


@cells.command()
@click.argument("name")
@click.option(
    "--operator-url",
    required=True,
    metavar="URL",
    help="The address of its database for leads_operator, without password.",
)
@click.option(
    "--server",
    "servers",
    multiple=True,
    required=True,
    metavar="HOST:PORT",
    help="The address of an API server. Repeat the option for each one.",
)
@json_option
def add(name: str, operator_url: str, servers: tuple[str, ...], as_json: bool) -> None:
    """Add the cell NAME to the directory, or change it. Then renew the router's configuration."""
    folder = settings.read().cells_dir
    known = files.read(folder) if (folder / files.LIST).exists() else ()
    cell = Cell(name, operator_url, servers)
    listed = [cell if each.name == name else each for each in known]
    files.write(folder, listed if cell in listed else [*listed, cell])
    one({"name": name, "servers": servers}, f"The cell {name} is in {folder / files.LIST}.", as_json)


@cells.command("router-config")
@click.option(
    "--bind",
    default="127.0.0.1:8080",
    show_default=True,
    metavar="ADDRESS",
    help="Where the router listens, with the options of bind in HAProxy: ':443 ssl crt /etc/leads/tls.pem'.",
)
@click.option(
    "--account",
    default="haproxy",
    show_default=True,
    metavar="NAME",
    help='The account and the group of the router; "": those that start it.',
)
def router_config(bind: str, account: str) -> None:
    """Print the configuration of the router, a complete haproxy.cfg."""
    env = settings.read()
    if not env.router_sockets or "/" not in env.router_sockets[0]:
        raise Mistake("Set LEADS_ROUTER_SOCKET to the path of the router's socket, such as /run/haproxy/leads.sock.")
    known = files.read(env.cells_dir)
    text = router.config(known, env.cells_dir / files.MAP, env.router_sockets[0], bind=bind, account=account or None)
    click.echo(text, nl=False)


cells.add_command(prepare)
