"""squawk reads the migrations, as .squawk.toml tells it to: what would lock a table for long doesn't pass."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SQUAWK = Path(sys.executable).parent / "squawk"


def squawk(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [str(SQUAWK), "--config", str(ROOT / ".squawk.toml"), "--reporter", "gcc", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [
        (
            "require-lock-timeout",
            "alter table app.lead add column x text;",
            "set local lock_timeout = '5s';\nalter table app.lead add column x text;",
        ),
        (
            "require-concurrent-index-creation",
            "set local lock_timeout = '5s';\ncreate index x on app.lead (organization_id, stage);",
            "-- transactional: false\n-- squawk-disable-assume-in-transaction\nset lock_timeout = '5s';\n"
            "create index concurrently if not exists x on app.lead (organization_id, stage);",
        ),
        (
            "ban-drop-column",
            "set local lock_timeout = '5s';\nalter table app.lead drop column if exists x;",
            "set local lock_timeout = '5s';\n-- The last release reads it no more.\n-- squawk-ignore ban-drop-column\n"
            "alter table app.lead drop column if exists x;",
        ),
        (
            "adding-required-field",
            "set local lock_timeout = '5s';\nalter table app.lead add column x text not null;",
            "set local lock_timeout = '5s';\nalter table app.lead add column x text not null default '';",
        ),
        (
            "constraint-missing-not-valid",
            "set local lock_timeout = '5s';\nalter table app.lead add constraint c check (x <> '');",
            "set local lock_timeout = '5s';\nalter table app.lead add constraint c check (x <> '') not valid;",
        ),
        (
            "syntax-error",
            "set local lock_timeout = '5s';\nalter table app.lead add columm x text y;",
            "set local lock_timeout = '5s';\ncreate domain api.d as text check (value <> '');\n"
            "create table app.counted (organization_id uuid, n integer);",
        ),
    ],
)
def test_finds_a_migration_that_hurts_and_passes_its_twin(tmp_path: Path, rule: str, bad: str, good: str) -> None:
    file = tmp_path / "0002.more.sql"
    file.write_text(bad + "\n")
    found = squawk(file)
    assert (found.returncode, rule in found.stdout) == (1, True), found.stdout
    file.write_text(good + "\n")
    found = squawk(file)
    assert (found.returncode, found.stdout.strip()) == (0, "")


def test_passes_the_migrations() -> None:
    found = squawk(*sorted((ROOT / "migrations").glob("*.sql")))
    assert (found.returncode, found.stdout.strip()) == (0, "")
