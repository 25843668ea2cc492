"""``leads migrate --plan --diff``: what the pending migrations change in this database,
as a difference to sign.

The database itself is only read. All migrations of this release run in a scratch database. It is
read before and after the pending ones, which shows the objects that they change and their new
definitions. To run them in the database itself and roll back would lock its tables meanwhile.
"""

import difflib
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from app import migration_run, migrations, session
from app.migration_lock import locked
from app.migrations import MigrationError
from app.unreleased import BLOCK

_CATALOGUE = "sql/admin/catalogue.sql"
_SETTING = re.compile(r"\bset (?!local )(\w+) = (.+?)(?= set |$)", re.MULTILINE)
"""A setting among the clauses of a function. A line may have several."""
_BODY = re.compile(r"^begin atomic\n(.*?);\nend;$", re.MULTILINE | re.DOTALL)
_OF_CLUSTER = re.compile(r"\b(?:create|alter|drop)\s+(?:role|user|group)\b", re.IGNORECASE)

Catalogue = Mapping[str, str]
"""The definition of each object, by its kind and name."""


def of_pending(url: str) -> str:
    """A unified diff of each object that the pending migrations change; empty if they change none.

    Raises MigrationError and psycopg.Error.
    """
    migrations.check_sums()
    pending = migrations.pending(url)
    if not pending:
        return ""
    if pending == migrations.all_():
        raise MigrationError("The database has no migrations yet, so all is new: leads migrate --plan shows it.")
    for migration in pending:
        if _OF_CLUSTER.search(migration.text):
            raise MigrationError(
                f"{migration.path.name} changes roles, which belong to the whole cluster: a run in a scratch database "
                "would change them now. Read leads migrate --plan. Or run leads migrate on a copy of the cluster, and "
                "compare pg_dump --schema-only from before and after it."
            )
    script = _catalogue_script()
    before: Catalogue = {}
    with _scratch_database(url) as scratch, locked(scratch) as lock:
        for migration in migration_run.apply(lock):
            if migration == pending[0]:
                before = _catalogue(scratch, script)
        after = _catalogue(scratch, script)
    now = _catalogue(url, script)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return "".join(_difference(name, now.get(name, ""), after.get(name, "")) for name in changed)


def _difference(name: str, now: str, after: str) -> str:
    lines = difflib.unified_diff(now.splitlines(), after.splitlines(), f"{name} (now)", f"{name} (after)", lineterm="")
    return "".join(f"{line}\n" for line in lines)


def _catalogue_script() -> list[str]:
    """The statements of admin.catalogue() in this release.
    The database may have an older version of the function.
    """
    blocks = (block for migration in migrations.all_() for block in BLOCK.findall(migration.text))
    copies = [text for path, text in blocks if path == _CATALOGUE]
    body = _BODY.search(copies[-1]) if copies else None
    if body is None:
        raise MigrationError("The migrations have no admin.catalogue() that could be compared with.")
    clauses = copies[-1][: body.start()]
    return [*(f"set local {name} = {value}" for name, value in _SETTING.findall(clauses)), body[1]]


def _catalogue(url: str, script: list[str]) -> Catalogue:
    with psycopg.connect(session.address(url, session.COMMAND, "leads migrate")) as connection:
        connection.read_only = True
        connection.execute(f"set local lock_timeout = {migration_run.LOCK_TIMEOUT}".encode())
        for statement in script[:-1]:
            connection.execute(statement.encode())
        return {name: definition or "" for name, definition, _ in connection.execute(script[-1].encode())}


@contextmanager
def _scratch_database(url: str) -> Iterator[str]:
    """The address of an empty database on the same server, which is dropped after the block."""
    with psycopg.connect(session.address(url, session.COMMAND, "leads migrate"), autocommit=True) as connection:
        may = connection.execute(
            "select rolcreatedb or rolsuper from pg_catalog.pg_roles where rolname = session_user"
        ).fetchone()
        if may is None or not may[0]:
            raise MigrationError(
                "The migrating login may not create the scratch database. As a superuser, run: "
                f"alter role {connection.info.user} createdb"
            )
        name = f"leads_diff_{secrets.token_hex(4)}"
        connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
        try:
            yield make_conninfo(url, dbname=name)
        finally:
            connection.execute(sql.SQL("drop database {}").format(sql.Identifier(name)))
