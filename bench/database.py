"""The measured database: an embedded PostgreSQL in a temporary folder,
with 100 organizations of 1,000 leads each.

fsync and synchronous_commit are on, as in production. No checkpoint happens during a run, because
it would slow only one of the compared sides.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from app import embedded
from app.cli import migrate
from app.cli.keys import digest, new_key
from app.server import loading
from app.server.routes import Table
from bench.figures import BenchmarkError
from bench.operations import OPERATIONS, PAIRS, Pair, call

LEADS = 1000
"""Leads of each organization."""

_OPTIONS = {"shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "1h"}

# Without triggers, because an audit event for each row would take a minute.
_FILL = """
set session_replication_role = replica;
insert into app.lead (
  organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
  timeline, budget_range, ai_reasoning, created_at, updated_at
)
select
  o.organization_id,
  'Sarah Mitchell',
  case when n % 3 = 0 then 'Alder Property Care' end,
  'sarah.mitchell' || n || '@example.com',
  (array['google_ads', 'website', 'referral'])[1 + n % 3],
  n % 101,
  (array['new', 'contacted', 'qualified', 'lost'])[1 + n % 4],
  'residential',
  case when n % 3 = 0 then '11-50' end,
  'Recurring basement moisture after spring rain',
  'this_week',
  '5k_to_15k',
  'High urgency: water damage signal, recent storm event, in-radius',
  now() - n * interval '1 hour',
  now() - n * interval '1 hour' + interval '4 seconds'
from app.organization as o
cross join generate_series(1, {leads}) as n;
reset session_replication_role
"""

_ONE_EACH = """
select distinct on (l.organization_id) l.organization_id, l.id::text
from app.lead as l
order by l.organization_id, l.created_at
"""

_PAIRS = """
create schema bench;
grant usage on schema bench to leads_api;
create table bench.pair (n integer primary key, digest text not null, lead text not null, organization text not null);
grant select on bench.pair to leads_api
"""


@dataclass(frozen=True)
class Database:
    """The addresses of the database for each login, its postmaster's process id,
    and what the operations need.
    """

    url: str
    superuser_url: str
    operator_url: str
    worker_url: str
    postmaster: int
    pairs: tuple[Pair, ...]
    table: Table

    def tidy(self) -> None:
        """Vacuums, so that no round cleans up after the one before it."""
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            connection.execute("vacuum (analyze)")

    def changes(self) -> int:
        """Returns the number of changes of leads in the audit log."""
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            row = connection.execute("select count(*) from audit.event where action = 'lead.updated'").fetchone()
        return int(row[0]) if row else 0

    def server_version(self) -> str:
        """Returns PostgreSQL's version. Raises BenchmarkError if commits are not flushed to
        disk.
        """
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            for name in ("fsync", "synchronous_commit"):
                row = connection.execute("select current_setting(%s)", [name]).fetchone()
                if row != ("on",):
                    raise BenchmarkError(f"{name} is off, so that writes would cost less than in production.")
            return connection.info.parameter_status("server_version") or ""


@contextmanager
def running(folder: Path) -> Iterator[Database]:
    """Creates the database in the folder, and stops its server after the block.
    Raises EmbeddedError, psycopg.Error.
    """
    with embedded.running(folder, options=_OPTIONS) as server:
        migrate.apply(server.url("leads_migrator"))
        keys = _organizations(server.url("leads_operator"))
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            for statement in _FILL.format(leads=LEADS).split(";"):
                connection.execute(statement.encode())
            leads: dict[object, str] = dict(connection.execute(_ONE_EACH).fetchall())
        pairs = tuple(Pair(key, leads[organization], str(organization)) for organization, key in keys.items())
        table = loading.load(server.url("leads_api"))
        _write_pairs(server.url("postgres"), pairs, table)
        postmaster = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
        database = Database(
            server.url("leads_api"),
            server.url("postgres"),
            server.url("leads_operator"),
            server.url("leads_worker"),
            postmaster,
            pairs,
            table,
        )
        _check(database)
        database.tidy()
        yield database


def _organizations(url: str) -> dict[object, str]:
    keys = {}
    with psycopg.connect(url) as connection:
        for number in range(PAIRS):
            row = connection.execute("select admin.create_organization(%s, 'test')", [f"Bench {number}"]).fetchone()
            assert row
            keys[row[0]] = new_key("test")
            connection.execute("select admin.create_key(%s, 'write', %s)", [row[0], digest(keys[row[0]])])
    return keys


def _write_pairs(url: str, pairs: Sequence[Pair], table: Table) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(_PAIRS)
        for number, pair in enumerate(pairs):
            read = call(OPERATIONS[0], table, pair, "")
            values = [number, read.digest, pair.lead, pair.organization]
            connection.execute("insert into bench.pair values (%s, %s, %s, %s)", values)


def _check(database: Database) -> None:
    """Raises BenchmarkError if a call fails: pgbench does not check the rows that it receives."""
    with psycopg.connect(database.url, autocommit=True, cursor_factory=psycopg.RawCursor) as connection:
        for operation in OPERATIONS:
            for pair in database.pairs:
                for body in operation.bodies:
                    statement = call(operation, database.table, pair, body)
                    row = connection.execute(statement.text.encode(), statement.values).fetchone()
                    if row is None or row[0] not in (200, 201):
                        raise BenchmarkError(f"{operation.name}: PostgreSQL returned {row}.")
