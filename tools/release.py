"""Makes a release: ``make release VERSION=1.0.0`` runs ``python -m tools.release 1.0.0``.

* migrations/next.sql becomes migrations of the release. A line ``-- migration: NAME`` begins a
  file; each file has its own header. Then next.sql is empty again.
* The files of sql/ that differ from their last frozen copy are frozen, once, into one migration.
  Only the backfills of next.sql come after it.
* The version is written to both pyproject.toml and api.release_version, the number of releases
  with migrations to api.schema_version, and the heading and date to CHANGELOG.md.
* schema.sql and migrations/SHA256SUMS are written, the Python client is built, and all changes are
  committed and tagged.

``--baseline`` freezes sql/ into the baseline again, and commits nothing. It is refused once the
release has its tag. ``--check`` names the files of sql/ that differ from their last frozen copy.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from app import unreleased
from app.migrations import MigrationError, is_backfill
from app.unreleased import has_statements
from tools import client, schema
from tools.frozen import Block, Refused, frozen_blocks, load_order, migrations, sections

BASELINE = "0.9.0"
"""The release whose migrations create every object."""

FIRST_OF_OBJECTS = 11
"""The number of the baseline's first file of frozen copies. The tables come before it."""

NEXT = """\
-- Hand-written DDL for the next release: what sql/ cannot say, such as a table, a column or a type.
-- CONTRIBUTING.md, section "Migrations", has the rules. make release moves it into migrations.
"""

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_OWNER = re.compile(r"^set local role (\w+);$", re.MULTILINE)
_HIDDEN = {"leads_audit", "leads_eraser"}
"""Roles without members: the migrating login is one while it creates their objects."""


def differing(repo: Path) -> list[str]:
    """As unreleased.differing. Raises Refused if sql/load.sql lists a file that does not exist."""
    try:
        return unreleased.differing(repo)
    except FileNotFoundError as error:
        raise Refused(f"sql/load.sql lists {error.filename}, which does not exist.") from None


def frozen(repo: Path, paths: Iterable[str]) -> str:
    """Frozen copies of the files, with the privileges that creating them needs,
    which are revoked at the end.
    """
    blocks = [Block(path, (repo / path).read_text()) for path in paths]
    creators: dict[str, set[str]] = defaultdict(set)
    owners = set()
    for block in blocks:
        owner = _OWNER.search(block.text)
        if owner is None or not block.text.endswith("\n") or "-- end frozen\n" in block.text:
            raise Refused(f"{block.path} must have a line 'set local role <owner>;' and end with a line end.")
        owners.add(owner[1])
        if Path(block.path).stem.count(".") == 0 and owner[1] != "leads_owner":
            creators[Path(block.path).parts[1]].add(owner[1])
    hidden = ", ".join(sorted(owners & _HIDDEN))
    parts = []
    if hidden:
        parts.append(f"do $$ begin execute format('grant {hidden} to %I', session_user); end $$;\n")
    if creators:
        grants = (
            f"grant create on schema {s} to {', '.join(sorted(roles))};\n" for s, roles in sorted(creators.items())
        )
        parts.append("set local role leads_owner;\n" + "".join(grants) + "reset role;\n")
    parts.append("".join(map(str, blocks)) + "-- end frozen\n")
    end = "reset role;\n"
    if creators:
        revokes = (
            f"revoke create on schema {s} from {', '.join(sorted(roles))};\n" for s, roles in sorted(creators.items())
        )
        end = "set local role leads_owner;\n" + "".join(revokes) + end
    if hidden:
        end += f"do $$ begin execute format('revoke {hidden} from %I', session_user); end $$;\n"
    return "\n".join([*parts, end])


def write_baseline(repo: Path) -> None:
    """Freezes each section of sql/load.sql into a file of the baseline,
    and removes the earlier files of copies.
    """
    for path in migrations(repo):
        if frozen_blocks(path.read_text()):
            path.unlink()
    listed = sections(repo)
    if [path.as_posix() for path in load_order(repo)] != [path for section in listed for path in section.paths]:
        raise Refused("Each file in sql/load.sql must be in a section, which begins with '-- section NAME: TITLE'.")
    for number, section in enumerate(listed, FIRST_OF_OBJECTS):
        header = _header(section.title, "none that matter; every object is new", "no rows exist yet.", "baseline")
        text = header + frozen(repo, section.paths)
        (repo / "migrations" / f"{BASELINE}-{number}.{section.name}.sql").write_text(text)


def _header(title: str, locks: str, duration: str, phase: str) -> str:
    return f"""\
-- {title}
--
-- Locks: {locks}.
-- Duration: {duration}
-- Phase: {phase}
-- If it breaks off: nothing is left behind; run leads migrate again.

"""


def _locks_of_objects(changed: Iterable[str]) -> str:
    """The locks of changed policies and triggers. A table has a file for each."""
    files = [path for path in changed if path.endswith((".policies.sql", ".triggers.sql"))]
    tables = sorted({".".join(Path(path).parts[1:]).rsplit(".", 2)[0] for path in files})
    if not tables:
        return "none on tables"
    lines = textwrap.wrap(f"Locks: ACCESS EXCLUSIVE on {', '.join(tables)} for catalogue changes", width=117)
    return "\n--   ".join(lines).removeprefix("Locks: ")


def write_release(repo: Path, version: str) -> None:
    """Moves next.sql and what changed in sql/ into migrations of the release. Raises Refused."""
    try:
        parts = unreleased.parts((repo / "migrations/next.sql").read_text())
    except MigrationError as error:
        raise Refused(str(error)) from None
    parts = [(name, text.strip() + "\n") for name, text in parts]
    files = [(name, text) for name, text in parts if not is_backfill(text)]
    if changed := differing(repo):
        locks = _locks_of_objects(changed)
        title = "The functions, views, triggers, policies and grants that changed since the last release."
        header = _header(title, locks, "0 s per million rows: no row is read.", "expand")
        files.append(("objects", header + frozen(repo, changed)))
    files += [(name, text) for name, text in parts if is_backfill(text)]
    for number, (name, content) in enumerate(files, 1):
        (repo / "migrations" / f"{version}-{number:02}.{name}.sql").write_text(content)
    (repo / "migrations/next.sql").write_text(NEXT)


def write_versions(repo: Path, version: str, releases: int) -> None:
    """Writes the version, and the number of releases with migrations, wherever they stand.
    Raises Refused.
    """
    for folder in (repo, repo / "client"):
        _replace(folder / "pyproject.toml", r'(?m)^version = ".*"', f'version = "{version}"')
    _replace(repo / "sql/api/release_version.sql", r"select '.*'", f"select '{version}'")
    _replace(repo / "sql/api/schema_version.sql", r"select \d+", f"select {releases}")
    today = datetime.now(UTC).date().isoformat()
    _replace(repo / "CHANGELOG.md", r"(?m)^## \[Unreleased\]$", f"## [Unreleased]\n\n## [{version}] - {today}")


def write_checksums(repo: Path) -> None:
    """Writes migrations/SHA256SUMS, which ``sha256sum --check`` reads."""
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in migrations(repo))
    (repo / "migrations/SHA256SUMS").write_text("".join(lines))


def _replace(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, path.read_text(), count=1)
    if not count:
        raise Refused(f"{path.name} must have a line that matches {pattern}.")
    path.write_text(text)


def _git(repo: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(repo), *arguments], capture_output=True, text=True, check=True).stdout


def release(repo: Path, version: str) -> None:
    """Makes the release, as the module's docstring says.
    Raises Refused, and then nothing is committed.
    """
    tags = _git(repo, "tag", "--list", "v*").split()
    released = [tuple(map(int, match.groups())) for tag in tags if (match := _VERSION.fullmatch(tag[1:]))]
    number = _VERSION.fullmatch(version)
    if number is None:
        raise Refused(f"{version!r} is not a version such as 1.0.0.")
    if released and tuple(map(int, number.groups())) <= max(released):
        raise Refused(f"{version} must be later than {'.'.join(map(str, max(released)))}, the last release.")
    if _git(repo, "status", "--porcelain"):
        raise Refused("The working tree has changes. Commit them, and run make release again.")
    first = version == BASELINE
    if first and has_statements((repo / "migrations/next.sql").read_text()):
        raise Refused("The baseline has no next.sql: move its statements into the baseline's files of tables.")
    # Every release has a migration, because its version is a function of the database.
    names = {path.name.partition("-")[0] for path in migrations(repo)} | {version}
    write_versions(repo, version, len(names))
    if first:
        write_baseline(repo)
    else:
        write_release(repo, version)
    write_checksums(repo)
    schema.main()
    client.main()
    _git(repo, "add", "--all")
    _git(repo, "commit", "--quiet", "--message", f"Release {version}")
    _git(repo, "tag", "--annotate", f"v{version}", "--message", f"Release {version}")


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0: done. 1: --check found a difference. 2: refused."""
    parser = argparse.ArgumentParser(prog="python -m tools.release", description=__doc__.partition("\n")[0])
    parser.add_argument("version", nargs="?", help="the version, such as 1.0.0")
    parser.add_argument("--baseline", action="store_true", help="freeze sql/ into the baseline again")
    parser.add_argument("--check", action="store_true", help="write nothing; name the files that are not frozen")
    parser.add_argument("--repo", type=Path, default=Path(__file__).parent.parent, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    repo: Path = options.repo.resolve()
    try:
        if options.check:
            changed = differing(repo)
            print("\n".join(changed) if changed else "Every file of sql/ is frozen.")
            return 1 if changed else 0
        if options.baseline:
            if f"v{BASELINE}" in _git(repo, "tag", "--list").split():
                raise Refused(f"{BASELINE} is released: write into migrations/next.sql.")
            write_baseline(repo)
            write_checksums(repo)
            schema.main()
        elif options.version:
            release(repo, options.version)
            print(f"{options.version} is committed and tagged. Push both: git push --follow-tags")
        else:
            raise Refused("Name the version: make release VERSION=1.0.0")
    except Refused as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
