"""``leads organizations move``: takes an organization to another cell."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import click
import psycopg

from app import session, settings
from app.cells import files, moves
from app.cells.files import Cell
from app.cells.moves import Move, Side
from app.cells.proxy import router_at
from app.cells.router import RouterError, RuntimeMap
from app.cli.addresses import addresses, call, connect
from app.cli.output import Mistake, counted, json_option, one

_SESSION = session.COMMAND | {"client_connection_check_interval": "1000"}
"""The settings of the sessions: a statement that waits ends soon after this process was killed, and frees its locks."""
_UNDER_WAY = ("copying", "draining", "moving")


@click.command()
@click.argument("id", type=click.UUID)
@click.option("--to", "target", metavar="CELL", help="The cell that gets the organization.")
@click.option("--resume", is_flag=True, help="Resume a move that was interrupted.")
@click.option("--abort", is_flag=True, help="End a move that was interrupted: the organization stays where it is.")
@click.option(
    "--analyst",
    "analysts",
    multiple=True,
    metavar="LOGIN",
    help="An analyst whose login of this name in the other cell belongs to the same person. It is bound again.",
)
@click.option(
    "--give-up-after",
    type=click.IntRange(1, 3600),
    default=20,
    show_default=True,
    metavar="SECONDS",
    help="How long requests may be refused. After that, the source answers again, and the move can be resumed.",
)
@json_option
def move(
    id: UUID,
    target: str | None,
    resume: bool,
    abort: bool,
    analysts: tuple[str, ...],
    give_up_after: int,
    as_json: bool,
) -> None:
    """Move the organization ID to another cell, while it is in use.

    Its rows are copied first. Then its requests get 503 with Retry-After, usually for less than a
    second, until the other cell answers them. Keys, webhooks and the audit log stay valid. Clients
    change nothing, because the router sends their requests to the other cell.

    Both cells must be prepared: leads cells prepare. If the command is interrupted, run it again, or
    with --abort. The rows in the old cell stay until you delete them with leads organizations
    delete-moved. The organization can return only after that.
    """
    if resume and abort:
        raise click.UsageError("--resume and --abort exclude each other.")
    if target is None and not resume and not abort:
        raise click.UsageError("Give the cell: --to CELL")
    env = settings.read()
    cells = files.read(env.cells_dir)
    if target is not None:
        files.known_cell(cells, target)
    with _sides(cells) as sides:
        selected = _selected(env, sides, id, target, resume=resume, abort=abort, give_up_after=give_up_after)
        selected.logins = frozenset(analysts)
        with moves.locked(selected.source, id):
            if abort:
                moves.abort(selected)
                home = selected.source.name
                sentence = f"The move was aborted. The organization is in the cell {home} as before."
                one({"organization_id": id, "cell": home}, sentence, as_json)
            else:
                _run(selected, as_json)


def _run(selected: Move, as_json: bool) -> None:
    began, was_over = time.monotonic(), selected.place(selected.source) == "moved"
    moves.check(selected)
    try:
        moves.run(selected)
    except (KeyboardInterrupt, SystemExit):
        selected.say(
            f"The move has not ended. Resume it: leads organizations move {selected.organization} --resume. Or end "
            f"it: leads organizations move {selected.organization} --abort"
        )
        raise
    result: dict[str, Any] = {
        "organization_id": selected.organization,
        "from": selected.source.name,
        "to": selected.target.name,
        "seconds": round(time.monotonic() - began, 1),
        "refused_seconds": selected.refused_seconds,
        "analysts_bound": selected.bound,
        "analysts_not_bound": [row["login"] for row in selected.analysts if row["login"] not in selected.bound],
    }
    where = f"organization {selected.organization} is in the cell {selected.target.name}."
    refused = "" if result["refused_seconds"] is None else f" Requests were refused for {result['refused_seconds']} s."
    one(
        result,
        f"The move had ended already: the {where}"
        if was_over
        else f"The {where} The command took {result['seconds']} s.{refused}",
        as_json,
    )
    selected.say(
        f"The rows in the cell {selected.source.name} remain there, unused. To delete them, with "
        f"LEADS_MIGRATE_URL of that cell: leads organizations delete-moved {selected.organization}"
    )


@click.command("delete-moved")
@click.argument("id", type=click.UUID)
@click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
def delete_moved(id: UUID, yes: bool) -> None:
    """Delete the rows of the organization ID that a move to another cell has left in this one.

    Connects with LEADS_MIGRATE_URL of this cell. The command deletes also the organization's events and
    seals here: first verify the log in the other cell, with leads audit verify. Before the organization
    can move back, the rows must be deleted.
    """
    with addresses() as urls, connect(urls.of_migrate(), autocommit=True) as connection:
        place = call(connection, "admin.placement", id)[0]["placement"]
        if place == "absent":
            raise Mistake(f"This cell has no rows of the organization {id}.")
        if place != "moved":
            raise Mistake(f"The organization {id} has not moved away from this cell. Nothing was deleted.")
        if not yes:
            click.confirm(f"Delete the rows of {id} in this cell, with its audit log?", err=True, abort=True)
        rows = 0
        while count := call(connection, "admin.delete_moved", id)[0]["delete_moved"]:
            rows += count
    click.echo(f"Deleted {counted(rows, 'row')}.")


@contextmanager
def _sides(cells: tuple[Cell, ...]) -> Iterator[dict[str, Side]]:
    """A connection to each cell that can be reached."""
    with ExitStack() as stack:
        sides = {}
        for cell in cells:
            try:
                connection = stack.enter_context(connect(cell.operator_url, _SESSION, autocommit=True))
            except psycopg.OperationalError as error:
                _say(f"The cell {cell.name} can't be reached: {str(error).strip().splitlines()[0]}")
            else:
                sides[cell.name] = Side(cell.name, connection)
        yield sides


def _selected(
    env: settings.Settings,
    sides: dict[str, Side],
    id: UUID,
    target: str | None,
    *,
    resume: bool,
    abort: bool,
    give_up_after: int,
) -> Move:
    """The move that these options mean. Raises Mistake."""
    places = {name: side.call("admin.placement", id)[0]["placement"] for name, side in sides.items()}

    def other(name: str) -> str:
        """The other cell of a move that this one takes part in."""
        return next(str(row["cell"]) for row in sides[name].call("admin.moves") if row["organization_id"] == id)

    def at(place: str) -> list[str]:
        """The cells with this place in a move that the home takes part in."""
        return [name for name in places if places[name] == place and other(name) == home]

    def made(source: str, to: str) -> Move:
        for name in (source, to):
            if name not in sides:
                raise Mistake(f"The move needs both cells. Run the command again when {name} can be reached.")
        return Move(
            id,
            sides[source],
            sides[to],
            _say,
            lambda: _check_routers(env, to),
            publisher(env, source, to),
            give_up_after,
        )

    for name, place in places.items():
        if place in _UNDER_WAY:
            to = other(name)
            others = [
                each for each, state in places.items() if each not in (name, to) and state in ("here", *_UNDER_WAY)
            ]
            if others:
                raise Mistake(f"The cells {name} and {others[0]} both have the organization. Run: leads cells check")
            if target not in (None, to):
                raise Mistake(
                    f"The organization is being moved from {name} to {to}. Finish that move with --resume, or end it "
                    "with --abort."
                )
            return made(name, to)
    homes = [name for name, place in places.items() if place == "here"]
    if not homes:
        hidden = [cell.name for cell in files.read(env.cells_dir) if cell.name not in sides]
        repeat = f" Run the command again when {' and '.join(hidden)} can be reached." if hidden else ""
        raise Mistake(f"No cell that can be reached has the organization {id}.{repeat}")
    if len(homes) > 1:
        raise Mistake(f"The cells {' and '.join(homes)} both have the organization. Run: leads cells check")
    home = homes[0]
    if abort:
        if targets := at("arriving"):
            return made(home, targets[0])
        raise Mistake(f"There is no move to abort: the organization is in the cell {home}.")
    if target in (None, home) and (sources := at("moved")):
        return made(sources[0], home)
    if target == home:
        raise Mistake(f"The organization is in the cell {home} already.")
    if target is None or resume:
        raise Mistake(f"There is no move to resume: the organization is in the cell {home}.")
    return made(home, target)


def _check_routers(env: settings.Settings, target: str) -> None:
    """Raises Mistake if a router could not send requests to the target."""
    for address in env.router_sockets:
        router = router_at(address)
        try:
            router.lines()
            servers = router.servers(target) if isinstance(router, RuntimeMap) else None
        except RouterError as error:
            raise Mistake(
                f"{error} The organization has not moved. Start the router, or remove it from LEADS_ROUTER_SOCKET. "
                "Then run the command again."
            ) from None
        if servers is None or any(servers.values()):
            continue
        if servers:
            raise Mistake(
                f"The router at {address} uses no API server of the cell {target}: GET /readyz fails at "
                f"{', '.join(sorted(servers))}. The organization has not moved. Start one, and run the command again."
            )
        raise Mistake(
            f"The router at {address} has no API server of the cell {target}. The organization has not moved. Generate "
            "its configuration again with leads cells router-config, and reload HAProxy. Then run the command again."
        )


def publisher(env: settings.Settings, source: str, target: str) -> Callable[[list[str]], None]:
    """What makes the routers send requests with these digests of keys to the target."""

    def publish(digests: list[str]) -> None:
        path = env.cells_dir / files.MAP
        with files.locked(env.cells_dir):
            written = files.read_map(path)
            # The source says which keys are the organization's. A key of a third cell is not.
            lines = {digest: target for digest in digests if written.get(digest, source) in (source, target)}
            files.write_map(path, written | lines)
        if len(lines) < len(set(digests)):
            _say(f"The cell {source} returned keys of other cells. Their lines stay. Run: leads cells check")
        errors = []
        for address in env.router_sockets:
            router = router_at(address)
            try:
                known = router.lines()
                router.change({digest: known[digest] for digest in lines if digest in known}, lines)
            except RouterError as error:
                errors.append(str(error))
        if errors:
            raise Mistake(
                f"{' '.join(errors)} The cell {target} has taken over. This router refuses the organization's requests "
                "until it has its lines. Start it, or remove it from LEADS_ROUTER_SOCKET, and run the command again."
            )
        if not env.router_sockets:
            _say("LEADS_ROUTER_SOCKET isn't set, so that only the map in the directory was changed.")

    return publish


def _say(sentence: str) -> None:
    click.echo(f"{datetime.now(UTC):%H:%M:%S} {sentence}", err=True)
