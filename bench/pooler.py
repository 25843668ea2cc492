"""``python -m bench.pooler``: what PgBouncer costs, in processor time of a request.

Each side is a ``leads serve`` with one process and the same number of connections. The sides are:
directly, with prepared statements and without; and through each PgBouncer, with the configuration in
docs/pooler.md. A PgBouncer from 1.21 on tracks prepared statements, so it also has a side with
them, and one more without the reset between two transactions. These two are only for comparison: an
attacker on the pooler's sessions obtains claims without the reset.
"""

import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import click
from rich.console import Console
from rich.table import Table

from bench import api, cpu, database, load, server
from bench.check import check
from bench.command import end_on_sigterm
from bench.database import Database
from bench.figures import Sample, ratio
from bench.load import write_requests
from bench.measure import rotated
from bench.operations import CREATE, LIST, PATCH, READ, Operation
from bench.rest import REST
from bench.server import Server
from tests.support import pooler

OPERATIONS = (READ, LIST, CREATE, PATCH)
DIRECT = "directly, on"
_WARM_UP = 1
"""Seconds."""


@dataclass(frozen=True)
class Side:
    """A server, and the process of its pooler if it has one."""

    server: Server
    pooler: int | None
    sizes: dict[str, int]


@dataclass(frozen=True)
class Cost:
    """A sample whose front has the server and the pooler, and the pooler's seconds."""

    sample: Sample
    pooler: float


def sides(
    data: Database, programs: tuple[str, ...], connections: int, folder: Path, stack: ExitStack
) -> dict[str, Side]:
    """Starts the servers and the poolers, and checks a response of each operation."""
    result: dict[str, Side] = {}

    def start(name: str, url: str, process: int | None, is_prepared: str) -> None:
        served = stack.enter_context(
            server.running(
                folder / "log",
                DATABASE_URL=url,
                LEADS_PREPARED_STATEMENTS=is_prepared,
                LEADS_CONNECTIONS=str(connections),
            )
        )
        base = result[DIRECT].server.base if result else served.base
        result[name] = Side(served, process, check(name, REST, served.base, base, data.pairs))

    start(DIRECT, data.url, None, "on")
    start("directly, off", data.url, None, "off")
    for program in programs:
        found = pooler.version(program)
        name = f"PgBouncer {found[0]}.{found[1]}"
        ways = [("off", True), *([("on", True), ("on", False)] if found >= (1, 21) else [])]
        for is_prepared, is_resetting in ways:
            running = pooler.running(program, data.server, "leads", is_resetting=is_resetting, sessions=connections)
            started = stack.enter_context(running)
            title = f"{name}, {is_prepared}{'' if is_resetting else ', no reset'}"
            start(title, started.url, started.pid, is_prepared)
    return result


def measured(side: Side, data: Database, folder: Path, clients: int, seconds: int, operation: Operation) -> Cost:
    """Measures an operation on a side."""
    before = cpu.seconds(side.pooler) if side.pooler else 0.0
    sample = load.run(
        side.server.base,
        folder / operation.name,
        clients=clients,
        seconds=seconds,
        server=side.server.pid,
        postmaster=data.postmaster,
        size=side.sizes[operation.name],
    )
    spent = cpu.seconds(side.pooler) - before if side.pooler else 0.0
    return Cost(replace(sample, front=sample.front + spent), spent)


def table(costs: Mapping[str, Mapping[str, list[Cost]]]) -> Table:
    """A row for each side; a cell has the server, the pooler and PostgreSQL in µs, and the ratio."""
    shown = Table("side", *(f"{operation.name}" for operation in OPERATIONS), box=None, pad_edge=False)
    for side in costs[READ.name]:
        cells = []
        for operation in OPERATIONS:
            runs = costs[operation.name][side]
            base = [cost.sample for cost in costs[operation.name][DIRECT]]
            samples = [cost.sample for cost in runs]
            parts = (
                median((cost.sample.front - cost.pooler) / cost.sample.requests for cost in runs),
                median(cost.pooler / cost.sample.requests for cost in runs),
                median(sample.postgres / sample.requests for sample in samples),
            )
            failures = sum(sample.failures for sample in samples)
            text = "+".join(f"{part * 1e6:,.0f}" for part in parts) + f" ({ratio(samples, base).median:.2f})"
            cells.append(text + (f" {failures} failed" if failures else ""))
        shown.add_row(side, *cells)
    return shown


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("programs", nargs=-1, type=click.Path(exists=True, dir_okay=False, resolve_path=True))
@click.option("--rounds", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option("--seconds", type=click.IntRange(1, 60), default=3, show_default=True, help="Seconds of each run.")
@click.option("--clients", type=click.IntRange(1, 64), default=16, show_default=True, help="Clients at once.")
@click.option("--connections", type=click.IntRange(1, 64), default=8, show_default=True, help="Of each server.")
def costs(programs: tuple[str, ...], rounds: int, seconds: int, clients: int, connections: int) -> None:
    """Measure the PROGRAMS, which are PgBouncers. [default: the one in PGBOUNCER, or the installed one]"""
    found = programs or tuple(filter(None, [pooler.program()]))
    if not found:
        sys.exit("PgBouncer is not installed. Install it (Debian: apt install pgbouncer), or name its program.")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leads-bench-")))
        folder.chmod(0o755)
        data = stack.enter_context(database.running(folder))
        for operation in OPERATIONS:
            write_requests(folder / operation.name, api.requests(REST, operation, data.pairs))
        started = sides(data, found, connections, folder, stack)
        run = partial(measured, data=data, folder=folder, clients=clients)
        results: dict[str, dict[str, list[Cost]]] = {o.name: {side: [] for side in started} for o in OPERATIONS}
        for operation in OPERATIONS:
            for side in started.values():
                run(side, seconds=_WARM_UP, operation=operation)
        for number in range(rounds):
            data.tidy()
            for operation in OPERATIONS:
                for name in rotated([*started], number):
                    print(f"Round {number + 1} of {rounds}: {operation.name}, {name} ...", file=sys.stderr)
                    results[operation.name][name].append(run(started[name], seconds=seconds, operation=operation))
    print(f"µs of processor time: server + pooler + PostgreSQL (divided by {DIRECT}); {clients} clients.")
    Console(width=160).print(table(results))


if __name__ == "__main__":
    end_on_sigterm()
    costs()
