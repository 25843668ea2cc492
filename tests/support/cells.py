"""Cells on this machine: databases with their API servers, and a directory of them."""

import csv
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx

from app import cli
from app.cells import files
from app.cells.files import Cell, Lines
from app.cells.router import RuntimeMap
from app.cli.output import plain_errors
from app.settings import ROOT
from tests.support import router
from tests.support.database import Database, Organization, make_organization
from tests.support.process import Server, printed
from tests.support.router import Router


@dataclass
class Cells:
    """A directory of cells, whose databases may be on one server or on several."""

    folder: Path
    databases: dict[str, Database]
    servers: dict[str, list[Server]]
    router: Router | None = None
    environ: dict[str, str] = field(default_factory=dict)
    opened: ExitStack = field(default_factory=ExitStack)

    def leads(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Runs ``leads`` with the directory of the cells, in this process, which saves a second."""
        output, errors = io.StringIO(), io.StringIO()
        code: Any = 0
        with patch.dict(os.environ, {**self.environ, **more}), redirect_stdout(output), redirect_stderr(errors):
            try:
                with plain_errors():
                    code = cli.leads(list(arguments), standalone_mode=False) or 0
            except SystemExit as end:
                code = end.code
        return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())

    def start(self, *arguments: str, log: Path, **more: str) -> subprocess.Popen[bytes]:
        """Starts ``leads`` with the directory of the cells, as a process whose output goes to the file."""
        with log.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "app", *arguments],
                cwd=ROOT,
                env={**os.environ, **self.environ, **more},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def router_config(self, **more: str) -> str:
        """The configuration of a router before these cells, for router.running."""
        return printed(self.leads("cells", "router-config", "--bind", router.BIND, "--account", "", **more))

    def make_organization(self, cell: str, **options: Any) -> Organization:
        """Creates an organization with a key of each scope in the cell."""
        return make_organization(self.databases[cell], **options)

    @property
    def map(self) -> Lines:
        """The lines of the map in the folder."""
        return files.read_map(self.folder / files.MAP)

    def router_row(self, cell: str) -> dict[str, str]:
        """What the router reports about the first API server of the cell, by the names in HAProxy's ``show stat``."""
        lines = RuntimeMap(self.environ["LEADS_ROUTER_SOCKET"])._ask("show stat").removeprefix("# ").splitlines()
        [row] = [row for row in csv.DictReader(lines) if (row["pxname"], row["svname"]) == (f"cell_{cell}", "s1")]
        return row

    def client(self, key: str | None = None, **options: Any) -> httpx.Client:
        """An HTTP client for the API behind the router, with the key. The end of the cells closes it."""
        assert self.router is not None
        return self.opened.enter_context(self.router.client(key, **options))


def make_cells(folder: Path, databases: Mapping[str, Database], servers: Mapping[str, Sequence[Server]]) -> Cells:
    """Writes the directory of these cells. A cell may have no server that answers."""
    listed = [
        Cell(
            name,
            database.url("leads_operator"),
            tuple(s.base.removeprefix("http://") for s in servers[name]),
            database.url("leads_router"),
        )
        for name, database in databases.items()
    ]
    files.write(folder, listed)
    environ = {"LEADS_CELLS_DIR": str(folder), "LEADS_ROUTER_SOCKET": str(folder / "router.sock")}
    return Cells(folder, dict(databases), {name: list(each) for name, each in servers.items()}, environ=environ)


@contextmanager
def cells_behind_router(
    folder: Path, names: Sequence[str], new_database: Callable[..., Database], new_server: Callable[..., Server]
) -> Iterator[Cells]:
    """Cells with these names, each with a database, which new_database makes, and an API server; and a
    router before them.
    """
    databases = {name: new_database() for name in names}
    cells = make_cells(folder, databases, {name: [new_server(databases[name])] for name in names})
    with router.running(cells.router_config(), folder) as started, cells.opened:
        cells.router = started
        yield cells
