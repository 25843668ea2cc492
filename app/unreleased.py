"""The part of the schema that no release has: migrations/next.sql and what changed in sql/.

In a checkout, ``leads migrate`` and ``leads serve`` apply both after the released migrations. A
release never does: its next.sql has no statements, and its sql/ is what the migrations contain. A
database keeps the digests of what it had, in the comment on schema yoyo, which every login can
read.
"""

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from app import migration_run, migrations
from app.migrations import FOLDER, Migration, MigrationError
from app.settings import ROOT

BLOCK = re.compile(r"^-- begin frozen (\S+)\n(.*?)(?=^-- (?:begin|end) frozen\b)", re.MULTILINE | re.DOTALL)
"""A frozen copy of a file of sql/ in a migration:
the file's path and its text, up to the next copy or the end.
"""

PART = re.compile(r"^-- migration: ([a-z]\w*)\n", re.MULTILINE)
"""The line in next.sql that begins a migration."""

INCLUDE = re.compile(r"^\\ir +(\S+)[ \t]*$", re.MULTILINE)
"""A line of sql/load.sql that names a file."""

_NEXT = FOLDER / "next.sql"
_LOAD = ROOT / "sql" / "load.sql"
_RESET = (
    "migrations/next.sql is not what this database had, and its statements can't be undone. Delete the development "
    "database (make reset), or create another one, and run the command again."
)


@dataclass(frozen=True)
class State:
    """The SHA-256 of next.sql and of all files in sql/, in hexadecimal.
    next: empty if it has no statements.
    """

    next: str
    sql: str


def current() -> State | None:
    """The state of this checkout; None if it is that of the last release."""
    if not _LOAD.exists():
        return None
    text = next_text()
    if not has_statements(text) and not differing():
        return None
    return State(_digest(text) if has_statements(text) else "", _digest(load_script()))


def next_text() -> str:
    """migrations/next.sql; empty if there is none."""
    return _NEXT.read_text(encoding="utf-8") if _NEXT.exists() else ""


def has_statements(text: str) -> bool:
    """Whether SQL has more than comments."""
    return any(line.strip() and not line.startswith("--") for line in text.splitlines())


def differing(root: Path | None = None) -> list[str]:
    """The files of sql/ that differ from their last copy in the migrations,
    in the order of load.sql.

    root: the repository, by default this one.
    Raises FileNotFoundError if load.sql lists a file that does not exist.
    """
    copied = migrations.all_(root / "migrations" if root else None)
    last = {path: text for migration in copied for path, text in BLOCK.findall(migration.text)}
    load = root / "sql" / "load.sql" if root else _LOAD
    paths = [f"sql/{name}" for name in INCLUDE.findall(load.read_text(encoding="utf-8"))]
    return [path for path in paths if last.get(path) != ((root or ROOT) / path).read_text(encoding="utf-8")]


def load_script() -> str:
    """sql/load.sql with each file in the place of its line."""
    return "".join(text for _, text in _pieces())


def _pieces() -> Iterator[tuple[str, str]]:
    """The parts of the load script: the path of the file, and the text."""
    first, *others = INCLUDE.split(_LOAD.read_text(encoding="utf-8"))
    yield "sql/load.sql", first
    for name, after in zip(others[::2], others[1::2], strict=True):
        yield f"sql/{name}", (ROOT / "sql" / name).read_text(encoding="utf-8")
        yield "sql/load.sql", after


def _place(error: psycopg.Error) -> str:
    """The file of sql/ and the line that PostgreSQL's error is about.
    Some errors have no position.
    """
    if error.diag.statement_position is None:
        return "A file in sql/"
    rest = int(error.diag.statement_position) - 1
    for path, text in _pieces():
        if rest < len(text):
            return path if path == "sql/load.sql" else f"{path}, line {text.count(chr(10), 0, rest) + 1},"
        rest -= len(text)
    return "sql/load.sql"


def is_pending(connection: psycopg.Connection[Any]) -> bool:
    """Whether the checkout has changes that the database lacks.
    Raises MigrationError if only a reset helps.
    """
    state, kept = current(), _kept(connection)
    if kept and kept.next and kept.next != (state.next if state else ""):
        raise MigrationError(_RESET)
    return state is not None and state != kept


def apply(connection: psycopg.Connection[Any]) -> None:
    """Applies the changes that the database lacks. The connection is in autocommit mode.

    Raises MigrationError, and psycopg.Error with the place as a note.
    """
    state = current() if is_pending(connection) else None
    if state is None:
        return
    kept = _kept(connection)
    if kept is None or not kept.next:
        _apply_parts(connection, are_backfills=False)
        _keep(connection, State(state.next, ""))
    try:
        connection.execute(load_script().encode())
    except psycopg.Error as error:
        error.add_note(_place(error))
        raise
    # Repeatable, and after sql/, which has the functions.
    _apply_parts(connection, are_backfills=True)
    _keep(connection, state)


def _apply_parts(connection: psycopg.Connection[Any], *, are_backfills: bool) -> None:
    for migration in _parts():
        if (migration.backfill is not None) != are_backfills:
            continue
        for text in migration.steps if not migration.is_transactional else [migration_run.as_script(migration)]:
            try:
                connection.execute(text.encode())
            except psycopg.Error as error:
                error.add_note(f"migrations/next.sql, migration {migration.id},")
                raise


def parts(text: str) -> list[tuple[str, str]]:
    """The parts of next.sql, each a future migration: name and text.

    Raises MigrationError if a statement comes before the first part.
    """
    before, *rest = PART.split(text)
    if has_statements(before):
        raise MigrationError("migrations/next.sql must have a line '-- migration: NAME' before its first statement.")
    return list(zip(rest[::2], rest[1::2], strict=True))


def _parts() -> Iterator[Migration]:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in parts(next_text()):
            path = Path(folder) / f"{name}.sql"
            path.write_text(text, encoding="utf-8")
            yield Migration(name, path)


def _kept(connection: psycopg.Connection[Any]) -> State | None:
    comment = connection.execute("select obj_description(to_regnamespace('yoyo'), 'pg_namespace')").fetchone()
    text = next(iter(comment.values() if isinstance(comment, dict) else comment or ()), None)
    return State(**json.loads(text)) if text else None


def _keep(connection: psycopg.Connection[Any], state: State) -> None:
    comment = sql.Literal(json.dumps(asdict(state)))
    connection.execute(sql.SQL("comment on schema yoyo is {}").format(comment))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
