"""Uploads: the processor time of a lead that is created alone, in POST /leads/bulk, and by leads
import; the memory of an import; and where PostgreSQL's part goes.

Single requests and uploads are measured in turn, with the same leads.
"""

import csv
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import httpx
import psycopg

from app.settings import ROOT
from bench import cpu, server
from bench.database import Database
from bench.figures import BenchmarkError
from bench.measure import Plan, Say

IMPORTED = int(os.environ.get("BENCH_IMPORTED", "1000000"))
"""Rows of the imported file."""
SINGLE = 2_000
"""Single requests of a round."""
UPLOAD = 10_000
"""Rows of an upload."""
CLIENTS = 8
_FIELDS = ("name", "email", "source", "industry", "pain_points", "timeline", "budget_range", "phone", "reference")

_INSERT = """
insert into app.lead (
  organization_id, name, email, source, industry, pain_points, timeline, budget_range, phone, reference
)
select
  %(organization)s, 'Sarah Mitchell', 'part' || n || '@example.com', 'website', 'residential',
  'Recurring basement moisture after spring rain', 'this_week', '5k_to_15k', '+1555' || lpad(n::text, 7, '0'),
  'part-' || n
from generate_series(1, %(rows)s) as n
"""
_READ = """
select count(app.sent_lead(%(organization)s, 1, r.row::text, false, 'reference', false, true))
from json_array_elements(%(body)s::json) as r (row)
"""
_DROPS = """
select string_agg(format('alter table app.lead drop constraint %I', c.conname), ';')
from pg_catalog.pg_constraint as c
where c.conrelid = 'app.lead'::regclass and c.contype = 'c'
"""
_INDEXES = """
select string_agg(format('drop index %s', i.indexrelid::regclass), ';')
from pg_catalog.pg_index as i
where i.indrelid = 'app.lead'::regclass and not i.indisprimary
"""


def measure(plan: Plan, database: Database, folder: Path, say: Say) -> dict[str, Any]:
    """Returns the figures. Raises BenchmarkError."""
    numbers = count()
    organization, key = database.pairs[0].organization, database.pairs[0].key
    rounds: list[dict[str, tuple[float, float]]] = []
    with server.running(folder / "bulk.log", DATABASE_URL=database.url) as running:
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=running.base + "/api/v1", headers=headers, timeout=120, trust_env=False) as client:

            def cost(number: int, work: Callable[[], None]) -> tuple[float, float]:
                before = cpu.seconds(running.pid), cpu.seconds(database.postmaster)
                work()
                after = cpu.seconds(running.pid), cpu.seconds(database.postmaster)
                return (after[0] - before[0]) / number * 1e6, (after[1] - before[1]) / number * 1e6

            for round in range(plan.rounds + 1):
                say(f"bulk: round {round} of {plan.rounds}")
                # The first round warms up.
                found = {
                    "single": cost(SINGLE, lambda: _single(client, numbers)),
                    "json": cost(UPLOAD, lambda: _upload(client, "application/json", numbers)),
                    "ndjson": cost(UPLOAD, lambda: _upload(client, "application/x-ndjson", numbers)),
                    "csv": cost(UPLOAD, lambda: _upload(client, "text/csv", numbers)),
                }
                rounds += [found] if round else []
            peak = max(_status(pid, "VmHWM") for pid in cpu.tree(running.pid))
    say(f"bulk: leads import of {IMPORTED:,} rows")
    imported = _import(database, organization, folder)
    say("bulk: where the time goes")
    return {
        "rounds": plan.rounds,
        "costs": {
            name: [statistics.median(round[name][part] for round in rounds) for part in (0, 1)] for name in rounds[0]
        },
        "server_mib": peak,
        "import": imported,
        "parts": _parts(database, organization),
    }


def sentences(results: dict[str, Any]) -> list[str]:
    """Returns the figures as sentences."""
    single = sum(results["costs"]["single"])
    titles = {"single": "POST /leads", "json": "bulk, JSON", "ndjson": "bulk, NDJSON", "csv": "bulk, CSV"}
    lines = [
        f"{titles[name]}: {costs[0]:,.0f} + {costs[1]:,.0f} µs of CPU per lead, server and PostgreSQL"
        + ("." if name == "single" else f"; {single / sum(costs):.1f} times less than a single request.")
        for name, costs in results["costs"].items()
    ]
    done = results["import"]
    times = single / (done["client"] + done["postgres"])
    lines += [
        f"leads import of {done['rows']:,} rows: {done['client']:,.0f} + {done['postgres']:,.0f} µs of CPU per lead, "
        f"command and PostgreSQL; {times:.1f} times less; {done['rows'] / done['seconds']:,.0f} leads per second.",
        f"Its peak memory: {done['client_mib']:.0f} MiB of the command, {done['backend_mib']:.0f} MiB private of the "
        f"backend; in the first tenth {done['early_client_mib']:.0f} and {done['early_backend_mib']:.0f} MiB.",
    ]
    lines.append(f"Peak memory of the server process: {results['server_mib']:.0f} MiB.")
    parts = "; ".join(f"{name} {part:,.0f} µs" for name, part in results["parts"].items())
    lines.append(f"PostgreSQL's part of a lead in an INSERT of {UPLOAD:,}: {parts}.")
    return lines


def _lead(number: int) -> dict[str, str]:
    values = (
        "Sarah Mitchell",
        f"bulk{number}@example.com",
        "website",
        "residential",
        "Recurring basement moisture after spring rain",
        "this_week",
        "5k_to_15k",
        f"+1555{number:07}",
        f"bulk-{number}",
    )
    return dict(zip(_FIELDS, values, strict=True))


def _single(client: httpx.Client, numbers: Iterator[int]) -> None:
    bodies = [_lead(next(numbers)) for _ in range(SINGLE)]
    with ThreadPoolExecutor(CLIENTS) as executor:
        for response in executor.map(lambda body: client.post("/leads", json=body), bodies):
            if response.status_code != 201:
                raise BenchmarkError(f"POST /leads: {response.text}")


def _upload(client: httpx.Client, media_type: str, numbers: Iterator[int]) -> None:
    leads = [_lead(next(numbers)) for _ in range(UPLOAD)]
    if media_type == "text/csv":
        lines = [_FIELDS, *(tuple(lead.values()) for lead in leads)]
        content = "\n".join(",".join(line) for line in lines)
    else:
        texts = [json.dumps(lead) for lead in leads]
        content = "\n".join(texts) if "nd" in media_type else f"[{','.join(texts)}]"
    response = client.post("/leads/bulk", content=content.encode(), headers={"Content-Type": media_type})
    if response.status_code != 200 or response.json()["created"] != UPLOAD:
        raise BenchmarkError(f"POST /leads/bulk: {response.text[:300]}")


def _import(database: Database, organization: str, folder: Path) -> dict[str, Any]:
    path = folder / "leads.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_FIELDS)
        writer.writerows(_lead(10**8 + number).values() for number in range(IMPORTED))
    command = [sys.executable, "-m", "app", "import", str(path), "--organization", organization, "--json"]
    environ = {**os.environ, "LEADS_OPERATOR_URL": database.operator_url}
    before, start = cpu.seconds(database.postmaster), time.monotonic()
    peaks: list[tuple[float, float]] = []
    with (
        psycopg.connect(database.superuser_url, autocommit=True) as superuser,
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE) as process,
    ):
        client = 0.0
        while process.poll() is None:
            with suppress(FileNotFoundError, ProcessLookupError, AttributeError, TypeError):
                [row] = superuser.execute(
                    "select max(pid) from pg_stat_activity where usename = 'leads_operator'"
                ).fetchall()
                peaks.append((_status(process.pid, "VmHWM"), _status(row[0], "RssAnon")))
                client = cpu.seconds(process.pid)
            time.sleep(0.5)
        seconds = time.monotonic() - start
        output = process.stdout.read() if process.stdout else b""
    postgres = cpu.seconds(database.postmaster) - before
    if json.loads(output)["created"] != IMPORTED:
        raise BenchmarkError(f"leads import: {output.decode()}")
    early = peaks[: max(1, len(peaks) // 10)]
    return {
        "rows": IMPORTED,
        "seconds": seconds,
        "client": client / IMPORTED * 1e6,
        "postgres": postgres / IMPORTED * 1e6,
        "client_mib": max(peak[0] for peak in peaks),
        "backend_mib": max(peak[1] for peak in peaks),
        "early_client_mib": max(peak[0] for peak in early),
        "early_backend_mib": max(peak[1] for peak in early),
    }


def _status(pid: int, name: str) -> float:
    """A size in MiB. Source: proc_pid_status(5)."""
    match = re.search(rf"^{name}:\s+(\d+) kB", (cpu.PROC / str(pid) / "status").read_text(), re.MULTILINE)
    return int(match[1]) / 1024 if match else 0.0


def _parts(database: Database, organization: str) -> dict[str, float]:
    """PostgreSQL's processor time of a lead, by what an INSERT of many does. Each part is the
    difference to the same INSERT without it.
    """
    with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
        superuser.execute("set jit = off")
        pid = superuser.info.backend_pid

        def cost(statements: Sequence[str], statement: str, **values: Any) -> float:
            costs = []
            for _ in range(3):
                with superuser.transaction(force_rollback=True):
                    for each in statements:
                        superuser.execute(each.encode())
                    before = cpu.nanoseconds(pid)
                    superuser.execute(statement.encode(), values)
                    costs.append((cpu.nanoseconds(pid) - before) / UPLOAD / 1000)
            return min(costs)

        def without(*statements: str) -> float:
            return cost(statements, _INSERT, organization=organization, rows=UPLOAD)

        def made(query: str) -> list[str]:
            row = superuser.execute(query.encode()).fetchone()
            return row[0].split(";") if row else []

        body = json.dumps([_lead(2 * 10**8 + number) for number in range(UPLOAD)])
        disable = "alter table app.lead disable trigger "
        audit, push, stamp = (disable + name for name in ("_900_record", "_910_push_first_stage", "_500_stamp"))
        checks, indexes = made(_DROPS), made(_INDEXES)
        steps = {
            "reading and checking the row": cost([], _READ, organization=organization, body=body),
            "all of the INSERT": without(),
            "its event in the audit log": without(audit),
            "the look-up of the connection": without(audit, push),
            "the phone number's key and the list's text": without(audit, push, stamp),
            "the foreign key": without(disable + "all"),
            "the CHECKs": without(disable + "all", *checks),
            "the indexes": without(disable + "all", *checks, *indexes),
        }
    names = list(steps)
    parts = {names[0]: steps[names[0]]}
    for before, name in pairwise(names[1:]):
        parts[name] = steps[before] - steps[name]
    parts["the row itself"] = steps[names[-1]]
    return parts
