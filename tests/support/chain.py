"""Seals and verifies the chain of the audit log, as the operator."""

import re
from typing import Any
from uuid import uuid4

import psycopg

from tests.support.database import Database

_OLD_EVENTS = """
with instant as (
  select n, make_timestamptz(%(year)s, 12, 31, 12, 0, 0, 'UTC') - n * interval '1 second' as at
  from generate_series(1, %(events)s) as n
),
made as (
  insert into audit.event (id, organization_id, action, source, lead_id, payload, salt, payload_digest, created_at)
  select
    i.id, %(organization)s::uuid, 'lead.updated', 'sql', %(lead)s, i.payload::json, i.salt,
    sha256(i.salt || convert_to(i.payload, 'UTF8')), app.id_time(i.id)
  from (
    select
      overlay(
        overlay(gen_random_uuid()::text placing '7' from 15)
        placing substr(h.hex, 1, 8) || '-' || substr(h.hex, 9) from 1
      )::uuid as id,
      format(
        '{"lead_id":"%%s","diff":{"email":{"from":null,"to":"ada%%s@example.com"},"lead_score":{"from":1,"to":2}}}',
        %(lead)s, t.n
      ) as payload,
      uuid_send(gen_random_uuid()) as salt
    from instant as t
    cross join lateral (select lpad(to_hex((extract(epoch from t.at) * 1000)::bigint), 12, '0') as hex) as h
  ) as i
  returning organization_id, id
)
insert into audit.unsealed (organization_id, event_id) select m.organization_id, m.id from made as m
"""


def seal(database: Database) -> int:
    """Seals all events, and returns their number."""
    total, after = 0, None
    while rows := database.sql("select * from admin.seal_events(%s::uuid, 1000)", after, login="leads_operator"):
        after, total = rows[0]["organization_id"], total + rows[0]["sealed"]
    return total


def count(database: Database) -> None:
    """Counts all sealed events for the figures of stages, as a worker does."""
    after = None
    while rows := database.sql("select * from admin.count_stages(%s::uuid, 1000)", after, login="leads_worker"):
        after = rows[0]["organization_id"] if rows[0]["counted"] < 1000 else after


def verdict(database: Database, organization: Any, *, limit: int = 10_000, head: str | None = None) -> dict[str, Any]:
    """Reads the chain in parts, and returns the first row of admin.verify_chain that fails,
    or else the last.
    """
    after = 0
    while True:
        statement = "select to_jsonb(v) as v from admin.verify_chain(%s, %s, %s, %s) as v"
        rows = database.sql(statement, organization, after, limit, head, login="leads_operator")
        row: dict[str, Any] = rows[0]["v"]
        if not row["holds"] or row["next_after"] is None:
            return row
        after, head = int(row["next_after"]), None


def old_events(database: Database, organization: Any, year: int, events: int = 10, lead: Any = None) -> Any:
    """Writes events of a past year about a lead that was deleted, one a second from noon of 31 December back.
    Returns the lead's id. They come before the organization's own events in the chain if none is sealed yet.
    """
    database.sql("select audit.create_partitions(%s)", year)
    values = {"year": year, "events": events, "organization": organization, "lead": lead or uuid4()}
    with database.connect() as connection:
        connection.execute(_OLD_EVENTS, values)
    return values["lead"]


def log_findings(connection: psycopg.Connection[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns what leads doctor finds about the audit log.
    The findings about roles and the server come and go with other tests.
    """
    rows = connection.execute("select * from admin.findings()").fetchall()
    return [row for row in rows if re.search("audit|event|seal", row["subject"])]
