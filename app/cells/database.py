"""What the commands of cells ask a cell's database, as leads_router or leads_operator.

One cell must not be able to change what the router does with the keys of another one. So what a cell says
about its keys is checked before it becomes a line of the map.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import DictRow, dict_row

from app import session
from app.cells.claims import Claim, Claims

CHANNEL = "leads_keys"
"""A cell notifies it when a key is created."""

_BATCH = 1000
"""Organizations that one call reads."""

_DIGEST = re.compile(r"[0-9a-f]{64}")

NOT_PREPARED = (
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.InsufficientPrivilege,
)
"""The errors of a function of the schema ``cell`` before a superuser has run the script of leads cells prepare."""

Error = psycopg.Error


class BadAnswer(psycopg.DataError):
    """A cell has answered something that its functions never return."""


Connection = psycopg.AsyncConnection[DictRow]


@dataclass(frozen=True)
class State:
    """What a cell says about itself."""

    name: str | None
    """The name that its database has been given; None: none."""
    release: str
    organizations: int
    credentials: int
    is_prepared: bool
    """Whether organizations can be moved: a superuser has run the script of leads cells prepare."""


async def connect(url: str) -> Connection:
    """A connection in autocommit mode. Raises Error."""
    return await psycopg.AsyncConnection.connect(
        session.address(url, session.COMMAND, "leads"), autocommit=True, row_factory=dict_row
    )


async def read_state(connection: Connection) -> State:
    """What the cell says about itself. Raises Error."""
    return State(**(await _call(connection, "admin.cell"))[0])


async def read_moves(connection: Connection) -> list[DictRow]:
    """The moves that the cell takes part in (admin.moves). Raises Error."""
    return await _call(connection, "admin.moves")


async def name_cell(connection: Connection, name: str | None) -> None:
    """Tells the database which cell it is; None: it is no cell any more. Raises Error."""
    await _call(connection, "admin.set_cell", name)


async def read_claims(connection: Connection) -> Claims:
    """The organizations for which the cell answers. Raises Error."""
    claims: Claims = {}
    after: UUID | None = None
    while True:
        part = await _claims(connection, after, _BATCH)
        if after is not None and part and min(part) <= after:
            raise BadAnswer("The organizations are not in the order of their ids.")
        claims |= part
        if len(part) < _BATCH:
            return claims
        after = max(part)


async def read_claims_of(connection: Connection, organizations: Iterable[UUID]) -> Claims:
    """The claims of these organizations. Raises Error."""
    return await _claims(connection, None, None, list(organizations))


async def read_unannounced(connection: Connection) -> list[tuple[UUID, UUID]]:
    """The organizations and the keys whose responses wait for the router. Raises Error."""
    rows = await _call(connection, "admin.unannounced_keys")
    return [(_id(row, "organization_id"), _id(row, "key_id")) for row in rows]


async def announce(connection: Connection, keys: Sequence[tuple[UUID, UUID]]) -> None:
    """Tells the cell that the router knows these keys of these organizations. Raises Error."""
    await _call(connection, "admin.announce_keys", [each[0] for each in keys], [each[1] for each in keys])


async def has(connection: Connection, id: UUID) -> bool:
    """Whether the cell answers for the organization, key, form or webhook. Raises Error."""
    return (await _call(connection, "admin.organization_of", id))[0]["organization_of"] is not None


async def _call(connection: Connection, function: str, *arguments: Any) -> list[DictRow]:
    placeholders = ", ".join(["%s"] * len(arguments))
    cursor = await connection.execute(f"select * from {function}({placeholders})", arguments)
    return await cursor.fetchall()


async def _claims(connection: Connection, *arguments: Any) -> Claims:
    keys: dict[UUID, dict[str, UUID]] = {}
    moving: set[UUID] = set()
    for row in await _call(connection, "admin.routed_credentials", *arguments):
        organization = _id(row, "organization_id")
        each = keys.setdefault(organization, {})
        if row.get("key_id") is not None:
            each[checked_digest(row.get("digest"))] = _id(row, "key_id")
        if row.get("is_moving"):
            moving.add(organization)
    targets: dict[Any, str] = {}
    if moving:
        # An organization that is not among them has just ceased to move.
        targets = {row.get("organization_id"): str(row.get("cell")) for row in await read_moves(connection)}
    return {
        organization: Claim(targets.get(organization) if organization in moving else None, each)
        for organization, each in keys.items()
    }


def checked_digest(text: object) -> str:
    """The digest of a credential, as a line of the map has it. Raises BadAnswer."""
    if not isinstance(text, str) or not _DIGEST.fullmatch(text):
        raise BadAnswer("A key has no digest of 64 hexadecimal digits.")
    return text


def _id(row: DictRow, name: str) -> UUID:
    value = row.get(name)
    if not isinstance(value, UUID):
        raise BadAnswer(f"{name} is not a UUID.")
    return value
