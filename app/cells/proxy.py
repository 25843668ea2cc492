"""PL/Proxy as the entrance to the cells: the script that makes a database the router (plproxy.sql), and the
table in which this database finds the cell of a key.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app import session
from app.cells import preparation
from app.cells.files import Cell
from app.cells.router import RouterError, RuntimeMap
from app.cli.output import Mistake

_OWN = ("user", "password", "options", "service")
"""What an address must not have. A password belongs into a file that only the account of PostgreSQL reads."""


def script(cells: Sequence[Cell], addresses: Mapping[str, str]) -> str:
    """The script for the database of the router. addresses: those of cells that differ from their operator_url.
    Raises Mistake, and psycopg.ProgrammingError for an address that is no connection string.
    """
    names = [cell.name for cell in cells]
    if unknown := set(addresses) - set(names):
        raise Mistake(f"There is no cell {min(unknown)!r}. There are: {', '.join(names)}.")
    rows = sql.SQL(",\n  ").join(
        sql.SQL("({}, {}, {})").format(number, cell.name, _address(cell, addresses))
        for number, cell in enumerate(cells)
    )
    listed = sql.SQL(
        "create temporary table listed_cell (number integer, name text, address text) on commit drop;\n"
        "insert into listed_cell (number, name, address)\nvalues\n  {};\n"
    ).format(rows)
    body = (Path(__file__).parent / "plproxy.sql").read_text(encoding="utf-8")
    return f"{preparation.BEGIN}\n{listed.as_string()}\n{body}\ncommit;\n"


def _address(cell: Cell, addresses: Mapping[str, str]) -> str:
    address = addresses.get(cell.name) or preparation.address_of(cell, "--address")
    if unwanted := set(conninfo_to_dict(address)) & set(_OWN):
        raise Mistake(f"The address of the cell {cell.name} has {min(unwanted)}. Leave it out; name a file: passfile=…")
    # The script puts the times in, because they are those of the routes.
    times = {"statement_timeout": "STATEMENT_TIMEOUT", "lock_timeout": "LOCK_TIMEOUT"}
    return make_conninfo(session.address(address, session.SERVER | times, "leads-router"), connect_timeout=1)


class RouterTable:
    """The table of a router's database, with the interface of app.cells.router.RuntimeMap.

    address: of the database, for leads_router.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def lines(self) -> dict[str, str | None]:
        """All lines: the cell by the digest. Raises RouterError."""
        return {row[0]: row[1] for row in self._rows("select digest, cell from router.lines()")}

    def change(self, old: Mapping[str, str | None], new: Mapping[str, str]) -> None:
        """Makes the lines those of ``new``. old: the present lines. Raises RouterError."""
        removed = [digest for digest in old if digest not in new]
        changed = {digest: cell for digest, cell in new.items() if old.get(digest) != cell}
        if removed or changed:
            self._rows(
                "select router.change_lines(%s::text[], %s::text[], %s::text[])",
                *(removed, list(changed), list(changed.values())),
            )

    def _rows(self, statement: str, *values: object) -> list[tuple[str, ...]]:
        try:
            address = session.address(self.address, session.COMMAND, "leads")
            with psycopg.connect(address, autocommit=True) as connection:
                return connection.execute(statement.encode(), values or None).fetchall()
        except psycopg.Error as error:
            raise RouterError(f"The router's database can't be used: {str(error).strip().splitlines()[0]}.") from None


def router_at(address: str) -> RuntimeMap | RouterTable:
    """The map of a router: in the memory of HAProxy, or in the database of a router with PL/Proxy."""
    return RouterTable(address) if address.startswith(("postgresql://", "postgres://")) else RuntimeMap(address)
