"""The blocks of the client's README run against a real server, and their types are right."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from tests.support import hooks
from tests.support.database import Database, Organization
from tests.support.figures import count_stages
from tests.support.process import Server
from tests.support.pushing import live_organization, wait_for, working
from tools import client

BLOCKS = re.findall(r"^```python\n(.*?)^```$", (client.SOURCE / "README.md").read_text(), re.MULTILINE | re.DOTALL)

# A line that mypy accepts although it is wrong fails, because its type: ignore is not used.
SNIPPET = """
from collections.abc import Iterator
from uuid import UUID

from leads_client.models import ExportedLead, Lead, LeadItem, Score

item: LeadItem
for item in leads.pages(leads.list_leads, limit=2, order="updated_at"):
    id: UUID = item.id
    at: datetime.datetime = item.updated_at
    name: str | None = item.name
scores: Iterator[Score] = leads.pages(leads.list_scores, row.id)
lines: Iterator[ExportedLead] = leads.export_leads(start_at=datetime.date(2026, 4, 27))
whole: Lead = leads.with_headers(leads.get_lead, row.id)[0]
LeadInput(name=None, lead_score=UNSET)
new = [NewLeadInput(email="a@example.com")]
leads.store_leads(new, match="email")

LeadInput(lead_score=None)  # type: ignore[arg-type]
LeadInput(stage="new")  # type: ignore[call-arg]
leads.get_lead("x")  # type: ignore[arg-type]
leads.create_lead(LeadInput())  # type: ignore[arg-type]
leads.list_leads(order="name")  # type: ignore[arg-type]
leads.list_leads(stage="new")  # type: ignore[call-arg]
leads.pages(leads.get_lead, row.id)  # type: ignore[arg-type]
leads.pages(leads.list_leads, stage="new")  # type: ignore[call-arg]
leads.with_headers(leads.get_lead)  # type: ignore[call-arg]
count: int = leads.get_lead(row.id).name  # type: ignore[assignment]
"""


@pytest.fixture(scope="module")
def outputs(
    sdk: Any, database: Database, server: Server, new_organization: Callable[..., Organization]
) -> tuple[dict[str, Any], list[str]]:
    """The names that the blocks define, and what each block prints."""
    names: dict[str, Any] = {}
    printed = []
    key = new_organization().keys["admin"]
    environ = {"LEADS_URL": server.base, "LEADS_KEY": key}
    with patch.dict(os.environ, environ):
        for block in BLOCKS:
            if "order=" in block:
                names["leads"].update_lead(names["lead"].id, sdk.models.LeadInput(source="website"))
                count_stages(database)
            with redirect_stdout(io.StringIO()) as output:
                exec(compile(block, "README.md", "exec", dont_inherit=True), names)
            printed.append(output.getvalue())
    names["leads"].close()
    names["patient"].close()
    return names, printed


def output_of(text: str, outputs: tuple[dict[str, Any], list[str]]) -> str:
    (number,) = (number for number, block in enumerate(BLOCKS) if text in block)
    return outputs[1][number]


def test_the_blocks_print_what_the_readme_says(outputs: tuple[dict[str, Any], list[str]]) -> None:
    id = str(outputs[0]["lead"].id)
    assert output_of("import os", outputs).startswith(f"{id} 20")
    assert output_of("leads.pages", outputs) == "ada.abbott@example.com 0\n"
    assert output_of("order=", outputs).startswith(f"{id} 20")
    assert re.match(r"422 validation_failed \S+\nemail invalid_email \w", output_of("except LeadsError", outputs))
    assert output_of("store_leads", outputs) == "1 0 0\n"
    assert output_of("text/csv", outputs) == "1\n"
    assert re.match(r"\S{36} whsec_\S{44}\n$", output_of("create_webhook", outputs))


def test_the_blocks_change_the_lead(outputs: tuple[dict[str, Any], list[str]], database: Database) -> None:
    rows = database.sql(
        "select name, company, lead_score, pipeline_stage, details from app.lead where id = %s", outputs[0]["lead"].id
    )
    details = {"roof_age": 12, "insured": True}
    assert rows == [
        {"name": "Ada Abbott", "company": None, "lead_score": 5, "pipeline_stage": "won", "details": details}
    ]


def test_the_block_receives_what_a_worker_delivers(
    outputs: tuple[dict[str, Any], list[str]],
    sdk: Any,
    database: Database,
    server: Server,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    organization = live_organization(database)
    with hooks.receiving() as receiver, working(database, tmp_path):
        receiver.add(database, organization, "/hook")
        with sdk.Leads(server.base, organization.keys["write"]) as client:
            lead = client.create_lead(sdk.models.CreateLeadBody(email="ada@example.com"))
        # The event of the webhook itself may have come first.
        (sent,) = wait_for(lambda: [each for each in receiver.requests if b'"lead.created"' in each.content])
    monkeypatch.setenv("LEADS_WEBHOOK_SECRET", receiver.secrets["/hook"])
    receive = outputs[0]["receive"]
    assert receive(b"{}", sent.headers) == 401
    assert [receive(sent.content, sent.headers) for _ in range(2)] == [204, 204]
    assert capsys.readouterr().out == f"lead.created {lead.id}\n"


def test_the_types_are_strict(installed: Path, tmp_path: Path) -> None:
    assert (installed / "leads_client" / "py.typed").exists()
    (tmp_path / "use.py").write_text("".join(BLOCKS) + SNIPPET)
    command = [str(Path(sys.executable).with_name("mypy")), "--strict", "--cache-dir", str(tmp_path / "cache")]
    process = subprocess.run(
        [*command, "leads_client", str(tmp_path / "use.py")],
        cwd=installed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.returncode == 0, process.stdout
