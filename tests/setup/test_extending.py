"""docs/extending.md works word for word: its files,
its lines and its commands add an endpoint to a running server.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from app import unreleased
from app.settings import ROOT
from tests.support.database import Database, Organization
from tests.support.process import Server
from tests.support.pushing import wait_for
from tools import headers, pgtap

PAGE = (ROOT / "docs" / "extending.md").read_text()
FILE = re.compile(r"Create\s+`([^`]+)`:\s+```sql\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINE = re.compile(
    r"In\s+`([^`]+)`, below the line\s+`([^`]+)`, add:\s+```(?:sql|python)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL
)
COMMANDS = re.compile(r"```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def unindented(block: str) -> str:
    """The block without the indentation of its step, which is 3 spaces."""
    return re.sub(r"^ {3}", "", block, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the working tree, with the files and lines of the page."""
    folder = tmp_path_factory.mktemp("clone") / "leads"
    ignored = shutil.ignore_patterns(".*", "node_modules", "__pycache__", "*.egg-info", "build")
    shutil.copytree(ROOT, folder, ignore=ignored)
    (folder / ".venv").symlink_to(sys.prefix)
    pgtap.fetch()
    shutil.copytree(pgtap.CACHE / "pgtap", folder / ".cache" / "pgtap")
    for name, text in FILE.findall(PAGE):
        assert not (folder / name).exists()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(unindented(text))
    for name, above, text in LINE.findall(PAGE):
        content = (folder / name).read_text()
        assert content.count(f"{above}\n") == 1, (name, above)
        (folder / name).write_text(content.replace(f"{above}\n", f"{above}\n{unindented(text)}"))
    return folder


def run(clone: Path, commands: str, environ: dict[str, str]) -> str:
    """The output of the commands, as a shell in the clone prints it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    process = subprocess.run(
        ["bash", "-e"],
        input=textwrap.dedent(commands),
        cwd=clone,
        env=inherited | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=500,
        check=False,
    )
    assert process.returncode == 0, process.stdout
    return process.stdout


def test_an_endpoint_is_a_function_and_a_line(
    clone: Path, server: Server, database: Database, new_organization: Callable[..., Organization]
) -> None:
    load, call, check = COMMANDS.findall(PAGE)
    key = new_organization().keys["write"]
    with server.client(key) as client:
        assert client.post("/leads", json={"email": "ada@example.com"}).status_code == 201
    database.sql("alter table app.lead disable trigger user")
    database.sql("update app.lead set created_at = now() - interval '31 days', updated_at = now() - interval '31 days'")
    database.sql("alter table app.lead enable trigger user")
    environ = {
        "API": f"{server.base}/api/v1",
        "KEY": key,
        "LEADS_MIGRATE_URL": database.url("leads_migrator"),
        # Otherwise .venv/bin/leads would be the program of the original tree.
        "PYTHONPATH": str(clone),
    }
    loaded = run(clone, load, environ)
    assert "Applied the unreleased changes of this checkout (migrations/next.sql and sql/)." in loaded

    wait_for(lambda: '"/stale-leads"' in httpx.get(server.base + "/openapi.json").text)
    listed, _, rest = run(clone, call, environ).partition('"operationId"')
    assert rest == ':"list_stale_leads"\n'
    assert [lead["email"] for lead in json.loads(listed)["data"]] == ["ada@example.com"]
    operation = httpx.get(server.base + "/openapi.json").json()["paths"]["/stale-leads"]["get"]
    assert (operation["summary"], operation["tags"]) == ("List stale leads", ["Leads"])
    position = operation["parameters"][-1]
    assert [(parameter["name"], parameter["description"]) for parameter in operation["parameters"]] == [
        ("days", "How many days ago the last change must be."),
        ("limit", "The maximum number of rows in the response."),
        # Each read has it.
        ("Leads-Position", position["description"]),
    ]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/LeadList"}
    assert set(operation["responses"]) == {"200", "400", "401", "403", "429", "500", "503"}

    run(clone, check, environ)
    assert "list_stale_leads" not in run(clone, ".venv/bin/python -m tools.lint_sql || true", environ)


def test_an_index_has_the_order_of_the_list(database: Database) -> None:
    (order,) = re.findall(r"^ *order by (l\..*)$", PAGE, re.MULTILINE)
    with database.connect() as connection:
        connection.execute("set enable_seqscan = off; set enable_bitmapscan = off")
        condition = "l.organization_id = '00000000-0000-7000-8000-000000000000' and l.created_at < now()"
        plan = connection.execute(
            f"explain select * from app.lead as l where {condition} order by {order} limit 50".encode()
        ).fetchall()
    assert "lead_by_created_at" in str(plan)
    assert "Sort" not in str(plan)


def test_a_type_is_made_by_the_migrating_login(database: Database) -> None:
    (text,) = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    before, name, part = unreleased.PART.split(text)
    assert (before, name) == ("", "stage_count")
    assert list(headers.faults(part)) == []
    with database.connect("leads_migrator") as connection, connection.transaction(force_rollback=True):
        connection.execute(part.encode())
        connection.execute("select null::api.stage_count")
