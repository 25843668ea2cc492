"""Scoring: the cost of one score with 1, 100 and 10,000 signals on the lead,
and of a backtest of 100,000 leads.

Each score is the statement of POST /leads/{id}/score, in its own transaction.
The backtest is one statement.
"""

import hashlib
import time
from dataclasses import dataclass
from typing import Any

import psycopg

from app.session import address
from bench import cpu
from bench.database import Database
from bench.figures import BenchmarkError

SIGNALS = (1, 100, 10_000)
"""The numbers of signals of a lead, of three types in turn."""
LEADS = 100_000
"""The number of leads in the backtest. They are won or lost, and have three signals each."""
_SCORES = 300

_LEADS = """
set session_replication_role = replica;
insert into app.lead (organization_id, email, pipeline_stage, qualification_completed_at)
select o.id, 'p' || n || '@example.com', case when n % 3 = 0 then 'won' else 'lost' end, now()
from (select {organization}::uuid as id) as o
cross join generate_series(1, {leads}) as n;
insert into scoring.signal (organization_id, lead_id, type, observed_at)
select l.organization_id, l.id, t.type, now() - interval '1 hour'
from app.lead as l
cross join unnest(array['storm_event', 'phone_validated', 'fast_form_completion']) as t (type)
where l.organization_id = {organization};
reset session_replication_role
"""
_SIGNALS = """
insert into scoring.signal (organization_id, lead_id, type, observed_at)
select
  l.organization_id, l.id, (array['storm_event', 'phone_validated', 'visits'])[1 + n %% 3], now() - interval '1 s' * n
from app.lead as l
cross join generate_series(1, %s) as n
where l.id = %s
"""
_SCORE = """
select (a.r).status
from (select api.score_lead(%s) as r from auth.enter(%s, 'bench', 'write', false) offset 0) as a
"""
_BACKTEST = """
select count(*) as leads
from admin.backtest_scoring_model(
  %(organization)s,
  (
    select m.document::jsonb from admin.scoring_models(%(organization)s) as m
    where m.model = 'default' and m.version = 1
  )
)
"""


@dataclass(frozen=True)
class Score:
    """What a score cost, on a lead with so many signals."""

    signals: int
    buffers: int
    """Buffers that the last one touched."""
    postgres_us: float
    """Microseconds of PostgreSQL's processor time for each."""


def measure(database: Database) -> dict[str, Any]:
    """Returns the figures. Raises BenchmarkError."""
    with psycopg.connect(database.superuser_url, autocommit=True) as superuser:
        scores = [_scores(database, superuser, index, count) for index, count in enumerate(SIGNALS)]
        backtest = _backtest(database, superuser)
    return {"scores": [vars(score) for score in scores], "backtest": backtest}


def sentences(results: dict[str, Any]) -> list[str]:
    """Returns the figures as sentences."""
    template = "with {signals:,} signals {postgres_us:,.0f} µs and {buffers} buffers"
    scores = "; ".join(template.format(**score) for score in results["scores"])
    return [
        f"One score, CPU of PostgreSQL: {scores}.",
        "A backtest of {leads:,} leads with two models, in one statement: {seconds:.1f} s, {per_thousand_ms:.0f} ms "
        "per 1,000.".format(**results["backtest"]),
    ]


def _scores(database: Database, superuser: psycopg.Connection[Any], index: int, count: int) -> Score:
    pair = database.pairs[index]
    claim = hashlib.sha256(pair.key.encode()).hexdigest()
    superuser.execute(_SIGNALS, [count, pair.lead])
    superuser.execute("vacuum analyze scoring.signal")
    with psycopg.connect(address(database.url), autocommit=True, prepare_threshold=0) as session:
        for _ in range(10):
            session.execute(_SCORE, [pair.lead, claim])
        before = cpu.seconds(database.postmaster)
        for _ in range(_SCORES):
            row = session.execute(_SCORE, [pair.lead, claim]).fetchone()
            if row != (200,):
                raise BenchmarkError(f"A score returned {row}.")
        elapsed = cpu.seconds(database.postmaster) - before
        plan = session.execute("explain (analyze, buffers, format json) " + _SCORE, [pair.lead, claim]).fetchone()
    root = plan[0][0]["Plan"] if plan else {}
    return Score(count, root["Shared Hit Blocks"] + root["Shared Read Blocks"], elapsed / _SCORES * 1e6)


def _backtest(database: Database, superuser: psycopg.Connection[Any]) -> dict[str, Any]:
    created = superuser.execute("select admin.create_organization('Backtest', 'test')::text").fetchone()
    organization = created[0] if created else ""
    for statement in _LEADS.format(organization=f"'{organization}'", leads=LEADS).split(";"):
        superuser.execute(statement.encode())
    superuser.execute("vacuum analyze app.lead, scoring.signal")
    with psycopg.connect(database.operator_url, autocommit=True) as operator:
        start = time.monotonic()
        row = operator.execute(_BACKTEST, {"organization": organization}).fetchone()
        elapsed = time.monotonic() - start
    if row != (LEADS,):
        raise BenchmarkError(f"The backtest scored {row}.")
    return {"leads": LEADS, "seconds": elapsed, "per_thousand_ms": elapsed / LEADS * 1000 * 1000}
