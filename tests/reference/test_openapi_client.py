"""A typed Python client, generated from the OpenAPI document, lists, pages, creates,
patches and scores.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.support.database import Organization
from tests.support.process import Server

PROGRAMS = Path(sys.executable).parent

SCRIPT = '''
"""A program that uses the generated client."""

import sys

from leads_client import AuthenticatedClient
from leads_client.api.leads import create_lead, get_lead, list_leads, update_lead
from leads_client.api.scoring import create_signals, score_lead
from leads_client.models import (
    CreateLeadBody, Lead, LeadChange, LeadInput, LeadItem, LeadPage, NewScore, Problem, ProblemCode, SignalInput,
)

base_url, token = sys.argv[1:]
with AuthenticatedClient(base_url=base_url, token=token) as client:
    leads: list[LeadItem] = []
    emails = [f"lead{number}@example.com" for number in range(5)]
    for number, email in enumerate(emails):
        made = create_lead.sync(
            client=client, body=CreateLeadBody(email=email, name="Ada Abbott"), idempotency_key=f"form-{number}"
        )
        assert isinstance(made, LeadItem)
        assert made.company is None
        leads.append(made)

    id = leads[-1].id
    read = get_lead.sync_detailed(id, client=client)
    assert isinstance(read.parsed, Lead)
    assert (read.parsed.name, read.parsed.lead_score) == ("Ada Abbott", 0)

    tag = read.headers["ETag"]
    changed = update_lead.sync(id, client=client, if_match=tag, body=LeadInput(pipeline_stage="won", company=None))
    assert isinstance(changed, LeadChange)
    assert changed.pipeline_stage == "won"
    late = update_lead.sync(id, client=client, if_match=tag, body=LeadInput(pipeline_stage="lost"))
    assert isinstance(late, Problem)
    assert late.code is ProblemCode.PRECONDITION_FAILED

    signals = create_signals.sync_detailed(id, client=client, body=SignalInput(type_="storm_event"))
    assert signals.status_code == 201
    scored = score_lead.sync(id, client=client)
    assert isinstance(scored, NewScore)
    assert scored.lead_score > 0
    assert "storm" in scored.ai_reasoning

    seen: list[LeadItem] = []
    page = list_leads.sync(client=client, limit=2)
    while True:
        assert isinstance(page, LeadPage)
        seen += page.data
        if page.next_cursor is None:
            break
        page = list_leads.sync(client=client, limit=2, cursor=page.next_cursor)
    assert [lead.email for lead in seen] == emails[::-1]
    assert seen[0].created_at > seen[-1].created_at
'''


def run(folder: Path, *command: str) -> None:
    process = subprocess.run(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert process.returncode == 0, process.stdout


def test_a_generated_client_is_typed_and_works(
    server: Server, new_organization: Callable[..., Organization], tmp_path: Path
) -> None:
    (tmp_path / "openapi.json").write_bytes(httpx.get(server.base + "/openapi.json", verify=False).content)
    # The generator does not know these media types by itself.
    (tmp_path / "config.yaml").write_text(
        "post_hooks: []\n"
        "content_type_overrides: {application/x-ndjson: application/octet-stream, text/csv: application/octet-stream}\n"
    )
    generator = str(PROGRAMS / "openapi-python-client")
    # A warning means that the generator left something out.
    run(
        tmp_path,
        *(generator, "generate", "--path", "openapi.json", "--config", "config.yaml", "--fail-on-warning"),
        *("--meta", "none", "--output-path", "leads_client"),
    )
    # Each operation has a module, and each named schema and fixed set of words.
    operations = sum(map(len, json.loads((tmp_path / "openapi.json").read_text())["paths"].values()))
    assert sum(path.is_file() for path in (tmp_path / "leads_client").rglob("*")) <= 6 * operations
    (tmp_path / "use.py").write_text(SCRIPT)
    run(tmp_path, str(PROGRAMS / "mypy"), "--strict", "--cache-dir", str(tmp_path / "cache"), "use.py")
    run(tmp_path, sys.executable, "use.py", server.base + "/api/v1", new_organization().keys["write"])
