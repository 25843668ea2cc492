"""The tests of the API behind an entrance to two cells: ``ENTRANCE=haproxy`` or ``ENTRANCE=plproxy``.

The database of a test is the cell east. The cell west has another organization. ``leads cells sync`` tells
the entrance of the keys that the tests make.
"""

import os
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.cells import files
from app.cells.files import Cell
from app.embedded import account
from tests.support import plproxy, router
from tests.support.cells import Cells
from tests.support.database import Database, create_database
from tests.support.process import Server, printed

ENTRANCE = os.environ.get("ENTRANCE", "")
"""Empty: the tests send their requests to the API server."""


def missing() -> str | None:
    """What is not installed for ENTRANCE."""
    return {"": None, "haproxy": router.missing(), "plproxy": plproxy.missing()}[ENTRANCE]


@dataclass
class _Fleet:
    """The two cells of one database, and the processes that belong to them."""

    folder: Path
    databases: dict[str, Database]
    sockets: list[str] = field(default_factory=list)
    """The address of each entrance, as in LEADS_ROUTER_SOCKET."""
    routed: Database | None = None
    """The database of the router with PL/Proxy."""
    sync: subprocess.Popen[bytes] | None = None

    def list_cells(self, *servers: str) -> Cells:
        """Writes the directory, with an API server of each cell."""
        cells = [
            Cell(name, database.url("leads_operator"), (server,), database.url("leads_router"))
            for (name, database), server in zip(self.databases.items(), servers, strict=True)
        ]
        files.write(self.folder, cells)
        return Cells(self.folder, self.databases, {}, environ={"LEADS_CELLS_DIR": str(self.folder)})

    def follow(self, cells: Cells) -> None:
        """Starts ``leads cells sync`` for all entrances."""
        self.stop()
        sockets = " ".join(self.sockets)
        printed(cells.leads("cells", "sync", "--once", LEADS_ROUTER_SOCKET=sockets))
        self.sync = cells.start("cells", "sync", log=self.folder / "sync.log", LEADS_ROUTER_SOCKET=sockets)

    def stop(self) -> None:
        """Stops ``leads cells sync``."""
        if self.sync is not None:
            self.sync.terminate()
            self.sync.wait(30)


@dataclass
class Entrances:
    """Starts API servers with an entrance before each of them."""

    start_server: Callable[..., Server]
    west: Database
    """The other cell."""
    new_folder: Callable[[], Path]
    opened: ExitStack
    """What ends with the module."""
    kind: str
    """haproxy or plproxy."""
    fleets: dict[str, _Fleet] = field(default_factory=dict)
    others: dict[frozenset[tuple[str, str]], Server] = field(default_factory=dict)
    """The API servers of the other cell, by their settings."""

    def start(self, database: Database, program: str | None = None, **environ: str) -> Server:
        """The API server of a test. Its address is that of the entrance. program: as of the fixture new_server."""
        fleet = self.fleets.get(database.url())
        if fleet is None:
            fleet = self.fleets[database.url()] = _Fleet(self.new_folder(), {"east": database, "west": self.west})
            for name, each in fleet.databases.items():
                each.sql("select admin.set_cell(%s)", name, login="leads_operator")
            self.opened.callback(fleet.stop)
        start = self._plproxy if self.kind == "plproxy" else self._haproxy
        return start(fleet, program, environ)

    def _haproxy(self, fleet: _Fleet, program: str | None, environ: dict[str, str]) -> Server:
        environ = {"LEADS_TRUSTED_PROXIES": "127.0.0.1", **environ}
        own = self.start_server(fleet.databases["east"], program, **environ)
        settings = frozenset(environ.items())
        if settings not in self.others:
            self.others[settings] = self.start_server(self.west, **environ)
        cells = fleet.list_cells(*(server.base.removeprefix("http://") for server in (own, self.others[settings])))
        folder = fleet.folder / str(len(fleet.sockets))
        folder.mkdir()
        fleet.sockets.append(str(folder / "socket"))
        config = cells.router_config(LEADS_ROUTER_SOCKET=fleet.sockets[-1])
        started = self.opened.enter_context(router.running(config, folder))
        fleet.follow(cells)
        return replace(own, base=started.base, own_base=own.base, cell=fleet.databases["east"])

    def _plproxy(self, fleet: _Fleet, program: str | None, environ: dict[str, str]) -> Server:
        if fleet.routed is None:
            east = fleet.databases["east"]
            # A copy, which has the routes that the test has added. The script refuses a database with organizations.
            fleet.routed = create_database(east.server, f"{east.name}_router", east.name)
            fleet.routed.sql("set session_replication_role = replica; delete from app.organization")
            fleet.sockets = [fleet.routed.url("leads_router")]
            # The cells are databases of the same server, which connects to itself.
            with Path(east.sql("show ident_file")[0]["ident_file"]).open("a") as file:
                file.write(f"leads {account.server_account().pw_name} leads_api\n")
            east.sql("select pg_reload_conf()")
            # PL/Proxy calls the databases, so the addresses of the servers are not used.
            cells = fleet.list_cells("east:80", "west:80")
            with fleet.routed.connect() as connection:
                connection.execute(printed(cells.leads("cells", "plproxy")).encode())
            fleet.follow(cells)
        return replace(self.start_server(fleet.routed, program, **environ), cell=fleet.databases["east"])
