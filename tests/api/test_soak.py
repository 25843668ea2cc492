"""The small version of ``make soak``: some seconds of load leave no connection, open file, thread
or lock, and no second line in a log. Each check can fail.
"""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench import soak
from bench.mixed import Attempt, Load
from bench.site import Site, connected, running
from bench.soak import RULES, Result, Rows, Sample, Sampler, Vacuum
from tests.support import pushing, simulator
from tests.support.database import Database
from tests.support.pushing import wait_for


@dataclass(frozen=True)
class Soaked:
    """A site after a load, and what the load has shown."""

    site: Site
    database: Database
    worker: pushing.Worker
    result: Result


@pytest.fixture(scope="module")
def soaked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Soaked]:
    """A load of some seconds."""
    with (
        running(LEADS_WORKER="off") as (site, database),
        simulator.running() as vendor,
        pushing.working(database, tmp_path_factory.mktemp("worker")) as worker,
    ):
        organization = connected(database, vendor, "Soak")
        result = soak.run(site, database, organization, vendor, worker, seconds=5, clients=4, every=0.5)
        yield Soaked(site, database, worker, result)


def test_a_load_leaves_nothing_behind(soaked: Soaked) -> None:
    assert soaked.result.faults() == []
    assert {write.kind for write in soaked.result.load.writes} == {"create", "signal", "patch", "push"}


def test_the_samples_show_the_load(soaked: Soaked) -> None:
    before, *during, after = soaked.result.samples
    assert set(before.figures) == set(RULES)
    assert max(sample.figures["server: open files"] for sample in during) > before.figures["server: open files"]
    assert after.figures["server: connections"] == soak.SERVER_SESSIONS - 1
    assert after.figures["worker: connections"] == soak.WORKER_SESSIONS
    assert after.figures["server: log, bytes per request"] > 100
    assert after.figures["worker: log, bytes per attempt"] > 100
    assert after.figures["PostgreSQL: memory, MB"] > 3 * after.figures["PostgreSQL: largest process, MB"]
    assert after.tables["audit.unsealed"].ended > before.tables["audit.unsealed"].ended
    assert len(soak.table(soaked.result).rows) == len(RULES) + 2 * len(soak.QUEUES) + 2
    assert soak.picture(soaked.result).startswith("<svg")


def test_the_memory_and_the_threads_of_a_process_are_read() -> None:
    before, threads = soak.memory_and_threads(os.getpid())
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    kept = b"x" * 50_000_000
    after = soak.memory_and_threads(os.getpid())
    end.set()
    thread.join()
    assert after[0] - before > len(kept) / 1e6 - 10
    assert after[1] == threads + 1


@contextmanager
def _session(soaked: Soaked, login: str, *statements: str) -> Iterator[None]:
    with soaked.database.connect(login) as connection:
        for statement in statements:
            connection.execute(statement.encode())
        yield


@contextmanager
def _two_sessions(soaked: Soaked) -> Iterator[None]:
    # The server may have one more than it needs.
    with _session(soaked, "leads_api"), _session(soaked, "leads_api"):
        yield


@contextmanager
def _sockets(soaked: Soaked) -> Iterator[None]:
    address = urlsplit(soaked.site.base)
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(socket.create_connection((str(address.hostname), int(address.port or 0))))
        yield


@contextmanager
def _lines(path: Path) -> Iterator[None]:
    path.write_bytes(path.read_bytes() + b"\n" * 1000)
    yield


@contextmanager
def _sort(soaked: Soaked) -> Iterator[None]:
    # The statistics of a session appear at its end.
    with _session(
        soaked,
        "postgres",
        "set work_mem = '64kB'",
        "select count(*) from (select from generate_series(1, 200000) as g order by random()) as s",
    ):
        pass
    yield


PLANTS: dict[str, tuple[Callable[[Soaked], AbstractContextManager[None]], set[str]]] = {
    "two sessions of the server": (_two_sessions, {"Server: connections"}),
    "a session of the worker": (lambda s: _session(s, "leads_worker"), {"Worker: connections"}),
    "an idle transaction": (
        lambda s: _session(s, "leads_operator", "begin"),
        {"Other connections", "Idle transactions"},
    ),
    "an advisory lock": (
        lambda s: _session(s, "postgres", "select pg_advisory_lock(1)"),
        {"Other connections", "Advisory locks"},
    ),
    "a temporary file": (_sort, {"Temporary files"}),
    "open files": (_sockets, {"Server: open files"}),
    "a long line of the server": (lambda s: _lines(s.site.log), {"Server: log, bytes per request"}),
    "a line of PostgreSQL": (
        lambda s: _lines(s.site.data / "postgresql.log"),
        {"PostgreSQL: log, bytes per request"},
    ),
}


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_fault_is_found(name: str, soaked: Soaked) -> None:
    plant, expected = PLANTS[name]
    load = Load("", "")
    with soaked.database.connect() as connection:
        sampler = Sampler(soaked.site, soaked.worker, load, connection)
        load.attempts.append(Attempt("read", 200, "", 0.0, 0.1))

        def found() -> set[str]:
            samples = [*soaked.result.samples, sampler.sample()]
            return {fault.partition(" was ")[0].removesuffix(":") for fault in _changed(soaked, samples).faults()}

        # A session of the previous case may end late, and its temporary file stays counted.
        wait_for(lambda: found() <= {"Temporary files"})
        earlier = found()
        with plant(soaked):
            wait_for(lambda: found() - earlier == expected)


def _changed(soaked: Soaked, samples: list[Sample], seconds: float = 0) -> Result:
    return replace(soaked.result, samples=samples, seconds=seconds)


@pytest.mark.parametrize("name", [name for name, rules in RULES.items() if rules])
def test_each_bound_can_be_exceeded(name: str, soaked: Soaked) -> None:
    *samples, last = soaked.result.samples
    greater = replace(last, figures=last.figures | {name: 1000.0})
    is_slow = all(rule.is_slow for rule in RULES[name])
    faults = _changed(soaked, [*samples, greater]).faults()
    assert {fault.partition(" was ")[0].lower() for fault in faults} == (set() if is_slow else {f"{name.lower()}:"})


@pytest.mark.parametrize("name", [name for name, rules in RULES.items() if any(rule.is_slow for rule in rules)])
def test_only_what_still_grows_is_a_leak(name: str, soaked: Soaked) -> None:
    def faults(value: Callable[[int], float], seconds: float = soak.SHORTEST) -> list[str]:
        base = replace(soaked.result.samples[0], tables={})
        samples = [replace(base, at=n, figures=base.figures | {name: value(n)}) for n in (*range(119), 0)]
        return _changed(soaked, samples, seconds).faults()

    assert faults(lambda n: 100 + min(n, 40)) == []
    assert faults(lambda n: 100 + n % 2) == []
    assert [fault.partition(" grew ")[0].lower() for fault in faults(lambda n: 100 + n)] == [f"{name.lower()}:"]
    assert faults(lambda n: 100 + n, soak.SHORTEST - 1) == []


def test_dead_rows_that_autovacuum_does_not_remove_are_found(soaked: Soaked) -> None:
    def faults(dead: Callable[[int], int]) -> list[str]:
        tables = [{"app.queue": Rows(live=10, dead=dead(at), ended=10 * at)} for at in range(600)]
        samples = [replace(soaked.result.samples[0], at=at, tables=rows) for at, rows in enumerate(tables)]
        return Vacuum(60, 50, 0.2).faults(samples)

    assert faults(lambda at: 10 * (at % 120)) == []
    assert faults(lambda at: 10 * at) == ["app.queue had 5,990 dead rows after 599 s, and autovacuum allows 1,852."]


def test_an_end_of_the_server_an_answer_of_500_and_an_empty_run_are_faults(soaked: Soaked) -> None:
    assert replace(soaked.result, downs=[(0.0, 1.0)]).faults() == ["leads serve has ended 1 times."]
    load = replace(soaked.result.load, attempts=[Attempt("read", 500, "internal_error", 0.0, 0.1)])
    assert replace(soaked.result, load=load).faults() == ["1 answers were 500."]
    assert replace(soaked.result, load=Load("", "")).faults() == ["Nothing was tested."]
