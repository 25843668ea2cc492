"""A long backlog of one webhook costs the leases of others nothing: counted in pages, not in time."""

import os
from collections.abc import Callable
from typing import Any

import psycopg

from tests.support.database import Database, make_organization
from tests.support.webhooks import make_webhook

BACKLOG = int(os.environ.get("WEBHOOK_BACKLOG", "60000"))
"""Deliveries that wait for one webhook; a twenty-eighth of them is due, each of another lead."""
WAITING = """
insert into webhook.delivery
  (organization_id, endpoint_id, event_id, event_created_at, position, lead_id, action, state, next_attempt_at)
select
  %s, %s, app.new_id(), now(), n, ('00000000-0000-0000-0000-' || lpad((n %% %s)::text, 12, '0'))::uuid,
  'lead.updated', 'pending', case when n <= %s then now() - interval '1 hour' end
from generate_series(1, %s) as n
"""


CALLS = {"lease": "webhook.lease_deliveries(array['k'], 4)", "sleep": "webhook.seconds_until_due(array['k'])"}


def pages(connection: psycopg.Connection[Any], call: str) -> int:
    """The pages that a call touches. The lowest of four: a call also reads the catalogue if it is the first one, or if
    ANALYZE has run meanwhile. Each is rolled back, so all of them lease the same deliveries.
    """
    counts = []
    for _ in range(4):
        with connection.transaction(force_rollback=True):
            explain = f"explain (analyze, buffers, format json) select * from {call}"
            [(plan,)] = connection.execute(explain.encode()).fetchall()
        top = plan[0]["Plan"]
        counts.append(int(top["Shared Hit Blocks"]) + int(top["Shared Read Blocks"]))
    return min(counts)


def test_a_backlog_of_another_webhook_costs_a_lease_nothing(new_database: Callable[..., Database]) -> None:
    database = new_database()
    slow, own = (make_organization(database, name, "live") for name in ("Slow", "Own"))
    backlog, webhook = (make_webhook(database, organization, secret_key="k") for organization in (slow, own))
    leads = max(BACKLOG // 28, 1)
    with psycopg.connect(database.url(), autocommit=True) as connection:
        connection.execute(WAITING.encode(), (own.id, webhook, 10, 10, 200))
        before = {name: pages(connection, call) for name, call in CALLS.items()}
        connection.execute(WAITING.encode(), (slow.id, backlog, leads, leads, BACKLOG))
        for change in (
            "failures = 9, failing_since = now(), paused_until = now() + interval '1 hour'",
            "failures = 0, failing_since = null, paused_until = null",
        ):
            connection.execute(f"update webhook.endpoint set {change} where id = %s".encode(), (backlog,))
            for name, call in CALLS.items():
                count = pages(connection, call)
                print(f"{name}: {count} pages, {before[name]} before")
                # More levels of the indexes, and up to 4 leases; not the thousands of leads that wait.
                assert count < before[name] + 75
