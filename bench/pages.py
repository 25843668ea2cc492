"""Pages of leads: whether a deep page costs as much as the first one, with every filter, and whether
an organization with 1,000,000 leads costs as much as one with 10,000.

Only PostgreSQL's part is measured: one session sends the server's own statements, in blocks of a few
calls that alternate between the pages and the two databases.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from psycopg import pq

from app.session import address
from bench import cpu, database
from bench.database import Database
from bench.figures import BenchmarkError
from bench.measure import Say
from bench.operations import LIST, READ, Call, Operation, call

SMALL, LARGE = 10_000, 1_000_000
"""Leads of the two organizations, which are in databases of their own."""
PAGES = (1, 2, 10, 100, 1_000, 5_000)
FILTERS = {
    "no filter": "",
    "stage": "pipeline_stage=new",
    "source": "source=website",
    "stage and source": "pipeline_stage=new&source=website",
    "two stages and two sources": "pipeline_stage=new,lost&source=website,referral",
    "before a time": "end_at=2100-01-01",
}
"""The queries, by their names."""
_BLOCKS = 60
_CALLS = 10
"""Calls in a block."""

_FILL = """
set session_replication_role = replica;
alter table app.lead enable always trigger _500_stamp;
insert into app.lead (
  organization_id, name, email, source, lead_score, pipeline_stage, industry, created_at, updated_at
)
select
  '{organization}',
  'Sarah Mitchell',
  'sarah.mitchell' || n || '@example.org',
  (array['google_ads', 'website', 'referral'])[1 + n % 3],
  n % 101,
  (array['new', 'contacted', 'qualified', 'lost'])[1 + n % 4],
  'residential',
  now() - n * interval '1 minute',
  now() - n * interval '1 minute'
from generate_series(1, {leads}) as n;
alter table app.lead enable trigger _500_stamp;
reset session_replication_role
"""


@dataclass(frozen=True)
class Page:
    """A call that is measured."""

    name: str
    """The filter, or the operation."""
    number: int
    leads: int
    call: Call


class _Session:
    """A session of the server's login."""

    def __init__(self, measured: Database) -> None:
        self._session = psycopg.connect(address(measured.url), autocommit=True)
        self._pid = self._session.info.backend_pid
        self._prepared: dict[str, bytes] = {}

    def close(self) -> None:
        """Closes the session."""
        self._session.close()

    def run(self, sent: Call) -> dict[str, Any]:
        """Returns the response's body. Raises BenchmarkError."""
        connection = self._session.pgconn
        if sent.text not in self._prepared:
            self._prepared[sent.text] = b"s%d" % len(self._prepared)
            connection.prepare(self._prepared[sent.text], sent.text.encode())
        values: list[Any] = [None if value is None else value.encode() for value in sent.values]
        result = connection.exec_prepared(self._prepared[sent.text], values)
        if result.status != pq.ExecStatus.TUPLES_OK or result.get_value(0, 0) != b"200":
            raise BenchmarkError(f"PostgreSQL refused a page: {result.error_message.decode()}")
        body: dict[str, Any] = json.loads(result.get_value(0, 2) or b"{}")
        return body

    def microseconds(self, sent: Call) -> float:
        """Returns the processor time of a call, as the mean of a block."""
        before = cpu.nanoseconds(self._pid)
        for _ in range(_CALLS):
            self.run(sent)
        return (cpu.nanoseconds(self._pid) - before) / _CALLS / 1000


def measure(folder: Path, say: Say) -> dict[str, Any]:
    """Returns the figures. Raises BenchmarkError."""
    with ExitStack() as stack:
        sessions: dict[int, _Session] = {}
        pages: list[Page] = []
        for leads in (SMALL, LARGE):
            say(f"pages: creating an organization with {leads:,} leads")
            measured = stack.enter_context(database.running(folder / f"pages-{leads}", SMALL))
            _fill(measured, leads)
            session = sessions[leads] = _Session(measured)
            stack.callback(session.close)
            pages.append(Page("read one", 1, leads, call(READ, measured.table, measured.pairs[0], "")))
            for name, query in FILTERS.items():
                say(f"pages of {leads:,} leads: {name}")
                pages += [Page(name, number, leads, sent) for number, sent in _calls(measured, session, query)]
        costs: dict[Page, list[float]] = {page: [] for page in pages}
        for block in range(_BLOCKS):
            say(f"pages: block {block + 1} of {_BLOCKS}")
            for page, measured_costs in costs.items():
                measured_costs.append(sessions[page.leads].microseconds(page.call))
    return {"pages": [figures(page, costs) for page in pages]}


def sentences(results: dict[str, Any]) -> list[str]:
    """Returns the figures as sentences."""
    lines = [f"PostgreSQL's processor time of pages of {LARGE:,} leads, in µs, and divided by that of page 1:"]
    rows = [row for row in results["pages"] if row["leads"] == LARGE]
    for name in dict.fromkeys(row["name"] for row in rows):
        first, *deep = (row for row in rows if row["name"] == name)
        ratios = "".join(f"; page {row['number']:,}: {row['of_first']:.2f}" for row in deep)
        lines.append(
            f"  {name}: {first['us']:.0f}{ratios}. Page 1, divided by that of {SMALL:,} leads: {first['of_small']:.2f}"
        )
    return lines


def _fill(measured: Database, leads: int) -> None:
    with psycopg.connect(measured.superuser_url, autocommit=True) as superuser:
        for statement in _FILL.format(organization=measured.pairs[0].organization, leads=leads).split(";"):
            superuser.execute(statement.encode())
        superuser.execute("vacuum (analyze) app.lead")


def _calls(measured: Database, session: _Session, query: str) -> Iterator[tuple[int, Call]]:
    """Follows the pages of a query, and returns the calls of those in PAGES."""
    cursor = ""
    for number in range(1, max(PAGES) + 1):
        parameters = "&".join(part for part in (query, cursor and f"cursor={cursor}") if part)
        operation = Operation(LIST.name, LIST.goal, LIST.method, f"{LIST.path}?{parameters}", LIST.fields)
        sent = call(operation, measured.table, measured.pairs[0], "")
        body = session.run(sent)
        # The last page has fewer rows.
        if body["next_cursor"] is None:
            return
        if number in PAGES:
            yield number, sent
        cursor = body["next_cursor"]


def figures(page: Page, costs: dict[Page, list[float]]) -> dict[str, Any]:
    """Returns the median cost of a page, and what it is compared with. costs: in µs, by block."""

    def ratio(leads: int) -> float:
        first = next(other for other in costs if (other.name, other.number, other.leads) == (page.name, 1, leads))
        return median(own / base for own, base in zip(costs[page], costs[first], strict=True))

    return {
        "name": page.name,
        "number": page.number,
        "leads": page.leads,
        "us": median(costs[page]),
        "of_first": ratio(page.leads),
        "of_small": ratio(SMALL),
    }
