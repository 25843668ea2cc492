"""The script that a superuser runs in each cell before organizations can move (prepare.sql)."""

from collections.abc import Mapping
from pathlib import Path

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.cells.files import Cell
from app.cli.output import Mistake

_KEPT = ("host", "hostaddr", "port", "dbname", "sslmode", "channel_binding", "target_session_attrs")
"""What an address of leads_operator says about a database also for a connection that comes from another machine. Its
files, such as passfile and sslrootcert, are on the operator's machine."""

BEGIN = """\
begin;
-- Otherwise functions of the database's owner, who chooses the default, could run as the superuser.
set local search_path = pg_catalog, pg_temp;
"""
"""The beginning of a superuser's script."""


def script(cell: Cell, cells: tuple[Cell, ...], addresses: Mapping[str, str]) -> str:
    """The script for a cell. addresses: those of other cells that differ from their operator_url. Raises Mistake."""
    peers = {other.name: addresses.get(other.name) or address_of(other, "--peer") for other in cells if other != cell}
    if unknown := set(addresses) - set(peers):
        raise Mistake(f"There is no other cell {min(unknown)!r}. There are: {', '.join(peers) or 'none'}.")
    rows = sql.SQL(", ").join(
        sql.SQL("({}, {})").format(sql.Literal(name), sql.Literal(_checked(name, address)))
        for name, address in sorted(peers.items())
    )
    registration = (
        sql.SQL(
            "\n-- The other cells.\ndelete from cell.peer;\ninsert into cell.peer (name, address) values {};\n"
        ).format(rows)
        if peers
        else sql.SQL("\n-- There is no other cell yet.\ndelete from cell.peer;\n")
    )
    body = (Path(__file__).parent / "prepare.sql").read_text(encoding="utf-8")
    return f"-- For the cell {cell.name}.\n{BEGIN}\n{body}{registration.as_string()}\ncommit;\n"


def address_of(cell: Cell, option: str) -> str:
    """The address of the cell's database for a PostgreSQL on another machine, without a login. Raises Mistake,
    which names the option that gives another address.
    """
    parts = {name: value for name, value in conninfo_to_dict(cell.operator_url).items() if name in _KEPT}
    if "dbname" not in parts:
        raise Mistake(
            f"The operator_url of the cell {cell.name} doesn't name its database. Give the address that PostgreSQL of "
            f"another machine connects to: {option} {cell.name}='host=db.example.com dbname=leads sslmode=verify-full'"
        )
    return make_conninfo("", **parts)


def _checked(name: str, address: str) -> str:
    parts = conninfo_to_dict(address)
    if unwanted := set(parts) & {"user", "password", "passfile", "service"}:
        raise Mistake(
            f"The address of the cell {name} has {min(unwanted)}. Leave it out: each move has a login of its own."
        )
    return make_conninfo("", **parts)
