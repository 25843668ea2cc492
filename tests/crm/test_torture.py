"""Each push creates exactly one record, while a third of the vendor's calls fail and a worker is
killed every second.

``make torture`` pushes 500 leads and prints the progress. The tests push 60.
"""

import os
import random
import signal
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

from tests.support import pushing, simulator
from tests.support.database import Database

LEADS = int(os.environ.get("TORTURE_LEADS", "60"))
SEED = int(os.environ.get("TORTURE_SEED", str(random.randrange(1 << 32))))
WORKERS = 3
PATIENCE = 300
"""Seconds without another lead that is done, after which the test gives up."""


def test_every_lead_has_one_record_despite_failures(database: Database, tmp_path: Path) -> None:
    print(f"TORTURE_SEED={SEED}")
    organization = pushing.live_organization(database)
    with simulator.running() as vendor:
        vendor.lag = 1.0
        pushing.connect(database, organization, vendor, settle_seconds=2)
        vendor.chaos(1 / 3, SEED)
        database.sql(
            # Every tenth lead has no address, and two leads have the same name.
            "insert into app.lead (organization_id, name, company, email, pipeline_stage) "
            "select %s, case when n in (1, 51) then 'Ada Abbott' else 'Lead ' || n end, 'Company ' || n, "
            "case when n %% 10 > 0 then 'Lead' || n || '@example.com' end, 'qualified' "
            "from generate_series(1, %s) as n",
            organization.id,
            LEADS,
        )
        kills, seconds = _kill_until_done(database, tmp_path)
        records = vendor.contacts
        calls = len(vendor.requests)

    print(f"{LEADS} leads in {seconds:.0f} s, {kills} workers killed, {calls} calls to the vendor")
    syncs = database.sql("select lead_id::text, status, external_id, attempts from crm.sync")
    assert Counter(sync["status"] for sync in syncs) == {"ok": LEADS}
    assert Counter(record["external_id"] for record in records) == {sync["lead_id"]: 1 for sync in syncs}
    assert {record["external_id"]: record["jnid"] for record in records} == {
        sync["lead_id"]: sync["external_id"] for sync in syncs
    }
    rows = database.sql(
        "select lead_id::text, array_agg(action order by created_at, id) as story, "
        "max(payload ->> 'external_id') as external_id "
        "from audit.event where lead_id is not null group by lead_id"
    )
    story = ["lead.created", "lead.crm_push_requested", "lead.crm_pushed"]
    assert {row["lead_id"]: row["story"] for row in rows} == {sync["lead_id"]: story for sync in syncs}
    assert {row["lead_id"]: row["external_id"] for row in rows} == {
        sync["lead_id"]: sync["external_id"] for sync in syncs
    }
    # The failures did occur.
    outcomes = Counter(row["outcome"] for row in database.sql("select outcome from crm.attempt"))
    print(dict(outcomes))
    assert min(outcomes[outcome] for outcome in ("created", "linked", "not_made", "settled")) > 0
    assert kills >= 10


def _wait_until_running(workers: list[pushing.Worker]) -> None:
    """Waits until each worker says that it runs: one that is killed while it starts does no work."""
    for worker in workers:
        pushing.wait_for(partial(_is_running, worker))


def _is_running(worker: pushing.Worker) -> bool:
    return "The worker is running" in worker.log.read_text()


def _kill_until_done(database: Database, folder: Path) -> tuple[int, float]:
    """Keeps three workers going, and kills one of them every second;
    how many, and how long it took.
    """
    draw = random.Random(SEED)
    workers = [pushing.start_worker(database, folder / f"worker-{n}.log") for n in range(WORKERS)]
    start, kills = time.monotonic(), 0
    done, done_at = 0, start
    try:
        with database.connect() as connection:
            while True:
                _wait_until_running(workers)
                time.sleep(1)
                row = connection.execute("select count(*) as done from crm.sync where run_at is null").fetchone()
                assert row is not None
                now = time.monotonic()
                if row["done"] != done:
                    done, done_at = row["done"], now
                sys.stderr.write(f"\r{done} of {LEADS} leads, {kills} workers killed, {now - start:.0f} s ")
                if done == LEADS or now > done_at + PATIENCE:
                    sys.stderr.write("\n")
                    return kills, now - start
                n = draw.randrange(WORKERS)
                os.kill(workers[n].process.pid, signal.SIGKILL)
                workers[n].process.wait()
                workers[n].log.unlink()
                kills += 1
                workers[n] = pushing.start_worker(database, folder / f"worker-{n}.log")
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.wait()
