"""Old years of the audit log are moved into archives, and the log stays verifiable."""

import fcntl
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pyrage
import pytest

from app import archive as archives
from app import archive_check
from app.settings import ROOT
from tests.support.chain import count, log_findings, old_events, seal, verdict
from tests.support.database import Database, make_organization
from tests.support.process import Server, leads_here, mistake, printed

OLD, NEXT = 2015, 2016
BEFORE = f"{NEXT + 1}-01-01"
LOCKS = Path("/proc/locks")
UNGUARDED = "alter table audit.event disable trigger user; alter table audit.seal disable trigger user; "


class Keys:
    """The operator's keys."""

    def __init__(self, folder: Path) -> None:
        identity = pyrage.x25519.Identity.generate()
        self.public = str(identity.to_public())
        self.file = folder / "key"
        self.file.write_text(f"# created: today\n{identity}\n")


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


def fill(database: Database) -> None:
    """Creates two organizations, and events of two old years."""
    for name in ("Acme Restoration", "Beacon Roofing"):
        organization = make_organization(database, name)
        old_events(database, organization.id, OLD)
        old_events(database, organization.id, NEXT)
    seal(database)
    count(database)


@pytest.fixture(scope="module")
def template(new_database: Callable[..., Database]) -> str:
    database = new_database()
    fill(database)
    return database.name


@pytest.fixture
def old(new_database: Callable[..., Database], template: str) -> Database:
    """A database with two organizations, and events of two old years."""
    return new_database(template)


def organizations(database: Database) -> list[str]:
    return [str(row["id"]) for row in database.sql("select organization_id as id from app.organization order by 1")]


def options(folder: Path, keys: Keys, before: str = BEFORE) -> list[str]:
    name = str(folder / "audit-{year}.age")
    return ["audit", "retire", "--before", before, "--archive", name, "--recipient", keys.public, "--yes", "--json"]


def retire(database: Database, folder: Path, keys: Keys, before: str = BEFORE) -> list[dict[str, Any]]:
    count(database)
    process = leads_here(database)(*options(folder, keys, before))
    assert process.returncode == 0, process.stderr
    rows: list[dict[str, Any]] = json.loads(process.stdout)
    return rows


def archive(folder: Path, year: int = OLD) -> Path:
    return folder / f"audit-{year}.age"


def given(folder: Path, keys: Keys, *years: int) -> list[str]:
    paths = [text for year in years or (OLD, NEXT) for text in ("--archive", str(archive(folder, year)))]
    return [*paths, "--identity", str(keys.file)]


def verify(database: Database, folder: Path, keys: Keys, *more: str) -> "subprocess.CompletedProcess[str]":
    return leads_here(database)("audit", "verify", *given(folder, keys), "--json", *more)


def fault(process: "subprocess.CompletedProcess[str]") -> str:
    assert (process.returncode, process.stdout) == (1, ""), process.stderr
    return process.stderr


def drop(database: Database, folder: Path, year: int, *more: str) -> "subprocess.CompletedProcess[str]":
    return leads_here(database)(
        "audit", "drop", "--year", str(year), "--archive", str(archive(folder, year)), "--yes", *more
    )


def verdicts(database: Database) -> list[Any]:
    return [verdict(database, each, limit=limit) for each in organizations(database) for limit in (10_000, 3)]


def holds(database: Database) -> bool:
    return all(each["holds"] for each in verdicts(database))


def lines(folder: Path, keys: Keys, year: int = OLD) -> list[dict[str, Any]]:
    return [json.loads(line) for line in archives.read(archive(folder, year), archives.identities(keys.file))]


def rewrite(folder: Path, keys: Keys, content: list[dict[str, Any]], year: int = OLD) -> None:
    """Replaces an archive, as somebody can who has its keys."""
    path = archive(folder, year)
    path.unlink()
    archives.write(path, (json.dumps(line).encode() + b"\n" for line in content), archives.recipients([keys.public]))


def test_retired_years_verify_before_and_after_the_drop(old: Database, tmp_path: Path, keys: Keys) -> None:
    heads = tmp_path / "heads"
    heads.write_text(printed(leads_here(old)("audit", "seal", "--export")))
    rows = retire(old, tmp_path, keys)
    assert [(row["year"], row["events"], row["organizations"]) for row in rows] == [(OLD, 20, 2), (NEXT, 20, 2)]
    assert oct(archive(tmp_path).stat().st_mode)[-3:] == "600"
    assert not list(tmp_path.glob("*.part"))
    assert holds(old)
    assert [row["year"] for row in json.loads(printed(verify(old, tmp_path, keys)))] == [OLD, NEXT]
    assert printed(leads_here(old)("audit", "verify", "--head", str(heads), "--json"))

    doctor = leads_here(old)("doctor").stdout
    assert "table audit.event_" not in doctor
    assert f"{OLD}: retired" in doctor
    assert "were dropped" in printed(drop(old, tmp_path, OLD))
    assert "were dropped" in printed(drop(old, tmp_path, NEXT, "--identity", str(keys.file)))
    assert old.sql("select to_regclass('audit.event_2015') as t")[0]["t"] is None
    assert holds(old)
    assert printed(verify(old, tmp_path, keys))
    assert f"{OLD}: retired" not in leads_here(old)("doctor").stdout
    assert "were dropped at" in mistake(drop(old, tmp_path, OLD))
    assert "no year before" in printed(leads_here(old)(*options(tmp_path, keys)[:-1]))


def test_the_years_can_be_retired_one_after_the_other(old: Database, tmp_path: Path, keys: Keys) -> None:
    """The second event audit.retired has the ranges of the first."""
    retire(old, tmp_path, keys, f"{OLD + 1}-01-01")
    assert holds(old)
    retire(old, tmp_path, keys)
    printed(drop(old, tmp_path, OLD))
    printed(drop(old, tmp_path, NEXT))
    assert holds(old)
    assert printed(verify(old, tmp_path, keys))


def test_a_head_in_a_retired_year_is_verified_with_the_archive(old: Database, tmp_path: Path, keys: Keys) -> None:
    first = organizations(old)[0]
    head, last = (
        old.sql(
            "select position || ':' || encode(hash, 'hex') as h from audit.seal "
            "where organization_id = %s and position = %s",
            first,
            position,
        )[0]["h"]
        for position in (5, 20)
    )
    retire(old, tmp_path, keys)
    assert verdict(old, first, head=head)["code"] == "head_retired"
    assert verdict(old, first, head=last)["holds"]
    assert verdict(old, first, head=f"20:{head.partition(':')[2]}")["code"] == "head_mismatch"
    heads = tmp_path / "heads"
    heads.write_text(json.dumps([{"organization_id": first, "head": head}]))
    assert printed(verify(old, tmp_path, keys, "--head", str(heads)))
    heads.write_text(json.dumps([{"organization_id": first, "head": f"5:{last.partition(':')[2]}"}]))
    assert "doesn't have the head" in fault(verify(old, tmp_path, keys, "--head", str(heads)))


def test_an_organization_that_was_silent_for_years_goes_on_with_its_chain(
    new_database: Callable[..., Database], tmp_path: Path, keys: Keys
) -> None:
    """All its seals are in a retired year."""
    database = new_database()
    organization = make_organization(database)
    # Without the events of its creation.
    database.sql(
        f"{UNGUARDED} delete from audit.event; alter table audit.unsealed disable trigger user; "
        "delete from audit.unsealed"
    )
    old_events(database, organization.id, OLD)
    seal(database)
    retire(database, tmp_path, keys)
    printed(drop(database, tmp_path, OLD))
    database.sql("insert into app.lead (organization_id, email) values (%s, 'ada@example.com')", organization.id)
    assert seal(database) == 1
    assert verdict(database, organization.id)["verified_to"] == 12
    assert holds(database)


def test_an_event_that_was_sealed_late_leaves_two_ranges(
    new_database: Callable[..., Database], tmp_path: Path, keys: Keys
) -> None:
    database = new_database()
    organization = make_organization(database)
    old_events(database, organization.id, OLD)
    old_events(database, organization.id, NEXT, 1)
    seal(database)
    old_events(database, organization.id, OLD, 1)
    seal(database)
    retire(database, tmp_path, keys, f"{NEXT}-01-01")
    ranges = lines(tmp_path, keys)[0]["organizations"][0]["ranges"]
    assert len(ranges) == 2
    assert holds(database)
    printed(drop(database, tmp_path, OLD))
    assert holds(database)
    position = database.sql("select audit.position_before(%s, '2014-01-01Z') as p", organization.id)[0]["p"]
    assert position == 10


FAULTS = {
    "a position outside": (
        "with gone as (delete from audit.seal where organization_id = '{o}' and position = 22 returning event_id) "
        "delete from audit.event where id = (select event_id from gone)",
        ("seal_missing", 22),
    ),
    "the next position": (
        "delete from audit.seal where organization_id = '{o}' and position = 21",
        ("seal_missing", 21),
    ),
    "a changed range": (
        "update audit.event set payload = replace(payload::text, '\"last\": 20', '\"last\": 21')::json "
        "where organization_id = '{o}' and action = 'audit.retired'",
        ("seal_missing", 1),
    ),
    "a changed range and its digest": (
        "update audit.event set payload = replace(payload::text, '\"last\": 20', '\"last\": 21')::json, "
        "payload_digest = sha256(salt || convert_to(replace(payload::text, '\"last\": 20', '\"last\": 21'), 'UTF8')) "
        "where organization_id = '{o}' and action = 'audit.retired'",
        ("seal_missing", 1),
    ),
    "the event": (
        "delete from audit.event where organization_id = '{o}' and action = 'audit.retired'",
        ("seal_missing", 1),
    ),
    "an event that no seal has": (
        "insert into audit.event (id, organization_id, action, source, payload, salt, payload_digest, created_at) "
        "select n.id, '{o}', 'audit.retired', 'system', n.payload, 'salt', "
        "sha256('salt' || convert_to(n.payload::text, 'UTF8')), app.id_time(n.id) from (select app.new_id() as id, "
        "replace(e.payload::text, '\"last\": 20', '\"last\": 22')::json as payload from audit.event as e "
        "where e.organization_id = '{o}' and e.action = 'audit.retired' offset 0) as n; "
        "delete from audit.seal where organization_id = '{o}' and position between 21 and 22",
        ("seal_missing", 1),
    ),
}


def test_the_verification_detects_everything_else(old: Database, tmp_path: Path, keys: Keys) -> None:
    retire(old, tmp_path, keys)
    first, second = organizations(old)
    for name, (statement, expected) in FAULTS.items():
        with old.connect() as connection, connection.transaction(force_rollback=True):
            connection.execute(f"{UNGUARDED}{statement.format(o=first)}".encode())
            for organization, found in ((first, expected), (second, (None, None))):
                row = connection.execute("select * from admin.verify_chain(%s, 0, 10000)", [organization]).fetchone()
                assert row is not None
                assert (row["code"], row["position"]) == found, name


def test_a_partition_that_was_dropped_without_being_retired_is_detected(old: Database) -> None:
    old.sql(f"drop table audit.event_{OLD}, audit.seal_{OLD}")
    for row in verdicts(old):
        assert (row["code"], row["position"]) == ("seal_missing", 1)


def test_an_archive_that_was_changed_is_detected(old: Database, tmp_path: Path, keys: Keys) -> None:
    retire(old, tmp_path, keys)
    content = lines(tmp_path, keys)
    original = archive(tmp_path).read_bytes()
    other = json.dumps({"lead_id": str(uuid4()), "diff": {}})
    changes: dict[str, list[dict[str, Any]]] = {
        "the payload of the event": [
            {**line, "payload": other} if line.get("position") == 3 else line for line in content
        ],
        "was changed, and no erasure": [
            {**line, "payload": other, "salt": None} if line.get("position") == 3 else line for line in content
        ],
        "the event is missing": [line for line in content if line.get("position") != 3],
        "was changed": [{**line, "source": "api"} if line.get("position") == 3 else line for line in content],
        "cut off": content[:-5],
        "doesn't end": [*content[:-1], {"end": True, "events": 1}],
        "isn't the one in the header": [
            {
                **content[0],
                "organizations": [
                    {**each, "ranges": [{**each["ranges"][0], "hash": "00" * 32}]}
                    for each in content[0]["organizations"]
                ],
            },
            *content[1:],
        ],
        "positions and hashes": [
            {**content[0], "organizations": content[0]["organizations"][:1]},
            *content[1:11],
            {"end": True, "events": 10},
        ],
    }
    for message, changed in changes.items():
        rewrite(tmp_path, keys, changed)
        assert message in fault(verify(old, tmp_path, keys)), message
        assert mistake(drop(old, tmp_path, OLD))
        assert mistake(drop(old, tmp_path, OLD, "--identity", str(keys.file)))
    archive(tmp_path).write_bytes(original[:-20])
    assert "can't be read" in fault(verify(old, tmp_path, keys))
    archive(tmp_path).write_bytes(archive(tmp_path, NEXT).read_bytes())
    assert f"is the archive of {NEXT}" in mistake(drop(old, tmp_path, OLD, "--identity", str(keys.file)))
    archive(tmp_path).unlink()
    assert "There is no file" in mistake(drop(old, tmp_path, OLD))
    assert "can't be read: No such file" in fault(verify(old, tmp_path, keys))
    assert old.sql(f"select to_regclass('audit.event_{OLD}') is not null as t")[0]["t"]


def test_years_that_must_stay(old: Database, tmp_path: Path, keys: Keys) -> None:
    first, second = organizations(old)
    path = str(tmp_path / "one.age")
    run = leads_here(old)
    assert "write {year} in FILE" in mistake(
        run("audit", "retire", "--before", BEFORE, "--archive", path, "--recipient", keys.public, "--yes")
    )
    assert "1 January" in mistake(run(*options(tmp_path, keys, "2016-02-01")))
    assert "1 January" in mistake(run(*options(tmp_path, keys, "2999-01-01")))
    assert "public key of age" in mistake(run("audit", "retire", "--archive", path, "--recipient", "age1x"))
    private = str(archives.new_identity())
    for said in (
        mistake(run("audit", "retire", "--archive", path, "--recipient", private)),
        mistake(run("audit", "verify", "--archive", path, "--identity", private)),
    ):
        assert "This is a private key" in said
        assert private not in said
    (tmp_path / "audit-2015.age").write_text("mine")
    assert "never overwritten" in mistake(run(*options(tmp_path, keys)))
    (tmp_path / "audit-2015.age").unlink()

    printed(run("organizations", "set", first, "--keep-audit-years", "100"))
    process = run(*options(tmp_path, keys))
    assert (process.returncode, json.loads(process.stdout)) == (0, [])
    assert first in process.stderr
    assert second not in process.stderr
    assert "7 to 100" in mistake(run("organizations", "set", first, "--keep-audit-years", "3"))
    printed(run("organizations", "set", first, "--keep-audit-years", "0"))

    old_events(old, second, NEXT, 1)
    assert f"without a seal, of: {second}" in mistake(run(*options(tmp_path, keys)))
    seal(old)
    assert f"bi.stage_history), of: {second}" in mistake(run(*options(tmp_path, keys)))
    count(old)
    old.sql(
        f"{UNGUARDED} update audit.event set payload = '{{}}' where organization_id = '{second}' "
        "and created_at < '2016-01-01Z'"
    )
    assert "payload_mismatch" in mistake(run(*options(tmp_path, keys)))
    assert not list(tmp_path.glob("*.age"))
    assert old.sql("select 1 from audit.event where action = 'audit.retired'") == []


def started(database: Database, folder: Path, keys: Keys) -> "subprocess.Popen[bytes]":
    environ = {**os.environ, "LEADS_MIGRATE_URL": database.url("leads_migrator")}
    return subprocess.Popen(
        [sys.executable, "-m", "app", *options(folder, keys)],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(120)


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def waits(database: Database, function: str) -> bool:
    return bool(
        database.sql(
            "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' "
            "and query like %s",
            f"%{function}%",
        )
    )


HOLDERS = {
    "admin.archive_events": f"lock table audit.event_{OLD} in access exclusive mode",
    "admin.retire_year": "select from app.organization for update",
    "admin.finish_retirement": "select from audit.event",
}
"""What makes a step of the command wait."""


@pytest.mark.parametrize("step", HOLDERS)
def test_a_command_that_is_killed_can_be_run_again(old: Database, tmp_path: Path, keys: Keys, step: str) -> None:
    with old.connect() as holder, holder.transaction():
        if step != "admin.archive_events":
            holder.execute(HOLDERS[step].encode())
        process = started(old, tmp_path, keys)
        if step == "admin.archive_events":
            # Between the verification and the archive, or in it.
            wait_for(lambda: archives.part(archive(tmp_path)).exists() or archive(tmp_path).exists())
        else:
            wait_for(lambda: waits(old, step))
        kill(process)
    assert not archive(tmp_path).exists() or step == "admin.archive_events"
    wait_for(
        lambda: (
            not old.sql(
                "select 1 from pg_stat_activity where datname = current_database() and usename = 'leads_migrator'"
            )
        )
    )
    assert holds(old)
    retire(old, tmp_path, keys)
    assert holds(old)
    assert printed(verify(old, tmp_path, keys))
    assert not list(tmp_path.glob("*.part"))


def test_an_unfinished_archive_is_written_again_and_a_finished_one_is_kept(
    old: Database, tmp_path: Path, keys: Keys
) -> None:
    part = archives.part(archive(tmp_path))
    part.write_bytes(b"age-encryption.org/v1\n")
    retire(old, tmp_path, keys)
    # Killed between the commit and the rename.
    archive(tmp_path).rename(part)
    assert "There is no file" in mistake(drop(old, tmp_path, OLD))
    assert [row["year"] for row in retire(old, tmp_path, keys)] == [OLD]
    assert printed(verify(old, tmp_path, keys))
    # Killed between the two steps of the rename.
    part.hardlink_to(archive(tmp_path))
    assert [row["year"] for row in retire(old, tmp_path, keys)] == [OLD]
    assert not part.exists()
    assert printed(verify(old, tmp_path, keys))


def test_an_archive_that_cannot_be_written_names_the_reason(tmp_path: Path) -> None:
    keys = [archives.new_identity().to_public()]

    def lines() -> Iterator[bytes]:
        yield b"{}\n"
        raise psycopg.OperationalError("gone")

    with pytest.raises(psycopg.OperationalError, match="gone"):
        archives.write(tmp_path / "one.age", lines(), keys)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            archives.write(tmp_path / "two.age", (os.urandom(5000) for _ in range(1000)), keys)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_an_erasure_while_the_archive_is_written_makes_it_void(old: Database, tmp_path: Path, keys: Keys) -> None:
    first = organizations(old)[0]
    lead = old.sql("select lead_id from audit.event where organization_id = %s and lead_id is not null limit 1", first)
    with old.connect() as holder, holder.transaction():
        holder.execute("select from app.organization where organization_id <> %s for update", [first])
        process = started(old, tmp_path, keys)
        wait_for(lambda: waits(old, "admin.retire_year"))
        assert leads_here(old)("erase", "--lead", str(lead[0]["lead_id"]), "--yes").returncode == 0
    assert process.wait(120) == 2
    assert not archive(tmp_path).exists()
    assert holds(old)
    retire(old, tmp_path, keys)
    printed(drop(old, tmp_path, OLD))
    printed(drop(old, tmp_path, NEXT))
    # The event lead.erased of this year lists what the archives have.
    assert printed(verify(old, tmp_path, keys))


def test_an_event_of_the_year_that_is_written_meanwhile_is_not_lost(old: Database, tmp_path: Path, keys: Keys) -> None:
    first = organizations(old)[0]
    with old.connect() as holder, holder.transaction():
        holder.execute("select from app.organization where organization_id <> %s for no key update", [first])
        process = started(old, tmp_path, keys)
        wait_for(lambda: waits(old, "admin.retire_year"))
        # The command has compared the archive with the log, and sealed the events of this organization.
        old_events(old, first, OLD, 1)
    assert process.wait(120) == 2
    assert not archive(tmp_path).exists()
    assert holds(old)
    seal(old)
    assert [row["events"] for row in retire(old, tmp_path, keys)] == [21, 20]
    assert holds(old)


def test_the_current_year_stays_if_the_clock_of_the_command_is_ahead(old: Database) -> None:
    rows = old.sql("select year from admin.retirable_years(9999)", login="leads_migrator")
    this_year = old.sql("select extract(year from now() at time zone 'UTC')::integer as year")[0]["year"]
    assert [row["year"] for row in rows if row["year"] >= this_year] == []
    assert {OLD, NEXT} <= {row["year"] for row in rows}


def test_no_year_is_retired_before_the_time_of_an_earlier_retirement(old: Database, tmp_path: Path, keys: Keys) -> None:
    """The clock of the server was set back. The newest event audit.retired would not name the year."""
    payload = '{"retired":[{"year":2000,"events":0,"ranges":[]}]}'
    old.sql(
        "with later as (select (lpad(to_hex((extract(epoch from now()) * 1000)::bigint + 3600000), 12, '0') "
        "|| substr(replace(app.new_id()::text, '-', ''), 13))::uuid as id), "
        "written as (insert into audit.event (id, organization_id, action, source, payload, salt, payload_digest, "
        "created_at) select l.id, %s, 'audit.retired', 'system', %s, 'salt', sha256('salt' || convert_to(%s, 'UTF8')), "
        "app.id_time(l.id) from later as l returning organization_id, id) "
        "insert into audit.unsealed (organization_id, event_id) select w.organization_id, w.id from written as w",
        organizations(old)[0],
        payload,
        payload,
    )
    seal(old)
    count(old)
    assert "is behind the time of the last retirement" in mistake(leads_here(old)(*options(tmp_path, keys)))
    assert not archive(tmp_path).exists()
    assert holds(old)


def test_a_history_is_not_written_into_a_retired_year(old: Database) -> None:
    """A year can be retired once, so its new events could never leave the log."""
    old.sql(
        # Two years: on 1 January, nearly all of the history is in the last one.
        "insert into audit.retirement (year, archive_name, archive_digest, events) "
        "select extract(year from now() at time zone 'UTC') - n, 'one.age', sha256(''), 0 "
        "from generate_series(0, 1) as n"
    )
    assert "a year of the audit log that was retired" in mistake(leads_here(old)("demo"))
    assert len(organizations(old)) == 2


def test_nobody_reads_or_changes_a_retired_year(old: Database, tmp_path: Path, keys: Keys) -> None:
    retire(old, tmp_path, keys)
    logins = ("leads_api", "leads_worker", "leads_operator", "leads_router")
    calls = (
        f"admin.drop_year({OLD})",
        "admin.retirable_years(2016)",
        f"admin.archive_organizations({OLD})",
        f"admin.archive_events({OLD}, null, 0, 1)",
        f"admin.retire_year({NEXT}, 'x', sha256('x'), '[]')",
        f"admin.finish_retirement({NEXT}, now())",
        f"audit.detach_partitions({NEXT})",
        f"audit.drop_partitions({OLD})",
        f"audit.lock_partitions({NEXT})",
        "audit.record_retirement(null, '')",
        "audit.record_archive_erasure(null, null, '')",
    )
    statements = [f"select * from {call}" for call in calls]
    statements += [
        f"{statement} audit.{table}_{OLD}"
        for table in ("event", "seal")
        for statement in ("select from", "delete from", "table", "truncate")
    ]
    statements += ["select from audit.retirement", "delete from audit.retirement"]
    for login in logins:
        for statement in statements:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                old.sql(statement, login=login)
    for table in ("event", "seal"):
        with old.connect("leads_migrator") as connection:
            connection.execute("set role leads_owner")
            assert connection.execute(f"select from audit.{table}_{OLD}".encode()).fetchall() == []
        for statement in (f"delete from audit.{table}_{OLD}", f"truncate audit.{table}_{OLD}"):
            with pytest.raises(psycopg.Error, match="refused"):
                old.sql(statement)
    with pytest.raises(psycopg.Error, match="not_retired"):
        old.sql("select admin.drop_year(2026)", login="leads_migrator")


RETIRED_DEFECTS = (
    f"grant select on audit.event_{OLD} to leads_exec",
    f"create policy p on audit.seal_{OLD} using (true)",
    f"alter table audit.event_{OLD} owner to leads_migrator",
    f"alter table audit.event_{OLD} no force row level security",
    f"alter table audit.event_{OLD} disable trigger _100_refuse_change",
    f"drop trigger _100_refuse_change on audit.seal_{OLD}",
)
RETIRED_SUBJECTS = {
    f"grant select on table audit.event_{OLD} to leads_exec",
    f"policy p on audit.seal_{OLD}",
    f"table audit.event_{OLD}",
    f"trigger _100_refuse_change on audit.event_{OLD}",
    f"trigger _100_refuse_change on audit.seal_{OLD}",
}


def test_doctor_finds_what_opens_a_retired_year(old: Database, tmp_path: Path, keys: Keys) -> None:
    retire(old, tmp_path, keys)
    with old.connect() as connection, connection.transaction(force_rollback=True):
        before = log_findings(connection)
        assert not [row for row in before if f"_{OLD}" in row["subject"]]
        for statement in RETIRED_DEFECTS:
            connection.execute(statement.encode())
        new = [row for row in log_findings(connection) if row not in before]
        assert {row["subject"] for row in new} == RETIRED_SUBJECTS
        for remedy in dict.fromkeys(row["remedy"] for row in new):
            assert remedy.endswith(";"), new
            connection.execute(remedy.encode())
        assert log_findings(connection) == before


def erase(database: Database, folder: Path, keys: Keys, *more: str) -> "subprocess.CompletedProcess[str]":
    return leads_here(database)("erase", *more, *given(folder, keys), "--recipient", keys.public, "--yes", "--json")


def test_an_erasure_reaches_the_archives_that_are_given(old: Database, tmp_path: Path, keys: Keys) -> None:
    first = organizations(old)[0]
    lead = old.sql(
        "select lead_id from audit.event where organization_id = %s and lead_id is not null order by id limit 1", first
    )[0]["lead_id"]
    retire(old, tmp_path, keys)
    before = archive(tmp_path, NEXT).read_bytes()

    # Without the archives: the command names them.
    unreached = leads_here(old)("erase", "--lead", str(lead), "--yes")
    assert unreached.returncode == 2
    for year in (OLD, NEXT):
        assert f"{year} (audit-{year}.age, SHA-256 " in unreached.stderr
    assert f"{OLD}, {NEXT} are retired and keep the values" in unreached.stderr
    for year in (OLD, NEXT):
        printed(drop(old, tmp_path, year))

    process = erase(old, tmp_path, keys, "--lead", str(lead))
    assert [row["archived_events"] for row in json.loads(process.stdout)] == [10]
    assert not [line for line in lines(tmp_path, keys) if line.get("lead_id") == str(lead) and "ada" in line["payload"]]
    assert len([line for line in lines(tmp_path, keys) if "ada" in str(line.get("payload"))]) == 10
    assert archive(tmp_path, NEXT).read_bytes() == before
    assert oct(archive(tmp_path).stat().st_mode)[-3:] == "600"
    seal(old)
    assert printed(verify(old, tmp_path, keys))
    assert holds(old)
    # An event in the log can't be listed in this way, and nothing that wasn't erased is accepted.
    content = lines(tmp_path, keys)
    rewrite(
        tmp_path,
        keys,
        [{**line, "payload": "{}", "salt": None} if line.get("position") == 2 else line for line in content],
    )
    assert "was changed, and no erasure" in fault(verify(old, tmp_path, keys))
    rewrite(tmp_path, keys, content)

    again = erase(old, tmp_path, keys, "--lead", str(lead))
    assert [row["archived_events"] for row in json.loads(again.stdout)] == [0]


def test_a_person_is_found_in_the_archives_by_an_address(old: Database, tmp_path: Path, keys: Keys) -> None:
    first = organizations(old)[0]
    retire(old, tmp_path, keys)
    process = erase(old, tmp_path, keys, "--organization", first, "--email", "ADA3@example.com")
    rows = json.loads(process.stdout)
    assert [row["archived_events"] for row in rows] == [10, 10]
    nobody = erase(old, tmp_path, keys, "--organization", first, "--email", "nobody@example.com")
    assert nobody.returncode == 2
    seal(old)
    assert printed(verify(old, tmp_path, keys))


def test_an_organization_is_erased_in_the_archives(old: Database, tmp_path: Path, keys: Keys) -> None:
    first, second = organizations(old)
    retire(old, tmp_path, keys)
    process = erase(old, tmp_path, keys, "--organization", first)
    assert json.loads(process.stdout)["events"] >= 20
    for year in (OLD, NEXT):
        for line in lines(tmp_path, keys, year)[1:-1]:
            assert ("ada" in line["payload"]) == (line["organization_id"] == second)
    seal(old)
    assert printed(verify(old, tmp_path, keys))
    assert holds(old)


def test_a_killed_erasure_can_be_run_again(old: Database, tmp_path: Path, keys: Keys) -> None:
    """Between the commit and the rename, the database lists what the old archive doesn't have."""
    first = organizations(old)[0]
    retire(old, tmp_path, keys)
    before = archive(tmp_path).read_bytes()
    erase(old, tmp_path, keys, "--organization", first, "--email", "ada3@example.com")
    archive(tmp_path).write_bytes(before)
    seal(old)
    assert printed(verify(old, tmp_path, keys))
    assert "SHA-256" in mistake(drop(old, tmp_path, OLD))
    process = erase(old, tmp_path, keys, "--organization", first, "--email", "ada3@example.com")
    assert sum(row["archived_events"] for row in json.loads(process.stdout)) == 10
    assert printed(drop(old, tmp_path, OLD))


def test_the_operators_login_cannot_put_other_values_into_an_archive(old: Database, tmp_path: Path, keys: Keys) -> None:
    """It can record the erasure of any event of a retired year."""
    first = organizations(old)[0]
    retire(old, tmp_path, keys)
    content = lines(tmp_path, keys)
    event = next(line for line in content if line.get("organization_id") == first and line["position"] == 3)
    payload = event["payload"].replace("ada", "eve")
    items = [{"event_id": event["id"], "digest": hashlib.sha256(payload.encode()).hexdigest()}]
    old.sql(
        "select admin.record_archive_erasure(%s, %s, %s, sha256(''), %s)",
        first,
        event["lead_id"],
        OLD,
        json.dumps(items),
        login="leads_operator",
    )
    seal(old)
    rewrite(tmp_path, keys, [{**line, "payload": payload, "salt": None} if line is event else line for line in content])
    assert "isn't what an erasure leaves" in fault(verify(old, tmp_path, keys))


def test_an_archive_has_the_rule_of_the_log_for_erased_payloads(old: Database) -> None:
    erased = '{"erased": true}'
    members = [
        *(f'"{name}":"x"' for name in ("lead_id", "vendor", "trace_id", "error", "values", "diff_of")),
        '"diff":{}',
        *(f'"diff":{{"{name}":"x"}}' for name in ("email", "lead_score", "pipeline_stage", "source", "won_at", "at")),
        f'"diff":{{"email":{erased},"lead_score":1}}',
        '"diff":{"email":null}',
        '"diff":null',
        f'"error":{erased}',
        '"error":null',
        '"error":{"erased": true, "more": 1}',
        '"error":{"erased": 2}',
    ]
    payloads = [f"{{{member}}}" for member in members]
    rows = old.sql(
        "select p, audit.erased_payload(p::json)::text = p as is_erased from unnest(%s::text[]) as p", payloads
    )
    assert {row["p"]: archive_check.is_erased(row["p"].encode()) for row in rows} == {
        row["p"]: row["is_erased"] for row in rows
    }
    assert len({row["is_erased"] for row in rows}) == 2


def test_two_erasures_in_an_archive_wait_for_each_other(old: Database, tmp_path: Path, keys: Keys) -> None:
    first = organizations(old)[0]
    retire(old, tmp_path, keys)
    with archive(tmp_path).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        command = ["erase", "--organization", first, "--email", "ada3@example.com", "--recipient", keys.public, "--yes"]
        process = subprocess.Popen(
            [sys.executable, "-m", "app", *command, *given(tmp_path, keys, OLD)],
            cwd=ROOT,
            env={**os.environ, "LEADS_OPERATOR_URL": old.url("leads_operator")},
            stdout=subprocess.DEVNULL,
        )
        wait_for(
            lambda: any("->" in line and str(process.pid) in line.split() for line in LOCKS.read_text().splitlines())
        )
        # What the other command does at its end.
        copy = tmp_path / "copy"
        copy.write_bytes(archive(tmp_path).read_bytes())
        copy.replace(archive(tmp_path))
    assert process.wait(120) == 0
    seal(old)
    assert printed(verify(old, tmp_path, keys))
    assert "ada3@" not in str([line for line in lines(tmp_path, keys) if line.get("organization_id") == first])


def test_clients_see_the_log_without_the_retired_years(
    new_database: Callable[..., Database], new_server: Callable[..., Server], tmp_path: Path, keys: Keys
) -> None:
    database = new_database()
    acme = make_organization(database)
    old_events(database, acme.id, OLD)
    seal(database)
    server = new_server(database)
    with server.client(acme.keys["admin"]) as client:
        client.post("/leads", json={"email": "ada@example.com"})
        seal(database)
        cursor = client.get("/leads?order=updated_at").json()["next_cursor"]
        event = next(each for each in client.get("/audit-log?limit=200").json()["data"] if each["created_at"] < "2016")
        retire(database, tmp_path, keys)
        assert client.get(f"/audit-log/{event['id']}").status_code == 404
        data = client.get("/audit-log?limit=200").json()["data"]
        assert data[0]["action"] == "audit.retired"
        assert all(each["created_at"] > "2016" for each in data)
        assert client.get("/audit-log/verify").json()["holds"]
        # A cursor of a seal that is still in the database goes on.
        assert client.get(f"/leads?order=updated_at&cursor={cursor}").status_code == 200
        since = client.get("/leads?order=updated_at&updated_since=2015-06-01T00:00:00Z").json()
        assert [each["email"] for each in since["data"]] == ["ada@example.com"]
        assert UUID(data[0]["id"])
