"""A release freezes what changed in sql/, once, and moves next.sql into numbered migrations."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from tools import client, release, schema
from tools.frozen import Refused, frozen_blocks, migrations, without_frozen_blocks

F = "-- app.f - a function.\nset local role leads_owner;\n\ncreate function app.f() …;\n"
G = "-- audit.g - a function.\nset local role leads_audit;\n\ncreate function audit.g() …;\n"
NEXT = (
    "-- migration: lead_origin\n-- Adds the origin.\n--\n-- Locks: …\n\nalter table app.lead add column origin text;\n"
)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    files = {
        "sql/load.sql": "begin;\n-- section app: Leads.\n\\ir app/f.sql\n\n"
        "-- section audit: The log.\n\\ir audit/g.sql\n"
        "\\ir api/release_version.sql\n\\ir api/schema_version.sql\ncommit;\n",
        "sql/app/f.sql": F,
        "sql/audit/g.sql": G,
        "sql/api/release_version.sql": "set local role leads_exec;\nselect '0.1.0';\n",
        "sql/api/schema_version.sql": "set local role leads_exec;\nselect 0;\n",
        "migrations/0.9.0-01.roles.sql": "-- Roles.\ncreate role leads_owner;\n",
        "migrations/next.sql": release.NEXT,
        "pyproject.toml": '[project]\nversion = "0.1.0"\n',
        "client/pyproject.toml": '[project]\nversion = "0.1.0" # the same\n',
        "CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\nNeeds a migration: yes.\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "config", "user.name", "Ada")
    git(tmp_path, "config", "user.email", "ada@example.com")
    commit(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """schema.sql and the client need a real schema; tests/database and tests/client test them."""
    monkeypatch.setattr(schema, "main", lambda: None)
    monkeypatch.setattr(client, "main", lambda: None)


def git(repo: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(repo), *arguments], check=True, capture_output=True, text=True).stdout


def commit(repo: Path) -> None:
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--message", "Change")


def names(repo: Path) -> list[str]:
    return [path.name for path in migrations(repo)]


def test_the_baseline_has_a_file_for_each_section(repo: Path) -> None:
    release.release(repo, "0.9.0")
    assert names(repo) == ["0.9.0-01.roles.sql", "0.9.0-11.app.sql", "0.9.0-12.audit.sql"]
    text = (repo / "migrations/0.9.0-12.audit.sql").read_text()
    assert [block.path for block in frozen_blocks(text)] == [
        "sql/audit/g.sql",
        "sql/api/release_version.sql",
        "sql/api/schema_version.sql",
    ]
    assert text.startswith("-- The log.\n--\n-- Locks: ")
    # A function's owner can create it, and only here. No login stays a member of leads_audit.
    assert "grant create on schema audit to leads_audit;" in without_frozen_blocks(text)
    assert "revoke create on schema audit from leads_audit;" in without_frozen_blocks(text)
    assert text.rstrip().endswith("'revoke leads_audit from %I', session_user); end $$;")
    assert release.differing(repo) == []


def test_a_release_writes_its_version_everywhere_and_is_tagged(repo: Path) -> None:
    release.release(repo, "0.9.0")
    assert 'version = "0.9.0"' in (repo / "pyproject.toml").read_text()
    assert 'version = "0.9.0" # the same\n' in (repo / "client/pyproject.toml").read_text()
    assert "select '0.9.0'" in (repo / "sql/api/release_version.sql").read_text()
    assert "select 1;" in (repo / "sql/api/schema_version.sql").read_text()
    assert "## [Unreleased]\n\n## [0.9.0] - 2" in (repo / "CHANGELOG.md").read_text()
    for line in (repo / "migrations/SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((repo / "migrations" / name).read_bytes()).hexdigest() == digest
    assert git(repo, "status", "--porcelain") == ""
    assert git(repo, "tag").split() == ["v0.9.0"]


def test_a_later_release_freezes_only_what_changed_after_the_statements_of_next(repo: Path) -> None:
    release.release(repo, "0.9.0")
    (repo / "migrations/next.sql").write_text(release.NEXT + NEXT)
    (repo / "sql/app/f.sql").write_text(F + "-- changed\n")
    commit(repo)
    release.release(repo, "0.10.0")
    assert names(repo)[3:] == ["0.10.0-01.lead_origin.sql", "0.10.0-02.objects.sql"]
    assert (repo / "migrations/0.10.0-01.lead_origin.sql").read_text().startswith("-- Adds the origin.\n")
    frozen = frozen_blocks((repo / "migrations/0.10.0-02.objects.sql").read_text())
    # The versions change with every release.
    assert [block.path for block in frozen] == [
        "sql/app/f.sql",
        "sql/api/release_version.sql",
        "sql/api/schema_version.sql",
    ]
    assert (repo / "migrations/next.sql").read_text() == release.NEXT
    assert "select 2;" in (repo / "sql/api/schema_version.sql").read_text()


def test_the_header_of_a_release_names_each_locked_table_once(repo: Path) -> None:
    release.release(repo, "0.9.0")
    for table in ("lead", "organization", "pipeline_stage", "idempotency_key", "stage_stay"):
        for kind in ("policies", "triggers"):
            (repo / f"sql/app/{table}.{kind}.sql").write_text("-- A file.\nset local role leads_owner;\n")
            with (repo / "sql/load.sql").open("a") as load:
                load.write(f"\\ir app/{table}.{kind}.sql\n")
    commit(repo)
    release.release(repo, "0.10.0")
    header = (repo / "migrations/0.10.0-01.objects.sql").read_text().partition("\n\n")[0]
    assert (
        "\n-- Locks: ACCESS EXCLUSIVE on app.idempotency_key, app.lead, app.organization, app.pipeline_stage, "
        "app.stage_stay for\n--   catalogue changes.\n-- Duration: "
    ) in header


def test_a_backfill_comes_after_the_functions_that_it_needs(repo: Path) -> None:
    release.release(repo, "0.9.0")
    backfill = "-- migration: fill\n-- Fills.\n-- backfill: admin.fill (app.lead)\n"
    (repo / "migrations/next.sql").write_text(release.NEXT + backfill + NEXT)
    commit(repo)
    release.release(repo, "0.10.0")
    assert names(repo)[3:] == ["0.10.0-01.lead_origin.sql", "0.10.0-02.objects.sql", "0.10.0-03.fill.sql"]


def test_a_release_without_other_changes_has_a_migration_for_its_version(repo: Path) -> None:
    release.release(repo, "0.9.0")
    release.release(repo, "0.9.1")
    assert names(repo)[3:] == ["0.9.1-01.objects.sql"]
    assert "select 2;" in (repo / "sql/api/schema_version.sql").read_text()


def test_the_baseline_can_be_frozen_again_until_it_is_released(repo: Path) -> None:
    assert release.main(["--baseline", "--repo", str(repo)]) == 0
    (repo / "sql/app/f.sql").write_text(F + "-- changed\n")
    assert release.differing(repo) == ["sql/app/f.sql"]
    assert release.main(["--check", "--repo", str(repo)]) == 1
    assert release.main(["--baseline", "--repo", str(repo)]) == 0
    assert release.main(["--check", "--repo", str(repo)]) == 0
    commit(repo)
    release.release(repo, "0.9.0")
    assert release.main(["--baseline", "--repo", str(repo)]) == 2


@pytest.mark.parametrize(
    ("version", "next_", "message"),
    [
        ("1.0", release.NEXT, "is not a version"),
        ("0.9.0", release.NEXT, "must be later than 0.9.0"),
        ("0.8.9", release.NEXT, "must be later than 0.9.0"),
        ("1.0.0", release.NEXT + "alter table app.lead add column origin text;\n", "must have a line '-- migration"),
    ],
)
def test_an_invalid_release_is_refused(repo: Path, version: str, next_: str, message: str) -> None:
    release.release(repo, "0.9.0")
    (repo / "migrations/next.sql").write_text(next_)
    if next_ != release.NEXT:
        commit(repo)
    with pytest.raises(Refused, match=message):
        release.release(repo, version)
    assert git(repo, "tag").split() == ["v0.9.0"]


def test_changes_that_are_not_committed_are_not_released(repo: Path) -> None:
    (repo / "sql/app/f.sql").write_text(F + "-- changed\n")
    with pytest.raises(Refused, match="working tree"):
        release.release(repo, "0.9.0")


def test_a_marker_without_its_end_is_refused() -> None:
    with pytest.raises(Refused, match="end frozen"):
        frozen_blocks("-- begin frozen sql/app/f.sql\ncreate function app.f() …;\n")
