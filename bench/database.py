"""The measured database: an embedded PostgreSQL in a temporary folder, with 100 organizations.
Together they have 100,000 leads, or as many as the caller wants, and an audit event for each lead.

fsync and synchronous_commit are on, as in production. No checkpoint happens during a run, because
it would slow only one of the compared sides.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psycopg

from app import embedded
from app.cli import migrate
from app.cli.keys import digest
from app.server import loading
from app.server.routes import Table
from bench.figures import BenchmarkError
from bench.operations import OPERATIONS, PAIRS, Pair, call
from tests.support.keys import new_key

LEADS = 100_000
"""Leads of all organizations."""
_OPTIONS = {"shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "1h", "max_connections": "300"}

# Peers have logins of their own. Only the user who runs the benchmark can enter the folder of the
# socket.
_HBA = "local all all trust\n"

# Without triggers, because an audit event for each row would take minutes. One sets the text of a
# lead in a list.
_FILL = """
set session_replication_role = replica;
alter table app.lead enable always trigger _500_stamp;
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
from generate_series(1, {leads}) as n
cross join app.organization as o;
alter table app.lead enable trigger _500_stamp;
insert into audit.event (
  id, organization_id, action, source, lead_id, payload, salt, payload_digest, created_at
)
select
  e.id, e.organization_id, 'lead.created', 'api', e.lead_id, e.payload, e.salt,
  sha256(e.salt || convert_to(e.payload::text, 'UTF8')), app.id_time(e.id)
from (
  select
    app.new_id() as id,
    l.organization_id,
    l.id as lead_id,
    uuid_send(gen_random_uuid()) as salt,
    json_build_object(
      'lead_id', l.id,
      'diff', json_build_object(
        'name', json_build_object('from', null, 'to', l.name),
        'email', json_build_object('from', null, 'to', l.email),
        'source', json_build_object('from', null, 'to', l.source),
        'pipeline_stage', json_build_object('from', null, 'to', l.pipeline_stage)
      ),
      'key_id', l.organization_id
    ) as payload
  from app.lead as l
  order by l.created_at
  offset 0
) as e;
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

    server: embedded.Server
    postmaster: int
    pairs: tuple[Pair, ...]

    @property
    def url(self) -> str:
        """The server's address."""
        return self.server.url("leads_api")

    @property
    def superuser_url(self) -> str:
        """The superuser's address."""
        return self.server.url("postgres")

    @property
    def operator_url(self) -> str:
        """The operator's address."""
        return self.server.url("leads_operator")

    @property
    def worker_url(self) -> str:
        """The worker's address."""
        return self.server.url("leads_worker")

    @cached_property
    def table(self) -> Table:
        """The server's routes with their statements."""
        return loading.load(self.url)

    def tidy(self) -> None:
        """Vacuums, so that no round cleans up after the one before it."""
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            connection.execute("vacuum (analyze)")

    def events(self, action: str) -> int:
        """Returns the number of events with the action in the audit log."""
        with psycopg.connect(self.superuser_url, autocommit=True) as connection:
            row = connection.execute("select count(*) from audit.event where action = %s", [action]).fetchone()
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
def running(folder: Path, leads: int = LEADS) -> Iterator[Database]:
    """Creates the database of this commit in the folder, with what pgbench needs, and stops its
    server after the block. Raises EmbeddedError, psycopg.Error, BenchmarkError.
    """
    with created(folder, leads, migrate.apply) as database:
        _write_pairs(database)
        _check(database)
        database.tidy()
        yield database


@contextmanager
def created(folder: Path, leads: int, apply: Callable[[str], None]) -> Iterator[Database]:
    """Creates a database in the folder, and stops its server after the block.

    apply: applies the migrations, with the address of the migrating login.
    Raises EmbeddedError, psycopg.Error.
    """
    folder.mkdir(exist_ok=True)
    hba = folder / "bench_hba.conf"
    hba.write_text(_HBA)
    hba.chmod(0o644)
    with embedded.running(folder, options=_OPTIONS | {"hba_file": str(hba)}) as server:
        apply(server.url("leads_migrator"))
        keys = _organizations(server.url("leads_operator"))
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            for statement in _FILL.format(leads=leads // PAIRS).split(";"):
                connection.execute(statement.encode())
            rows: dict[object, str] = dict(connection.execute(_ONE_EACH).fetchall())
        pairs = tuple(Pair(key, rows[organization], str(organization)) for organization, key in keys.items())
        postmaster = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
        database = Database(server, postmaster, pairs)
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


def _write_pairs(database: Database) -> None:
    with psycopg.connect(database.superuser_url) as connection:
        connection.execute(_PAIRS)
        for number, pair in enumerate(database.pairs):
            read = call(OPERATIONS[0], database.table, pair, "")
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
