"""A page of the audit log reads the newest partition first, and no older one when it is full.

PostgreSQL counts the scans of each table in the transaction: a partition that the executor never
reached has none.
"""

import json
from collections.abc import Callable
from hashlib import sha256

import pytest

from app import session
from tests.support.database import Database, Organization, make_organization

FIRST, LAST = 2017, 2026

# In each year 1,200 events of each of 2 organizations.
_EVENTS = """
insert into audit.event (id, organization_id, action, source, lead_id, payload, payload_digest, created_at)
select
  (lpad(to_hex((extract(epoch from t.at) * 1000)::bigint), 12, '0') || '7'
    || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid,
  o.id,
  case s.number %% 3 when 0 then 'lead.created' else 'lead.updated' end,
  (array['api', 'sql', 'worker', 'system'])[1 + s.number %% 4],
  '00000000-0000-7000-8000-000000000007',
  '{}', sha256(''), t.at
from generate_series(%(first)s::integer, %(last)s) as y (year)
cross join generate_series(1, 1200) as s (number)
cross join unnest(%(organizations)s::uuid[]) as o (id)
cross join lateral (
  select make_timestamptz(y.year, 1, 2, 0, 0, 0, 'UTC') + s.number * interval '1 second' as at
) as t
"""
_SCANNED = """
select t.relname as name
from pg_stat_xact_all_tables as t
where
  t.schemaname = 'audit'
  and t.relname ~ '^event_2'
  and coalesce(t.seq_scan, 0) + coalesce(t.idx_scan, 0) > 0
"""
LEAD = "lead_id => '00000000-0000-7000-8000-000000000007'"
FILTERS = (
    "",
    "action => '{lead.created}'",
    "action => '{lead.created,lead.updated}'",
    "source => '{sql}'",
    "source => '{sql,api}'",
    "action => '{lead.updated}', source => '{api}'",
    "action => '{lead.created,lead.updated}', source => '{sql,api}'",
    LEAD,
    f"{LEAD}, action => '{{lead.created}}'",
    f"{LEAD}, source => '{{sql}}'",
    f"{LEAD}, action => '{{lead.created}}', source => '{{sql}}'",
)
"""Every combination of filters that has a statement of its own, with one value and with several."""
BOUNDS = {
    "": LAST,
    "start_at => '2015-01-01Z'": LAST,
    "end_at => '2020-12-31Z'": 2020,
    "start_at => '2015-01-01Z', end_at => '2020-12-31Z'": 2020,
}
"""Bounds in time, with the oldest year that a page reads.

With an upper bound, a scan of each later year begins and finds no row. The condition
created_at <= …, which excludes them, made other pages 6 to 21 % slower, and these 12 % faster.
"""


@pytest.fixture(scope="module")
def alice(database: Database) -> Organization:
    """An organization with events in ten years, which are the only partitions."""
    alice, bob = make_organization(database, "Alice Roofing"), make_organization(database, "Bob Plumbing")
    with database.connect() as connection:
        rows = connection.execute(
            "select i.inhrelid::regclass as t from pg_inherits as i where i.inhparent = "
            "any (array['audit.event', 'audit.seal']::regclass[])"
        ).fetchall()
        for row in rows:
            connection.execute(f"drop table {row['t']}".encode())
        for year in range(FIRST, LAST + 1):
            connection.execute("select audit.create_partitions(%s)", [year])
        connection.execute(_EVENTS, {"first": FIRST, "last": LAST, "organizations": [alice.id, bob.id]})
    return alice


def scanned(database: Database, alice: Organization, call: str, login: str = "leads_api") -> set[int]:
    """The years whose partitions a statement reads. It must fill a page."""
    claim = sha256(alice.keys["read"].encode()).hexdigest()
    settings = " ".join(f"-c {name}={value}" for name, value in session.SERVER.items())
    with database.connect(login, options=settings) as connection, connection.transaction(force_rollback=True):
        connection.execute("select auth.enter(%s, 'a-request', 'read', false)", [claim])
        if login == "postgres":
            connection.execute("set local role leads_exec")
        rows = connection.execute(call.encode()).fetchall()
        assert len(json.loads(rows[0]["body"])["data"] if login == "leads_api" else rows) == 50
        return {int(row["name"].removeprefix("event_")) for row in connection.execute(_SCANNED)}


def page(*arguments: str) -> str:
    return f"select (api.list_audit_events({', '.join(text for text in arguments if text)})).body"


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("filters", FILTERS)
def test_a_full_page_reads_no_older_partition(
    database: Database, alice: Organization, filters: str, bounds: str
) -> None:
    assert scanned(database, alice, page(filters, bounds)) == set(range(BOUNDS[bounds], LAST + 1))


@pytest.mark.parametrize(("before", "year"), [("infinity", LAST), ("2020-12-31Z", 2020)])
@pytest.mark.parametrize("filters", FILTERS)
def test_a_full_page_of_an_export_reads_no_older_partition(
    database: Database, alice: Organization, filters: str, before: str, year: int
) -> None:
    values = dict.fromkeys(("actions", "sources", "event_lead_id"), "null") | {
        f"{name}s" if name in ("action", "source") else "event_lead_id": value
        for name, value in (text.split(" => ") for text in filters.split(", ") if text)
    }
    arguments = ", ".join(f"{name} => {value}" for name, value in values.items())
    call = (
        f"select from audit.filtered_events('{alice.id}', {arguments}, before => '{before}', "
        f"before_id => '{'f' * 32}', start_at => '-infinity', \"limit\" => 50)"
    )
    assert scanned(database, alice, call, "postgres") == set(range(year, LAST + 1))


def test_a_page_that_is_not_full_goes_on_with_the_year_before(database: Database, alice: Organization) -> None:
    assert scanned(database, alice, page("end_at => '2021-01-02 00:00:20Z'")) == set(range(2020, LAST + 1))


def test_a_plan_that_sorts_reads_all_partitions(
    new_database: Callable[..., Database], database: Database, alice: Organization
) -> None:
    """The control: enable_sort = off prevents this, and the counts show it."""
    copy = new_database(database.name)
    copy.sql("alter function api.list_audit_events set enable_sort = on")
    copy.sql("alter function api.list_audit_events set enable_indexscan = off")
    assert scanned(copy, alice, page()) == set(range(FIRST, LAST + 1))
