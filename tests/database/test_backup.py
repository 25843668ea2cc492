"""The steps in docs/operations.md restore a dump in another cluster,
and leads doctor finds nothing there.
"""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg

from app import embedded
from app.cli import doctor
from app.settings import ROOT
from tests.support.database import Database, make_key, make_organization
from tests.support.process import Server


def run(program: str, *arguments: str, is_strict: bool = True) -> str:
    command = [str(embedded.binary(program)), *arguments]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0 or not is_strict, process.stderr
    return process.stdout


def test_the_owners_dump_is_refused(database: Database, tmp_path: Path) -> None:
    command = [str(embedded.binary("pg_dump")), "--role=leads_owner", "--file", str(tmp_path / "dump")]
    process = subprocess.run([*command, database.url("leads_migrator")], capture_output=True, text=True, check=False)
    assert process.returncode != 0


def test_a_dump_can_be_restored_in_another_cluster(
    database: Database, run_dir: Path, tmp_path: Path, new_server: Callable[..., Server]
) -> None:
    acme = make_organization(database)
    key = make_key(database, acme.id, "read")
    database.sql("insert into app.lead (organization_id, email) values (%s, 'kept@example.com')", acme.id)
    roles, dump = tmp_path / "roles.sql", tmp_path / "leads.dump"
    roles.write_text(run("pg_dumpall", "--roles-only", f"--dbname={database.url()}"))
    run("pg_dump", "--format=custom", f"--file={dump}", database.url())

    other_dir = run_dir / f"other-{os.getpid()}"
    with embedded.running(other_dir) as target:
        run("psql", "-X", f"--file={roles}", target.url("postgres", "postgres"), is_strict=False)
        with psycopg.connect(target.url("postgres", "postgres"), autocommit=True) as connection:
            # The roles of other tests came along, because the tests share one server.
            connection.execute(
                "do $$ declare login text; begin for login in select rolname from pg_roles "
                "where rolname !~ '^(pg|leads)_' and rolname <> 'postgres' "
                "loop execute format('drop role %I', login); end loop; end $$"
            )
            connection.execute("drop database leads")
            connection.execute("create database leads owner leads_migrator")
        run("pg_restore", "--exit-on-error", f"--dbname={target.url('postgres')}", str(dump))
        run("psql", "-X", "-v", "ON_ERROR_STOP=1", f"--file={ROOT / 'app' / 'superuser.sql'}", target.url("postgres"))

        assert doctor.examine(target.url("leads_migrator"), is_migrating=True)[0] == []

        restored = new_server(Database(target, "leads"))
        with restored.client(key) as client:
            assert client.get("/leads").json()["data"][0]["email"] == "kept@example.com"
        restored.process.terminate()
        restored.process.wait(120)


def test_the_page_says_what_the_test_does() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    for program in (
        "pg_dumpall --roles-only",
        "pg_dump --format=custom",
        "pg_restore --exit-on-error",
        "superuser.sql",
    ):
        assert re.search(re.escape(program), page), program
