"""The rounds: each operation with pgbench and wrk, one directly after the other.
The first one alternates.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import floor, load
from bench.database import Database
from bench.figures import BenchmarkError, Round, Sample
from bench.operations import OPERATIONS, PAIRS, Operation, call
from bench.server import Server

Say = Callable[[str], None]

_TURNS = {"GET": 100, "POST": 100, "PATCH": 10}
"""Turns of a pgbench client before it reads another pair,
so that the cost of reading it is negligible.
"""


@dataclass(frozen=True)
class Plan:
    """The extent of the benchmark."""

    rounds: int
    seconds: int
    connections: int
    """Connections of wrk to the server."""
    clients: int
    """Clients of pgbench: as many as the server has connections to PostgreSQL."""


def rounds(plan: Plan, database: Database, server: Server, folder: Path, say: Say) -> dict[str, list[Round]]:
    """Measures each operation and returns its rounds. Raises BenchmarkError."""
    results: dict[str, list[Round]] = {operation.name: [] for operation in OPERATIONS}
    for operation in OPERATIONS:
        load.write_requests(folder / operation.name, operation, database.pairs)
        say(f"warming up: {operation.name}")
        # The server's connections prepare a statement at its first use.
        _by_wrk(operation, Plan(1, 1, plan.connections, plan.clients), database, server, folder)
    for number in range(plan.rounds):
        database.tidy()
        for operation in OPERATIONS:
            say(f"round {number + 1} of {plan.rounds}: {operation.name}")
            if number % 2 == 0:
                at_floor = _by_pgbench(operation, plan, database)
                served = _by_wrk(operation, plan, database, server, folder)
            else:
                served = _by_wrk(operation, plan, database, server, folder)
                at_floor = _by_pgbench(operation, plan, database)
            results[operation.name].append(Round(at_floor, served))
    return results


def _by_pgbench(operation: Operation, plan: Plan, database: Database) -> Sample:
    pair = database.pairs[0]
    calls = [call(operation, database.table, pair, body) for body in operation.bodies]
    script = floor.script(calls, pair, turns=_TURNS[operation.method], clients=plan.clients)
    return _changing(
        operation,
        database,
        lambda: floor.run(
            database.url, script, clients=plan.clients, seconds=plan.seconds, postmaster=database.postmaster
        ),
    )


def _by_wrk(operation: Operation, plan: Plan, database: Database, server: Server, folder: Path) -> Sample:
    return _changing(
        operation,
        database,
        lambda: load.run(
            server.base,
            folder / operation.name,
            connections=plan.connections,
            seconds=plan.seconds,
            server=server.pid,
            postmaster=database.postmaster,
        ),
    )


def _changing(operation: Operation, database: Database, measure: Callable[[], Sample]) -> Sample:
    """Measures, and checks that patches change something, because others are cheap.

    The first patch of each pair may change nothing, because the previous run may have ended with
    the same values.
    """
    if operation.method != "PATCH":
        return measure()
    before = database.changes()
    sample = measure()
    changed = database.changes() - before
    if changed < sample.requests - PAIRS:
        raise BenchmarkError(f"Only {changed} of {sample.requests} patches changed something.")
    return sample
