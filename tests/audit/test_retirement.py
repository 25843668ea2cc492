"""Old years of the audit log are moved into archives, and the log stays verifiable."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage
import pytest

from tests.support.chain import old_events, seal, verdict
from tests.support.database import Database, make_organization
from tests.support.process import leads_on, printed

OLD, NEXT = 2015, 2016
BEFORE = f"{NEXT + 1}-01-01"


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


@pytest.fixture
def old(new_database: Callable[..., Database]) -> Database:
    """A database with two organizations, and events of two old years."""
    database = new_database()
    for name in ("Acme Restoration", "Beacon Roofing"):
        organization = make_organization(database, name)
        old_events(database, organization.id, OLD)
        old_events(database, organization.id, NEXT)
    seal(database)
    return database


def organizations(database: Database) -> list[str]:
    return [
        str(row["organization_id"]) for row in database.sql("select organization_id from app.organization order by 1")
    ]


def retire(database: Database, folder: Path, keys: Keys, *more: str, before: str = BEFORE) -> list[dict[str, Any]]:
    name = str(folder / "audit-{year}.age")
    process = leads_on(database)(
        "audit", "retire", "--before", before, "--archive", name, "--recipient", keys.public, "--yes", "--json", *more
    )
    assert process.returncode == 0, process.stderr
    rows: list[dict[str, Any]] = json.loads(process.stdout)
    return rows


def archive(folder: Path, year: int = OLD) -> str:
    return str(folder / f"audit-{year}.age")


def verify(database: Database, folder: Path, keys: Keys, *more: str) -> "subprocess.CompletedProcess[str]":
    paths = [text for year in (OLD, NEXT) for text in ("--archive", archive(folder, year))]
    return leads_on(database)("audit", "verify", *paths, "--identity", str(keys.file), "--json", *more)


def holds(database: Database) -> list[bool]:
    return [verdict(database, each, limit=limit)["holds"] for each in organizations(database) for limit in (10_000, 3)]


def test_retired_years_verify_before_and_after_the_drop(old: Database, tmp_path: Path, keys: Keys) -> None:
    heads = tmp_path / "heads"
    heads.write_text(printed(leads_on(old)("audit", "seal", "--export")))
    rows = retire(old, tmp_path, keys)
    assert [(row["year"], row["events"], row["organizations"]) for row in rows] == [(OLD, 20, 2), (NEXT, 20, 2)]
    assert oct(Path(archive(tmp_path)).stat().st_mode)[-3:] == "600"
    assert not list(tmp_path.glob("*.part"))
    assert all(holds(old))
    assert [row["year"] for row in json.loads(printed(verify(old, tmp_path, keys)))] == [OLD, NEXT]
    assert printed(leads_on(old)("audit", "verify", "--head", str(heads), "--json"))

    doctor = leads_on(old)("doctor")
    assert f"audit.event_{OLD}" not in doctor.stdout.replace(f"leads audit drop --year {OLD}", "")
    assert f"{OLD}: retired" in doctor.stdout
    for year in (OLD, NEXT):
        options = ["--identity", str(keys.file)] if year == NEXT else []
        process = leads_on(old)(
            "audit", "drop", "--year", str(year), "--archive", archive(tmp_path, year), "--yes", *options
        )
        assert "were dropped" in printed(process)
    assert old.sql("select to_regclass('audit.event_2015') as t")[0]["t"] is None
    assert all(holds(old))
    assert printed(verify(old, tmp_path, keys))
    assert f"{OLD}: retired" not in leads_on(old)("doctor").stdout
