"""The figures of stages: what the worker writes equals what the audit log says."""

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import tuple_row

from app.settings import ROOT
from tests.support.database import Database, Organization
from tests.support.figures import count_stages
from tests.support.process import Leads, mistake, printed
from tests.support.pushing import start_worker, wait_for

LOG = (ROOT / "bench" / "stages_from_log.sql").read_text()
STAGES = ("new", "contacted", "qualified", "proposal", "won", "lost")
ZONES = ("Europe/Berlin", "UTC", "Asia/Kolkata", "Pacific/Chatham")
VIEWS = ("stage_history", "pipeline_daily")
PAST = """
with lead as (
  select
    gen_random_uuid() as id, date_trunc('milliseconds', now() - 500 * random() * interval '1 day') as at,
    array[
      null, 'new', 'contacted', (array['won', 'lost'])[1 + mod(n, 2)], 'new', case when mod(n, 3) > 0 then 'lost' end
    ] as stages
  from generate_series(1, 40) as n
),
step as (
  select
    l.id as lead_id, s.n, l.stages[s.n] as stage_left, l.stages[s.n + 1] as stage_entered,
    date_trunc('milliseconds', l.at + (now() - l.at) / 5 * s.n) as at
  from lead as l
  cross join generate_series(1, 5) as s (n)
),
event as (
  insert into audit.event (id, organization_id, action, source, lead_id, payload, payload_digest, created_at)
  select e.id, %s, 'lead.updated', 'sql', e.lead_id, e.payload, sha256(''), app.id_time(e.id)
  from (
    select
      s.lead_id, json_build_object(
        'diff', json_build_object('pipeline_stage', json_build_object('from', s.stage_left, 'to', s.stage_entered))
      ) as payload,
      (lpad(to_hex((extract(epoch from s.at) * 1000)::bigint), 12, '0') || '7'
        || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid as id
    from step as s
    offset 0
  ) as e
  returning id
)
insert into audit.unsealed (organization_id, event_id) select %s, e.id from event as e
"""


@dataclass
class Life:
    """Random changes of one organization's leads."""

    database: Database
    organization: str
    chance: random.Random

    def change(self) -> None:
        """Makes one random change, as a superuser or an operator."""
        change = self.chance.choice([self.create, self.move, self.move, self.move, self.delete, self.erase])
        change()

    def live(self) -> None:
        """Forty leads that changed their stage four times in the last two years."""
        self.database.sql(PAST, self.organization, self.organization)

    def create(self) -> None:
        """Some leads at once, as an import does."""
        self.database.sql(
            "insert into app.lead (organization_id, email, pipeline_stage) select %s, 'a@example.com', "
            "(array['new', 'contacted', 'won'])[1 + n %% 3] from generate_series(1, %s) as n",
            self.organization,
            self.chance.randint(1, 9),
        )

    def move(self) -> None:
        """Moves a part of the leads, perhaps twice in one transaction."""
        statement = (
            "update app.lead set pipeline_stage = '{}' where organization_id = '{}' and mod(hashtext(id::text), {}) = 0"
        )
        moves = [
            statement.format(self.chance.choice(STAGES), self.organization, self.chance.randint(1, 9))
            for _ in range(self.chance.randint(1, 2))
        ]
        self.database.sql(";".join(moves))

    def delete(self) -> None:
        """Deletes a lead."""
        self.database.sql("delete from app.lead where organization_id = %s and id = %s", self.organization, self._any())

    def erase(self) -> None:
        """Erases a lead, perhaps one that was deleted before."""
        rows = self.database.sql(
            "select lead_id from audit.event where organization_id = %s and lead_id is not null", self.organization
        )
        if rows:
            lead = self.chance.choice(rows)["lead_id"]
            self.database.sql("select admin.erase_lead(%s, %s)", self.organization, lead, login="leads_operator")

    def set_time_zone(self) -> None:
        """Sets another time zone."""
        statement = "select admin.set_organization(%s, time_zone => %s)"
        self.database.sql(statement, self.organization, self.chance.choice(ZONES), login="leads_operator")

    def _any(self) -> object:
        rows = self.database.sql("select id from app.lead where organization_id = %s", self.organization)
        return self.chance.choice(rows)["id"] if rows else uuid4()


Views = Callable[[str, str], tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]]


@pytest.fixture(scope="module")
def views(database: Database) -> Views:
    """Returns the rows of a view that an analyst of the organization sees, and those from the log alone."""
    year = "extract(year from now() at time zone 'UTC')::integer"
    database.sql(f"select audit.create_partitions({year} + n) from generate_series(-2, 0) as n")

    def read(organization: str, view: str) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        login = f"figures_{uuid4().hex[:12]}"
        with psycopg.connect(database.url(), row_factory=tuple_row) as connection:
            zone = f"(select time_zone from app.organization where organization_id = '{organization}')"
            connection.execute("create schema recomputed; grant usage on schema recomputed to leads_bi")
            connection.execute(LOG.format(schema="recomputed", zone=zone).encode())
            connection.execute("grant select on all tables in schema recomputed to leads_bi")
            connection.execute("set local session authorization leads_migrator")
            connection.execute(
                "select admin.create_analyst(%s, %s, 'SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy')",
                [login, organization],
            )
            connection.execute(f"set local session authorization {login}".encode())
            # The last digit of a double may differ.
            hours = "round((to_jsonb(v) ->> 'hours')::numeric, 9)"
            query = f"select to_jsonb(v) - 'hours', {hours} from {{}}.{{}} as v order by 1, 2"
            rows = [
                list(connection.execute(query.format(schema, view).encode()).fetchall())
                for schema in ("bi", "recomputed")
            ]
            connection.execute("reset session authorization")
            connection.rollback()
        return rows[0], rows[1]

    return read


def test_the_views_show_what_the_log_says_after_random_histories(
    database: Database, new_organization: Callable[..., Organization], views: Views
) -> None:
    """Four workers with small batches run during the changes, and are ended in the middle of their work."""
    organizations = [new_organization().id for _ in range(3)]
    seed = random.randrange(2**32)
    for organization in organizations:
        Life(database, organization, random.Random(seed)).live()
    stop = threading.Event()

    def work(number: int) -> None:
        chance = random.Random(seed + number)
        while not stop.is_set():
            with suppress(psycopg.OperationalError), database.connect("leads_worker") as connection:
                while not stop.is_set():
                    function = chance.choice(["seal_events", "count_stages", "count_stages"])
                    after = chance.choice([None, *organizations])
                    connection.execute(f"select admin.{function}(%s, %s)".encode(), [after, chance.randint(1, 12)])

    workers = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for worker in workers:
        worker.start()
    try:
        chance = random.Random(seed)
        for _ in range(80):
            life = Life(database, chance.choice(organizations), chance)
            life.change()
            if chance.random() < 0.1:
                life.set_time_zone()
            if chance.random() < 0.2:
                database.sql(
                    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'leads_worker' "
                    "and datname = current_database() order by random() limit 1"
                )
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    count_stages(database)
    assert database.sql("select 1 from app.uncounted_seal") == database.sql("select 1 from audit.unsealed") == []
    for organization in organizations:
        for view in VIEWS:
            shown, expected = views(organization, view)
            assert shown == expected, (seed, view)
            assert len(shown) > 100
    # Once they are counted, the events are not needed: old years can be retired.
    before = [views(organization, view)[0] for organization in organizations for view in VIEWS]
    with database.connect() as connection, connection.transaction():
        connection.execute("set local session_replication_role = replica")
        for table in ("event", "seal"):
            for state in ("disable", None, "enable always"):
                if state is None:
                    connection.execute(
                        f"delete from audit.{table} where organization_id = any (%s)".encode(), [organizations]
                    )
                    continue
                for trigger in ("_105_refuse_delete", "_125_check_departure"):
                    connection.execute(f"alter table audit.{table} {state} trigger {trigger}".encode())
    for organization in organizations:
        Life(database, organization, chance).set_time_zone()
    assert [views(organization, "stage_history")[0] for organization in organizations] == before[::2]


def test_a_new_time_zone_counts_all_days_again_in_batches(
    database: Database, new_organization: Callable[..., Organization], views: Views
) -> None:
    organization = new_organization().id
    life = Life(database, organization, random.Random(1))
    life.live()
    for _ in range(12):
        life.create()
        life.move()
    count_stages(database)
    for zone in ("Asia/Kolkata", "Pacific/Chatham"):
        statement = "select admin.set_organization(%s, time_zone => %s)"
        database.sql(statement, organization, zone, login="leads_operator")
        database.sql("select admin.seal_events()", login="leads_worker")
        # A batch of one event counts 20 stays. The old days are shown until the end, and new changes count in both.
        for _ in range(3):
            database.sql("select admin.count_stages(null, 1)", login="leads_worker")
            progress = database.sql("select * from app.stage_progress where organization_id = %s", organization)[0]
            assert progress["next_time_zone"] == zone != progress["time_zone"]
            life.move()
            life.delete()
            database.sql("select admin.seal_events()", login="leads_worker")
    count_stages(database)
    shown, expected = views(organization, "pipeline_daily")
    assert shown == expected
    zones = database.sql("select distinct time_zone from app.stage_day where organization_id = %s", organization)
    assert [row["time_zone"] for row in zones] == ["Pacific/Chatham"]


def test_a_killed_worker_leaves_nothing_out(
    database: Database, new_organization: Callable[..., Organization], views: Views, tmp_path: Path
) -> None:
    organization = new_organization().id
    life = Life(database, organization, random.Random(2))
    for number in range(3):
        worker = start_worker(database, tmp_path / "worker.log")
        for _ in range(25):
            life.change()
        if number == 0:
            # The seals of an older release: the worker queues them when it starts.
            wait_for(lambda: not database.sql("select 1 from app.uncounted_seal"))
        worker.process.kill()
        worker.process.wait()
    database.sql("delete from app.uncounted_seal")
    worker = start_worker(database, tmp_path / "worker.log")
    try:
        waits = (
            "select 1 from audit.unsealed union all select 1 from app.uncounted_seal union all "
            "select 1 from app.organization as o join audit.seal as s using (organization_id) "
            "left join app.stage_progress as p using (organization_id) "
            "where o.erased_at is null and s.position > coalesce(p.position, 0)"
        )
        wait_for(lambda: not database.sql(waits))
    finally:
        worker.stop()
    for view in VIEWS:
        shown, expected = views(organization, view)
        assert shown == expected


def test_an_erased_organization_has_no_figures(
    database: Database, new_organization: Callable[..., Organization]
) -> None:
    organization, other = new_organization().id, new_organization().id
    tables = ("stage_stay", "stage_day", "stage_progress", "uncounted_seal")

    def left(id: str) -> list[str]:
        statement = "select 1 from app.{} where organization_id = %s"
        return [table for table in tables if database.sql(statement.format(table), id)]

    for id in (organization, other):
        Life(database, id, random.Random(3)).create()
    count_stages(database)
    assert left(organization) == left(other) == ["stage_stay", "stage_day", "stage_progress"]
    Life(database, organization, random.Random(3)).create()
    database.sql("select admin.seal_events()", login="leads_worker")
    while not database.sql("select * from admin.erase_organization(%s)", organization, login="leads_operator")[0][
        "is_done"
    ]:
        pass
    assert left(organization) == []
    # The events of the erasure itself are sealed, and not counted.
    count_stages(database)
    assert left(organization) == []
    assert left(other) == ["stage_stay", "stage_day", "stage_progress"]


def make_seals_older(database: Database) -> None:
    """By more than the five minutes that figures may lag."""
    with database.connect() as connection, connection.transaction():
        connection.execute("set local session_replication_role = replica")
        connection.execute("alter table audit.seal disable trigger _100_refuse_change")
        connection.execute("update audit.seal set sealed_at = sealed_at - interval '6 minutes'")
        connection.execute("alter table audit.seal enable always trigger _100_refuse_change")


def test_figures_that_lag_are_reported(
    database: Database, leads: Leads, new_organization: Callable[..., Organization]
) -> None:
    organization = new_organization().id
    Life(database, organization, random.Random(4)).create()
    database.sql("select admin.seal_events()", login="leads_worker")

    def findings() -> list[dict[str, str]]:
        return database.sql("select * from admin.figure_findings()")

    assert findings() == []
    make_seals_older(database)
    found = [row for row in findings() if row["subject"] == f"organization {organization}"]
    assert "events that are not counted: " in found[0]["finding"]
    assert found[0]["remedy"].startswith("Start a worker")
    assert f"organization {organization}" in leads("doctor").stdout
    count_stages(database)
    assert findings() == []


def test_a_time_zone_that_the_server_does_not_know_any_more_holds_up_no_other_organization(
    database: Database, leads: Leads, new_organization: Callable[..., Organization]
) -> None:
    """An upgrade of the server's files of time zones can take away old names, such as US/Pacific."""
    first, second = new_organization().id, new_organization().id
    for id in (first, second):
        Life(database, id, random.Random(5)).create()
    count_stages(database)
    database.sql("update app.organization set time_zone = 'Gone/Zone' where organization_id = %s", first)
    database.sql("update app.stage_progress set time_zone = 'Gone/Zone' where organization_id = %s", first)
    for id in (first, second):
        Life(database, id, random.Random(6)).create()

    def stays(id: str) -> int:
        return int(database.sql("select count(*) as n from app.stage_stay where organization_id = %s", id)[0]["n"])

    before = stays(first), stays(second)
    count_stages(database)
    assert stays(first) == before[0]
    assert stays(second) > before[1]
    make_seals_older(database)
    found = database.sql("select * from admin.figure_findings()")
    assert [row["subject"] for row in found] == [f"organization {first}"]
    assert "does not know the time zone Gone/Zone" in found[0]["remedy"]

    printed(leads("organizations", "set", first, "--time-zone", "UTC"))
    count_stages(database)
    assert stays(first) > before[0]
    rows = database.sql("select distinct time_zone from app.stage_day where organization_id = %s", first)
    assert [row["time_zone"] for row in rows] == ["UTC"]
    assert database.sql("select * from admin.figure_findings()") == []


def test_the_time_zone_of_an_organization(leads: Leads, new_organization: Callable[..., Organization]) -> None:
    organization = new_organization().id
    assert printed(leads("organizations", "set", organization, "--time-zone", "europe/berlin", "--json")).count(
        '"Europe/Berlin"'
    )
    assert "Europe/Berlin" in printed(leads("organizations", "list"))
    for wrong in ("Berlin", "CEST+x", "", "posix/UTC"):
        message = mistake(leads("organizations", "set", organization, "--time-zone", wrong))
        assert f'PostgreSQL knows no time zone "{wrong}". Use a name of the IANA database' in message
