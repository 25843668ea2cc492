"""Random histories of deliveries: nothing is lost, and each lead's events arrive in order.

Two workers lease and settle, fail, and are killed with leases that they had, before or after the message was sent.
Leads change, events are queued, webhooks are disabled and enabled, and time passes. At the end all is delivered.
"""

import random
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.support.database import Database, make_organization
from tests.support.webhooks import make_webhook

LEADS = 6
STEPS = 200
PASS = """
with d as (
  update webhook.delivery
  set
    next_attempt_at = next_attempt_at - %(time)s::interval,
    leased_until = leased_until - %(time)s::interval,
    begun_at = begun_at - %(time)s::interval
)
update webhook.endpoint
set paused_until = paused_until - %(time)s::interval, failing_since = failing_since - %(time)s::interval
"""
STUCK = """
select d.endpoint_id, d.lead_id from webhook.delivery as d where d.state = 'pending'
group by d.endpoint_id, d.lead_id
having (array_agg(d.next_attempt_at order by d.position))[1] is null or count(d.next_attempt_at) > 1
"""


class History:
    """One history, with what each webhook has received."""

    def __init__(self, database: Database, seed: int) -> None:
        self.chance = random.Random(seed)
        self.organization = make_organization(database, f"History {seed}", "live")
        self.webhooks = [make_webhook(database, self.organization) for _ in range(2)]
        self.database = database
        self.connection = psycopg.connect(database.url(), autocommit=True, row_factory=dict_row)
        self.workers: tuple[list[dict[str, Any]], ...] = ([], [])
        self.passed = 0.0
        """The seconds that have passed beside those of the clock."""
        self.received: dict[tuple[Any, Any], list[int]] = {}
        self.leads = [
            self.sql(
                "insert into app.lead (organization_id, email) values (%s, %s) returning id",
                *(self.organization.id, f"{number}@example.com"),
            )[0]["id"]
            for number in range(LEADS)
        ]

    def sql(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        cursor = self.connection.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    def change(self) -> None:
        text = str(self.chance.random())
        self.sql("update app.lead set timeline = %s where id = %s", text, self.chance.choice(self.leads))

    def queue(self) -> None:
        self.sql("select admin.seal_events(null, %s)", self.chance.choice((1, 3, 1000)))
        self.sql("select webhook.queue_deliveries(null, %s)", self.chance.choice((1, 5, 1000)))

    def lease(self) -> None:
        worker = self.chance.choice(self.workers)
        keys, batch = [self.organization.id], self.chance.randint(1, 6)
        began = self.now()
        rows = self.sql("select * from webhook.lease_deliveries(%s, %s)", keys, batch)
        worker += [row | {"began": began} for row in rows]

    def settle(self, outcome: str | None = None) -> None:
        self.end_attempts()
        worker = self.chance.choice(self.workers)
        if not worker:
            return
        leased = worker.pop(self.chance.randrange(len(worker)))
        outcome = outcome or self.chance.choice(("delivered", "delivered", "delivered", "failed", "lost"))
        if outcome != "failed":
            [row] = self.sql("select lead_id, position from webhook.delivery where id = %s", leased["delivery_id"])
            self.received.setdefault((leased["endpoint_id"], row["lead_id"]), []).append(row["position"])
        if outcome == "lost":
            return  # the worker was killed after the receiver had answered
        self.sql(
            "select webhook.settle_delivery(%s, %s, %s, %s)",
            *(leased["organization_id"], leased["delivery_id"], leased["attempt"], outcome),
        )

    def kill(self) -> None:
        self.chance.choice(self.workers).clear()
        self.wait(15)

    def wait(self, seconds: float | None = None) -> None:
        seconds = seconds or self.chance.choice((1, 5, 60, 3600))
        self.passed += seconds
        self.connection.execute(PASS, {"time": f"{seconds} seconds"})

    def now(self) -> float:
        return time.monotonic() + self.passed

    def end_attempts(self) -> None:
        """An attempt takes 10 seconds at most, so no worker sends after the end of its lease."""
        for worker in self.workers:
            worker[:] = [leased for leased in worker if self.now() < leased["began"] + 10]

    def switch(self) -> None:
        webhook, state = self.chance.choice(self.webhooks), self.chance.choice(("enabled", "disabled"))
        self.set(webhook, state)

    def set(self, webhook: str, state: str) -> None:
        reason = "request" if state == "disabled" else None
        self.sql(
            "update webhook.endpoint set state = %s, disabled_reason = %s, disabled_at = case when %s then now() end "
            "where id = %s and state <> %s",
            *(state, reason, state == "disabled", webhook, state),
        )

    def finish(self) -> None:
        for webhook in self.webhooks:
            self.set(webhook, "enabled")
        while self.sql("select 1 from audit.unsealed"):
            self.sql("select admin.seal_events(null, 1000)")
        while self.sql("select 1 from webhook.unqueued_batch"):
            self.sql("select webhook.queue_deliveries(null, 1000)")
        while self.sql("select 1 from webhook.delivery where state = 'pending' limit 1"):
            self.wait(3600)
            self.lease()
            while any(self.workers):
                self.settle("delivered")


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_lost_and_each_leads_events_arrive_in_order(
    new_database: Callable[..., Database], seed: int
) -> None:
    history = History(new_database(), seed)
    try:
        steps = (history.change,) * 4 + (history.queue,) * 2 + (history.lease,) * 4 + (history.settle,) * 6 + (
            history.wait, history.kill, history.switch,
        )  # fmt: skip
        for _ in range(STEPS):
            history.chance.choice(steps)()
            assert history.sql(STUCK) == []
        history.finish()
        expected = history.sql(
            "select e.lead_id, array_agg(s.position order by s.position) as positions from audit.event as e "
            "join audit.seal as s on s.organization_id = e.organization_id and s.event_id = e.id "
            "where e.organization_id = %s and e.created_at >= (select max(created_at) from webhook.endpoint) "
            "and e.lead_id is not null group by e.lead_id",
            history.organization.id,
        )
        assert len(expected) == LEADS
        for webhook in history.sql("select id from webhook.endpoint"):
            for row in expected:
                arrived = history.received[webhook["id"], row["lead_id"]]
                # In order, apart from repeats; and nothing is missing.
                assert arrived == sorted(arrived)
                assert sorted(set(arrived) & set(row["positions"])) == row["positions"]
        assert history.sql("select state from webhook.delivery group by state") == [{"state": "delivered"}]
    finally:
        history.connection.close()
