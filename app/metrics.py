"""The metrics, in the format of Prometheus, at an address of their own (LEADS_METRICS).

``leads serve`` and ``leads worker`` each have one address. The metrics come from the totals of the
server processes (app/server/totals.py) and of the worker (app/worker/totals.py), when they are asked
for. No label has a value that a client or a tenant chooses: a label is a route's path as the table of
routes has it, a status, a function, a table, or a word of ours.
"""

import errno
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from app import log
from app.server import totals as server_totals
from app.settings import SettingsError
from app.worker.totals import Totals as WorkerTotals

PATIENCE = 10.0
"""Seconds after which a silent connection to the address is closed."""

Read = Callable[[], Iterable[Metric]]


@contextmanager
def serving(address: tuple[str, int]) -> Iterator[tuple[str, Callable[[Read], None]]]:
    """Serves metrics in a thread during the block. Yields the URL, and a function that adds metrics.
    Raises SettingsError.
    """
    registry = CollectorRegistry()

    def register(read: Read) -> None:
        registry.register(_Collector(read))

    register(_of_program)
    with _listening(*address) as listener:
        server = _Server(listener)
        server.set_app(make_wsgi_app(registry))
        thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
        thread.start()
        host, port = listener.getsockname()[:2]
        try:
            yield f"http://{f'[{host}]' if ':' in host else host}:{port}/metrics", register
        finally:
            server.shutdown()
            thread.join()


def _listening(host: str, port: int) -> socket.socket:
    name = f"LEADS_METRICS is {host}:{port}"
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family)
    except socket.gaierror:
        raise SettingsError(f"{name}, which is not an address of this machine. Use 127.0.0.1:{port}.") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"{name}, which is in use. leads serve and leads worker need an address each: give this process "
                "another port."
            ) from None
        raise SettingsError(f"{name}, where this process can't listen: {error.strerror}.") from None


class _Server(ThreadingMixIn, WSGIServer):
    """The server at a socket that listens already. So a second process with the address gets an error
    on every version of Python.
    """

    daemon_threads = True

    def __init__(self, listener: socket.socket) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__((host, port), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_name, self.server_port = host, port
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """Logs an error. If the client has gone, there is none."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            log.failure("The metrics can't be sent.", error)


class _Handler(WSGIRequestHandler):
    timeout = PATIENCE

    def log_message(self, format: str, *args: object) -> None:
        """A request for the metrics has no line in the log."""


class _Collector(Collector):
    def __init__(self, read: Read) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        return self._read()


def _of_program() -> Iterator[Metric]:
    info = GaugeMetricFamily("leads_build_info", "The program's version. Always 1.", labels=["version"])
    info.add_metric([version("leads-api")], 1)
    yield info


def of_server(folder: Path) -> Read:
    """The metrics of the server processes that write into the folder."""

    def read() -> Iterator[Metric]:
        sums, all_gauges = server_totals.collect(folder)
        requests = CounterMetricFamily("leads_http_requests", "Requests.", labels=["method", "route", "status"])
        durations = HistogramMetricFamily(
            "leads_http_request_duration_seconds",
            "Time from the head of the request until the response is complete, before it is sent.",
            labels=["method", "route"],
        )
        cells: dict[server_totals.Label, list[float]] = {}
        for (label, status), cell in sums.requests.items():
            requests.add_metric([*label, str(status)], sum(cell[:-1]))
            server_totals.add_cells(cells, {label: cell})
        for label, (*counts, seconds) in cells.items():
            buckets = [
                (bound, sum(counts[: i + 1])) for i, bound in enumerate((*map(str, server_totals.BOUNDS), "+Inf"))
            ]
            durations.add_metric([*label], buckets, seconds)
        statements = SummaryMetricFamily(
            "leads_database_statement_seconds",
            "Time from the sending of a statement, or the end of the one before it, to its result.",
            labels=["function"],
        )
        for function, (count, seconds) in sums.statements.items():
            statements.add_metric([function], int(count), seconds)
        connections = GaugeMetricFamily(
            "leads_pool_connections", "The server's connections to PostgreSQL.", labels=["state"]
        )
        waiting = GaugeMetricFamily("leads_pool_waiting_requests", "Requests that wait, by reason.", labels=["reason"])
        for family, label_value, name in (
            (connections, "busy", "pool_busy"),
            (connections, "idle", "pool_idle"),
            (waiting, "connection", "pool_waiting"),
            (waiting, "lock", "lock_waiting"),
        ):
            family.add_metric([label_value], sum(gauges.get(name, 0) for gauges in all_gauges))
        yield from (requests, durations, statements, connections, waiting)
        yield CounterMetricFamily(
            "leads_pool_reconnects", "Connections to PostgreSQL that replaced a lost one.", value=sums.reconnects
        )
        yield GaugeMetricFamily("leads_server_processes", "Server processes that run.", value=len(all_gauges))
        yield from _of_replicas(sums, all_gauges)

    return read


def _of_replicas(sums: server_totals.Totals, all_gauges: list[dict[str, float]]) -> Iterator[Metric]:
    """The metrics of an installation with replicas."""
    if not sums.reads and not any(name.startswith("replica_") for gauges in all_gauges for name in gauges):
        return
    reads = CounterMetricFamily(
        "leads_reads",
        "Reads, by the server that has answered and, if it was the primary, the reason.",
        labels=["target", "reason"],
    )
    for (target, reason), count in sums.reads.items():
        reads.add_metric([target, reason], count)
    usable = GaugeMetricFamily(
        "leads_replica_usable", "Whether all server processes send reads to the replica.", labels=["replica"]
    )
    lag = GaugeMetricFamily(
        "leads_replica_lag_seconds", "How far the replica is behind the primary, as 0, 0.25, 0.5 …", labels=["replica"]
    )
    for family, prefix, combine in ((usable, "replica_usable ", min), (lag, "replica_lag ", max)):
        values: dict[str, list[float]] = {}
        for gauges in all_gauges:
            for name, value in gauges.items():
                if name.startswith(prefix):
                    values.setdefault(name.removeprefix(prefix), []).append(value)
        for replica, each in values.items():
            family.add_metric([replica], combine(each))
    yield from (reads, usable, lag)


_FIGURES = {
    "outbox_pushes": (
        "Pushes that are not done, at most 10,000: waiting for the first attempt, retrying, in_progress, failed.",
        "state",
    ),
    "outbox_oldest_seconds": ("Age of the oldest of these pushes.", "state"),
    "webhook_deliveries": (
        "Deliveries to webhooks that have not ended, at most 10,000: waiting (no attempt yet), retrying, in_progress.",
        "state",
    ),
    "webhook_due_seconds": (
        "For how long a delivery has been due to a webhook that doesn't pause. 0: none is due.",
        "",
    ),
    "webhooks": (
        "Webhooks: working; failing: the last attempt failed; disabled: the worker has disabled them.",
        "state",
    ),
    "audit_unsealed_events": ("Audit events without a seal, at most 10,000.", ""),
    "audit_seal_lag_seconds": ("Age of the oldest audit event without a seal.", ""),
    "search_unindexed_leads": ("Leads whose words are not stored yet, at most 10,000.", ""),
    "table_bytes": ("Size of a table with its indexes, in all partitions.", "table"),
    "table_rows": ("Rows of a table, as PostgreSQL estimates.", "table"),
    "schema_info": ("The release that made the schema. Always 1.", "release"),
}
"""The help and the label of each figure of the database."""


def of_worker(totals: WorkerTotals) -> Read:
    """The metrics of a worker, and those of the database that it reads."""

    def read() -> Iterator[Metric]:
        pushes = CounterMetricFamily(
            "leads_worker_pushes",
            "Attempts of pushes that have ended, by their outcome and the state of the push afterwards.",
            labels=["vendor", "outcome", "state"],
        )
        for labels, count in totals.pushes.copy().items():
            pushes.add_metric([*labels], count)
        rounds = GaugeMetricFamily(
            "leads_worker_round_timestamp_seconds", "When a task last looked at all organizations.", labels=["task"]
        )
        for task, at in totals.rounds.copy().items():
            rounds.add_metric([task], at)
        failing = GaugeMetricFamily(
            "leads_worker_failing_organizations",
            "Organizations that a task leaves out for now, because of an error.",
            labels=["task"],
        )
        for task, number in totals.failing.copy().items():
            failing.add_metric([task], number)
        deliveries = CounterMetricFamily(
            "leads_worker_deliveries",
            "Attempts of deliveries to webhooks that have ended, by their outcome and the delivery's state afterwards.",
            labels=["outcome", "state"],
        )
        for outcome_and_state, count in totals.deliveries.copy().items():
            deliveries.add_metric([*outcome_and_state], count)
        yield from (pushes, deliveries, rounds, failing)
        yield GaugeMetricFamily("leads_worker_running_pushes", "Pushes that run.", value=totals.running["pushes"])
        yield GaugeMetricFamily(
            "leads_worker_running_deliveries", "Deliveries to webhooks that run.", value=totals.running["deliveries"]
        )
        figures = totals.figures
        yield GaugeMetricFamily(
            "leads_database_up", "Whether the worker can read the database.", value=figures is not None
        )
        if figures is None:
            return
        yield GaugeMetricFamily(
            "leads_database_read_timestamp_seconds",
            "When the worker read the metrics that follow from the database.",
            value=totals.figures_at,
        )
        yield GaugeMetricFamily(
            "leads_database_oldest_transaction_seconds",
            "How long the worker has seen the oldest open transaction that has changed something or reads.",
            value=totals.oldest_transaction,
        )
        for name, (help, label) in _FIGURES.items():
            family = GaugeMetricFamily(f"leads_{name}", help, labels=[label] if label else ())
            for figure in figures:
                if figure.name == name:
                    family.add_metric([figure.label] if label else (), figure.value)
            yield family

    return read
