"""``make migrate-under-load``: requests to the previous release while migrations run;
a table of their times.

The migrations are those that a release could have: a column with a default, an index and a changed
function, and one that replaces every policy. The schema and the server are the working tree's,
before these migrations.
"""

import asyncio
import itertools
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import httpx
import psycopg
from rich.console import Console
from rich.table import Table

from app import embedded, migration_run, migrations
from app.cli.keys import digest
from app.cli.migrate import apply
from app.migration_lock import locked
from app.migrations import Migration
from app.settings import ROOT
from bench import server
from tests.support.keys import new_key
from tools.release import frozen

LIMIT = 1.0
"""Seconds: no request may take longer."""
ORGANIZATIONS = 5
_QUIET = 5.0
"""Seconds of requests before the migrations, and after each."""

_FILL = """
set session_replication_role = replica;
insert into app.lead (organization_id, name, email, source, pipeline_stage, created_at, updated_at)
select o.organization_id, 'Sarah Mitchell', 'sarah' || n || '@example.com', 'website', 'new', now(), now()
from app.organization as o cross join generate_series(1, 200) as n;
insert into audit.event (id, organization_id, action, source, lead_id, payload, salt, payload_digest, created_at)
select
  i.id, o.organization_id, 'lead.updated', 'api', l.id, '{"diff": {"pipeline_stage": {"from": "new", "to": "won"}}}',
  '\\x00112233445566778899aabbccddeeff', sha256('x'), app.id_time(i.id)
from app.organization as o
join lateral (select l.id from app.lead as l where l.organization_id = o.organization_id limit 1) as l on true
cross join generate_series(1, %(events)s) as n
cross join lateral (select app.new_id() as id, n) as i;
"""


@dataclass(frozen=True)
class Answer:
    """A request's result. status: 0 where no answer came."""

    phase: str
    status: int
    seconds: float

    @property
    def is_failure(self) -> bool:
        return not 200 <= self.status < 300


@dataclass
class Load:
    """Requests at a steady rate, whether earlier ones were answered or not.
    phase: what is going on now.
    """

    base: str
    keys: Sequence[str]
    leads: Sequence[str]
    rate: float
    phase: str = "no migration"
    answers: list[Answer] = field(default_factory=list)
    _is_over: bool = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Sends requests during the block."""
        thread = threading.Thread(target=lambda: asyncio.run(self._send_all()))
        thread.start()
        try:
            yield
        finally:
            self._is_over = True
            thread.join()

    async def _send_all(self) -> None:
        async with httpx.AsyncClient(base_url=self.base + "/api/v1", timeout=30, trust_env=False) as client:
            start, tasks = time.monotonic(), []
            for number in itertools.count():
                await asyncio.sleep(max(0.0, start + number / self.rate - time.monotonic()))
                if self._is_over:
                    break
                tasks.append(asyncio.create_task(self._send(client, number)))
            await asyncio.gather(*tasks)

    async def _send(self, client: httpx.AsyncClient, number: int) -> None:
        index = number % len(self.keys)
        key, lead = self.keys[index], self.leads[index]
        stage = ("contacted", "qualified")[number // len(self.keys) % 2]
        method, path, body = (
            ("GET", f"/leads/{lead}", None),
            ("PATCH", f"/leads/{lead}", {"pipeline_stage": stage}),
            ("GET", "/leads?limit=20", None),
            ("POST", "/leads", {"name": "Sarah Mitchell", "email": f"new{number}@example.com"}),
            ("GET", "/audit-log?limit=20", None),
        )[number // len(self.keys) % 5]
        phase, start, status = self.phase, time.monotonic(), 0
        try:
            answer = await client.request(method, path, json=body, headers={"Authorization": f"Bearer {key}"})
            status = answer.status_code
        except httpx.TransportError:
            pass
        self.answers.append(Answer(phase, status, time.monotonic() - start))


@dataclass
class Count:
    """A report that counts the attempts which did not get their locks."""

    retries: dict[str, int] = field(default_factory=dict)
    name: str = ""

    def say(self, sentence: str) -> None:
        if sentence.startswith("  attempt"):
            self.retries[self.name] = self.retries.get(self.name, 0) + 1

    def fill(self, migration: Migration, changed: int, expected: int) -> None:
        """There is no backfill."""


def prepare(superuser_url: str, operator_url: str, events: int) -> tuple[list[str], list[str]]:
    """Creates organizations with leads and so many events; returns a key and a lead of each."""
    ids, keys = [], []
    with psycopg.connect(operator_url) as connection:
        for number in range(ORGANIZATIONS):
            row = connection.execute("select admin.create_organization(%s, 'test')", [f"Load {number}"]).fetchone()
            assert row
            ids.append(row[0])
            keys.append(new_key("test"))
            connection.execute("select admin.create_key(%s, 'admin', %s)", [row[0], digest(keys[-1])])
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        statements = _FILL.replace("%(events)s", str(events // ORGANIZATIONS)).encode()
        connection.execute(statements)
        connection.execute("vacuum (analyze)")
        of_each = "select l.id::text from app.lead as l where l.organization_id = %s limit 1"
        leads = [row[0] for id in ids for row in connection.execute(of_each, [id])]
    return keys, leads


def write_release(superuser_url: str, folder: Path, *, is_in_steps: bool = True) -> None:
    """Writes the migrations of the next release into a folder, beside those of this one.

    is_in_steps: each table's policies are a transaction of their own.
    """
    for path in migrations.FOLDER.glob("[0-9]*.sql"):
        (folder / path.name).write_text(path.read_text())
    with psycopg.connect(superuser_url) as connection:
        rows = connection.execute("select relid::regclass::text from pg_partition_tree('audit.event') where isleaf")
        partitions = [row[0].partition(".")[2] for row in rows]
    (folder / "999.0.0-01.column.sql").write_text(
        "set local role leads_owner;\n"
        "alter table audit.event add column is_imported boolean not null default false;\n"
        f"reset role;\n{frozen(ROOT, ['sql/audit/write_event.sql'])}"
    )
    # PostgreSQL builds no index of a partitioned table concurrently:
    # first one of the table alone, then its parts.
    columns = "(organization_id, source)"
    steps = [f"create index if not exists event_by_load on only audit.event {columns};"]
    for partition in partitions:
        index = f"{partition}_by_load"
        steps.append(f"create index concurrently if not exists {index} on audit.{partition} {columns};")
        steps.append(f"alter index audit.event_by_load attach partition audit.{index};")
    (folder / "999.0.0-02.index.sql").write_text(_in_steps(steps))
    files = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "sql").glob("*/*.policies.sql"))
    policies = [frozen(ROOT, [file]) for file in files]
    (folder / "999.0.0-03.policies.sql").write_text(
        _in_steps(f"begin;\n{text}commit;" for text in policies) if is_in_steps else "".join(policies)
    )


def _in_steps(steps: Iterable[str]) -> str:
    return "-- transactional: false\n" + "".join(f"-- step\n{step}\n" for step in steps)


def migrate(url: str, folder: Path, load: Load, count: Count, quiet: float = _QUIET) -> None:
    """Runs the migrations while the requests go on."""
    _wait(load, quiet)
    with locked(url) as lock:
        for migration in migration_run.apply(lock, count, folder=folder):
            if count.name:
                _wait(load, quiet)  # what waited behind the last one still counts as that one's
            count.name = load.phase = migration.path.name
    _wait(load, quiet)


def _wait(load: Load, seconds: float) -> None:
    """Waits for so many seconds, and on a busy machine until a request of the phase was answered."""
    end = time.monotonic() + max(seconds, 60)
    time.sleep(seconds)
    while all(answer.phase != load.phase for answer in load.answers) and time.monotonic() < end:
        time.sleep(0.05)


def table(load: Load, count: Count) -> Table:
    """The times of the requests, a row for each phase."""
    shown = Table("during", "requests", "failed", "median ms", "p99 ms", "slowest ms", "retries", box=None)
    for phase in dict.fromkeys(answer.phase for answer in load.answers):
        answers = [answer for answer in load.answers if answer.phase == phase]
        times = sorted(answer.seconds * 1000 for answer in answers)
        failed = sum(answer.is_failure for answer in answers)
        figures = (statistics.median(times), times[len(times) * 99 // 100], times[-1])
        cells = [f"{figure:.0f}" for figure in figures]
        shown.add_row(phase, str(len(answers)), str(failed), *cells, str(count.retries.get(phase, 0)))
    return shown


@click.command()
@click.option("--events", type=click.IntRange(1000), default=300_000, show_default=True, help="Rows of the audit log.")
@click.option("--rate", type=click.IntRange(1, 1000), default=50, show_default=True, help="Requests a second.")
@click.option("--at-once", is_flag=True, help="Replace the policies of all tables in one transaction.")
def main(events: int, rate: int, at_once: bool) -> None:
    """Run migrations under load; exit code 1 if a request fails or takes longer than a second."""
    with tempfile.TemporaryDirectory(prefix="leads-migrate-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with embedded.running(folder / "database") as postgres:
            print(f"Creating a database with {events} events ...", file=sys.stderr)
            apply(postgres.url("leads_migrator"))
            keys, leads = prepare(postgres.url("postgres"), postgres.url("leads_operator"), events)
            (folder / "migrations").mkdir()
            write_release(postgres.url("postgres"), folder / "migrations", is_in_steps=not at_once)
            with server.running(folder / "log", DATABASE_URL=postgres.url("leads_api")) as served:
                print(f"Migrating, with {rate} requests a second ...", file=sys.stderr)
                load, count = Load(served.base, keys, leads, rate), Count()
                with load.running():
                    migrate(postgres.url("leads_migrator"), folder / "migrations", load, count)
    Console().print(table(load, count))
    slow = sum(answer.seconds > LIMIT for answer in load.answers)
    failed = sum(answer.is_failure for answer in load.answers)
    print(f"{len(load.answers)} requests, {failed} failed, {slow} took longer than {LIMIT:.0f} s.")
    sys.exit(1 if slow or failed else 0)


if __name__ == "__main__":
    main()
