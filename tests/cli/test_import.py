"""leads import: the formats, the options, and what a crash leaves."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.settings import ROOT
from bench.site import Site, running
from tests.support.database import OF_DATABASE, Database, Organization, make_organization
from tests.support.process import Leads, mistake, printed
from tests.support.webhooks import make_webhook, queue

ROWS = (
    '{"name": "Ada", "email": "ada@example.com", "lead_score": 7, "created_at": "2020-02-01", '
    '"details": {"roof": "x"}}',
    '{"name": "Bea"}',
    '{"email": "carl@example.com", "created_at": "2999-01-01"}',
    '{"email": "\\u0000"}',
)
FILES = {
    "leads.ndjson": "\ufeff" + "\r\n\r\n".join(ROWS),
    "leads.json": f"[ {' ,'.join(ROWS)}\n] \n",
    "leads.csv": (
        "name;email;lead_score;created_at;details.roof;\r\nAda;ada@example.com;7;2020-02-01;x;\r\nBea;;;;;\r\n"
        "Carl;carl@example.com;;2999-01-01;;\r\nDan\r\n"
    ),
}


@pytest.fixture
def organization(database: Database) -> Organization:
    """A new organization."""
    return make_organization(database)


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def stored(database: Database, organization: Organization) -> list[dict[str, Any]]:
    """The leads, in their order."""
    return database.sql("select l.* from app.lead as l where l.organization_id = %s order by l.id", organization.id)


@pytest.mark.parametrize("name", FILES)
def test_each_format_has_the_same_rows(
    name: str, tmp_path: Path, leads: Leads, database: Database, organization: Organization
) -> None:
    path, errors = write(tmp_path, name, FILES[name]), tmp_path / "errors"
    done = leads("import", str(path), "--organization", organization.id, "--errors", str(errors), "--json")
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout) == {
        "rows": 4, "is_stored": True, "created": 1, "updated": 0, "skipped": 0, "failed": 3,
    }  # fmt: skip
    failures = [json.loads(line) for line in errors.read_text().splitlines()]
    assert [(failure["row"], failure["errors"][0]["code"]) for failure in failures] == [
        (2, "contact_required"),
        (3, "invalid_timestamp"),
        (4, "wrong_columns" if name.endswith("csv") else "nul_character"),
    ]
    [lead] = stored(database, organization)
    assert (lead["name"], lead["lead_score"], lead["details"]) == ("Ada", 7, {"roof": "x"})
    assert lead["created_at"].isoformat() == "2020-02-01T00:00:00+00:00"
    events = database.sql(
        "select action, source, payload ->> 'role' as role from audit.event where lead_id = %s", lead["id"]
    )
    assert events == [{"action": "lead.created", "source": "system", "role": "leads_operator"}]
    assert database.sql("select count(*) as n from admin.import_row") == [{"n": 0}]


def test_events_are_sent_to_webhooks_only_with_the_option(
    tmp_path: Path, leads: Leads, database: Database, organization: Organization
) -> None:
    webhook = make_webhook(database, organization, actions=["lead.created"])
    database.sql("update app.organization set environment = 'live' where organization_id = %s", organization.id)
    for number, options in enumerate(([], ["--events"])):
        path = write(tmp_path, f"{number}.csv", f"email\n{number}@example.com\n")
        printed(leads("import", str(path), "--organization", organization.id, *options))
    queue(database)
    rows = database.sql(
        "select l.email from webhook.delivery as d join app.lead as l on l.id = d.lead_id where d.endpoint_id = %s",
        webhook,
    )
    assert rows == [{"email": "1@example.com"}]


def test_a_file_is_imported_once(tmp_path: Path, leads: Leads, database: Database, organization: Organization) -> None:
    path = str(write(tmp_path, "leads.csv", "email,reference\na@example.com,1\nb@example.com,2\n"))
    arguments = ("import", path, "--organization", organization.id)
    dry = leads(*arguments, "--dry-run")
    assert (dry.returncode, stored(database, organization)) == (0, [])
    assert dry.stdout.startswith("Nothing was stored. The file would have 2 rows: 2 created")
    assert leads(*arguments).stdout == "The file has 2 rows: 2 created, 0 updated, 0 skipped, 0 failed.\n"
    assert "was imported before: 2 created" in mistake(leads(*arguments))
    assert "2 skipped" in leads(*arguments, "--again", "--on-duplicate", "skip").stdout
    assert "2 updated" in leads(*arguments, "--again", "--on-duplicate", "update").stdout
    again = leads(*arguments, "--again", "--match", "email")
    assert (again.returncode, "2 failed" in again.stdout) == (1, True)
    assert len(stored(database, organization)) == 2
    reads = database.sql(
        "select payload ->> 'function' as function, payload ->> 'leads' as leads from audit.event "
        "where organization_id = %s and action = 'lead.read'",
        organization.id,
    )
    # The imports with --again say that both leads exist.
    assert reads == [{"function": "admin.import_leads", "leads": "2"}] * 3


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("leads.txt", "x", "Give --format"),
        ("leads.csv", "", "has no rows"),
        ("leads.csv", "a,a\n1,2\n", "two columns with the same name"),
        ("leads.csv", "emial,created_at\nx,2020-01-01\n", "emial: There is no such column"),
        ("leads.json", '{"email": "x"}', "not a JSON array"),
        ("leads.json", '[{"email": "x"}', "Check its end"),
        ("leads.json", '[{"email": "x"} {}]', "a comma or ] is missing"),
        ("leads.json", "[{}] []", "after the end"),
    ],
)
def test_a_file_that_can_not_be_read_stores_nothing(
    name: str, text: str, words: str, tmp_path: Path, leads: Leads, database: Database, organization: Organization
) -> None:
    path = str(write(tmp_path, name, text))
    assert words in mistake(leads("import", path, "--organization", organization.id))
    assert stored(database, organization) == []


def test_only_push_pushes(tmp_path: Path, leads: Leads, database: Database, organization: Organization) -> None:
    settings = '{"record_type_name": "Customer", "status_name": "Lead"}'
    database.sql(
        "select admin.connect_crm(%s, 'jobnimbus', 'a', %s)", organization.id, settings, login="leads_operator"
    )
    for name, options in (("held", ()), ("pushed", ("--push",))):
        path = write(tmp_path, f"{name}.csv", f"name,email,pipeline_stage\n{name},{name}@example.com,qualified\n")
        assert leads("import", str(path), "--organization", organization.id, *options).returncode == 0
    syncs = database.sql(
        "select l.name, s.status, s.error_code from crm.sync as s join app.lead as l on l.id = s.lead_id "
        "where s.organization_id = %s order by l.id",
        organization.id,
    )
    assert [tuple(sync.values()) for sync in syncs] == [("held", "skipped", "bulk"), ("pushed", "pending", None)]


COUNT = 20_000


def started(url: str, path: Path, organization: Organization) -> subprocess.Popen[bytes]:
    """``leads import`` as a process."""
    environ = {**os.environ, "LEADS_OPERATOR_URL": url}
    command = [sys.executable, "-m", "app", "import", str(path), "--organization", organization.id]
    command += ["--errors", str(path.with_suffix(".errors"))]
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for_a_batch(database: Database, organization: Organization, importing: subprocess.Popen[bytes]) -> None:
    """Waits until a batch is committed, and the next one is being stored."""
    end = time.monotonic() + 60
    statement = (
        "select 1 from admin.lead_import where organization_id = %s and rows_done > 0 and not is_complete "
        "and exists (select from pg_locks where relation = 'app.lead'::regclass and mode = 'RowExclusiveLock' "
        f"and {OF_DATABASE})"
    )
    with database.connect() as session:
        while not session.execute(statement.encode(), [organization.id]).fetchall():
            assert importing.poll() is None
            assert time.monotonic() < end
            time.sleep(0.01)


def check_once(database: Database, organization: Organization, path: Path) -> None:
    """Each good row is a lead with one event, and each bad row stands in the file of errors once."""
    counts = database.sql(
        "select count(*) as leads, count(distinct l.email) as addresses, sum((select count(*) from audit.event as e "
        "where e.organization_id = l.organization_id and e.lead_id = l.id))::int as events "
        "from app.lead as l where l.organization_id = %s",
        organization.id,
    )
    good = COUNT - COUNT // 100
    assert counts == [{"leads": good, "addresses": good, "events": good}]
    rows = [json.loads(line)["row"] for line in path.with_suffix(".errors").read_text().splitlines()]
    assert rows == list(range(100, COUNT + 1, 100))
    assert database.sql("select count(*) as n from admin.import_row") == [{"n": 0}]


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file without references. Each hundredth row has a fault."""
    lines = (f"{n}@example.com" if (n + 1) % 100 else "x" for n in range(COUNT))
    return write(tmp_path, "large.csv", "email\n" + "\n".join(lines) + "\n")


def test_a_killed_import_goes_on_where_it_ended(large: Path, database: Database, organization: Organization) -> None:
    kills = 0
    while kills < 3:
        importing = started(database.url("leads_operator"), large, organization)
        if kills < 2:
            wait_for_a_batch(database, organization, importing)
            importing.kill()
        importing.communicate()
        kills += 1
        # The backend of the killed command ends when it notices.
        while database.sql(
            "select 1 from pg_stat_activity where application_name = 'leads' and datname = current_database()"
        ):
            time.sleep(0.05)
    assert importing.returncode == 1
    check_once(database, organization, large)


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[Site, Database]]:
    """``leads serve`` with a PostgreSQL of its own, with fsync."""
    with running() as started:
        yield started


@pytest.mark.parametrize("kill", [Site.kill_postmaster, Site.kill_both])
def test_a_kill_of_postgresql_loses_and_doubles_nothing(site: tuple[Site, Database], kill: Any, large: Path) -> None:
    process, database = site
    organization = make_organization(database, kill.__name__)
    importing = started(database.url("leads_operator"), large, organization)
    wait_for_a_batch(database, organization, importing)
    kill(process)
    _, said = importing.communicate(timeout=120)
    assert importing.returncode == 2, said
    assert b"Traceback" not in said
    time.sleep(0.5)
    database = process.wait()
    importing = started(database.url("leads_operator"), large, organization)
    importing.communicate(timeout=120)
    assert importing.returncode == 1
    check_once(database, organization, large)


def test_two_imports_of_a_file_store_it_once(large: Path, database: Database, organization: Organization) -> None:
    both = [started(database.url("leads_operator"), large, organization) for _ in range(2)]
    outputs = [each.communicate(timeout=180) for each in both]
    assert sorted(each.returncode for each in both) == [1, 2], outputs
    assert any(b"Another command imports this file" in said or b"was imported before" in said for _, said in outputs)
    [counts] = database.sql("select count(*) as n from app.lead where organization_id = %s", organization.id)
    assert counts["n"] == COUNT - COUNT // 100


def test_the_file_of_errors_is_a_new_one(leads: Leads, acme: Organization, tmp_path: Path) -> None:
    path, other = tmp_path / "a.ndjson", tmp_path / "other.txt"
    path.write_text('{"email": "errors@example.com"}\n')
    other.write_text("kept")
    command = ("import", str(path), "--organization", acme.id, "--errors")
    assert "names the file that is imported" in mistake(leads(*command, str(path)))
    assert "exists already" in mistake(leads(*command, str(other)))
    assert path.read_text() == '{"email": "errors@example.com"}\n'
    assert other.read_text() == "kept"


def test_again_goes_on_with_an_import_that_has_not_ended(
    leads: Leads, database: Database, acme: Organization, tmp_path: Path
) -> None:
    path = tmp_path / "again.ndjson"
    path.write_text("".join(f'{{"email": "again{n}@example.com"}}\n' for n in range(3)))
    printed(leads("import", str(path), "--organization", acme.id))
    # As if it had been killed after two rows.
    database.sql("delete from app.lead where email = 'again2@example.com'")
    digest = hashlib.sha256(path.read_bytes()).digest()
    database.sql(
        "update admin.lead_import set rows_done = 2, created = 2, is_complete = false where file_digest = %s", digest
    )
    printed(leads("import", str(path), "--organization", acme.id, "--again"))
    count = "select count(*) as n, count(distinct email) as d from app.lead where email like 'again%@example.com'"
    assert database.sql(count)[0] == {"n": 3, "d": 3}
