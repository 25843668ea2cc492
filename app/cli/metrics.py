"""The metrics of ``leads serve`` and ``leads worker``."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from app.server import totals as server_totals
from app.server.folder import folder
from app.settings import Settings
from app.worker.totals import Totals


@dataclass(frozen=True)
class Metrics:
    """The address of this process's metrics."""

    url: str
    add_worker: Callable[[Totals], None]
    """Shows what a worker of this process counts."""


@contextmanager
def serving(settings: Settings, *, has_server: bool = False) -> Iterator[Metrics | None]:
    """Serves the metrics during the block. None: LEADS_METRICS isn't set.
    has_server: whether server processes are started in the block.

    Raises SettingsError.
    """
    os.environ.pop(server_totals.FOLDER, None)
    if settings.metrics is None:
        yield None
        return
    # Imported late, because it takes 0.1 seconds.
    from app import metrics

    with ExitStack() as stack:
        url, register = stack.enter_context(metrics.serving(settings.metrics))
        if has_server:
            path = stack.enter_context(folder())
            os.environ[server_totals.FOLDER] = str(path)
            register(metrics.of_server(path))
        yield Metrics(url, lambda totals: register(metrics.of_worker(totals)))
