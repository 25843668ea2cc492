"""``leads export``: a file that exists when it is complete, and an event for each page that is read."""

import contextlib
import csv
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from app.settings import ROOT
from tests.api.test_export import leads_of
from tests.support.database import Database, Organization
from tests.support.process import Leads, mistake, printed

NUMBER = 1200


@pytest.fixture(scope="module")
def ids(database: Database, acme: Organization) -> set[str]:
    """The leads of the organization: three pages."""
    return leads_of(database, acme, NUMBER)


def read_events(database: Database, organization: Organization) -> list[dict[str, object]]:
    """The payloads of the organization's events lead.read, the oldest first."""
    rows = database.sql(
        "select payload::text from audit.event where organization_id = %s and action = 'lead.read' order by id",
        organization.id,
    )
    return [json.loads(row["payload"]) for row in rows]


def test_leads_are_exported_and_each_page_is_recorded(
    leads: Leads, database: Database, acme: Organization, ids: set[str], tmp_path: Path
) -> None:
    before = len(read_events(database, acme))
    output = tmp_path / "leads.ndjson"
    done = leads("export", "leads", "--organization", acme.id, "--output", str(output))
    assert printed(done) == f"Exported {NUMBER} leads to {output}."
    *rows, last = map(json.loads, output.read_text().splitlines())
    assert last == {"complete": True, "rows": NUMBER}
    assert {row["id"] for row in rows} == ids
    assert output.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["leads.ndjson"]
    events = read_events(database, acme)[before:]
    assert {event["function"] for event in events} == {"admin.export_leads"}
    assert len(events) == 3
    assert sum(int(str(event["leads"])) for event in events) == NUMBER


def test_standard_output_gets_the_same(leads: Leads, acme: Organization, ids: set[str]) -> None:
    rows = list(
        csv.reader(printed(leads("export", "leads", "--organization", acme.id, "--format", "csv")).splitlines())
    )
    assert len(rows) == NUMBER + 2
    assert rows[-1][:2] == ["# complete", str(NUMBER)]


def test_filters(leads: Leads, acme: Organization, ids: set[str]) -> None:
    def count(what: str, *options: str) -> int:
        lines = printed(leads("export", what, "--organization", acme.id, *options)).splitlines()
        return int(json.loads(lines[-1])["rows"])

    assert count("leads", "--stage", "won") == NUMBER // 2
    assert count("leads", "--stage", "won", "--stage", "new") == NUMBER
    assert count("leads", "--source", "web", "--stage", "won") == NUMBER // 6
    assert count("leads", "--email", "P7@example.com") == 1
    assert count("leads", "--phone", "+1 555 1000 012", "--end", "2020-01-01") == 0
    assert count("leads", "--reference", "nothing") == 0
    assert count("audit-log", "--action", "organization.created") == 1
    assert count("audit-log", "--lead", str(uuid4()), "--source", "api", "--start", "2020-01-01") == 0


def test_mistakes(leads: Leads, acme: Organization, tmp_path: Path) -> None:
    to_acme = ("--organization", acme.id)
    assert "There is no organization" in mistake(leads("export", "leads", "--organization", str(uuid4())))
    assert "It belongs to leads" in mistake(leads("export", "audit-log", *to_acme, "--stage", "won"))
    assert "It belongs to audit-log" in mistake(leads("export", "leads", *to_acme, "--action", "lead.created"))
    assert "This must be a date" in mistake(leads("export", "leads", *to_acme, "--start", "soon"))
    assert "Missing option '--organization'" in mistake(leads("export", "leads"))
    assert mistake(leads("export", "leads", *to_acme, "--output", str(tmp_path / "none" / "x"))).startswith(
        "There is no"
    )
    output = tmp_path / "kept"
    output.write_text("kept")
    assert "no pipeline stage" in mistake(
        leads("export", "leads", *to_acme, "--stage", "nowhere", "--output", str(output))
    )
    assert output.read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_kill_9_leaves_no_file_that_looks_complete(database: Database, acme: Organization, tmp_path: Path) -> None:
    output = tmp_path / "leads.csv"
    command = ["export", "leads", "--organization", acme.id, "--format", "csv", "--output", str(output)]
    with database.connect() as lock:
        # The command waits for its second page.
        lock.execute("begin")
        process = subprocess.Popen(
            [sys.executable, "-m", "app", *command],
            cwd=ROOT,
            env={**os.environ, "LEADS_OPERATOR_URL": database.url("leads_operator")},
        )
        end = time.monotonic() + 60
        while not list(tmp_path.iterdir()):
            assert time.monotonic() < end
            time.sleep(0.01)
        lock.execute("lock table app.lead in access exclusive mode")
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        lock.execute("rollback")
    if not output.exists():
        [part] = tmp_path.iterdir()
        assert part.name.endswith(".part")
        assert "# complete" not in part.read_text()
    else:
        assert "# complete" in output.read_text()


def test_the_output_must_be_a_file(leads: Leads, acme: Organization, tmp_path: Path) -> None:
    export = ("export", "leads", "--organization", acme.id)
    pipe, target, link = tmp_path / "pipe", tmp_path / "target.csv", tmp_path / "link.csv"
    os.mkfifo(pipe)
    link.symlink_to(target)
    assert "is not a file" in mistake(leads(*export, "--output", str(pipe)))
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    printed(leads(*export, "--format", "csv", "--output", str(link)))
    assert link.is_symlink()
    assert "# complete" in target.read_text()
    long = tmp_path / ("x" * 250)
    printed(leads(*export, "--output", str(long)))
    assert long.is_file()
    assert "No file can be created" in mistake(leads(*export, "--output", "/proc/x"))


@pytest.mark.parametrize("option", ["--phone", "--reference", "--source", "--email"])
def test_an_empty_filter_is_a_mistake(leads: Leads, acme: Organization, option: str) -> None:
    assert mistake(leads("export", "leads", "--organization", acme.id, option, ""))
