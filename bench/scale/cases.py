"""The requests, and what they cost in the large database and in the control.

Both databases have a server with one connection. The requests go over HTTP, one at a time, in blocks
that alternate between the databases. The cost is the processor time of PostgreSQL's session and of
the server's process.
"""

import http.client
import itertools
import json
import os
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from urllib.parse import quote

import psycopg

from bench import cpu, server
from bench.figures import BenchmarkError
from bench.measure import Say
from bench.scale import loading
from bench.scale.data import CONTROL, SHARED_EMAIL, SHARED_PHONE
from bench.scale.site import Organization, Site

CALLS = 8
"""Calls in a block, after as many that are not measured."""
SIGNALS, SCORES = 120, 60
"""Of the lead whose pages of signals and scores are read."""
RANDOM = 2_000
"""Leads that are read in turn."""
DEPTHS = {"first": 0.0, "middle": 0.5, "deep": 0.9}
"""The pages: the part of the organization's leads that is before them."""

_LEAD = "select id::text from app.lead where organization_id = %s and reference = %s"
_POSITION = """
select app.cursor_text(format(
  '{"position":%%s,"newest":%%s,"hash":"%%s"}', %s::text, %s::text, audit.seal_mark(%s::uuid, %s)
))
"""
_VERIFIER = "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy"

Request = tuple[str, str, str, str | None]
"""The key, the method, the path, and the body."""


@dataclass
class Case:
    """A request of one side, and what its blocks cost."""

    requests: Iterator[Request]
    rows: int = 0
    postgres: list[float] = field(default_factory=list)
    server: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


class Side:
    """A server on one of the databases."""

    def __init__(self, site: Site, served: server.Server) -> None:
        self.site, self._pid = site, served.pid
        self._connection = http.client.HTTPConnection(served.base.removeprefix("http://"), timeout=60)
        self.backends: list[int] = []

    def send(self, request: Request) -> Any:
        """Sends a request, and returns the body of its response. Raises BenchmarkError."""
        key, method, path, body = request
        headers = {"Authorization": f"Bearer {key}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self._connection.request(method, "/api/v1" + path, body, headers)
        response = self._connection.getresponse()
        content = response.read()
        if response.status >= 300:
            raise BenchmarkError(f"{method} {path}: {response.status} {content[:300]!r}")
        return content

    def find_processes(self) -> None:
        """Finds the sessions of the server, and the processes of the server."""
        rows = self.site.sql("select pid from pg_stat_activity where usename = 'leads_api'")
        self.backends = [row[0] for row in rows]
        self._servers = list(cpu.tree(self._pid))

    def block(self, case: Case) -> None:
        """Sends CALLS requests, and notes what they cost."""
        # After the other database's turn the first requests cost more, and the large one has more turns.
        for request in itertools.islice(case.requests, CALLS):
            self.send(request)
        before = _nanoseconds(self.backends), _nanoseconds(self._servers), perf_counter()
        for request in itertools.islice(case.requests, CALLS):
            self.send(request)
        after = _nanoseconds(self.backends), _nanoseconds(self._servers), perf_counter()
        case.postgres.append((after[0] - before[0]) / CALLS / 1000)
        case.server.append((after[1] - before[1]) / CALLS / 1000)
        case.seconds.append((after[2] - before[2]) / CALLS)


def _nanoseconds(pids: list[int]) -> int:
    """The processor time of all threads of the processes."""
    total = 0
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            for task in os.scandir(cpu.PROC / str(pid) / "task"):
                with suppress(FileNotFoundError, ProcessLookupError):
                    total += int((Path(task.path) / "schedstat").read_text().split()[0])
    return total


def measure(large: Site, control: Site, blocks: int, say: Say) -> list[dict[str, Any]]:
    """Returns a row for each request and organization. Raises BenchmarkError."""
    targets = {
        "largest": (large, large.organizations[0]),
        "like": (large, next(each for each in large.organizations if each.leads == CONTROL)),
        "control": (control, control.organizations[0]),
    }
    order = random.Random(1)
    with ExitStack() as stack:
        sides = {}
        for each in (large, control):
            environment = {"DATABASE_URL": each.server.url("leads_api"), "LEADS_CONNECTIONS": "1"}
            served = stack.enter_context(server.running(each.folder / "server.log", **environment))
            sides[id(each)] = Side(each, served)
        every: dict[str, dict[str, Case]] = {}
        for target, (each, organization) in targets.items():
            say(f"preparing the requests: {target}")
            for name, requests in _requests(each, sides[id(each)], organization):
                every.setdefault(name, {})[target] = Case(requests)
        for name, side_cases in every.items():
            say(f"measuring: {name}")
            for target, case in side_cases.items():
                side = sides[id(targets[target][0])]
                for request in itertools.islice(case.requests, 7):
                    content = side.send(request)
                with suppress(ValueError, KeyError, TypeError):
                    case.rows = len(json.loads(content)["data"])
                side.find_processes()
            for _ in range(blocks):
                # No side shall always follow the same one, which leaves the processor's caches to it.
                for target in order.sample([*side_cases], len(side_cases)):
                    sides[id(targets[target][0])].block(side_cases[target])
    return [_row(name, target, side_cases) for name, side_cases in every.items() for target in side_cases]


def _row(name: str, target: str, side_cases: dict[str, Case]) -> dict[str, Any]:
    case, base = side_cases[target], side_cases["control"]

    def ratio(own: list[float], other: list[float]) -> float:
        return median(value / each if each else 1.0 for value, each in zip(own, other, strict=True))

    return {
        "name": name,
        "target": target,
        "rows": case.rows,
        "postgres_us": median(case.postgres),
        "server_us": median(case.server),
        "ms": median(case.seconds) * 1000,
        "postgres_ratio": ratio(case.postgres, base.postgres),
        "server_ratio": ratio(case.server, base.server),
        "ratio": ratio(_sums(case), _sums(base)),
    }


def _sums(case: Case) -> list[float]:
    return [postgres + own for postgres, own in zip(case.postgres, case.server, strict=True)]


def _requests(site: Site, side: Side, organization: Organization) -> Iterator[tuple[str, Iterator[Request]]]:
    """Returns the requests by their names, each as an endless iterator."""
    id, key, leads = organization.id, organization.key, organization.leads

    def get(path: str) -> Iterator[Request]:
        return itertools.repeat((key, "GET", path, None))

    lead = site.one(_LEAD, id, "ref-0")
    _prepare(site, side, key, lead)
    yield "GET /leads/{id}, one", get(f"/leads/{lead}")
    yield "GET /leads/{id}, any of its database", _any(site)
    for depth, part in DEPTHS.items():
        after = _cursor(site, "app.lead", id, int(leads * part)) if part else ""
        for name, query in _QUERIES.items():
            yield f"GET /leads, {name}, {depth}", get(f"/leads?{_joined(query, after)}")
    for name, query in _SINGLE.items():
        yield f"GET /leads, {name}", get(f"/leads?{query}")
    newest = site.one("select max(position) from audit.seal where organization_id = %s", id)
    for depth, part in DEPTHS.items():
        if part:
            at = site.one(_POSITION, int(newest * part), newest, id, newest)
            yield f"GET /leads, order=updated_at, {depth}", get(f"/leads?order=updated_at&cursor={quote(at)}")
        else:
            yield f"GET /leads, order=updated_at, {depth}", get("/leads?order=updated_at")
    for depth in ("middle", "deep"):
        since = site.one(
            "select app.utc_text(created_at) from audit.seal where organization_id = %s and position = %s",
            id, int(newest * DEPTHS[depth]),
        )  # fmt: skip
        yield f"GET /leads, updated_since, {depth}", get(f"/leads?updated_since={quote(since)}")
    events = site.one("select count(*) from audit.event where organization_id = %s", id)
    for depth, part in DEPTHS.items():
        after = _cursor(site, "audit.event", id, int(events * part)) if part else ""
        for name, query in {"no filter": "", "action": "action=lead.created", "source": "source=system"}.items():
            yield f"GET /audit-log, {name}, {depth}", get(f"/audit-log?{_joined(query, after)}")
    yield "GET /audit-log, lead_id", get(f"/audit-log?lead_id={lead}")
    yield "GET /leads/{id}/signals", get(f"/leads/{lead}/signals")
    yield "GET /leads/{id}/scores", get(f"/leads/{lead}/scores")
    yield "POST /leads/{id}/score", itertools.repeat((key, "POST", f"/leads/{lead}/score", None))
    new = itertools.count(int(perf_counter() * 1e6))
    yield (
        "POST /leads",
        (
            (
                key,
                "POST",
                "/leads",
                json.dumps({"name": "New Lead", "email": f"new{n}@example.com", "source": "website"}),
            )
            for n in new
        ),
    )
    changed = site.one(_LEAD, id, "ref-1")
    stages = itertools.cycle(("proposal", "qualified"))
    yield (
        "PATCH /leads/{id}",
        ((key, "PATCH", f"/leads/{changed}", json.dumps({"pipeline_stage": stage})) for stage in stages),
    )


_QUERIES = {
    "no filter": "",
    "stage": "pipeline_stage=new",
    "source": "source=website",
    "stage and source": "pipeline_stage=new&source=website",
    "two stages": "pipeline_stage=new,lost",
    "two sources": "source=website,referral",
    "two stages and two sources": "pipeline_stage=new,lost&source=website,referral",
    "email of one lead in 10": f"email={quote(SHARED_EMAIL)}",
    "phone of one lead in 10": f"phone={quote(SHARED_PHONE)}",
    "q, a word of one lead in 20": "q=thomas",
    "q and stage": "q=thomas&pipeline_stage=contacted",
}
"""Queries whose pages are full, except those with q."""
_SINGLE = {
    "email of one lead": "email=lead0004218%40example.com",
    "phone of one lead": "phone=%2B15550004218",
    "reference": "reference=ref-4218",
    "reference and phone": "reference=ref-4218&phone=%2B15550004218",
    "email, stage and source": f"email={quote(SHARED_EMAIL)}&pipeline_stage=contacted&source=website",
    "phone, stage and source": f"phone={quote(SHARED_PHONE)}&pipeline_stage=lost&source=website",
    "q, a word of one lead": "q=lead0004218",
    "q, a word of one lead in 61": "q=dason",
    "q, two words": "q=thomas%20dason",
    "before a time": "end_at=2100-01-01",
    "since a time": "start_at=2000-01-01",
}


def _joined(query: str, cursor: str) -> str:
    return "&".join(part for part in (query, cursor and f"cursor={quote(cursor)}") if part)


def _cursor(site: Site, table: str, organization: str, depth: int) -> str:
    cursor: str = site.one(
        'select app.cursor_text(format(\'{"created_at":"%%s","id":"%%s"}\', app.utc_text(r.created_at), r.id)) '
        f"from (select created_at, id from {table} where organization_id = %s order by created_at desc, id desc "
        "offset %s limit 1) as r",
        organization,
        depth,
    )
    return cursor


def _any(site: Site) -> Iterator[Request]:
    """Reads leads of all organizations: of the larger ones more."""
    keys = {organization.id: organization.key for organization in site.organizations}
    share = min(100.0, 100 * RANDOM * 3 / site.leads)
    rows = site.sql(
        f"select organization_id::text, id::text from app.lead tablesample bernoulli ({share}) "
        f"order by md5(id::text) limit {RANDOM}"
    )
    return itertools.cycle([(keys[organization], "GET", f"/leads/{lead}", None) for organization, lead in rows])


def _prepare(site: Site, side: Side, key: str, lead: str) -> None:
    """Gives the lead signals and scores."""
    if site.one("select count(*) from scoring.signal where lead_id = %s", lead) < SIGNALS:
        signals = [{"type": "visits", "value": number, "dedupe_key": f"v{number}"} for number in range(SIGNALS)]
        side.send((key, "POST", f"/leads/{lead}/signals", json.dumps({"signals": signals})))
        for _ in range(SCORES):
            side.send((key, "POST", f"/leads/{lead}/score", None))
        # A search reads each event that is not sealed.
        loading.settle(site)


# Analysts' views

_WHOLE = {
    "leads: how many": "select count(*) from bi.leads",
    "leads: by stage and month": (
        "select date_trunc('month', created_at), pipeline_stage, count(*) from bi.leads group by 1, 2"
    ),
    "source_daily: 90 days": (
        "select source, sum(lead_count) from bi.source_daily where day > current_date - 90 group by 1"
    ),
    "source_performance: all": "select * from bi.source_performance",
    "stage_history: by stage": "select stage, count(*) from bi.stage_history group by 1",
}
"""Questions that read all rows of the organization, or those of a period."""
_SOME = {
    "leads: the newest 100": "select * from bi.leads order by created_at desc limit 100",
    "lead_changes: the newest 100": "select * from bi.lead_changes order by changed_at desc limit 100",
    "lead_changes: one lead": "select * from bi.lead_changes where lead_id = '{lead}'",
    "stage_history: one lead": "select * from bi.stage_history where lead_id = '{lead}'",
    "signals: one lead": "select * from bi.signals where lead_id = '{lead}'",
    "scores: one lead": "select * from bi.scores where lead_id = '{lead}'",
    "pipeline_daily: all": "select * from bi.pipeline_daily",
    "freshness": "select * from bi.freshness",
}


def measure_views(large: Site, control: Site, blocks: int, say: Say) -> list[dict[str, Any]]:
    """Returns a row for each question and organization. The organization with as many leads as the
    control answers all questions, and the largest those that do not read all of its rows.
    """
    like = next(each for each in large.organizations if each.leads == CONTROL)
    targets = {
        "largest": (large, large.organizations[0]),
        "like": (large, like),
        "control": (control, control.organizations[0]),
    }
    rows = []
    order = random.Random(1)
    with ExitStack() as stack:
        analysts, leads = {}, {}
        for target, (each, organization) in targets.items():
            analysts[target] = stack.enter_context(_analyst(each, f"scale_{target}", organization.id))
            leads[target] = each.one(_LEAD, organization.id, "ref-0")
        for name, query in (_SOME | _WHOLE).items():
            say(f"measuring the view {name}")
            cases = {target: Case(iter(())) for target in targets if target != "largest" or name in _SOME}
            calls = 1 if name in _WHOLE else CALLS
            for _ in range(blocks):
                for target in order.sample([*cases], len(cases)):
                    session, case = analysts[target], cases[target]
                    text = query.format(lead=leads[target]).encode()
                    case.rows = len(session.execute(text).fetchall())
                    before, start = cpu.nanoseconds(session.info.backend_pid), perf_counter()
                    for _ in range(calls):
                        session.execute(text).fetchall()
                    case.postgres.append((cpu.nanoseconds(session.info.backend_pid) - before) / calls / 1000)
                    case.server.append(0.0)
                    case.seconds.append((perf_counter() - start) / calls)
            rows += [_row(name, target, cases) | {"is_whole": name in _WHOLE} for target in cases]
    return rows


@contextmanager
def _analyst(site: Site, login: str, organization: str) -> Iterator[psycopg.Connection[Any]]:
    if not site.sql("select 1 from pg_roles where rolname = %s", login):
        with psycopg.connect(site.server.url("leads_migrator"), autocommit=True) as migrator:
            migrator.execute("select admin.create_analyst(%s, %s::uuid, %s)", [login, organization, _VERIFIER])
    # Not prepared, as most tools send their queries: a prepared one keeps its plan or not, by its estimates.
    with psycopg.connect(site.server.url(login), autocommit=True, prepare_threshold=None) as analyst:
        analyst.execute("set max_parallel_workers_per_gather = 0; set statement_timeout = 0")
        yield analyst
