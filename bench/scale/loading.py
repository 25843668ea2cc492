"""Loads the leads with ``leads import``, in several processes, while a worker seals, indexes and counts."""

import io
import json
import multiprocessing
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from app.cli.import_leads import import_leads
from app.cli.output import Mistake
from bench import cpu
from bench.figures import BenchmarkError
from bench.measure import Say
from bench.scale.data import Part, lines, parts
from bench.scale.site import Site

SPARE = 4 * 1024**3
"""Bytes of the disk that stay free: the load ends before."""
PAUSE = 15.0
"""Seconds between two samples."""

_UNDONE = """
select
  exists (select from audit.unsealed)
  or exists (select from app.unindexed_lead)
  or exists (select from app.uncounted_seal)
"""
_QUEUES = """
select
  sum(n_live_tup) filter (where relname = 'unsealed')::bigint,
  sum(n_live_tup) filter (where relname = 'unindexed_lead')::bigint
from pg_catalog.pg_stat_user_tables
"""

_SIGNALS = """
select admin.load_signals(
  %s::uuid,
  (
    select jsonb_agg(jsonb_build_object(
      'lead_id', l.id, 'type', 'phone_validated', 'observed_at', now(), 'dedupe_key', 'scale'
    ))
    from app.lead as l
    where l.organization_id = %s and l.reference = any (%s)
  )
)
"""
_BATCH = 1_000

Job = tuple[Part, str, int, datetime, Path, str]


def load(site: Site, processes: int, say: Say) -> None:
    """Imports what is not imported yet, and lets the worker finish. Raises BenchmarkError."""
    done = site.folder / "done.txt"
    names = set(done.read_text().split()) if done.exists() else set()
    every = parts([organization.leads for organization in site.organizations])
    left = [part for part in every if part.name not in names]
    loaded = sum(part.rows for part in every) - sum(part.rows for part in left)
    files = site.folder / "parts"
    files.mkdir(exist_ok=True)
    url = site.server.url("leads_operator")
    jobs: list[Job] = []
    for part in left:
        organization = site.organizations[part.organization]
        jobs.append((part, organization.id, organization.leads, site.base, files, url))
    with site.working() as worker, Samples(site, say) as samples:
        if jobs:
            with multiprocessing.get_context("spawn").Pool(processes) as pool, done.open("a") as file:
                results = pool.imap_unordered(_import, jobs)
                for _ in jobs:
                    name, rows = _next(results, partial(samples.take, loaded, worker.pid))
                    file.write(name + "\n")
                    file.flush()
                    loaded += rows
        samples.take(loaded, worker.pid, is_now=True, phase="imported")
        _add_signals(site, say)
        _wait(site, worker, lambda: samples.take(loaded, worker.pid, phase="working"))
        samples.take(loaded, worker.pid, is_now=True, phase="done")


def settle(site: Site) -> None:
    """Runs a worker until it has done what earlier requests have left. Raises BenchmarkError."""
    with site.working() as worker:
        _wait(site, worker, lambda: None)


def _wait(site: Site, worker: subprocess.Popen[bytes], between: Callable[[], None]) -> None:
    while site.one(_UNDONE):
        if worker.poll() is not None:
            raise BenchmarkError(f"The worker has ended: {(site.folder / 'worker.log').read_text()[-500:]}")
        between()
        time.sleep(0.5)


def _next(results: Any, wait: Callable[[], None]) -> tuple[str, int]:
    while True:
        wait()
        try:
            result: tuple[str, int] = results.next(timeout=1)
            return result
        except multiprocessing.TimeoutError:
            continue


def _import(job: Job) -> tuple[str, int]:
    """Writes the file of a part, imports it and removes it."""
    part, organization, total, base, folder, url = job
    os.environ["LEADS_OPERATOR_URL"] = url
    path = folder / f"{part.name}.ndjson"
    with path.open("w") as file:
        file.writelines(lines(part, total, base))
    output = io.StringIO()
    try:
        with redirect_stdout(output), redirect_stderr(io.StringIO()):
            import_leads.main([str(path), "--organization", organization, "--json"], standalone_mode=False)
        created = json.loads(output.getvalue())["created"]
        if created != part.rows:
            raise BenchmarkError(f"{path.name}: {created:,} of {part.rows:,} rows were created.")
    except Mistake as mistake:
        # The command was ended between the import and the line in done.txt.
        if "was imported before" not in str(mistake):
            raise
    path.unlink()
    return part.name, part.rows


def _add_signals(site: Site, say: Say) -> None:
    """Gives one lead in 100 a signal. What was done before is done again without an effect."""
    marker = site.folder / "signals.done"
    if marker.exists():
        return
    say("adding signals")
    with psycopg.connect(site.server.url("postgres"), autocommit=True) as superuser:
        for organization in site.organizations:
            numbers = range(0, organization.leads, 100)
            for start in range(0, len(numbers), _BATCH):
                references = [f"ref-{number}" for number in numbers[start : start + _BATCH]]
                superuser.execute(_SIGNALS, [organization.id, organization.id, references])
    marker.touch()


class Samples:
    """Writes what the load has done into load.jsonl, a line every PAUSE seconds, over all sessions."""

    def __init__(self, site: Site, say: Say) -> None:
        self._site, self._say = site, say
        self._start = self._last = time.monotonic()
        self._first: int | None = None
        self._postmaster = int((site.folder / "postgres" / "postmaster.pid").read_text().split()[0])

    def __enter__(self) -> "Samples":
        self._file = (self._site.folder / "load.jsonl").open("a")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def take(self, loaded: int, worker: int, *, is_now: bool = False, phase: str = "importing") -> None:
        """Takes a sample, if it is time. Raises BenchmarkError if the disk is almost full."""
        now = time.monotonic()
        if self._first is None:
            self._first = loaded
        elif not is_now and now - self._last < PAUSE:
            return
        self._last = now
        unsealed, unindexed = self._site.sql(_QUEUES)[0]
        free = shutil.disk_usage(self._site.folder).free
        seconds = now - self._start
        sample = {
            "session": round(time.time() - seconds),
            "seconds": round(seconds, 1),
            "phase": phase,
            "leads": loaded,
            "unsealed": unsealed or 0,
            "unindexed": unindexed or 0,
            "wal": int(self._site.one("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn")),
            "bytes": self._site.one("select pg_database_size('leads')"),
            "postgres_s": cpu.seconds(self._postmaster),
            "worker_s": cpu.seconds(worker),
            "free": free,
        }
        self._file.write(json.dumps(sample) + "\n")
        self._file.flush()
        rate = (loaded - self._first) / max(1.0, seconds)
        rest = (self._site.leads - loaded) / rate / 60 if rate else 0
        self._say(
            f"{phase}: {loaded:,} of {self._site.leads:,} leads, {rate:,.0f}/s, some {rest:,.0f} min left; "
            f"{unsealed or 0:,} events to seal, {unindexed or 0:,} leads to index; {free / 1e9:.0f} GB free"
        )
        if free < SPARE:
            raise BenchmarkError(
                f"Only {free / 1e9:.1f} GB of the disk are free, so the load has stopped. "
                "Free some space and run the command again."
            )
