"""``leads cells``: complete installations, each with a part of the organizations, behind one router."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from psycopg.rows import DictRow

from app import settings
from app.cells import claims, database, files, router
from app.cells.claims import Claims
from app.cells.files import Cell
from app.cells.proxy import router_at
from app.cells.router import RouterError
from app.cells.sync import LONG_PATIENCE, PATIENCE, Sync, run, unreachable
from app.cli.cell_proxy import plproxy
from app.cli.output import Group, Mistake, counted, json_option, one, rows
from app.cli.prepare_cell import prepare

_UNDER_WAY = ("copying", "draining", "moving", "arriving")
_LONG_MOVE = timedelta(hours=1)
"""The time in one state after which a move is reported. Its slot keeps the write-ahead log."""
_LONG_FENCE = timedelta(minutes=1)
"""The time after which a move is reported that refuses requests."""


@click.group(cls=Group)
def cells() -> None:
    """Add and list cells, and keep the map by which the router finds the cell of a request.

    A cell is a complete installation, with a part of the organizations. The directory of the cells is
    in LEADS_CELLS_DIR (default: .data/cells). docs/cells.md describes the set-up.
    """


@cells.command()
@click.argument("name")
@click.option(
    "--operator-url",
    required=True,
    metavar="URL",
    help="The address of the cell's database for the login leads_operator, without a password.",
)
@click.option(
    "--router-url",
    metavar="URL",
    help="The address for the login leads_router, without a password: leads cells sync, check and list use it. "
    "[default: they use the operator's]",
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
def add(name: str, operator_url: str, router_url: str | None, servers: tuple[str, ...], as_json: bool) -> None:
    """Add the cell NAME to the directory, or change it. Then renew the router's configuration.

    From then on, a response of the cell shows a new key only when leads cells sync has told the router.
    """
    folder = settings.read().cells_dir
    known = files.read(folder) if (folder / files.LIST).exists() else ()
    cell = Cell(name, operator_url, servers, router_url)
    listed = [cell if each.name == name else each for each in known]
    listed = listed if cell in listed else [*listed, cell]
    files.check(listed)
    asyncio.run(_name(cell, name))
    files.write(folder, listed)
    one({"name": name, "servers": servers}, f"The cell {name} is in {folder / files.LIST}.", as_json)


@cells.command()
@click.argument("name")
@json_option
def remove(name: str, as_json: bool) -> None:
    """Remove the cell NAME, which must have no organization, from the directory."""
    folder = settings.read().cells_dir
    known = files.read(folder)
    cell = files.known_cell(known, name)
    if len(known) == 1:
        raise Mistake(f"{name} is the only cell. To stop using cells, remove {folder}.")
    state = asyncio.run(_look(cell))
    if isinstance(state, str):
        raise Mistake(state)
    if state.state.organizations:
        raise Mistake(f"The cell {name} has {counted(state.state.organizations, 'organization')}. Move them first.")
    asyncio.run(_name(cell, None))
    files.write(folder, [each for each in known if each != cell])
    one({"name": name}, f"The cell {name} is removed. Renew the router's configuration.", as_json)


@cells.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the cells, with the numbers of their organizations and keys. Addresses of forms count as keys."""
    known = files.read(settings.read().cells_dir)
    listed = []
    for cell, seen in zip(known, _look_at(known), strict=True):
        state = None if isinstance(seen, str) else seen.state
        listed.append(
            {
                "name": cell.name,
                "is_reachable": state is not None,
                "organizations": None if state is None else state.organizations,
                "keys": None if state is None else state.credentials,
                "release": None if state is None else state.release,
                "servers": list(cell.servers),
            }
        )
    rows(listed, ("name", "is_reachable", "organizations", "keys", "release", "servers"), as_json)


@cells.command()
@json_option
def check(as_json: bool) -> None:
    """Report what is wrong with the cells and their maps. The exit code is 1 if something is wrong.

    A key that was created or has ended in the last moment may be reported: then run it again.
    """
    env = settings.read()
    if not env.router_sockets:
        click.echo("LEADS_ROUTER_SOCKET isn't set, so no router is checked.", err=True)
    found = list(_findings(env.cells_dir, env.router_sockets))
    if as_json:
        rows([{"finding": finding} for finding in found], (), as_json)
    else:
        click.echo("\n".join(found) or "Nothing found.")
    if found:
        sys.exit(1)


@cells.command()
@click.option(
    "--once", is_flag=True, help="Make the maps equal to the cells once. The exit code is 1 if they can't be."
)
@click.option(
    "--every", default=30, show_default=True, type=click.IntRange(1, 3600), help="Seconds between two full comparisons."
)
def sync(once: bool, every: int) -> None:
    """Keep the map equal to the cells, until Ctrl-C or SIGTERM: cells.map, and the map in the memory of
    each router in LEADS_ROUTER_SOCKET.

    A new key is announced to its cell when all routers have it. Run one such command for all routers.
    """
    env = settings.read()
    work = Sync(env.cells_dir, env.router_sockets)
    if not env.router_sockets:
        click.echo("LEADS_ROUTER_SOCKET isn't set, so no router gets new keys. Only cells.map is updated.", err=True)
    if not once:
        click.echo("The map is kept equal to the cells. Press Ctrl-C to stop.")
    errors = asyncio.run(_sync(work, None if once else every))
    if errors:
        click.echo("\n".join(errors), err=True)
        sys.exit(1)
    if once:
        click.echo(f"{env.cells_dir / files.MAP} has {counted(len(work.lines or ()), 'line')}.")


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
    help='The account and the group of the router; "": those of the process that starts it.',
)
def router_config(bind: str, account: str) -> None:
    """Print the configuration of the router, a complete haproxy.cfg."""
    env = settings.read()
    path = next((address for address in env.router_sockets if "/" in address and "://" not in address), None)
    if path is None:
        raise Mistake("Set LEADS_ROUTER_SOCKET to the path of the router's socket, such as /run/haproxy/leads.sock.")
    known = files.read(env.cells_dir)
    text = router.config(known, env.cells_dir / files.MAP, path, bind=bind, account=account or None)
    click.echo(text, nl=False)


cells.add_command(prepare)
cells.add_command(plproxy)


@dataclass(frozen=True)
class _Seen:
    """What a cell says."""

    state: database.State
    claims: Claims
    moves: list[DictRow]


async def _look(cell: Cell) -> _Seen | str:
    """What the cell says, or the sentence that it can't be reached."""
    try:
        async with asyncio.timeout(PATIENCE):
            connection = await database.connect(cell.sync_url)
        async with connection, asyncio.timeout(LONG_PATIENCE):
            return _Seen(
                await database.read_state(connection),
                await database.read_claims(connection),
                await database.read_moves(connection),
            )
    except (database.Error, TimeoutError) as error:
        return unreachable(cell, error)


def _look_at(known: tuple[Cell, ...]) -> list[_Seen | str]:
    async def all_of_them() -> list[_Seen | str]:
        return list(await asyncio.gather(*map(_look, known)))

    return asyncio.run(all_of_them())


async def _name(cell: Cell, name: str | None) -> None:
    async with await database.connect(cell.operator_url) as connection:
        await database.name_cell(connection, name)


async def _sync(work: Sync, every: int | None) -> list[str]:
    try:
        if every is None:
            return await work.full_round()
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            await run(work, every)
        return []
    finally:
        await work.close()


def _findings(folder: Path, sockets: tuple[str, ...]) -> Iterator[str]:
    known = files.read(folder)
    written = files.read_map(folder / files.MAP)
    seen = dict(zip(known, _look_at(known), strict=True))
    releases = set()
    for cell, each in seen.items():
        if isinstance(each, str):
            yield each
            continue
        releases.add(each.state.release)
        if each.state.name != cell.name:
            named = f"has the name {each.state.name}" if each.state.name else "has no name"
            yield f"The database of the cell {cell.name} {named}. Add the cell again: leads cells add {cell.name}"
        for row in each.moves:
            is_fenced = row["state"] == "moving"
            age = datetime.now(UTC) - datetime.fromisoformat(row["since"])
            if row["state"] in _UNDER_WAY and age > (_LONG_FENCE if is_fenced else _LONG_MOVE):
                yield (
                    f"The organization {row['organization_id']} has been {row['state']} in the cell {cell.name} since "
                    f"{row['since']}.{' The cell refuses its requests.' if is_fenced else ''} End its move: leads "
                    f"organizations move {row['organization_id']} --resume, or --abort"
                )
    prepared = {cell.name: each.state.is_prepared for cell, each in seen.items() if not isinstance(each, str)}
    if any(prepared.values()):
        # If no cell is prepared, nothing is to be moved.
        for name in (name for name, is_prepared in prepared.items() if not is_prepared):
            yield f"The cell {name} is not prepared for moves, and others are. Run: leads cells prepare {name}"
    if len(releases) > 1:
        yield f"The cells have different releases: {', '.join(sorted(releases))}. Upgrade all of them."
    derived = claims.derive(
        {cell.name: None if isinstance(each, str) else each.claims for cell, each in seen.items()}, written
    )
    yield from derived.errors
    yield from claims.differences(f"{folder / files.MAP}", written, derived.lines)
    for socket in sockets:
        at = router_at(socket)
        try:
            yield from claims.differences(f"The router at {socket}", at.lines(), derived.lines)
            if isinstance(at, router.RuntimeMap):
                yield from _server_findings(at, known)
        except RouterError as error:
            yield str(error)


def _server_findings(at: router.RuntimeMap, known: tuple[Cell, ...]) -> Iterator[str]:
    for cell in known:
        servers = at.servers(cell.name)
        if set(servers) != set(cell.servers):
            yield (
                f"The router at {at.address} has other API servers of the cell {cell.name} than {files.LIST}. Generate "
                "its configuration again with leads cells router-config, and reload HAProxy."
            )
        for server in sorted(server for server, is_running in servers.items() if not is_running):
            yield (
                f"The router at {at.address} doesn't use the API server {server} of the cell {cell.name}: GET /readyz "
                "fails there."
            )
