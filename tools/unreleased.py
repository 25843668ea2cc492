"""The schema as the working tree has it: the tables of migrations/, then migrations/next.sql, then sql/load.sql.

The frozen copies in the migrations are left out, so a change in sql/ needs no new copy until the release. next.sql is
hand-written DDL for the coming release: what sql/ can't say, such as a table, a column or a type.
"""

import tempfile
from pathlib import Path

import psycopg

from app import migration_run, migrations
from app.cli.doctor import keeping_catalogue
from app.migration_lock import locked
from app.settings import ROOT
from tools.frozen import INCLUDE, without_frozen_blocks

NEXT = ROOT / "migrations" / "next.sql"


def apply(url: str) -> None:
    """Makes the schema in an empty database, as the migrating login. Raises MigrationError and psycopg.Error."""
    with keeping_catalogue(url):
        with tempfile.TemporaryDirectory() as folder:
            for path in migrations.FOLDER.iterdir():
                text = path.read_text()
                Path(folder, path.name).write_text(without_frozen_blocks(text) if path.suffix == ".sql" else text)
            with locked(url) as lock:
                for _ in migration_run.apply(lock, folder=Path(folder)):
                    pass
        with psycopg.connect(url, autocommit=True) as connection:
            if NEXT.exists():
                connection.execute(f"begin;\n{NEXT.read_text()}\ncommit;".encode())
            connection.execute(load_script().encode())


def load_script() -> str:
    """sql/load.sql with each file in the place of its ``\\ir`` line."""
    text = (ROOT / "sql" / "load.sql").read_text()
    return INCLUDE.sub(lambda line: (ROOT / "sql" / line[1]).read_text(), text)
