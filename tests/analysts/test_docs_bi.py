"""The questions in docs/bi.md run, its list of views is complete,
and its picture is drawn from its query.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from uuid import uuid4
from xml.etree import ElementTree

import psycopg
import pytest

from app.settings import ROOT
from tests.support.database import Database, Organization
from tests.support.figures import count_stages
from tests.support.process import Leads, printed

PAGE = (ROOT / "docs" / "bi.md").read_text(encoding="utf-8")
QUESTIONS = re.findall(r"^### (\d+)\. .+?\n\n```sql\n(.+?)```(?:\n\n```text\n(.+?)\n)?", PAGE, re.DOTALL | re.MULTILINE)
# For each source, a lead that was won and one that is unchanged for a month. The lead that was won
# has a signal, a score and a push.
SEED = """
insert into app.lead (organization_id, email, source, lead_score, created_at, updated_at)
select
  {organization}, 'lead@example.com', s.source, 70, now() - s.age, now() - s.age
from (values
  ('website', interval '40 days'), ('website', '30 days'), ('referral', '30 days'), (null, '30 days')
) as s (source, age);
update app.lead set pipeline_stage = 'contacted'
where organization_id = {organization} and created_at < now() - interval '35 days';
update app.lead set pipeline_stage = 'qualified' where organization_id = {organization} and pipeline_stage <> 'new';
update app.lead set pipeline_stage = 'won' where organization_id = {organization} and pipeline_stage <> 'new';
insert into scoring.signal (organization_id, lead_id, type)
select l.organization_id, l.id, 'storm_event'
from app.lead as l
where l.organization_id = {organization} and l.pipeline_stage = 'won';
insert into scoring.score (
  organization_id, lead_id, kind, lead_score, ai_reasoning, model, model_version, base, contributions
)
select
  l.organization_id, l.id, 'scored', 73, 'storm (+0.18)', 'default', 1, 0.55,
  '[{{"rule": "storm_event", "label": "storm", "contribution": 0.18, "signal_id": null}}]'
from app.lead as l
where l.organization_id = {organization} and l.pipeline_stage = 'won';
insert into crm.sync (
  organization_id, lead_id, vendor, account, status, external_id, created_at, last_synced_at, attempts
)
select
  l.organization_id, l.id, 'jobnimbus', 'x', 'ok', '42', now() - interval '2 hours', now() - interval '1 hour', 1
from app.lead as l
where l.organization_id = {organization} and l.pipeline_stage = 'won';
"""


@pytest.fixture(scope="module")
def analyst(
    database: Database, leads: Leads, new_organization: Callable[..., Organization]
) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    acme, other = new_organization(), new_organization()
    for organization in (acme.id, other.id):
        database.sql(SEED.format(organization=f"'{organization}'"))
    count_stages(database)
    login = f"docs_{uuid4().hex[:12]}"
    url = printed(leads("bi", "create", login, "--organization", acme.id))
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection
    printed(leads("bi", "revoke", login))


def test_the_questions_are_numbered() -> None:
    assert [int(number) for number, _, _ in QUESTIONS] == list(range(1, len(QUESTIONS) + 1))
    assert len(QUESTIONS) >= 15


@pytest.mark.parametrize(("number", "query", "shown"), QUESTIONS, ids=[number for number, _, _ in QUESTIONS])
def test_each_question_has_an_answer(
    analyst: psycopg.Connection[tuple[object, ...]], number: str, query: str, shown: str
) -> None:
    cursor = analyst.execute(query.encode())
    assert cursor.fetchall(), number
    if shown:
        names = [column.name for column in cursor.description or ()]
        assert [name.strip() for name in shown.splitlines()[0].split("|")] == names


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (2, ("website", 2, 1, 1)),
        (4, ("new", 3)),
        (7, ("new", 4, 3)),
        (8, ("website", 2, 1)),
        (9, ("won", 1, 1, 0)),
        (10, ("sql", "postgres", "lead.created", "pipeline_stage", 4)),
        (11, ("storm", 1, 100, 100)),
        (12, ("default", 1)),
        (13, (1, "storm_event", 1, 18, 18)),
        (14, (1, 0, 0, 3600, 1)),
        (15, (None, "new", 70, 0)),
    ],
)
def test_an_answer_contains_only_the_analysts_organization(
    analyst: psycopg.Connection[tuple[object, ...]], number: int, expected: tuple[object, ...]
) -> None:
    rows = analyst.execute(QUESTIONS[number - 1][1].encode()).fetchall()
    width = len(expected)
    assert expected in [row[start : start + width] for row in rows for start in range(len(row) - width + 1)]


def test_every_view_is_described(analyst: psycopg.Connection[tuple[object, ...]]) -> None:
    views = "select relname::text from pg_class where relnamespace = 'bi'::regnamespace and relkind = 'v'"
    described = re.findall(r"^\| `(\w+)` \|", PAGE.partition("## Get a login")[0], re.MULTILINE)
    assert {(name,) for name in described} == set(analyst.execute(views.encode()).fetchall())


def test_the_picture_is_drawn_from_the_page(analyst: psycopg.Connection[tuple[object, ...]]) -> None:
    address = f"{analyst.info.dsn} password={analyst.info.password}"
    script = [sys.executable, "docs/leads_by_week.py", address]
    drawn = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    texts = [text.text for text in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]
    assert texts[-3:] == ["website", "referral", "unknown"]
