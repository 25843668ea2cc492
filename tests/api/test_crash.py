"""The small version of ``make crash``: no effect of a write is lost or doubled when processes are
killed. Each of its checks can fail.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bench import crash, effects
from bench.effects import Effects
from bench.mixed import Attempt, Load
from bench.site import Site, connected, running
from tests.support import pushing, simulator
from tests.support.database import Database
from tests.support.process import Server
from tests.support.pushing import wait_for

NO_EFFECTS = Effects([], [], [], "", 0, 0)


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[Site, Database]]:
    """``leads serve`` with a PostgreSQL of its own, with fsync."""
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def vendor() -> Iterator[simulator.Simulator]:
    """A simulated CRM."""
    with simulator.running() as started:
        yield started


@pytest.mark.parametrize("kind", crash.KINDS)
def test_no_effect_is_lost_or_doubled(
    kind: str, site: tuple[Site, Database], vendor: simulator.Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine everything takes longer.
    monkeypatch.setattr(crash, "LONGEST", 30.0)
    monkeypatch.setattr(crash, "LONGEST_PUSH", 40.0)
    organization = connected(site[1], vendor, kind)
    result = crash.run(*site, organization, vendor, kind, seconds=2, clients=6, pause=0.01, rest=(0.3, 1.0))
    assert result.faults() == []
    assert {write.kind for write in result.load.writes} == {"create", "signal", "patch", "push"}


@dataclass(frozen=True)
class Loaded:
    """A database after a load, without a session."""

    database: Database
    organization: str
    load: Load
    records: list[dict[str, Any]]


@pytest.fixture(scope="module")
def loaded(
    new_database: Callable[..., Database],
    new_server: Callable[..., Server],
    vendor: simulator.Simulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Loaded:
    """A load without a kill."""
    database = new_database()
    server = new_server(database)
    organization = connected(database, vendor, "Undisturbed")
    load = Load(server.base, organization.keys["write"], clients=2)
    with pushing.working(database, tmp_path_factory.mktemp("worker")):
        with load.running():
            wait_for(lambda: sum(write.kind == "push" for write in list(load.writes)) > 2)
        effects.wait_for_pushes(database, organization.id)
    server.process.terminate()
    server.process.wait(30)
    return Loaded(database, organization.id, load, vendor.contacts)


def test_a_load_without_a_kill_has_no_fault(loaded: Loaded) -> None:
    found = effects.read(loaded.database, loaded.organization, loaded.load, loaded.records)
    assert crash.Result("none", 1, [], loaded.load, found).faults() == []
    assert found.changes == found.rows > 10


UNGUARDED = "set session_replication_role = replica; alter table audit.event disable trigger user; "
PUSHED = "(select s.lead_id from crm.sync as s order by s.id limit 1)"
PLANTS = {
    "a lost lead": (UNGUARDED + f"delete from app.lead where id = {PUSHED}", {"lost", "audit"}),
    "a lost signal": (UNGUARDED + f"delete from scoring.signal where lead_id = {PUSHED}", {"lost", "audit"}),
    "a lost change": (UNGUARDED + f"update app.lead set company = null where id = {PUSHED}", {"lost", "audit"}),
    "a lost push": (UNGUARDED + "delete from crm.sync", {"lost", "audit"}),
    "a doubled lead": (
        "insert into app.lead (organization_id, name, email) "
        f"select l.organization_id, l.name, l.email from app.lead as l where l.id = {PUSHED}",
        {"doubled"},
    ),
    "a doubled signal": (
        "insert into scoring.signal (organization_id, lead_id, type, value, observed_at) "
        "select i.organization_id, i.lead_id, i.type, i.value, i.observed_at from scoring.signal as i limit 1",
        {"doubled"},
    ),
    "a doubled change": (f"update app.lead set timeline = 'x' where id = {PUSHED}", {"doubled", "audit"}),
    "a missing event": (
        UNGUARDED + "delete from audit.event where action = 'lead.created' and lead_id is not null",
        {"audit", "chain"},
    ),
    "a doubled event": (
        UNGUARDED + "insert into audit.event (id, organization_id, action, source, lead_id, payload, salt, "
        "payload_digest, created_at) select i.id, e.organization_id, e.action, e.source, e.lead_id, e.payload, e.salt, "
        "e.payload_digest, app.id_time(i.id) from (select * from audit.event where action = 'lead.crm_pushed' limit 1) "
        "as e cross join (select app.new_id() as id) as i",
        {"audit", "chain"},
    ),
    "a changed event": (UNGUARDED + "update audit.event set payload = (payload || ' ')::json", {"chain"}),
}


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_fault_is_found(name: str, loaded: Loaded, new_database: Callable[..., Database]) -> None:
    statement, expected = PLANTS[name]
    database = new_database(loaded.database.name)
    with database.connect() as connection:
        for part in statement.split("; "):
            connection.execute(part.encode())
    found = effects.read(database, loaded.organization, loaded.load, loaded.records)
    assert {check for check in ("lost", "doubled", "audit", "chain") if getattr(found, check)} == expected
    assert crash.Result("planted", 1, [], loaded.load, found).faults() != []


def test_a_second_record_of_the_crm_and_a_missing_one_are_found(loaded: Loaded) -> None:
    (lead, *_) = (write.lead for write in loaded.load.writes if write.kind == "push")
    own = [record for record in loaded.records if record["external_id"] == lead]
    others = [record for record in loaded.records if record["external_id"] != lead]
    twice = effects.read(loaded.database, loaded.organization, loaded.load, [*own, *own, *others])
    assert (twice.lost, twice.doubled) == ([], [f"record {lead}"])
    missing = effects.read(loaded.database, loaded.organization, loaded.load, others)
    assert (len(missing.lost), missing.doubled) == (1, [])


@pytest.mark.parametrize(
    ("attempt", "fault"),
    [
        (Attempt("read", 500, "internal_error", 0.0, 0.1), "1 answers were 500."),
        (Attempt("create", 201, "", 0.0, 5.1), "A request took 5.1 s."),
        (Attempt("read", 0, "", 0.0, 5.1), "A request took 5.1 s."),
        (Attempt("push", 202, "", 0.0, 15.1), "A push took 15.1 s."),
    ],
)
def test_a_500_and_a_long_request_are_faults(attempt: Attempt, fault: str, loaded: Loaded) -> None:
    load = replace(loaded.load, attempts=[*loaded.load.attempts, attempt])
    assert crash.Result("planted", 1, [], load, NO_EFFECTS).faults() == [fault]


def test_only_seconds_without_a_server_or_a_client_do_not_count() -> None:
    load = Load("", "", attempts=[Attempt("create", 201, "", 10.0, 9.0)])
    assert load.longest() == 9.0
    assert load.longest(downs=[(0.0, 12.0)]) == 7.0
    assert load.longest(downs=[(11.0, 12.0), (18.5, 30.0), (40.0, 41.0)]) == 7.5
    load.stalls.append((11.5, 13.0))
    assert load.longest(downs=[(11.0, 12.0), (18.5, 30.0)]) == 6.5


def test_a_refused_request_one_without_success_and_an_empty_run_are_faults(loaded: Loaded) -> None:
    load = replace(loaded.load, refused=["GET /leads/x: 404 not_found"], unfinished=["POST /leads: 503 unavailable"])
    assert len(crash.Result("planted", 1, [], load, NO_EFFECTS).faults()) == 2
    assert crash.Result("planted", 0, [], Load("", ""), NO_EFFECTS).faults() == ["Nothing was tested."]
