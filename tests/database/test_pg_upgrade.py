"""The steps in docs/upgrading.md take a cluster of an older PostgreSQL to this one with pg_upgrade.

`make test-pg-upgrade` runs this. PG_OLD_BIN is the folder of the older PostgreSQL's programs.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app import embedded
from app.cli import doctor, migrate
from app.embedded import cluster
from app.session import COMMAND, address
from bench.hosts import Host
from tests.support.chain import seal, verdict
from tests.support.database import Database, make_organization
from tests.support.process import leads_on

pytestmark = pytest.mark.skipif("PG_OLD_BIN" not in os.environ, reason="make test-pg-upgrade runs this")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's account can enter."""
    path = Path(tempfile.mkdtemp(prefix="leads-upgrade-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def made(folder: Path, name: str) -> Host:
    """A cluster that pg_upgrade can start: it doesn't use the file of the host's rules."""
    host = Host(folder / name)
    host.create()
    (host.data / "pg_hba.conf").write_text("local all all trust\n")
    return host


def findings(database: Database) -> list[doctor.Finding]:
    """What leads doctor finds."""
    return doctor.examine(database.url("leads_migrator"), is_migrating=True)[0]


def test_pg_upgrade_keeps_everything(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("LEADS_PG_BIN", os.environ["PG_OLD_BIN"])
        old = made(folder, "old")
    old.start()
    cluster.create_database(old.server)
    migrate.apply(old.server.url("leads_migrator"))
    acme = make_organization(old.database)
    old.database.sql("insert into app.lead (organization_id, email) values (%s, 'kept@example.com')", acme.id)
    assert leads_on(old.database)("bi", "create", "ann", "--organization", acme.id).returncode == 0
    seal(old.database)
    assert findings(old.database) == []
    old.end()

    new = made(folder, "new")
    (folder / "work").mkdir()
    new.own(folder / "work")
    new.run(
        "pg_upgrade",
        *(f"--old-bindir={old.programs}", f"--new-bindir={new.programs}", "--username=postgres"),
        *(f"--old-datadir={old.data}", f"--new-datadir={new.data}", f"--socketdir={new.server.socket_dir}"),
        folder=folder / "work",
    )
    new.start()
    database = new.database
    try:
        embedded.harden(database.url())
        found = findings(database)
        assert {"catalogue", "membership of leads_migrator in leads_owner"} <= {row.subject for row in found}
        with psycopg.connect(address(database.url(), COMMAND), autocommit=True) as superuser:
            for row in found:
                if row.remedy.endswith(";"):
                    superuser.execute(row.remedy.encode())
        assert [row.subject for row in findings(database)] == ["catalogue"]
        leads_on(database)("doctor", "--accept")
        assert findings(database) == []

        assert database.sql("select email from bi.leads", login="ann") == [{"email": "kept@example.com"}]
        chain = verdict(database, acme.id)
        assert (chain["holds"], chain["unsealed"]) == (True, 0)
        assert "Nothing to apply" in leads_on(database)("migrate").stderr
    finally:
        new.end()
