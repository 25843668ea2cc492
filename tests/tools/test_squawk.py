"""squawk checks the migrations with .squawk.toml:
a statement that would lock a table for long is refused.
"""

import subprocess
import sys
from pathlib import Path

import pytest

import tools.squawk
from app import unreleased
from app.settings import ROOT

SQUAWK = Path(sys.executable).parent / "squawk"


def squawk(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [str(SQUAWK), "--config", str(ROOT / ".squawk.toml"), "--reporter", "gcc", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [
        (
            "require-concurrent-index-creation",
            "create index x on app.lead (organization_id, stage);",
            "-- transactional: false\n-- squawk-disable-assume-in-transaction\n"
            "create index concurrently if not exists x on app.lead (organization_id, stage);",
        ),
        (
            "ban-drop-column",
            "alter table app.lead drop column if exists x;",
            "-- The last release reads it no more.\n-- squawk-ignore ban-drop-column\n"
            "alter table app.lead drop column if exists x;",
        ),
        (
            "adding-required-field",
            "alter table app.lead add column x text not null;",
            "alter table app.lead add column x text not null default '';",
        ),
        (
            "constraint-missing-not-valid",
            "alter table app.lead add constraint c check (x <> '');",
            "alter table app.lead add constraint c check (x <> '') not valid;",
        ),
        (
            "syntax-error",
            "alter table app.lead add columm x text y;",
            "create domain api.d as text check (value <> '');\n"
            "create table app.counted (organization_id uuid, n integer);",
        ),
    ],
)
def test_finds_an_unsafe_migration_and_passes_its_safe_twin(tmp_path: Path, rule: str, bad: str, good: str) -> None:
    file = tmp_path / "0002.more.sql"
    file.write_text(bad + "\n")
    process = squawk(file)
    assert (process.returncode, rule in process.stdout) == (1, True), process.stdout
    file.write_text(good + "\n")
    process = squawk(file)
    assert (process.returncode, process.stdout.strip()) == (0, "")


def test_each_part_of_next_sql_is_checked_alone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    text = """-- migration: steps
-- transactional: false
-- squawk-disable-assume-in-transaction
-- step
create index concurrently if not exists x on app.lead (organization_id, stage);

-- migration: unsafe
create index y on app.lead (organization_id, stage);
"""
    monkeypatch.setattr(unreleased, "next_text", lambda: text)
    assert tools.squawk.main() == 1
    output = capfd.readouterr().out
    assert "next.unsafe.sql" in output
    assert "next.steps.sql" not in output


def test_passes_the_migrations() -> None:
    assert tools.squawk.main() == 0
