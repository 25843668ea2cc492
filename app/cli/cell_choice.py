"""The cell in which an operator's command works, if there is a directory of cells."""

import asyncio
from uuid import UUID

import click

from app.cells import database, files
from app.cells.sync import PATIENCE, unreachable
from app.cli.output import Mistake
from app.settings import Settings


def operator_url(env: Settings) -> str:
    """The address of the cell in LEADS_CELL; else of the only cell; else of the one that has the
    organization, the key, the form or the webhook that the command names. Raises Mistake.
    """
    cells = files.read(env.cells_dir)
    if env.cell is not None:
        return files.known_cell(cells, env.cell).operator_url
    if len(cells) == 1:
        return cells[0].operator_url
    id = _named()
    if id is None:
        names = ", ".join(cell.name for cell in cells)
        raise Mistake(f"There are several cells. Set LEADS_CELL to one of them: {names}.")
    found, failures = asyncio.run(_find(cells, id))
    if len(found) == 1:
        return found[0].operator_url
    if found:
        names = " and ".join(cell.name for cell in found)
        raise Mistake(f"The cells {names} both serve {id}. Set LEADS_CELL, and run: leads cells check")
    raise Mistake(" ".join((f"No cell has {id}.", *failures)))


async def _find(cells: tuple[files.Cell, ...], id: UUID) -> tuple[list[files.Cell], list[str]]:
    async def ask(cell: files.Cell) -> bool | str:
        try:
            async with asyncio.timeout(PATIENCE), await database.connect(cell.operator_url) as connection:
                return await database.has(connection, id)
        except (database.Error, TimeoutError) as error:
            return unreachable(cell, error)

    answers = list(zip(cells, await asyncio.gather(*map(ask, cells)), strict=True))
    return [cell for cell, answer in answers if answer is True], [each for _, each in answers if isinstance(each, str)]


def _named() -> UUID | None:
    """The id of the organization in the command's arguments, or else the first id."""
    context = click.get_current_context(silent=True)
    parameters = {} if context is None else context.params
    ids = [parameters.get("organization"), *parameters.values()]
    return next((id for id in ids if isinstance(id, UUID)), None)
