"""Workers, receivers and failures: every event arrives, in the order of the changes of a lead."""

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from app.sealing import new_secret, seal
from app.worker.vault import new_key, read
from tests.support import hooks, simulator
from tests.support.database import Database, Organization
from tests.support.hooks import Hooks, pass_time
from tests.support.process import logged
from tests.support.pushing import CRM_KEY, Worker, connect, live_organization, start_worker, wait_for, working

SEED = int(os.environ.get("WEBHOOKS_SEED", str(random.randrange(1 << 32))))
KILLS = int(os.environ.get("WEBHOOKS_KILLS", "3"))
_numbers = count()


@pytest.fixture
def receiver() -> Iterator[Hooks]:
    with hooks.receiving() as running:
        yield running


@pytest.fixture
def organization(database: Database) -> Organization:
    return live_organization(database)


def add_leads(database: Database, organization: Organization, number: int) -> None:
    database.sql(
        "insert into app.lead (organization_id, name, email) "
        "select %s, 'Jane Doe', 'jane' || n || '@example.com' from generate_series(1, %s) as n",
        *(organization.id, number),
    )


def change(database: Database, organization: Organization, times: int = 1) -> None:
    """Changes all leads of the organization, each in a transaction of its own."""
    for _ in range(times):
        database.sql(
            "update app.lead set company = %s where organization_id = %s", f"Company {next(_numbers)}", organization.id
        )


def sent(database: Database, organization: Organization) -> list[str]:
    """The ids of the events that a webhook of the organization must get: those of its leads."""
    rows = database.sql(
        "select e.id::text from audit.event as e where e.organization_id = %s and e.lead_id is not null",
        organization.id,
    )
    return [row["id"] for row in rows]


def pending(database: Database, organization: Organization) -> int:
    (row,) = database.sql(
        "select count(*) from webhook.delivery where organization_id = %s and state = 'pending'", organization.id
    )
    number: int = row["count"]
    return number


def all_queued(database: Database) -> bool:
    """Whether a worker has sealed every event and made its deliveries."""
    (row,) = database.sql(
        "select (select count(*) from audit.unsealed) + (select count(*) from webhook.unqueued_batch) as left_over"
    )
    return bool(row["left_over"] == 0)


def everything_has_arrived(database: Database, organization: Organization, receiver: Hooks, path: str) -> bool:
    return len(receiver.of(path)) >= len(sent(database, organization))


def is_complete_and_in_order(database: Database, organization: Organization, receiver: Hooks, path: str) -> None:
    """Every event has arrived, and each lead's events first arrived in the order of the changes."""
    arrived = [message for message in receiver.of(path) if message.body["data"]["lead_id"]]
    assert sorted(message.body["data"]["id"] for message in arrived) == sorted(sent(database, organization))
    by_lead: dict[str, list[int]] = {}
    for message in arrived:
        by_lead.setdefault(message.lead_id, []).append(message.body["data"]["position"])
    for positions in by_lead.values():
        assert positions == sorted(positions)
    assert receiver.invalid == []


def lines(worker: Worker) -> list[dict[str, Any]]:
    return [line for line in logged(worker.log) if "delivery_id" in line]


def test_a_receiver_that_was_down_for_an_hour_gets_everything_in_order(
    database: Database, organization: Organization, receiver: Hooks, tmp_path: Path
) -> None:
    """Meanwhile the deliveries of another organization arrive."""
    other = live_organization(database, "Other")
    with hooks.receiving() as others, working(database, tmp_path) as worker:
        receiver.down()
        id = receiver.add(database, organization, "/hook")
        others.add(database, other, "/other")
        add_leads(database, organization, 6)
        add_leads(database, other, 3)
        # Three times twenty minutes. bench/webhooks.py makes 10 changes in each second of the hour.
        for _ in range(3):
            change(database, organization, 10)
            change(database, other)
            wait_for(lambda: everything_has_arrived(database, other, others, "/other"))
            wait_for(lambda: all_queued(database))
            pass_time(database, "20 minutes")
        failures = "select 1 from webhook.endpoint where id = %s and failures > 0"
        wait_for(lambda: database.sql(failures, id))
        assert receiver.messages == []
        assert pending(database, organization) == len(sent(database, organization)) + 1 == 6 + 3 * 10 * 6 + 1
        is_complete_and_in_order(database, other, others, "/other")
        assert database.sql("select state from webhook.endpoint where id = %s", id) == [{"state": "enabled"}]
        # The log says why, as the list of deliveries does.
        kept = "select distinct message from webhook.delivery where organization_id = %s and message is not null"
        messages = {row["message"] for row in database.sql(kept, organization.id)}
        assert messages
        wait_for(lambda: messages <= {line["reason"] for line in lines(worker) if line["outcome"] == "failed"})
        assert "/hook" not in worker.log.read_text()

        receiver.up()
        pass_time(database, "1 hour")
        wait_for(lambda: pending(database, organization) == 0)
    is_complete_and_in_order(database, organization, receiver, "/hook")
    (endpoint,) = database.sql("select failures, failing_since from webhook.endpoint where id = %s", id)
    assert endpoint == {"failures": 0, "failing_since": None}


def test_killed_workers_lose_nothing_and_change_no_order(
    database: Database, organization: Organization, receiver: Hooks, tmp_path: Path
) -> None:
    print(f"WEBHOOKS_SEED={SEED}")
    draw = random.Random(SEED)
    receiver.add(database, organization, "/hook")
    receiver.latency["/hook"] = 0.02
    add_leads(database, organization, 12)
    change(database, organization, 9)
    workers = [start_worker(database, tmp_path / f"worker-{n}.log") for n in range(2)]
    try:
        for _ in range(KILLS):
            change(database, organization, 2)  # or the workers may have sent everything
            enough = len(receiver.messages) + draw.randrange(5, 15)
            wait_for(lambda: len(receiver.messages) > enough)  # noqa: B023
            n = draw.randrange(2)
            os.kill(workers[n].process.pid, signal.SIGKILL)
            workers[n].process.wait()
            # Every lease has ended, also those of the other worker, which goes on.
            pass_time(database, "15 seconds")
            receiver.statuses["/hook"] = draw.choice([200, 200, 500])
            workers[n] = start_worker(database, tmp_path / f"worker-{n}.log")
            wait_for(lambda: len(receiver.messages) > enough + 4)  # noqa: B023
            receiver.statuses["/hook"] = 200
            pass_time(database, "1 minute")

        def is_done() -> bool:
            pass_time(database, "5 seconds")
            return all_queued(database) and pending(database, organization) == 0

        wait_for(is_done, 60)
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.wait()
    is_complete_and_in_order(database, organization, receiver, "/hook")
    bodies: dict[str, set[str]] = {}
    for message in receiver.messages:
        bodies.setdefault(message.id, set()).add(json.dumps(message.body))
    assert {len(each) for each in bodies.values()} == {1}


def test_two_workers_send_each_event_once_and_few_at_once(
    database: Database, organization: Organization, receiver: Hooks, tmp_path: Path
) -> None:
    receiver.add(database, organization, "/hook")
    receiver.latency["/hook"] = 0.05
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
    with working(database, tmp_path / "a") as first, working(database, tmp_path / "b") as second:
        add_leads(database, organization, 20)
        change(database, organization, 3)
        wait_for(lambda: everything_has_arrived(database, organization, receiver, "/hook"))
        wait_for(lambda: pending(database, organization) == 0)
        # On a busy machine, one of them may have made all deliveries until now.
        for _ in range(30):
            if lines(first) and lines(second):
                break
            change(database, organization, 1)
            wait_for(lambda: everything_has_arrived(database, organization, receiver, "/hook"))
            wait_for(lambda: pending(database, organization) == 0)
        assert lines(first)
        assert lines(second)
    assert len(receiver.messages) == len(receiver.of("/hook"))
    is_complete_and_in_order(database, organization, receiver, "/hook")
    assert receiver.busiest["/hook"] <= 4


def test_slow_receivers_hold_up_no_other_organization_and_no_push(
    database: Database, organization: Organization, receiver: Hooks, tmp_path: Path
) -> None:
    slow = live_organization(database, "Slow")
    paths = [f"/slow{n}" for n in range(4)]
    for path in paths:
        receiver.add(database, slow, path)
        receiver.latency[path] = 8
    receiver.add(database, organization, "/hook")
    add_leads(database, slow, 40)
    with simulator.running() as vendor, working(database, tmp_path):
        connect(database, slow, vendor)
        wait_for(lambda: sum(receiver.busy.values()) == 8)
        database.sql(
            "insert into app.lead (organization_id, name, email, pipeline_stage) "
            "values (%s, 'Jo', 'jo@example.com', 'qualified')",
            slow.id,
        )
        add_leads(database, organization, 10)
        change(database, organization, 3)
        wait_for(lambda: everything_has_arrived(database, organization, receiver, "/hook"))
        wait_for(lambda: vendor.contacts)
        assert pending(database, slow) > 100
    is_complete_and_in_order(database, organization, receiver, "/hook")


def test_a_failed_attempt_is_repeated_with_the_same_id_and_a_new_time(
    database: Database, organization: Organization, receiver: Hooks, tmp_path: Path
) -> None:
    receiver.add(database, organization, "/hook")
    receiver.statuses["/hook"] = 503
    with working(database, tmp_path):
        add_leads(database, organization, 1)
        failed = (
            "select 1 from webhook.delivery "
            "where organization_id = %s and action = 'lead.created' and http_status = 503"
        )
        wait_for(lambda: database.sql(failed, organization.id))
        time.sleep(1)
        receiver.statuses["/hook"] = 200
        pass_time(database, "1 hour")
        wait_for(lambda: pending(database, organization) == 0)
    first, *_, last = [seen for seen in receiver.requests if b"lead.created" in seen.content]
    assert first.headers["webhook-id"] == last.headers["webhook-id"]
    assert int(first.headers["webhook-timestamp"]) < int(last.headers["webhook-timestamp"])
    assert first.content == last.content


def test_sigterm_lets_running_deliveries_finish(
    database: Database, organization: Organization, receiver: Hooks, tmp_path: Path
) -> None:
    receiver.add(database, organization, "/hook")
    receiver.latency["/hook"] = 1
    with working(database, tmp_path) as worker:
        add_leads(database, organization, 1)
        wait_for(lambda: receiver.busy.get("/hook"))
        running = receiver.busy["/hook"]
        assert worker.stop() == 0
    (row,) = database.sql(
        "select count(*) from webhook.delivery where organization_id = %s and state = 'delivered'", organization.id
    )
    assert row["count"] >= running
    assert len(receiver.messages) == row["count"]


def test_a_worker_without_the_key_leaves_the_deliveries_and_says_so(
    database: Database, organization: Organization, receiver: Hooks, tmp_path: Path
) -> None:
    receiver.add(database, organization, "/hook")
    other_key = new_key()
    with working(database, tmp_path, LEADS_CRM_KEY=other_key) as worker:
        add_leads(database, organization, 1)
        wait_for(lambda: "webhooks were sealed to a key that isn't here" in worker.log.read_text())
        wait_for(lambda: all_queued(database) and pending(database, organization))
    assert receiver.requests == []
    # Both keys, the new one first.
    with working(database, tmp_path, LEADS_CRM_KEY=f"{other_key},{CRM_KEY}"):
        wait_for(lambda: everything_has_arrived(database, organization, receiver, "/hook"))


def secrets(database: Database, organization: Organization) -> list[dict[str, Any]]:
    return database.sql(
        "select secret_key, secret_is_bound, previous_secret_key, previous_is_bound, updated_at from webhook.endpoint "
        "where organization_id = %s order by id",
        organization.id,
    )


def findings(database: Database) -> list[str]:
    rows = database.sql("select finding from admin.webhook_findings() where subject = 'webhooks'")
    return [row["finding"] for row in rows]


def test_secrets_are_sealed_to_a_new_key_before_the_old_one_goes(
    database: Database, organization: Organization, receiver: Hooks, tmp_path: Path
) -> None:
    database.sql("delete from webhook.endpoint where organization_id <> %s", organization.id)
    id = receiver.add(database, organization, "/hook")
    stopped = receiver.add(database, organization, "/stopped")
    rotated = receiver.add(database, organization, "/rotated")
    database.sql(
        "update webhook.endpoint set state = 'disabled', disabled_reason = 'request', disabled_at = now() "
        "where id = %s",
        stopped,
    )
    old, new = read(CRM_KEY).ids[0], new_key()
    with working(database, tmp_path, LEADS_CRM_KEY=CRM_KEY):
        wait_for(lambda: all(row["secret_is_bound"] for row in secrets(database, organization)))
    # The old secret goes on signing: it is neither bound nor of the new key.
    before = receiver.secrets["/rotated"]
    secret = new_secret()
    database.sql(
        "select webhook.rotate_secret(%s, %s, %s, %s, '24 hours')",
        *(organization.id, rotated, seal(secret, read(CRM_KEY).public_keys()[0]), old),
    )
    assert [row["previous_is_bound"] for row in secrets(database, organization)] == [False, False, True]
    assert [row["secret_is_bound"] for row in secrets(database, organization)] == [True, True, False]
    dates = [row["updated_at"] for row in secrets(database, organization)]
    recorded = "select count(*) as n from audit.event where organization_id = %s and action = 'webhook.updated'"
    events = database.sql(recorded, organization.id)
    # What leads doctor says when the new key is announced, and no worker has sealed a secret to it yet.
    database.sql(
        "select webhook.announce_keys(%s, %s)",
        *([read(new).ids[0], old], [*read(new).public_keys(), *read(CRM_KEY).public_keys()]),
    )
    assert findings(database)[0].endswith(f'"{read(new).ids[0]}": 4.')

    with working(database, tmp_path, LEADS_CRM_KEY=f"{new},{CRM_KEY}"):
        wait_for(lambda: findings(database) == [])
    rows = secrets(database, organization)
    assert {row["secret_key"] for row in rows} == {read(new).ids[0]}
    assert [row["previous_secret_key"] for row in rows] == [None, None, read(new).ids[0]]
    assert all(row["secret_is_bound"] for row in rows)
    # The secrets are the same: nothing is recorded, and no tag changes.
    assert [row["updated_at"] for row in rows] == dates
    assert database.sql(recorded, organization.id) == events

    # Without the old key, all is delivered, with the secrets that the receivers have.
    with working(database, tmp_path, LEADS_CRM_KEY=new):
        database.sql(
            "update webhook.endpoint set state = 'enabled', disabled_reason = null, disabled_at = null where id = %s",
            stopped,
        )
        add_leads(database, organization, 2)
        paths = ("/hook", "/stopped", "/rotated")
        wait_for(lambda: all(everything_has_arrived(database, organization, receiver, path) for path in paths))
        assert receiver.invalid == []
        request = next(request for request in receiver.requests if request.path == "/rotated")
        for each in (before, secret):
            Webhook(each).verify(request.content, request.headers)

        # In the row of another webhook, the secret can't be opened.
        database.sql(
            "update webhook.endpoint as p set secret = o.secret, secret_is_bound = false, previous_expires_at = null "
            "from webhook.endpoint as o where p.id = %s and o.id = %s",
            *(id, stopped),
        )
        add_leads(database, organization, 1)
        failed = "select message from webhook.delivery where endpoint_id = %s and message is not null"
        wait_for(lambda: database.sql(failed, id))
    (row, *_) = database.sql(failed, id)
    assert "for this webhook: rotate the webhook's secret" in row["message"]


def test_a_secret_whose_overlap_has_ended_is_deleted(
    database: Database, organization: Organization, receiver: Hooks, tmp_path: Path
) -> None:
    id = receiver.add(database, organization, "/hook")
    old = read(CRM_KEY).ids[0]
    sealed = seal(new_secret(), read(CRM_KEY).public_keys()[0])
    database.sql("select webhook.rotate_secret(%s, %s, %s, %s, '1 hour')", *(organization.id, id, sealed, old))
    database.sql("update webhook.endpoint set previous_expires_at = now() where id = %s", id)
    with working(database, tmp_path):
        wait_for(lambda: secrets(database, organization)[0]["previous_secret_key"] is None)
    (row,) = database.sql("select previous_secret, previous_expires_at from webhook.endpoint where id = %s", id)
    assert row == {"previous_secret": None, "previous_expires_at": None}


def test_a_receiver_on_this_machine_is_called_only_if_the_process_allows_it(
    database: Database, organization: Organization, receiver: Hooks, tmp_path: Path
) -> None:
    receiver.add(database, organization, "/hook")
    with working(database, tmp_path, LEADS_ALLOW_LOOPBACK_VENDORS="0") as worker:
        add_leads(database, organization, 1)
        wait_for(lambda: lines(worker))
    rows = database.sql(
        "select message from webhook.delivery where organization_id = %s and attempts > 0", organization.id
    )
    assert {row["message"] for row in rows} == {"The host of the webhook's address isn't at a public address"}
    assert receiver.requests == []


def test_a_receiver_that_is_gone_is_not_called_again(
    database: Database, organization: Organization, receiver: Hooks, tmp_path: Path
) -> None:
    id = receiver.add(database, organization, "/hook")
    receiver.statuses["/hook"] = 410
    with working(database, tmp_path):
        add_leads(database, organization, 1)
        state = "select disabled_reason from webhook.endpoint where id = %s and state = 'disabled'"
        assert wait_for(lambda: database.sql(state, id)) == [{"disabled_reason": "gone"}]
        pass_time(database, "1 hour")
        time.sleep(0.5)
        requests = len(receiver.requests)
    assert requests <= 4
    assert pending(database, organization) > 0
