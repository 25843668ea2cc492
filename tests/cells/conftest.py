"""Two cells behind a router, between which organizations can move."""

from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from app.cells import moves
from tests.support import router
from tests.support.cells import make_cells
from tests.support.database import Database
from tests.support.moving import Pair, prepare, two_hosts
from tests.support.process import Server


@pytest.fixture
def pair(prepared_pair: Pair) -> Iterator[Pair]:
    """The cells a and b. A move that a failed test has left is ended, or the tests after it would fail, too."""
    yield prepared_pair
    prepared_pair.end_moves()


@pytest.fixture(scope="module")
def prepared_pair(tmp_path_factory: pytest.TempPathFactory, new_server: Callable[..., Server]) -> Iterator[Pair]:
    """The cells a and b. ``leads cells sync`` runs, and must report no error."""
    with two_hosts() as hosts, patch.object(moves, "LATE_REQUESTS", 0.1):
        databases: dict[str, Database] = {name: host.database for name, host in hosts.items()}
        folder: Path = tmp_path_factory.mktemp("cells")
        cells = make_cells(folder, databases, {name: [new_server(database)] for name, database in databases.items()})
        with router.running(cells.router_config(), folder) as cells.router, cells.opened:
            prepare(cells, hosts)
            for name, database in databases.items():
                database.sql("select admin.set_cell(%s)", name, login="leads_operator")
            sync = cells.start("cells", "sync", log=folder / "sync.log")
            try:
                yield Pair(cells, hosts, sync)
            finally:
                sync.terminate()
                sync.wait(30)
            assert '"level":"error"' not in (folder / "sync.log").read_text()
