"""A database that is kept in a folder, so that a load that was ended goes on where it stopped."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from app import embedded
from app.cli import migrate
from app.cli.keys import digest
from app.settings import ROOT
from bench.measure import Say
from bench.scale.data import sizes
from tests.support import pushing
from tests.support.keys import new_key

_HBA = "local all all trust\n"


@dataclass(frozen=True)
class Organization:
    """An organization, its key with the scope admin, and its leads."""

    id: str
    key: str
    leads: int


@dataclass(frozen=True)
class Site:
    """A running database."""

    folder: Path
    server: embedded.Server
    organizations: tuple[Organization, ...]
    base: datetime

    @property
    def leads(self) -> int:
        """All leads."""
        return sum(organization.leads for organization in self.organizations)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Runs a statement as a superuser."""
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def one(self, statement: str, *values: Any) -> Any:
        """The value that a statement returns."""
        rows = self.sql(statement, *values)
        return rows[0][0] if rows else None

    @contextmanager
    def working(self) -> Iterator[subprocess.Popen[bytes]]:
        """Runs a worker during the block."""
        with (self.folder / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "app", "worker"],
                cwd=ROOT,
                env={**os.environ, "LEADS_WORKER_URL": self.server.url("leads_worker"), **pushing.ENVIRON},
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


@contextmanager
def running(folder: Path, leads: int, organizations: int, options: dict[str, str], say: Say) -> Iterator[Site]:
    """Starts the database of the folder for the block, and creates it the first time.
    Raises EmbeddedError, psycopg.Error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    hba = folder / "scale_hba.conf"
    hba.write_text(_HBA)
    hba.chmod(0o644)
    state = folder / "state.json"
    with embedded.running(folder, options=options | {"hba_file": str(hba)}) as server:
        if not state.exists():
            say(f"creating the database with {organizations:,} organizations")
            migrate.apply(server.url("leads_migrator"))
            created = _create(server.url("leads_operator"), sizes(leads, organizations))
            text = json.dumps({"base": datetime.now(UTC).isoformat(), "organizations": created})
            # Only a complete file has this name.
            (folder / "state.part").write_text(text)
            (folder / "state.part").rename(state)
        stored = json.loads(state.read_text())
        known = tuple(Organization(*row) for row in stored["organizations"])
        yield Site(folder, server, known, datetime.fromisoformat(stored["base"]))


def _create(url: str, leads: list[int]) -> list[tuple[str, str, int]]:
    created = []
    with psycopg.connect(url) as connection:
        for number, count in enumerate(leads):
            key = new_key("test")
            row = connection.execute(
                "select admin.create_organization(%s, 'test')::text", [f"Scale {number}"]
            ).fetchone()
            assert row
            connection.execute("select admin.create_key(%s::uuid, 'admin', %s)", [row[0], digest(key)])
            created.append((row[0], key, count))
    return created
