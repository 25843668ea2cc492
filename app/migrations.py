"""The migrations in ``migrations/``, run by yoyo: which there are, which a database has, and how it gets the others."""

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import yoyo
from psycopg.conninfo import conninfo_to_dict

from app.settings import ROOT

FOLDER = ROOT / "migrations"
SUMS = FOLDER / "SHA256SUMS"
"""The files' checksums, in the form of sha256sum."""


class MigrationError(Exception):
    """The migrations can't be run. The message says what to do."""


@dataclass(frozen=True)
class Migration:
    """A file in migrations/; its id is its name without the ending."""

    id: str
    path: Path


def all_() -> list[Migration]:
    """The migrations in their order."""
    return [Migration(path.name.removesuffix(".sql"), path) for path in sorted(FOLDER.glob("[0-9]*.sql"))]


def newest() -> int:
    """How many releases have migrations: what this release needs api.schema_version() to be, at least."""
    return len({migration.id.partition("-")[0] for migration in all_()})


def check_sums() -> None:
    """Raises MigrationError where a file isn't what it was when released: yoyo knows a file by its name alone."""
    sums = {name: sum_ for sum_, name in (line.split() for line in SUMS.read_text().splitlines())}
    for migration in all_():
        found = hashlib.sha256(migration.path.read_bytes()).hexdigest()
        if migration.path.name not in sums:
            raise MigrationError(f"migrations/{migration.path.name} is not in SHA256SUMS. Run: make freeze")
        if sums[migration.path.name] != found:
            raise MigrationError(
                f"migrations/{migration.path.name} is not what SHA256SUMS says: somebody edited it. Restore it (git "
                "checkout migrations), and put the change into a new migration."
            )


def pending(url: str) -> list[Migration]:
    """Those that the database doesn't have. Only reads. Raises psycopg.Error."""
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        table = connection.execute("select to_regclass('yoyo._yoyo_migration')").fetchone()
        if table is None or table[0] is None:
            return all_()
        applied = {row[0] for row in connection.execute("select migration_id from yoyo._yoyo_migration")}
    return [migration for migration in all_() if migration.id not in applied]


def apply(url: str, *, break_lock: bool = False, folder: Path = FOLDER) -> Iterator[Migration]:
    """Applies those that are pending, one after another, and gives each before its turn. folder: where they stand.

    Raises MigrationError and psycopg.Error; the migration that failed leaves nothing behind.
    """
    check_sums()
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        _check_login(connection)
        # yoyo's own tables stand apart from ours.
        connection.execute("create schema if not exists yoyo")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with yoyo.get_backend(_yoyo_url(url)) as backend:
                if break_lock:
                    backend.break_lock()
                with backend.lock(timeout=10):
                    files = {migration.id: migration for migration in all_()}
                    numbered = yoyo.read_migrations(str(folder)).filter(lambda migration: migration.id in files)
                    for migration in backend.to_apply(numbered):
                        yield files[migration.id]
                        backend.apply_one(migration)
        except yoyo.exceptions.LockTimeout:
            raise MigrationError(
                "Another leads migrate is under way, or one broke off. If none is, say: leads migrate --break-lock"
            ) from None


def _check_login(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute(
        "select rolcreaterole or rolsuper, has_database_privilege(current_database(), 'create') "
        "from pg_catalog.pg_roles where rolname = session_user"
    ).fetchone()
    if row is None or not row[0]:
        raise MigrationError(
            "The migrating login may not create roles. Say, as a superuser: "
            f"alter role {connection.info.user} createrole"
        )
    if not row[1]:
        raise MigrationError(
            "The migrating login may not create schemas. Say, as the database's owner: "
            f"alter database {connection.info.dbname} owner to {connection.info.user}"
        )


def _yoyo_url(url: str) -> str:
    parameters = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    database = parameters.pop("dbname", "")
    return f"postgresql+psycopg:///{database}?{urlencode(parameters | {'schema': 'yoyo'})}"
