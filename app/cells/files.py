"""The directory of the cells: a folder with ``cells.toml``, the operator's list of the cells, and
``cells.map``, in which the router looks up the cell of each credential.

A line of the map is the digest of a credential as the database stores it, the SHA-256 of its SHA-256,
in hexadecimal, and the name of a cell. The map is derived from the cells at any time, so only
``cells.toml`` needs a backup.
"""

import fcntl
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import tomli_w
from psycopg.conninfo import conninfo_to_dict

from app.cli.output import Mistake

LIST = "cells.toml"
MAP = "cells.map"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_SERVER = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
_LINE = re.compile(r"([0-9a-f]{64}) ([a-z][a-z0-9_]{0,30})")

Lines = dict[str, str]
"""The lines of the map: the name of the cell by the digest, in hexadecimal."""


@dataclass(frozen=True)
class Cell:
    """A complete installation."""

    name: str
    operator_url: str
    """The address of its database for leads_operator, without a password."""
    servers: tuple[str, ...]
    """Its API servers, each as host:port."""
    router_url: str | None = None
    """The address of its database for leads_router, without a password; None: leads_operator does its work, too."""

    @property
    def sync_url(self) -> str:
        """The address for the commands that compare the cell with the routers."""
        return self.router_url or self.operator_url


def read(folder: Path) -> tuple[Cell, ...]:
    """The cells in the list, in its order. Raises Mistake if there is none or the list is wrong."""
    path = folder / LIST
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Mistake(f"There is no {path}. Add the first cell: leads cells add NAME --help") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Mistake(f"{path} can't be read: {error}.") from None
    entries = document.get("cell", [])
    if set(document) - {"cell"} or not isinstance(entries, list) or not entries:
        raise Mistake(f"{path} must have a table [[cell]] for each cell, and nothing else.")
    cells = tuple(_cell(path, entry) for entry in entries)
    check(cells)
    return cells


def _cell(path: Path, entry: object) -> Cell:
    if not isinstance(entry, dict) or set(entry) - {"router_url"} != {"name", "operator_url", "servers"}:
        raise Mistake(
            f"{path}: each [[cell]] has name, operator_url and servers, may have router_url, and has nothing else."
        )
    name, url, servers = entry["name"], entry["operator_url"], entry["servers"]
    router_url = entry.get("router_url")
    are_strings = all(isinstance(value, str) for value in (name, url, router_url or ""))
    if not are_strings or not isinstance(servers, list):
        raise Mistake(f"{path}: name, operator_url and router_url are strings, and servers is a list of strings.")
    return Cell(name, url, tuple(str(server) for server in servers), router_url)


def check(cells: Sequence[Cell]) -> None:
    """Raises Mistake for a value that can't be used, and for one that two cells have."""
    for cell in cells:
        if not _NAME.fullmatch(cell.name):
            raise Mistake(
                f"{cell.name!r} is not a name of a cell. Use up to 31 lower-case letters, digits and _; first a letter."
            )
        if not cell.servers:
            raise Mistake(f"The cell {cell.name} needs an API server: host:port.")
        for server in cell.servers:
            match = _SERVER.fullmatch(server)
            if match is None or not 0 < int(match[1]) < 65536:
                raise Mistake(
                    f"{server!r} is not the address of an API server. Write host:port, such as 10.0.0.5:8000."
                )
        _check_address(f"The operator_url of the cell {cell.name}", cell.operator_url, "leads_operator")
        if cell.router_url is not None:
            _check_address(f"The router_url of the cell {cell.name}", cell.router_url, "leads_router")
    for what, values in (
        ("name", [cell.name for cell in cells]),
        ("operator_url", [cell.operator_url for cell in cells]),
        ("router_url", [cell.router_url for cell in cells if cell.router_url is not None]),
        ("server", [server for cell in cells for server in cell.servers]),
    ):
        for value in values:
            if values.count(value) > 1:
                raise Mistake(f"Two cells have the {what} {value}.")


def _check_address(what: str, url: str, login: str) -> None:
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise Mistake(f"{what} is not an address such as postgresql://{login}@db1.example.com/leads.") from None
    if "password" in parts:
        raise Mistake(
            f"{what} has a password. Put it into a password file, and name the file in the address (passfile=…) or in "
            "PGPASSFILE."
        )


def write(folder: Path, cells: Sequence[Cell]) -> None:
    """Writes the list, and an empty map if there is none: the router does not start without it."""
    check(cells)
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / LIST, [tomli_w.dumps({"cell": [_entry(cell) for cell in cells]})])
    if not (folder / MAP).exists():
        _replace(folder / MAP, [])


def _entry(cell: Cell) -> dict[str, object]:
    own = {} if cell.router_url is None else {"router_url": cell.router_url}
    return {"name": cell.name, "operator_url": cell.operator_url, **own, "servers": list(cell.servers)}


def known_cell(cells: Sequence[Cell], name: str) -> Cell:
    """The cell with this name. Raises Mistake."""
    for cell in cells:
        if cell.name == name:
            return cell
    raise Mistake(f"There is no cell {name!r}. There are: {', '.join(cell.name for cell in cells)}.")


def read_map(path: Path) -> Lines:
    """The lines of the map; none if there is no file. Raises Mistake."""
    lines: Lines = {}
    with suppress(FileNotFoundError), path.open(encoding="ascii", errors="replace") as file:
        for number, line in enumerate(file, 1):
            match = _LINE.fullmatch(line.rstrip("\n"))
            if match is None or match[1] in lines:
                raise Mistake(
                    f"{path}:{number}: This is not a line of the map. Delete the file, and run: leads cells sync --once"
                )
            lines[match[1]] = match[2]
    return lines


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """No other command that reads the map to change it does so during the block."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # NFS can't lock a folder
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def version(path: Path) -> tuple[int, int] | None:
    """What is different after each change of the map; None: there is no file."""
    with suppress(FileNotFoundError):
        status = path.stat()
        return status.st_ino, status.st_mtime_ns
    return None


def write_map(path: Path, lines: Mapping[str, str]) -> None:
    """Replaces the map. A router that starts meanwhile reads the old one or the new one."""
    _replace(path, (f"{digest} {lines[digest]}\n" for digest in sorted(lines)))


def _replace(path: Path, parts: Sequence[str] | Iterator[str]) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        # The router reads it with an account of its own. No line is a credential.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
