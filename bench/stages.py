"""The analysts' views of stages and periods, for an organization with 1,000,000 leads and 3,000,000
events of three years: beside the same figures computed from the audit log alone, as until 0.9.0.
And what the worker's part costs.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from app.settings import ROOT
from bench import cpu, database
from bench.database import Database
from bench.figures import BenchmarkError
from bench.measure import Say
from bench.operations import PAIRS

LEADS = int(os.environ.get("BENCH_STAGE_LEADS", "1000000"))
"""Leads of the organization. Each has three events, and two of them change its stage, in the mean."""
_RUNS = 5
_BATCH = 1000
"""The worker's."""
_SMALL = (1, 10, 100)
"""Events of a round that follows new changes."""
_ROUNDS = 50
_ANALYST = "bench_analyst"
_VERIFIER = "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy"

# Both schemas have the views stage_history and pipeline_daily.
_BOTH = {
    "stage_history: median hours by stage, 90 days": (
        "select stage, count(*), percentile_cont(0.5) within group (order by hours) from {schema}.stage_history "
        "where entered_at >= now() - interval '90 days' group by stage"
    ),
    "stage_history: median hours by stage, all": (
        "select stage, count(*), percentile_cont(0.5) within group (order by hours) from {schema}.stage_history "
        "group by stage"
    ),
    "stage_history: mean hours by stage, all": "select stage, avg(hours) from {schema}.stage_history group by stage",
    "stage_history: one lead": "select * from {schema}.stage_history where lead_id = '{lead}'",
    "pipeline_daily: all days": "select * from {schema}.pipeline_daily",
    "pipeline_daily: 30 days": "select * from {schema}.pipeline_daily where day > current_date - 30",
}
_PERIOD = "select source, sum(lead_count), sum(won), sum(hours_to_qualify_sum) / sum(qualified) from bi.source_daily"
_NEW = {
    "source_daily: by source, 30 days": f"{_PERIOD} where day > current_date - 30 group by source",
    "source_daily: by source, 90 days": f"{_PERIOD} where day > current_date - 90 group by source",
    "source_daily: by source, all": f"{_PERIOD} group by source",
    "source_performance: all": "select * from bi.source_performance",
    "freshness": "select * from bi.freshness",
}


def measure(folder: Path, say: Say) -> dict[str, Any]:
    """Returns the figures. Raises BenchmarkError."""
    with database.running(folder / "stages", PAIRS * 10) as measured:
        with psycopg.connect(measured.operator_url, autocommit=True) as operator:
            row = operator.execute("select admin.create_organization('Bench stages', 'test')::text").fetchone()
        organization = str(row[0]) if row else ""
        with psycopg.connect(measured.superuser_url, autocommit=True) as superuser:
            superuser.execute("set jit = off")
            events = _load(measured, superuser, organization, say)
        results: dict[str, Any] = {"leads": LEADS, "events": events, "worker": _fill(measured, say)}
        say("stages: vacuum")
        measured.tidy()
        with psycopg.connect(measured.superuser_url, autocommit=True) as superuser:
            results["sizes"] = dict(
                superuser.execute(
                    "select r, pg_total_relation_size(r::regclass) / 1048576 from unnest(array['app.stage_stay', "
                    "'app.stage_day', 'app.lead']) as r"
                ).fetchall()
            )
            results["views"] = _views(measured, superuser, organization, say)
            say("stages: single rounds")
            results["rounds"] = _rounds(measured, superuser, organization)
        say("stages: another time zone")
        results["time_zone"] = _time_zone(measured, organization)
    return results


def sentences(results: dict[str, Any]) -> list[str]:
    """Returns the figures as sentences."""
    worker, zone = results["worker"], results["time_zone"]
    lines = [
        f"{results['leads']:,} leads with {results['events']:,} events. The worker counts {worker['per_second']:,.0f} "
        f"events per second, {worker['us']:.0f} µs of PostgreSQL's CPU per event.",
        "A round after new events of one organization, seal + count, µs of CPU: "
        + "; ".join(f"{count} events: {seal:.0f} + {us:.0f}" for count, (seal, us) in results["rounds"].items())
        + ".",
        f"Another time zone: {zone['seconds']:.1f} s, in {zone['calls']} transactions of at most "
        f"{zone['longest_ms']:.0f} ms.",
        "Sizes in MiB: " + ", ".join(f"{name} {size:,}" for name, size in results["sizes"].items()) + ".",
        "Median ms of PostgreSQL's CPU for a query, from the log and from the views:",
    ]
    lines += [
        f"  {name}: {times['log']:,.1f} and {times['bi']:,.1f}" if "log" in times else f"  {name}: {times['bi']:,.1f}"
        for name, times in results["views"].items()
    ]
    return lines


def _load(measured: Database, superuser: psycopg.Connection[Any], organization: str, say: Say) -> int:
    """Returns the number of events."""
    with psycopg.connect(measured.worker_url, autocommit=True) as worker:
        for function in ("seal_events", "count_stages"):
            _round(worker, function)
    superuser.execute(
        "select audit.create_partitions(extract(year from now())::integer - y) from generate_series(0, 4) as y"
    )
    script = (ROOT / "bench" / "stages.sql").read_text().replace("{organization}", organization)
    for step in script.replace("{leads}", str(LEADS)).split("-- step: "):
        name, _, statements = step.partition("\n")
        say(f"stages: {LEADS:,} leads, step {name if len(name) < 10 else 'leads'}")
        with superuser.transaction():
            superuser.execute(statements.encode())
    superuser.execute("vacuum (analyze)")
    row = superuser.execute("select count(*) from audit.event where organization_id = %s", [organization]).fetchone()
    return int(row[0]) if row else 0


def _round(worker: psycopg.Connection[Any], function: str) -> None:
    """Calls the function as a worker does, until nothing is left."""
    has_more, after = True, None
    while has_more:
        has_more = False
        while row := worker.execute(f"select * from admin.{function}(%s, %s)".encode(), [after, _BATCH]).fetchone():
            after, has_more = row[0], has_more or row[1] == _BATCH
        after = None


def _fill(measured: Database, say: Say) -> dict[str, float]:
    """The worker's work on an existing log."""
    say("stages: counting all events")
    with psycopg.connect(measured.worker_url, autocommit=True) as worker:
        row = worker.execute("select admin.queue_seals()").fetchone()
        if row != (1,):
            raise BenchmarkError(f"{row} organizations have events that are not counted.")
        pid = worker.info.backend_pid
        before, start = cpu.nanoseconds(pid), time.monotonic()
        _round(worker, "count_stages")
        seconds, used = time.monotonic() - start, cpu.nanoseconds(pid) - before
    events = LEADS * 3
    return {"us": used / events / 1000, "per_second": events / seconds}


def _views(measured: Database, superuser: psycopg.Connection[Any], organization: str, say: Say) -> dict[str, Any]:
    views = (ROOT / "bench" / "stages_from_log.sql").read_text()
    superuser.execute("create schema from_log; grant usage on schema from_log to leads_bi")
    superuser.execute(views.format(schema="from_log", zone="'UTC'").encode())
    superuser.execute("grant select on all tables in schema from_log to leads_bi")
    lead = superuser.execute(
        "select id::text from app.lead where organization_id = %s limit 1", [organization]
    ).fetchone()
    with psycopg.connect(measured.server.url("leads_migrator"), autocommit=True) as migrator:
        migrator.execute("select admin.create_analyst(%s, %s, %s)", [_ANALYST, organization, _VERIFIER])
    results: dict[str, Any] = {}
    with psycopg.connect(measured.server.url(_ANALYST), autocommit=True) as analyst:
        # Other programs may use the machine, so processor time is measured: that of this process alone.
        analyst.execute("set max_parallel_workers_per_gather = 0")
        for name, query in (_BOTH | _NEW).items():
            say(f"stages: {name}")
            sides = {"bi": "bi", "log": "from_log"} if name in _BOTH else {"bi": "bi"}
            texts = {side: query.format(schema=schema, lead=lead[0] if lead else "") for side, schema in sides.items()}
            rows = {side: _sorted(analyst, text) for side, text in texts.items()}
            if len({len(each) for each in rows.values()}) != 1 or (
                "hours" not in name and any(each != rows["bi"] for each in rows.values())
            ):
                raise BenchmarkError(f"{name}: the rows are not those of the log.")
            times: dict[str, list[float]] = {side: [] for side in texts}
            for _ in range(_RUNS):
                for side, text in texts.items():
                    before = cpu.nanoseconds(analyst.info.backend_pid)
                    analyst.execute(text.encode()).fetchall()
                    times[side].append((cpu.nanoseconds(analyst.info.backend_pid) - before) / 1e6)
            results[name] = {side: median(each) for side, each in times.items()}
    return results


def _sorted(analyst: psycopg.Connection[Any], text: str) -> list[str]:
    return sorted(map(repr, analyst.execute(text.encode()).fetchall()))


@contextmanager
def _worker(measured: Database) -> Iterator[tuple[psycopg.Connection[Any], int]]:
    with psycopg.connect(measured.worker_url, autocommit=True) as worker:
        yield worker, worker.info.backend_pid


def _rounds(
    measured: Database, superuser: psycopg.Connection[Any], organization: str
) -> dict[int, tuple[float, float]]:
    """The processor time of a round of the sealer and of the counter, in µs, by the number of events."""
    results = {}
    with _worker(measured) as (worker, pid):
        for count in _SMALL:
            costs: list[tuple[float, float]] = []
            for number in range(_ROUNDS):
                superuser.execute(
                    "update app.lead set pipeline_stage = %s where organization_id = %s and id = any (array("
                    "select id from app.lead where organization_id = %s order by created_at desc limit %s))",
                    ["lost" if number % 2 else "new", organization, organization, count],
                )
                parts = []
                for function in ("seal_events", "count_stages"):
                    before = cpu.nanoseconds(pid)
                    worker.execute(f"select * from admin.{function}(null, {_BATCH})".encode()).fetchall()
                    parts.append((cpu.nanoseconds(pid) - before) / 1000)
                costs.append((parts[0], parts[1]))
            results[count] = (median(cost[0] for cost in costs), median(cost[1] for cost in costs))
    return results


def _time_zone(measured: Database, organization: str) -> dict[str, float]:
    with psycopg.connect(measured.operator_url, autocommit=True) as operator:
        operator.execute("select admin.set_organization(%s, time_zone => 'Europe/Berlin')", [organization])
    with _worker(measured) as (worker, _):
        _round(worker, "seal_events")
        times = []
        while True:
            start = time.monotonic()
            row = worker.execute(f"select * from admin.count_stages(null, {_BATCH})".encode()).fetchone()
            if row is None:
                break
            times.append(time.monotonic() - start)
    return {"seconds": sum(times), "calls": len(times), "longest_ms": max(times) * 1000}
