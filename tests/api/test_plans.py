"""What a page costs, in buffers touched, as the executing role and under generic plans:
by EXPLAIN of the very call.

The buffers of a function's call include those of the statements inside it. 100,000 leads and as
many events of one organization lie among those of another; the limits are the contract's: a page
costs the same wherever it is.
"""

import base64
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import psycopg
import pytest

from tests.support.database import Database, Organization, make_organization

ROWS = 100_000
PAGE = 50
MOST = 200
"""The maximum number of buffers that a page of 50 may touch, with any filter."""

# Every tenth row is the other organization's.
# "ads" never meets the stage "new", though both are frequent.
_LEADS = """
insert into app.lead (id, organization_id, email, pipeline_stage, source, created_at, updated_at, phone, reference)
select
  gen_random_uuid(),
  case when s %% 10 = 0 then %(bob)s else %(alice)s end::uuid,
  format('p%%s@example.com', s %% 50000),
  case when s %% 3 = 0 then 'new' when s %% 1000 = 1 then 'won' else 'contacted' end,
  case when s %% 3 = 0 then 'web' when s %% 3 = 1 then 'ads' end,
  t.at, t.at,
  format('555 %%s', lpad(case when s %% 3 = 0 then 0 else s %% 50000 end::text, 7, '0')),
  s
from generate_series(1, %(rows)s) as s
cross join lateral (select timestamptz '2026-01-01 00:00:00Z' + interval '1 second' * s as at) as t
"""
_EVENTS = """
insert into audit.event (id, organization_id, action, source, lead_id, payload, payload_digest, created_at)
select
  (lpad(to_hex((extract(epoch from t.at) * 1000)::bigint), 12, '0') || '7'
    || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid,
  case when s %% 10 = 0 then %(bob)s else %(alice)s end::uuid,
  case when s %% 3 = 0 then 'lead.created' else 'lead.updated' end,
  case when s %% 3 = 0 then 'sql' else 'api' end,
  format('00000000-0000-7000-8000-%%s', lpad((s %% 20000)::text, 12, '0'))::uuid,
  '{}', sha256(''), t.at
from generate_series(1, %(rows)s) as s
cross join lateral (select timestamptz '2026-01-01 00:00:00Z' + interval '1 second' * s as at) as t
"""
_INDEXES = """
select i.indexrelid::regclass::text as name, replace(pg_get_indexdef(i.indexrelid), ' ON ONLY ', ' ON ') as definition
from pg_index as i
where i.indrelid in ('app.lead'::regclass, 'audit.event'::regclass) and not i.indisprimary
order by i.indexrelid
"""

Session = psycopg.Connection[dict[str, Any]]


@pytest.fixture(scope="module")
def alice(database: Database) -> Organization:
    """The organization with 100,000 leads and events."""
    alice, bob = make_organization(database, "Alice Roofing"), make_organization(database, "Bob Plumbing")
    with database.connect() as connection, connection.transaction():
        # without triggers and indexes, which would make the load slow
        connection.execute("set local session_replication_role = replica")
        # This one sets the text of the leads that a page shows.
        connection.execute("alter table app.lead enable always trigger _500_stamp")
        indexes = connection.execute(_INDEXES).fetchall()
        for index in indexes:
            connection.execute(f"drop index {index['name']}")
        connection.execute("select audit.create_partitions(2026)")
        for statement in (_LEADS, _EVENTS):
            connection.execute(statement, {"alice": alice.id, "bob": bob.id, "rows": ROWS * 10 // 9})
        for index in indexes:
            connection.execute(index["definition"])
        connection.execute("alter table app.lead enable trigger _500_stamp")
    database.sql("analyze app.lead, audit.event")
    return alice


@pytest.fixture
def session(database: Database, alice: Organization) -> Iterator[Session]:
    """A superuser's transaction, rolled back: controls change the schema in it;
    :func:`buffers` acts as the shim.
    """
    with database.connect() as connection:
        connection.execute("begin")
        claim = sha256(alice.keys["read"].encode()).hexdigest()
        connection.execute("select auth.enter(%s, 'a-request', 'read', false)", [claim])
        connection.execute("set local plan_cache_mode = force_generic_plan")
        yield connection
        connection.execute("rollback")


def buffers(session: Session, call: str) -> int:
    """Buffers that the call touches. The first run, which reads the catalogue and plans, isn't counted, and neither is
    one that reads the catalogue again because ANALYZE has run meanwhile.
    """
    session.execute("set local session authorization leads_api")
    counts = []
    for _ in range(4):
        explained = session.execute(f"explain (analyze, buffers, timing off, format json) select {call}").fetchall()
        plan = explained[0]["QUERY PLAN"][0]["Plan"]
        counts.append(int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"]))
    session.execute("reset session authorization")
    return min(counts[1:])


def cursor_of_page(database: Database, table: str, organization: str, number: int) -> str:
    """The cursor that leads to a page: it names the last row of the page before."""
    rows = database.sql(
        "select json_build_object('id', t.id, 'created_at', app.utc_text(t.created_at))::text as item "
        f"from {table} as t where t.organization_id = %s order by t.created_at desc, t.id desc offset %s limit 2",
        organization,
        (number - 1) * PAGE - 1,
    )
    page = "select (app.page_answer(%s, 1)).headers ->> 'Next-Cursor' as cursor"
    return str(database.sql(page, [row["item"] for row in rows])[0]["cursor"])


@pytest.mark.parametrize(("function", "table"), [("list_leads", "app.lead"), ("list_audit_events", "audit.event")])
def test_page_1000_costs_as_much_as_page_1(
    session: Session, database: Database, alice: Organization, function: str, table: str
) -> None:
    cursor = cursor_of_page(database, table, alice.id, 1000)
    first, later = buffers(session, f"api.{function}()"), buffers(session, f"api.{function}(50, '{cursor}')")
    assert abs(first - later) <= 2
    assert first < MOST


@pytest.mark.parametrize(
    "arguments",
    [
        "pipeline_stage => '{contacted}'",
        "pipeline_stage => '{won}'",
        "pipeline_stage => '{lost}'",  # no row
        "pipeline_stage => '{new,won,contacted}'",
        "pipeline_stage => '{lost,proposal}'",
        "source => '{ads}'",
        "source => '{fair}'",  # no row
        "source => '{ads,web,fair}'",
        "pipeline_stage => '{new}', source => '{web}'",
        "pipeline_stage => '{new}', source => '{ads}'",  # no row, though each has many
        "pipeline_stage => '{new,contacted}', source => '{ads,web}'",
        "email => '{P7@example.com}'",
        "email => '{nobody@example.com}'",
        "email => '{p1@example.com,p2@example.com,p3@example.com}'",
        "email => '{p7@example.com}', pipeline_stage => '{new}', source => '{web}'",
        "phone => '(555) 000-0007'",
        "phone => '555 000 0000'",  # a third of the leads
        "phone => '555 000 0000', end_at => '2026-01-01 01:00Z'",
        "phone => '555 999 9999'",
        "phone => '555 000 0007', email => '{p7@example.com}', pipeline_stage => '{new}'",
        "reference => '7'",
        "reference => '7', phone => '555 000 0007', pipeline_stage => '{won}'",
        "start_at => '2026-01-01 12:00Z', end_at => '2026-01-01 13:00Z'",
        "start_at => '2027-01-01 12:00Z'",
        "end_at => '2025-01-01 12:00Z'",
        "end_at => '2026-01-01 01:00Z', pipeline_stage => '{won}'",
        "end_at => '2026-01-01 01:00Z', pipeline_stage => '{new,contacted}', source => '{ads,web}'",
    ],
)
def test_no_filter_of_leads_costs_more(session: Session, arguments: str) -> None:
    assert buffers(session, f"api.list_leads({arguments})") < MOST


@pytest.mark.parametrize(
    "arguments",
    [
        "action => '{lead.created}'",
        "action => '{organization.erased}'",  # no row
        "action => '{lead.created,lead.updated}'",
        "source => '{sql}'",
        "source => '{worker}'",  # no row
        "source => '{sql,worker,api}'",
        "action => '{lead.created}', source => '{sql}'",
        "action => '{lead.created}', source => '{api}'",  # no row, though each has many
        "lead_id => '00000000-0000-7000-8000-000000000007'",
        "lead_id => '00000000-0000-7000-8000-999999999999'",
        "lead_id => '00000000-0000-7000-8000-000000000007', action => '{lead.created}', source => '{sql}'",
        "end_at => '2026-01-01 01:00Z', source => '{sql}'",
    ],
)
def test_no_filter_of_events_costs_more(session: Session, arguments: str) -> None:
    assert buffers(session, f"api.list_audit_events({arguments})") < MOST


MOST_OF_EXPORT = 1500
"""The maximum number of buffers that a page of 500 rows may touch, with any filter."""


@pytest.mark.parametrize(
    ("function", "table", "filters"),
    [
        ("export_leads", "app.lead", ""),
        ("export_leads", "app.lead", "pipeline_stage => '{new,contacted}'"),
        ("export_leads", "app.lead", "pipeline_stage => '{new,contacted}', source => '{ads,web}'"),
        ("export_leads", "app.lead", "source => '{ads,web}'"),
        ("export_leads", "app.lead", "phone => '555 000 0000'"),
        ("export_audit_events", "audit.event", ""),
        ("export_audit_events", "audit.event", "source => '{sql,api}'"),
        ("export_audit_events", "audit.event", "action => '{lead.created,lead.updated}'"),
    ],
)
def test_page_180_of_an_export_costs_as_much_as_page_1(
    session: Session, database: Database, alice: Organization, function: str, table: str, filters: str
) -> None:
    [row] = database.sql(
        "select app.cursor_text("
        'format(\'{"created_at":"%%s","id":"%%s","rows":90000}\', app.utc_text(t.created_at), t.id)'
        f") as cursor from {table} as t where t.organization_id = %s order by t.created_at desc, t.id desc "
        "offset 90000 limit 1",
        alice.id,
    )
    first = buffers(session, f"api.{function}({filters})")
    cursor = f"cursor => '{row['cursor']}'"
    later = buffers(session, f"api.{function}({f'{cursor}, {filters}' if filters else cursor})")
    assert first < MOST_OF_EXPORT
    assert abs(first - later) <= first // 10 + 5


@pytest.mark.parametrize(
    "arguments",
    [
        "pipeline_stage => '{won}'",
        "pipeline_stage => '{lost,proposal}'",  # no row
        "pipeline_stage => '{new}', source => '{ads}'",  # no row, though each has many
        "email => '{p1@example.com,p2@example.com,p3@example.com}'",
        "reference => '7'",
        "end_at => '2026-01-01 01:00Z', pipeline_stage => '{new,contacted}', source => '{ads,web}'",
    ],
)
def test_no_filter_of_an_export_costs_more(session: Session, arguments: str) -> None:
    assert buffers(session, f"api.export_leads({arguments})") < MOST_OF_EXPORT


@pytest.mark.parametrize(
    ("index", "call"),
    [
        ("app.lead_by_pipeline_stage", "api.list_leads(pipeline_stage => '{new}', source => '{ads}')"),
        ("app.lead_by_source", "api.list_leads(pipeline_stage => '{new}', source => '{ads}')"),
        ("audit.event_by_source", "api.list_audit_events(action => '{lead.created}', source => '{api}')"),
        ("audit.event_by_action_and_source", "api.list_audit_events(action => '{lead.created}', source => '{api}')"),
    ],
)
def test_two_filters_cost_no_more_with_any_index_as_the_newest(session: Session, index: str, call: str) -> None:
    """Without statistics two indexes cost the same, and the newer is used.
    A restored dump has another order.
    """
    definition = next(row["definition"] for row in session.execute(_INDEXES).fetchall() if row["name"] == index)
    session.execute(f"drop index {index}")
    session.execute(definition)
    assert buffers(session, call) < MOST


_WORDS = """
insert into app.lead_word (organization_id, lead_id, word, created_at)
select l.organization_id, l.id, w.word, l.created_at
from app.lead as l
cross join lateral unnest(app.lead_words(l.name, l.company, l.email)) as w (word)
"""


@pytest.mark.parametrize(
    ("q", "most"),
    [
        ("p77@example.com", MOST),
        ("p7 77", 6000),
        ("nobody", MOST),
        ("nobody example com", 6000),
        # 5,000 entries of the index are read at most, and 5,000 leads.
        ("p4", 6000),
        ("example p1", 6000),
        ("com example p", 6000),
    ],
)
def test_no_search_costs_more(session: Session, q: str, most: int) -> None:
    session.execute("set local session_replication_role = replica")
    session.execute(_WORDS)
    session.execute("delete from audit.unsealed")
    assert buffers(session, f"api.list_leads(q => '{q}')") < most


def test_a_search_follows_the_rarer_of_two_frequent_words(session: Session, alice: Organization) -> None:
    """Of each word, more entries exist than are counted. The longer word is compared first."""
    session.execute("set local session_replication_role = replica")
    session.execute("delete from audit.unsealed")
    session.execute(
        "insert into app.lead_word (organization_id, lead_id, word, created_at) "
        "select l.organization_id, l.id, w.word, l.created_at "
        "from (select *, row_number() over (order by created_at, id) as n from app.lead) as l "
        "cross join (values ('frequently', 1), ('seldom', 10)) as w (word, every) "
        "where l.organization_id = %s and l.n %% w.every = 0",
        [alice.id],
    )
    rows = session.execute(
        "select word, count(*) from app.lead_word where organization_id = %s group by word", [alice.id]
    )
    assert all(row["count"] > 1000 for row in rows.fetchall())
    assert buffers(session, "api.list_leads(q => 'frequently seldom')") < 2000


def test_a_word_of_another_organization_costs_and_shows_nothing(
    session: Session, database: Database, alice: Organization
) -> None:
    """100,000 leads of another organization have the word. The plan's buffers are the same without them."""
    session.execute("set local session_replication_role = replica")
    without = buffers(session, "api.list_leads(q => 'canary')")
    session.execute(
        "insert into app.lead_word (organization_id, lead_id, word, created_at) "
        "select o.organization_id, gen_random_uuid(), 'canary', now() - s * interval '1 second' "
        "from app.organization as o cross join generate_series(1, 100000) as s where o.organization_id <> %s",
        [alice.id],
    )
    assert abs(buffers(session, "api.list_leads(q => 'canary')") - without) <= 4
    session.execute("set local session authorization leads_api")
    rows = session.execute("select (api.list_leads(q => 'canary')).body").fetchall()
    session.execute("reset session authorization")
    assert rows[0]["body"] == '{"data":[],"next_cursor":null}'


def test_control_a_search_without_its_index_costs_more(session: Session) -> None:
    session.execute("set local session_replication_role = replica")
    session.execute(_WORDS)
    session.execute("delete from audit.unsealed")
    session.execute("alter table app.lead_word drop constraint lead_word_pkey")
    assert buffers(session, "api.list_leads(q => 'p77@example.com')") > MOST


_SEALS = """
insert into audit.seal (organization_id, position, event_id, event_hash, hash, created_at, sealed_at)
select
  e.organization_id, row_number() over (order by e.id), e.id, sha256(''), sha256(uuid_send(e.id)), e.created_at,
  e.created_at
from audit.event as e
where e.organization_id = %s
"""


def test_the_leads_that_changed_cost_the_same_wherever_the_cursor_is(session: Session, alice: Organization) -> None:
    session.execute("alter table audit.seal disable trigger all")
    session.execute(_SEALS, [alice.id])
    costs = []
    for number in (0, 50_000, 99_900, 100_000):
        rows = session.execute("select audit.seal_mark(%s, %s) as mark", [alice.id, number]).fetchall()
        content = f'{{"position":{number},"newest":{number},"hash":"{rows[0]["mark"]}"}}'
        cursor = base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")
        costs.append(buffers(session, f"api.list_leads(cursor => '{cursor}')"))
    # Each event is looked up by its key.
    assert max(costs) < 3 * MOST, costs
    assert max(costs[:3]) - min(costs[:3]) < 50
    assert costs[3] < 100
    assert buffers(session, "api.list_leads(updated_since => '2026-01-01 12:00Z')") < 4 * MOST


def test_control_coalesce_turns_the_index_range_into_a_filter(
    session: Session, database: Database, alice: Organization
) -> None:
    """Under RLS it counts as leaky: the same function, with coalesce in the row comparison,
    reads all pages before.
    """
    cursor = cursor_of_page(database, "app.lead", alice.id, 1000)
    function = "select pg_get_functiondef('api.list_leads'::regproc) as sql"
    definition = session.execute(function).fetchall()[0]["sql"]
    leaky = definition.replace("(v_at, v_id)", "(coalesce(v_at, 'infinity'), coalesce(v_id, v_id))")
    assert leaky != definition
    session.execute(leaky)
    assert buffers(session, f"api.list_leads(50, '{cursor}')") > 5 * MOST


@pytest.mark.parametrize(
    ("index", "arguments"),
    [
        ("lead_by_created_at", ""),
        ("lead_by_pipeline_stage_and_source", "pipeline_stage => '{new}', source => '{ads}'"),
        ("lead_by_email_key", "email => '{nobody@example.com}'"),
        ("lead_by_phone_key", "phone => '555 999 9999'"),
        ("lead_by_reference", "reference => 'nobody'"),
    ],
)
def test_control_a_page_without_its_index_costs_more(session: Session, index: str, arguments: str) -> None:
    session.execute(f"drop index app.{index}")
    assert buffers(session, f"api.list_leads({arguments})") > MOST


_SIGNALS = """
insert into scoring.signal (organization_id, lead_id, type, observed_at)
select l.organization_id, l.id, t.type, now() - interval '1 minute' * n
from app.lead as l
cross join unnest(array['storm_event', 'phone_validated', 'fast_form_completion', 'page_view']) as t (type)
cross join generate_series(1, %(each)s) as n
where l.organization_id = %(organization)s and l.id = %(lead)s
"""


def score_buffers(session: Session, alice: Organization, lead: str) -> int:
    """Buffers that scoring the lead touches, at least. If the lead's page is full, its new version
    needs an entry in each index too.
    """
    claim = sha256(alice.keys["write"].encode()).hexdigest()
    session.execute("set local session_replication_role = origin")
    session.execute("select auth.enter(%s, 'a-request', 'write', false)", [claim])
    assert session.execute(f"select (api.score_lead('{lead}')).status").fetchall()[0]["status"] == 200
    return min(buffers(session, f"api.score_lead('{lead}')") for _ in range(3))


def test_a_score_costs_the_same_for_any_number_of_signals(session: Session, alice: Organization) -> None:
    """The latest of each type is found by an index: 4, 100 and 10,000 signals."""
    rows = session.execute("select id from app.lead where organization_id = %s limit 3", [alice.id]).fetchall()
    session.execute("set local session_replication_role = replica")
    for row, each in zip(rows, (1, 25, 2500), strict=True):
        session.execute(_SIGNALS, {"organization": alice.id, "lead": row["id"], "each": each})
    few, more, many = (score_buffers(session, alice, row["id"]) for row in rows)
    assert few < MOST
    # Three lookups, each in an index that is a level deeper or two.
    assert abs(more - few) <= 10
    assert abs(many - few) <= 10


@pytest.mark.parametrize("function", ["list_signals", "list_scores"])
def test_a_page_of_signals_or_scores_costs_no_more_for_many(
    session: Session, alice: Organization, function: str
) -> None:
    lead = session.execute("select id from app.lead where organization_id = %s limit 1", [alice.id]).fetchall()[0]["id"]
    session.execute("set local session_replication_role = replica")
    session.execute(_SIGNALS, {"organization": alice.id, "lead": lead, "each": 2500})
    session.execute(
        "insert into scoring.score (organization_id, lead_id, kind, lead_score) "
        "select %s, %s, 'set', 5 from generate_series(1, 10000)",
        [alice.id, lead],
    )
    assert buffers(session, f"api.{function}('{lead}')") < MOST


def test_control_a_score_without_its_index_costs_more(session: Session, alice: Organization) -> None:
    lead = session.execute("select id from app.lead where organization_id = %s limit 1", [alice.id]).fetchall()[0]["id"]
    session.execute("set local session_replication_role = replica")
    session.execute(_SIGNALS, {"organization": alice.id, "lead": lead, "each": 2500})
    session.execute("drop index scoring.signal_by_observed_at")
    assert score_buffers(session, alice, lead) > MOST
