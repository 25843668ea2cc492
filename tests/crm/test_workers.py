"""Workers: how they end, what they share, and what they can't do."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app.worker import leasing
from app.worker.vault import new_key, read
from tests.support.database import Database, Organization
from tests.support.pushing import (  # noqa: F401
    CRM_KEY,
    api,
    at_work,
    ends,
    leads_crm,
    new_lead,
    organization,
    push,
    state,
    vendor,
    wait_for,
    working,
)
from tests.support.simulator import Simulator


def test_a_push_begins_with_a_notification(
    api: httpx.Client, vendor: Simulator, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leasing, "POLL", 3600)
    with at_work(database, read(CRM_KEY), allow_loopback=True):
        for number in range(2):
            lead = new_lead(api, name=f"Lead {number}", email=f"lead{number}@example.com", pipeline_stage="qualified")
            assert ends(api, lead)["status"] == "ok"


def test_a_worker_that_dies_after_the_vendors_answer_leaves_one_record(
    api: httpx.Client, vendor: Simulator, database: Database, tmp_path: Path
) -> None:
    lead = new_lead(api)
    vendor.fail("store_then_hang", on="create")
    with working(database, tmp_path) as first:
        push_later = ThreadPoolExecutor(1).submit(push, api, lead)
        wait_for(lambda: vendor.contacts)
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
    with working(database, tmp_path):
        assert push_later.result().status_code in (200, 202)
        assert ends(api, lead)["external_id"] == vendor.contacts[0]["jnid"]
    assert len(vendor.contacts) == 1


def test_retry_after_holds_for_all_workers(
    api: httpx.Client, vendor: Simulator, database: Database, organization: Organization, tmp_path: Path
) -> None:
    vendor.fail("429_retry_after", retry_after=3)
    leads = [
        new_lead(api, name=f"Lead {n}", email=f"lead{n}@example.com", pipeline_stage="qualified") for n in range(3)
    ]
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
    with working(database, tmp_path / "a"), working(database, tmp_path / "b"):
        for lead in leads:
            assert ends(api, lead)["status"] == "ok"
    # Pushes that were leased before, or in the same moment, can be ok. No other one begins until the end of the time.
    begun = (
        "select greatest(a.created_at, a.sent_at) >= c.blocked_until as is_after, count(*) from crm.attempt as a "
        "join crm.connection as c using (organization_id) where a.organization_id = %s "
        "and greatest(a.created_at, a.sent_at) > c.blocked_until - interval '2 seconds' group by 1"
    )
    assert [row["is_after"] for row in database.sql(begun, organization.id)] == [True]


def test_sigterm_lets_running_pushes_finish(
    api: httpx.Client, vendor: Simulator, database: Database, tmp_path: Path
) -> None:
    vendor.latency = 1
    lead = new_lead(api, pipeline_stage="qualified")
    with working(database, tmp_path) as worker:
        wait_for(lambda: vendor.requests)
        assert worker.stop() == 0
    assert state(api, lead)["status"] == "ok"
    assert len(vendor.contacts) == 1


def test_a_worker_without_the_key_leaves_the_push_and_says_so(
    api: httpx.Client, vendor: Simulator, database: Database, organization: Organization, tmp_path: Path
) -> None:
    lead = new_lead(api, pipeline_stage="qualified")
    other_key = new_key()
    with working(database, tmp_path, LEADS_CRM_KEY=other_key) as worker:
        wait_for(lambda: "encrypted with a key that isn't here" in worker.log.read_text())
        assert state(api, lead)["status"] == "pending"
        listed = leads_crm(database, "list", "--organization", organization.id, LEADS_CRM_KEY=other_key)
        assert "leads crm connect" in listed.stdout
    # Both keys, the new one first.
    with working(database, tmp_path, LEADS_CRM_KEY=f"{other_key},{CRM_KEY}"):
        assert ends(api, lead)["status"] == "ok"


def test_loopback_is_called_only_if_the_process_allows_it(
    api: httpx.Client, vendor: Simulator, database: Database, tmp_path: Path
) -> None:
    lead = new_lead(api)
    with working(database, tmp_path, LEADS_ALLOW_LOOPBACK_VENDORS="0"):
        push(api, lead)
        assert ends(api, lead)["status"] == "failed"
    assert vendor.contacts == []
    assert vendor.requests == []
