"""The comparison: the product, pgbench with the product's statements, the peers, and perhaps another
commit of the product.

All servers run during the whole comparison, each with one process and with the same number of
connections to PostgreSQL. All but the other commit use one database. Before anything is measured,
each operation of each server must return the product's rows.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench import against, api, database, floor, load, machine, measure, memory, peers
from bench.database import Database
from bench.figures import BenchmarkError, Sample, microseconds, ratio
from bench.measure import Measure, Plan, Say
from bench.operations import CREATE, OPERATIONS, PAIRS, PATCH, Operation, call
from bench.peers import PEERS
from bench.sides import AGAINST, POSTGREST, PRODUCT, Side, Starter, create_logins

FLOOR = "pgbench"
"""The name of the side without a server."""
_WARM_UP = 1
"""Seconds. The connections prepare a statement at its first use, and Node.js compiles what is used."""
_TURNS = {CREATE.name: 100, PATCH.name: 10}
"""Turns of a pgbench client before it reads another pair, so that the cost of reading it is
negligible. Without an entry: 100.
"""


@dataclass(frozen=True)
class Options:
    """What is compared."""

    plan: Plan
    clients: tuple[int, ...]
    """Connections of wrk to a server. Everything is measured with each number."""
    leads: int
    """Leads of all organizations."""
    peers: tuple[str, ...]
    postgrest: str | None
    """The URL of a PostgREST that the user runs."""
    against: str | None
    """Another commit."""


def run(options: Options, folder: Path, say: Say) -> dict[str, Any]:
    """Returns all figures. Raises Mistake, BenchmarkError."""
    peers.check_installed(options.peers)
    checkout = against.checkout(options.against) if options.against else None
    load_at_start = machine.load()
    with ExitStack() as stack:
        say(f"creating the database: {PAIRS} organizations with {options.leads // PAIRS:,} leads each")
        own = stack.enter_context(database.running(folder / "database", options.leads))
        facts = machine.facts(own.server_version())
        create_logins(own)
        starter = Starter(options.plan.connections, folder, stack)
        say("starting and checking the product")
        sides = {PRODUCT: starter.product(own)}
        for name in options.peers:
            say(f"starting and checking {PEERS[name].title}")
            sides[name] = starter.peer(name, own, sides[PRODUCT])
        if options.postgrest:
            sides[POSTGREST] = starter.postgrest(options.postgrest, own, sides[PRODUCT])
        if checkout:
            say(f"creating the database of {checkout.name}, starting and checking its server")
            migrate = partial(against.migrate, checkout)
            other = stack.enter_context(database.created(folder / "against", options.leads, migrate))
            sides[AGAINST] = starter.against(checkout, other)
        results = {
            clients: _operations(_rounds(options.plan, clients, sides, own, folder, say)) for clients in options.clients
        }
        servers = {name: _server(side) for name, side in sides.items()}
    return {
        "machine": facts | {"load_at_start": load_at_start, "load_at_end": machine.load()},
        "options": {
            "rounds": options.plan.rounds,
            "seconds": options.plan.seconds,
            "connections": options.plan.connections,
            "leads": options.leads,
        },
        "titles": {FLOOR: "pgbench, same statement"} | {n: s.title for n, s in sides.items()},
        "servers": servers,
        "comparison": results,
    }


def _rounds(
    plan: Plan, clients: int, sides: Mapping[str, Side], own: Database, folder: Path, say: Say
) -> measure.Samples:
    for name, side in sides.items():
        for operation in OPERATIONS:
            requests = api.requests(side.api, operation, side.database.pairs)
            load.write_requests(_file(folder, name, operation), requests)
            say(f"{clients} clients, warming up: {operation.name}, {name}")
            _by_wrk(name, side, folder, clients, _WARM_UP, operation)
    measures: dict[str, Measure] = {FLOOR: partial(_by_pgbench, plan, own)}
    measures |= {name: partial(_by_wrk, name, side, folder, clients, plan.seconds) for name, side in sides.items()}

    def tidy() -> None:
        for each in {id(side.database): side.database for side in sides.values()}.values():
            each.tidy()

    return measure.rounds(plan, measures, tidy, lambda sentence: say(f"{clients} clients, {sentence}"))


def _file(folder: Path, side: str, operation: Operation) -> Path:
    return folder / f"{side} {operation.name}"


def _by_pgbench(plan: Plan, own: Database, operation: Operation) -> Sample:
    pair = own.pairs[0]
    calls = [call(operation, own.table, pair, body) for body in operation.bodies]
    clients = min(plan.connections, PAIRS)
    script = floor.script(calls, pair, turns=_TURNS.get(operation.name, 100), clients=clients)
    return _writing(
        operation,
        own,
        lambda: floor.run(own.url, script, clients=clients, seconds=plan.seconds, postmaster=own.postmaster),
    )


def _by_wrk(name: str, side: Side, folder: Path, clients: int, seconds: int, operation: Operation) -> Sample:
    return _writing(
        operation,
        side.database,
        lambda: load.run(
            side.server.base,
            _file(folder, name, operation),
            clients=clients,
            seconds=seconds,
            server=side.server.pid,
            postmaster=side.database.postmaster,
            size=side.sizes[operation.name],
        ),
    )


def _writing(operation: Operation, own: Database, measured: Callable[[], Sample]) -> Sample:
    """Measures, and checks that each request has written its audit event, because a patch that
    changes nothing is cheap.

    The first patch of each pair may change nothing, because the previous run may have ended with
    the same values.
    """
    if operation.event is None:
        return measured()
    before = own.events(operation.event)
    sample = measured()
    written = own.events(operation.event) - before
    if written < sample.requests - sample.failures - PAIRS:
        raise BenchmarkError(f"Only {written} of {sample.requests} requests wrote {operation.event}.")
    return sample


def _operations(samples: measure.Samples) -> dict[str, dict[str, Any]]:
    return {operation: {side: side_figures(side, sides) for side in sides} for operation, sides in samples.items()}


def side_figures(side: str, samples: Mapping[str, list[Sample]]) -> dict[str, Any]:
    """Returns the figures of a side of one operation.

    ratio: its processor time divided by the product's. postgres_ratio: the same of PostgreSQL's part.
    """
    own = samples[side]
    front, postgres = microseconds(own)
    p50 = [sample.p50 for sample in own if sample.p50 is not None]
    p99 = [sample.p99 for sample in own if sample.p99 is not None]
    return {
        "front_us": front,
        "postgres_us": postgres,
        "ratio": asdict(ratio(own, samples[PRODUCT])),
        "postgres_ratio": asdict(ratio(own, samples[PRODUCT], lambda sample: sample.postgres_cpu)),
        "per_second": median(sample.rate for sample in own),
        "p50_ms": median(p50) if p50 else None,
        "p99_ms": median(p99) if p99 else None,
        "failures": sum(sample.failures for sample in own),
        "rounds": [asdict(sample) for sample in own],
    }


def _server(side: Side) -> dict[str, Any]:
    return {
        "start_s": median(side.starts) if side.starts else None,
        "memory_mib": [asdict(process) for process in memory.of(side.server.pid)],
    }
