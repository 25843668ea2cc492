"""Two cells behind a router, with an organization in each."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.cells import Cells, cells_behind_router
from tests.support.database import Database
from tests.support.process import Server


@pytest.fixture(scope="module")
def cells(
    tmp_path_factory: pytest.TempPathFactory,
    new_database: Callable[..., Database],
    new_server: Callable[..., Server],
) -> Iterator[Cells]:
    folder: Path = tmp_path_factory.mktemp("cells")
    with cells_behind_router(folder, ["east", "west"], new_database, new_server) as started:
        yield started
