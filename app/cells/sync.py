"""Keeps the map of the cells: the file, and the map in the memory of each router.

A round reads what the cells say, writes the map and then announces the new keys to their cells, whose
responses wait for that. A full round reads all organizations of all cells, and compares the maps. Others
read only the organizations with new keys, when a cell notifies one.

The command of a move changes the maps, too. What the cells said before it did is out of date then. So a line that
somebody else has written into the file since the last full round began is kept until the next one. If a router has
other lines than the cells said, a full round asks the cells again before it changes them: a move on another machine
changes only the routers.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import psycopg

from app import log
from app.cells import database, files
from app.cells.claims import Claims, derive
from app.cells.files import Cell, Lines
from app.cells.proxy import router_at
from app.cells.router import RouterError

T = TypeVar("T")

RETRY = 1.0
"""Seconds until the next attempt to reach a router or a cell."""
PATIENCE = 2.0
"""Seconds in which a cell must accept a connection, and answer a question in a short round: the other cells'
keys wait for it.
"""
LONG_PATIENCE = 120.0
"""Seconds in which a cell must show all its organizations."""


class Sync:
    """The maps, and what they follow from."""

    def __init__(self, folder: Path, sockets: Sequence[str]) -> None:
        self._folder = folder
        self._routers = [router_at(socket) for socket in sockets]
        self._known: dict[str, dict[str, str | None]] = {}
        """The lines of each router, by its socket."""
        self.cells: tuple[Cell, ...] = ()
        self.claims: dict[str, Claims | None] = {}
        self.lines: Lines | None = None
        """The lines of the map; None: not read yet."""
        self._version: tuple[int, int] | None = None
        """The version of the file that has these lines."""
        self._others: Lines = {}
        """The lines that others have written since the last full round began."""
        self.has_failed_router = False
        """Whether a router did not take the last changes."""
        self._connections: dict[Cell, database.Connection] = {}
        self._down: set[Cell] = set()
        """The cells that did not answer. Only a full round asks them again."""

    async def close(self) -> None:
        """Closes the connections."""
        for connection in self._connections.values():
            await connection.close()

    async def full_round(self) -> list[str]:
        """Reads everything, and makes all maps equal. Returns what is wrong, as sentences.

        Raises Mistake if the directory can't be read.
        """
        self.cells = files.read(self._folder)
        self._down.clear()
        previous = self.lines or {}
        self._version = files.version(self._folder / files.MAP)
        self.lines = await asyncio.to_thread(files.read_map, self._folder / files.MAP)
        self._others.clear()
        claims_before, self.claims = self.claims, dict.fromkeys(cell.name for cell in self.cells)
        unannounced, errors = await self._read(database.read_unannounced)
        claims, unread = await self._read(database.read_claims, LONG_PATIENCE)
        errors += unread
        self.claims |= claims
        derived = derive(self.claims, previous | self.lines)
        self._known.clear()
        failures = await self._read_routers()
        # The cells are not read at the same moment. If a target has taken over in between, both cells seem to have
        # the organization. If it has since, only the routers show it: the command of the move has changed them.
        if doubtful := derived.doubtful | self._with_other_lines(
            derived.lines, *claims_before.values(), *self.claims.values()
        ):
            errors += await self._read_again(doubtful, LONG_PATIENCE)
            derived = derive(self.claims, previous | self.lines)
        failures += await self._publish(derived.lines)
        await self._announce(unannounced, failures)
        return [*errors, *derived.errors, *failures]

    async def short_round(self) -> list[str]:
        """Adds the keys that are not announced, and tries again to reach each router. Returns what is wrong."""
        assert self.lines is not None
        unannounced, errors = await self._read(database.read_unannounced)
        organizations = {organization for keys in unannounced.values() for organization, _ in keys}
        if not organizations and not self.has_failed_router:
            return errors
        errors += await self._read_again(organizations, PATIENCE)
        derived = derive(self.claims, self.lines)
        failures = await self._read_routers()
        failures += await self._publish(derived.lines)
        await self._announce(unannounced, failures)
        return [*errors, *derived.errors, *failures]

    async def _read_again(self, organizations: set[UUID], patience: float) -> list[str]:
        """Reads what the cells say about these organizations. Returns a sentence for each that can't be reached."""
        claims, errors = await self._read(lambda cell: database.read_claims_of(cell, organizations), patience)
        for name, part in claims.items():
            present = self.claims[name] or {}
            kept = {id: claim for id, claim in present.items() if id not in organizations}
            # A cell whose other organizations are not known keeps its lines.
            self.claims[name] = None if self.claims[name] is None else {**kept, **part}
        return errors

    def _with_other_lines(self, lines: Lines, *claims: Claims | None) -> set[UUID]:
        """The organizations in the claims that have a key for which a router has another line."""
        others = {
            digest for known in self._known.values() for digest, cell in known.items() if lines.get(digest) != cell
        }
        return {id for each in claims for id, claim in (each or {}).items() if not others.isdisjoint(claim.keys)}

    async def _read(
        self, read: Callable[[database.Connection], Awaitable[T]], patience: float = PATIENCE
    ) -> tuple[dict[str, T], list[str]]:
        """What each cell says, by its name, and a sentence for each cell that can't be reached."""

        cells = [cell for cell in self.cells if cell not in self._down]
        answers: dict[str, T] = {}
        errors = []
        for cell, answer in zip(
            cells, await asyncio.gather(*(self._ask(c, read, patience) for c in cells)), strict=True
        ):
            if isinstance(answer, str):
                errors.append(answer)
                self._down.add(cell)
            else:
                answers[cell.name] = answer[0]
        return answers, errors

    async def _ask(
        self, cell: Cell, ask: Callable[[database.Connection], Awaitable[T]], patience: float = PATIENCE
    ) -> tuple[T] | str:
        """What the cell answers, or the sentence that it can't be reached."""
        # A connection that was open before may have been lost meanwhile.
        for is_last in (False, True):
            try:
                if cell not in self._connections:
                    async with asyncio.timeout(PATIENCE):
                        self._connections[cell] = await database.connect(cell.sync_url)
                async with asyncio.timeout(patience):
                    return (await ask(self._connections[cell]),)
            except (psycopg.Error, TimeoutError) as error:
                had_connection = cell in self._connections
                if had_connection:
                    await self._connections.pop(cell).close()
                if is_last or not had_connection or not isinstance(error, psycopg.OperationalError):
                    return unreachable(cell, error)
        raise AssertionError

    async def _read_routers(self) -> list[str]:
        """Reads the lines of the routers that are not known. Returns a sentence for each that can't be reached."""
        errors = []
        for router in self._routers:
            try:
                if router.address not in self._known:
                    self._known[router.address] = await asyncio.to_thread(router.lines)
            except RouterError as error:
                errors.append(str(error))
        self.has_failed_router = bool(errors)
        return errors

    async def _publish(self, derived: Lines) -> list[str]:
        """Makes the file and the maps of the routers that were read equal to these lines. The file comes first,
        because a router that starts again reads it. The command of a move also writes the file first. So if a
        router had lines of a move when it was read, the file has them now, too.
        """
        errors = []
        self.lines = lines = await asyncio.to_thread(self._write, derived)
        for router in self._routers:
            if router.address not in self._known:
                continue
            try:
                await asyncio.to_thread(router.change, self._known.pop(router.address), lines)
                self._known[router.address] = dict(lines)
            except RouterError as error:
                errors.append(str(error))
        self.has_failed_router |= bool(errors)
        return errors

    def _write(self, lines: Lines) -> Lines:
        """Writes the lines into the file, except those that others have written. Returns what it has now."""
        path, known = self._folder / files.MAP, self.lines or {}
        with files.locked(self._folder):
            if files.version(path) != self._version:
                present = files.read_map(path)
                self._others |= {digest: cell for digest, cell in present.items() if known.get(digest) != cell}
                known = present
            lines = lines | self._others
            if lines != known:
                files.write_map(path, lines)
            self._version = files.version(path)
        return lines

    async def _announce(self, unannounced: dict[str, list[tuple[UUID, UUID]]], failures: Sequence[str]) -> None:
        """Tells the cells which keys all routers know."""
        if failures:
            return
        lines = self.lines or {}
        for cell in self.cells:
            claims = self.claims.get(cell.name)
            if claims is None:
                continue
            waiting = {
                id for claim in claims.values() for digest, id in claim.keys.items() if lines.get(digest) != cell.name
            }
            # A key that was revoked meanwhile has no line, and nothing waits for it.
            keys = [each for each in unannounced.get(cell.name, ()) if each[1] not in waiting]
            if keys:
                # If the cell does not answer now, the next round announces them.
                await self._ask(cell, functools.partial(database.announce, keys=keys))


async def run(sync: Sync, interval: float) -> None:
    """Keeps the maps, until the task is cancelled. Raises Mistake if the directory can't be read.

    interval: seconds between two full rounds.
    """
    wakeups: asyncio.Queue[bool] = asyncio.Queue()
    errors: list[str] = []
    due = 0.0
    watched: dict[Cell, asyncio.Task[None]] = {}
    try:
        while True:
            previous = errors
            if time.monotonic() >= due:
                due = time.monotonic() + interval
                errors = await sync.full_round()
                for cell in [cell for cell in watched if cell not in sync.cells]:
                    watched.pop(cell).cancel()
                for cell in sync.cells:
                    if cell not in watched:
                        watched[cell] = asyncio.create_task(_watch(cell, wakeups))
            else:
                errors = await sync.short_round()
            _report(previous, errors)
            pause = due - time.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(pause, RETRY) if sync.has_failed_router else pause):
                    is_cell_back = await wakeups.get()
                    while not wakeups.empty():
                        is_cell_back |= wakeups.get_nowait()
                    if is_cell_back:
                        due = 0.0
    finally:
        for task in watched.values():
            task.cancel()


def unreachable(cell: Cell, error: Exception) -> str:
    """The sentence about a cell whose database does not answer."""
    if isinstance(error, TimeoutError):
        return f"The cell {cell.name} does not answer in time."
    if isinstance(error, database.BadAnswer):
        return f"The cell {cell.name} returned invalid data, so its keys keep their lines: {error}"
    if isinstance(error, psycopg.Error) and error.sqlstate in ("3F000", "42883", "42P01"):
        return f"The schema of the cell {cell.name} is older than this release. Run there: leads migrate"
    return f"The cell {cell.name} can't be reached: {str(error).strip().splitlines()[0]}."


def _report(previous: Sequence[str], errors: Sequence[str]) -> None:
    """Logs errors that are new, and the end of all."""
    for error in errors:
        if error not in previous:
            log.write("error", message=error)
    if previous and not errors:
        log.write("info", message="The map is equal to the cells again.")


async def _watch(cell: Cell, wakeups: "asyncio.Queue[bool]") -> None:
    """Wakes the loop when the cell has a new key (False), and when it can be reached again (True)."""
    is_first = True
    while True:
        with contextlib.suppress(psycopg.Error):
            async with await database.connect(cell.sync_url) as connection:
                await connection.execute(f"listen {database.CHANNEL}")
                # A key may have been created before we listened.
                wakeups.put_nowait(not is_first)
                is_first = False
                async for _ in connection.notifies():
                    wakeups.put_nowait(False)
        is_first = False
        await asyncio.sleep(RETRY)
