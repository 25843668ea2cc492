"""The migrations in ``migrations/``: their order, what each file says,
and which of them a database lacks.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from app import session, settings
from app.settings import ROOT

FOLDER = ROOT / "migrations"
SUMS = FOLDER / "SHA256SUMS"
"""The files' checksums, in the format of sha256sum."""

_ID = re.compile(r"(?:(\d+)\.(\d+)\.(\d+)-(\d+)|(\d{4}))\.[a-z]\w*")
"""A release and a number; before 0.9.0 a number alone."""
_NOT_TRANSACTIONAL = re.compile(r"^-- transactional: *false *$", re.MULTILINE)
_STEP = re.compile(r"^-- step\b.*$", re.MULTILINE)
_BACKFILL = re.compile(r"^-- backfill: *(.*?) *$", re.MULTILINE)
_FUNCTION_AND_TABLE = re.compile(r"(\w+\.\w+) \((\w+\.\w+)\)")
_COMMENT_OR_EMPTY = re.compile(r"\s*(--.*)?")


class MigrationError(Exception):
    """The migrations can't be run. The message says what to do."""


@dataclass(frozen=True)
class Backfill:
    """A function that fills a table in batches: both names with their schema."""

    function: str
    table: str


@dataclass(frozen=True)
class Migration:
    """A file in migrations/. Its id is its name without the ending."""

    id: str
    path: Path

    @cached_property
    def text(self) -> str:
        """The whole file."""
        return self.path.read_text(encoding="utf-8")

    @property
    def is_transactional(self) -> bool:
        """Whether the file runs as one transaction."""
        return not _NOT_TRANSACTIONAL.search(self.header)

    @property
    def backfill(self) -> Backfill | None:
        """The backfill in the file's header, or None.
        Raises MigrationError if the line can't be read.
        """
        line = _BACKFILL.search(self.header)
        if line is None:
            return None
        names = _FUNCTION_AND_TABLE.fullmatch(line[1])
        if names is None or self.header != self.text:
            raise MigrationError(
                f"{self.path.name}: a backfill is one line, such as '-- backfill: admin.fill_origin (app.lead)', in a "
                "file without statements."
            )
        return Backfill(names[1], names[2])

    @property
    def steps(self) -> list[str]:
        """The text of each step of a file that isn't transactional.
        Raises MigrationError if there is none.
        """
        before, *steps = _STEP.split(self.text)
        if not steps or before != self.header:
            raise MigrationError(f"{self.path.name}: each statement must be in a step, after a line '-- step'.")
        return steps

    @property
    def header(self) -> str:
        """The comments before the first statement or step."""
        lines = []
        for line in self.text.splitlines(keepends=True):
            if not _COMMENT_OR_EMPTY.fullmatch(line.rstrip("\n")) or _STEP.match(line):
                break
            lines.append(line)
        return "".join(lines)


def all_(folder: Path | None = None) -> list[Migration]:
    """The migrations of the folder (migrations/), by release and number.
    Raises MigrationError for a wrong name.
    """
    migrations = []
    for path in (folder or FOLDER).glob("[0-9]*.sql"):
        migration = Migration(path.name.removesuffix(".sql"), path)
        if _order(migration.id) is None:
            raise MigrationError(f"migrations/{path.name} must have a name such as 1.0.0-01.lead_origin.sql.")
        migrations.append(migration)
    return sorted(migrations, key=lambda migration: _order(migration.id) or ())


def is_backfill(text: str) -> bool:
    """Whether the text of a migration declares a backfill."""
    return _BACKFILL.search(text) is not None


def newest() -> int:
    """The number of releases that have migrations:
    the minimum of api.schema_version() that this release needs.
    """
    return len({migration.id.partition("-")[0] for migration in all_()})


def check_sums() -> None:
    """Raises MigrationError if a file isn't the released one,
    because a database knows only the names of migrations.
    """
    sums = {name: digest for digest, name in (line.split() for line in SUMS.read_text(encoding="utf-8").splitlines())}
    for migration in all_():
        digest = hashlib.sha256(migration.path.read_bytes()).hexdigest()
        if migration.path.name not in sums:
            raise MigrationError(
                f"migrations/{migration.path.name} is not in SHA256SUMS: no release has it. Write its statements into "
                "migrations/next.sql instead."
            )
        if sums[migration.path.name] != digest:
            raise MigrationError(
                f"migrations/{migration.path.name} was edited after its release: it is not what SHA256SUMS says. "
                "Restore it (git checkout migrations), and write the change into migrations/next.sql."
            )


def pending(url: str, folder: Path | None = None) -> list[Migration]:
    """The migrations that the database lacks. Only reads.

    Raises MigrationError if the database has migrations that this release doesn't know,
    and psycopg.Error.
    """
    with psycopg.connect(session.address(url, session.COMMAND, "leads"), autocommit=True) as connection:
        applied = applied_ids(connection)
    return [migration for migration in all_(folder) if migration.id not in applied]


def applied_ids(connection: psycopg.Connection[Any]) -> set[str]:
    """The ids of the migrations that the database has.

    Raises MigrationError for one that is neither of this release nor newer, and psycopg.Error.
    """
    table = connection.execute("select to_regclass('yoyo._yoyo_migration')").fetchone()
    if table is None or table[0] is None:
        return set()
    applied = {row[0] for row in connection.execute("select migration_id from yoyo._yoyo_migration")}
    ids = {migration.id for migration in all_()}
    newest_order = max(_order(id) or () for id in ids)
    unknown = [id for id in applied - ids if (order := _order(id)) is None or order < newest_order]
    if unknown:
        raise no_upgrade(f" ({', '.join(sorted(unknown))})")
    return applied


def no_upgrade(names: str = "") -> MigrationError:
    """The refusal of a database of a version before the first release, and what to do.

    names: those of its migrations.
    """
    return MigrationError(
        f"This database has migrations that this release doesn't know{names}: a version before the first release "
        "created it. Nothing was changed. It can't be upgraded. Export its data, create a new database and load them "
        "there, as docs/upgrading.md shows. If you don't need the data, drop the database (for the embedded server, "
        f"move its folder {settings.read().data_dir} away) and run leads migrate."
    )


def _order(id: str) -> tuple[int, ...] | None:
    """The release and the number in an id, as a sort key; None if the id has another form."""
    if parts := _ID.fullmatch(id):
        *release, number, number_only = (int(part or 0) for part in parts.groups())
        return (*release, number or number_only)
    return None
