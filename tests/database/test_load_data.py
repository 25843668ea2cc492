"""docs/upgrading.md, followed: the data of one database are loaded into another. Both have the
present schema: that of before 0.9.0 is not in the repository."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from app import embedded
from app.cli import doctor
from app.settings import ROOT
from tests.support.database import Database, make_organization
from tests.support.process import Server, leads_on, printed
from tests.support.pushing import wait_for

PAGE = (ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8")
COMMANDS = [
    *(re.search(rf"^   {name}(?: .*\\\n)+.*", PAGE, re.MULTILINE) for name in ("pg_dump", "PGOPTIONS='-c")),
    re.search(r"^   psql .*queue_leads.*", PAGE, re.MULTILINE),
]
TABLES = re.findall(r"--table=(\S+)", PAGE)
STAYS_BEHIND = {
    *("audit.event", "audit.seal", "audit.unsealed", "auth.analyst"),
    # Before 0.9.0, there were no forms, imports, webhooks and cells.
    *("intake.form", "intake.submission", "intake.client", "admin.lead_import", "admin.import_row"),
    *("webhook.endpoint", "webhook.delivery", "webhook.recipient", "webhook.unqueued_batch"),
    *("app.placement", "auth.unannounced_key"),
    # The server writes when a key was last used.
    "auth.key_use",
    # The worker stores the words of leads.
    *("app.lead_word", "app.unindexed_lead"),
    # The worker writes the stays in stages from the audit log.
    *("app.stage_stay", "app.stage_day", "app.stage_progress", "app.uncounted_seal"),
}
TENANT_TABLES = """
select c.oid::regclass::text as name
from pg_class as c
join pg_attribute as a on a.attrelid = c.oid and a.attname = 'organization_id'
where c.relkind in ('r', 'p') and not c.relispartition
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., None]:
    """Runs a command of the page."""

    def run(command: re.Match[str] | None, **urls: str) -> None:
        assert command is not None
        path = f"{embedded.binary('pg_dump').parent}:{os.environ['PATH']}"
        environ = os.environ | urls | {"PATH": path}
        process = subprocess.run(["sh", "-c", command[0]], cwd=tmp_path, env=environ, capture_output=True, text=True)
        assert process.returncode == 0, process.stderr

    return run


def rows(database: Database, table: str) -> list[str]:
    return [row["row"] for row in database.sql(f"select t::text as row from {table} as t order by 1")]


def findings(database: Database) -> list[doctor.Finding]:
    """What leads doctor finds."""
    return doctor.examine(database.url("leads_migrator"), is_migrating=True)[0]


def test_every_table_of_an_organization_is_loaded_or_stays_behind(database: Database) -> None:
    assert {row["name"] for row in database.sql(TENANT_TABLES)} == {*TABLES, *STAYS_BEHIND}


def test_the_data_are_loaded(
    new_database: Callable[..., Database], new_server: Callable[..., Server], run: Callable[..., None]
) -> None:
    old, new, empty = new_database(), new_database(), new_database()
    printed(leads_on(old)("demo"))
    acme = make_organization(old)
    lead = {"email": "ada@example.com", "pipeline_stage": "qualified", "lead_score": 40}
    once = {"Idempotency-Key": "form-1"}
    server = new_server(old)
    with server.client(acme.keys["write"]) as client:
        created = client.post("/leads", json=lead, headers=once).json()
    server.process.terminate()
    server.process.wait(120)
    old.sql(
        "insert into crm.connection (organization_id, vendor, account, settle_seconds) "
        "values (%s, 'jobnimbus', 'x', 10)",
        acme.id,
    )
    old.sql(
        "insert into crm.sync (organization_id, lead_id, vendor, account, status, external_id, last_synced_at) "
        "values (%s, %s, 'jobnimbus', 'x', 'ok', 'pushed', now())",
        acme.id,
        created["id"],
    )

    run(COMMANDS[0], OLD_SUPERUSER_URL=old.url())
    run(COMMANDS[1], NEW_SUPERUSER_URL=new.url())
    run(COMMANDS[2], NEW_SUPERUSER_URL=new.url())

    for table in TABLES:
        assert rows(new, table) == rows(old, table), table
    # Those about roles and the server come and go with other tests.
    wait_for(lambda: findings(new) == findings(empty))
    printed(leads_on(new)("audit", "verify"))
    server = new_server(new)
    with server.client(acme.keys["write"]) as client:
        again = client.post("/leads", json=lead, headers=once)
        assert (again.headers["Idempotency-Replayed"], again.json()["id"]) == ("true", created["id"])
        found = client.get("/leads", params={"q": "ada"}).json()["data"]
        assert [item["id"] for item in found] == [created["id"]]
        push = client.post(f"/leads/{created['id']}/push-to-crm").json()
        assert push["crm_sync"]["external_id"] == "pushed"
