"""The rounds: each operation by pgbench and by wrk, one right after the other, each first in every other round."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import floor, load
from bench.database import Database
from bench.figures import Round, Sample, Spoilt
from bench.operations import OPERATIONS, PAIRS, Operation, call
from bench.server import Server

Say = Callable[[str], None]

_TURNS = {"GET": 100, "POST": 100, "PATCH": 10}
"""So many turns a client of pgbench takes before it fetches another pair; else the fetching would count."""


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    seconds: int
    connections: int
    """wrk's, to the server."""
    clients: int
    """pgbench's; as many as the server has connections to PostgreSQL."""


def rounds(plan: Plan, database: Database, server: Server, folder: Path, say: Say) -> dict[str, list[Round]]:
    """Measures, and gives each operation's rounds. Raises Spoilt."""
    found: dict[str, list[Round]] = {operation.name: [] for operation in OPERATIONS}
    for operation in OPERATIONS:
        load.write_requests(folder / operation.name, operation, database.pairs)
        say(f"warming up: {operation.name}")
        # The server's connections prepare their statements at their first use.
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
            found[operation.name].append(Round(at_floor, served))
    return found


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
    """Measures; a patch that changes nothing costs little: each pair may have one, where the side before left off."""
    if operation.method != "PATCH":
        return measure()
    before = database.changes()
    sample = measure()
    changed = database.changes() - before
    if changed < sample.requests - PAIRS:
        raise Spoilt(f"Of {sample.requests} patches only {changed} changed something.")
    return sample
