"""n8n accepts docs/examples/n8n_workflow.json: each node, type version and parameter exists.
An n8n runs it: each form creates one lead, and each event is passed on once.

make test-examples brings the packages of the check, and make test-n8n runs the workflow.
"""

import copy
import hashlib
import json
import os
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.settings import ROOT
from tests.support.database import Database, Organization
from tests.support.process import Server, free_port
from tests.support.pushing import wait_for

WORKFLOW = ROOT / "docs" / "examples" / "n8n_workflow.json"
MODULES = Path(__file__).parent / "node_modules"
PACKAGE = MODULES / "n8n-nodes-base-2.40.2.tgz"
PACKAGE_SHA256 = "b814017f4325638bab483a2ad6479a849b79bdf38f9761f07a1f3601dd0b1ea2"
N8N = os.environ.get("N8N")
ADDRESS = "http://127.0.0.1:8000/api/v1"
"""The address of the API in the workflow."""


def workflow() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    return loaded


def nodes(flow: dict[str, Any]) -> dict[str, Any]:
    """The nodes of a workflow, by name."""
    return {node["name"]: node for node in flow["nodes"]}


def test_the_workflow_has_no_secret_and_no_other_host() -> None:
    urls = [node["parameters"]["url"] for node in workflow()["nodes"] if "url" in node["parameters"]]
    assert urls == [f"{ADDRESS}/leads", f"{ADDRESS}/audit-log"]
    text = WORKFLOW.read_text(encoding="utf-8")
    assert text.count("://") == len(urls)
    assert "lk_" not in text
    assert "Bearer" not in text


# n8n's own descriptions of its nodes


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], list[str]]:
    """Returns the faults that n8n's code finds in a workflow."""
    if not PACKAGE.is_file():
        pytest.skip("The packages of the examples are not installed: make test-examples.")
    assert hashlib.sha256(PACKAGE.read_bytes()).hexdigest() == PACKAGE_SHA256
    folder = tmp_path_factory.mktemp("n8n")
    types, path = folder / "nodes.json", folder / "workflow.json"
    with tarfile.open(PACKAGE) as archive:
        member = archive.extractfile("package/dist/types/nodes.json")
        assert member is not None
        types.write_bytes(member.read())

    def find(flow: dict[str, Any]) -> list[str]:
        path.write_text(json.dumps(flow))
        script = str(Path(__file__).with_name("check_n8n.cjs"))
        process = subprocess.run(["node", script, str(path), str(types)], capture_output=True, text=True, check=False)
        assert (process.returncode, process.stderr) == (0, "")
        return process.stdout.splitlines()

    return find


def test_n8n_knows_each_node_and_parameter(faults: Callable[[dict[str, Any]], list[str]]) -> None:
    assert faults(workflow()) == []


def test_faults_of_a_workflow_are_found(faults: Callable[[dict[str, Any]], list[str]]) -> None:
    flow = copy.deepcopy(workflow())
    form, create, every, read, _, new, _ = flow["nodes"]
    form["parameters"] |= {"httpMethod": "FETCH", "responseMode": "onReceived"}
    create["parameters"] |= {"url": "", "colour": "red"}
    create["credentials"] = {"oAuth2Api": {"id": "1", "name": "Another"}}
    every["typeVersion"] = 9
    read["parameters"]["queryParameters"]["parameters"][0]["title"] = "action"
    new["type"] = "n8n-nodes-base.dedupe"
    flow["connections"]["Every hour"] = {"main": [[]]}
    assert faults(flow) == [
        "Form is submitted: parameters.responseData is unknown",
        "Form is submitted: parameters.httpMethod has a value that cannot be chosen",
        "Create the lead: parameters.colour is unknown",
        'Create the lead: Parameter "URL" is required.',
        "Create the lead: the credential oAuth2Api is unknown",
        "Every 5 minutes: n8n-nodes-base has no n8n-nodes-base.scheduleTrigger 9",
        "Read the audit log: parameters.queryParameters.parameters.0.title is unknown",
        "Only new events: n8n-nodes-base has no n8n-nodes-base.dedupe 2",
        "connections: there is no node Every hour",
    ]


# A run in n8n


def fast(base: str) -> dict[str, Any]:
    """The workflow with the address of a test server, which polls every 2 seconds in pages of 2
    and adds a signal to the lead of each event.
    """
    flow: dict[str, Any] = json.loads(WORKFLOW.read_text(encoding="utf-8").replace(ADDRESS, base))
    by_name = nodes(flow)
    by_name["Every 5 minutes"]["parameters"]["rule"]["interval"] = [{"field": "seconds", "secondsInterval": 2}]
    query = by_name["Read the audit log"]["parameters"]["queryParameters"]["parameters"]
    next(each for each in query if each["name"] == "limit")["value"] = "2"
    create, last = by_name["Create the lead"], by_name["Add your own node here"]
    parameters = {
        "method": "POST",
        "url": f"={base}/leads/{{{{ $json.payload.lead_id }}}}/signals",
        "authentication": "genericCredentialType",
        "genericAuthType": "httpHeaderAuth",
        "sendBody": True,
        "specifyBody": "json",
        "jsonBody": '{"type": "seen"}',
    }
    last |= {name: create[name] for name in ("type", "typeVersion", "credentials")} | {"parameters": parameters}
    return flow | {"id": "leads-api"}


@contextmanager
def n8n(database: Database, folder: Path, flow: dict[str, Any], key: str) -> Iterator[str]:
    """Runs n8n with the workflow and the key during the block. Yields its address."""
    assert N8N is not None
    port = free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "N8N_USER_FOLDER": str(folder),
        "N8N_ENCRYPTION_KEY": "example",
        "N8N_LISTEN_ADDRESS": "127.0.0.1",
        "N8N_PORT": str(port),
        "N8N_RUNNERS_BROKER_PORT": str(free_port()),
        "N8N_GRACEFUL_SHUTDOWN_TIMEOUT": "5",
        # Otherwise n8n calls its maker.
        "N8N_DIAGNOSTICS_ENABLED": "false",
        "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
        "N8N_DISABLED_MODULES": "mcp-registry",
        "DB_TYPE": "postgresdb",
        "DB_POSTGRESDB_HOST": str(database.server.socket_dir),
        "DB_POSTGRESDB_PORT": str(database.server.port),
        "DB_POSTGRESDB_USER": "postgres",
        "DB_POSTGRESDB_DATABASE": database.name,
    }
    header = {"name": "Authorization", "value": f"Bearer {key}"}
    credential = {"id": "leads-api-key", "name": "Leads API key", "type": "httpHeaderAuth", "data": header}
    (folder / "credentials.json").write_text(json.dumps([credential]))
    (folder / "workflow.json").write_text(json.dumps(flow))
    for command in (
        ("import:credentials", f"--input={folder}/credentials.json"),
        ("import:workflow", f"--input={folder}/workflow.json"),
        ("publish:workflow", "--id=leads-api"),
    ):
        done = subprocess.run([N8N, *command], env=environ, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
    with (folder / "n8n.log").open("wb") as log:
        process = subprocess.Popen(
            [N8N, "start"], env=environ, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait_for(lambda: "is now accessible" in (folder / "n8n.log").read_text(), seconds=90)
        yield f"http://127.0.0.1:{port}"
    finally:
        # The group, because node can be a script that starts Node.js, and n8n starts a second process.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.skipif(N8N is None, reason="N8N is not set: make test-n8n.")
def test_n8n_runs_the_workflow(
    server: Server, new_database: Callable[..., Database], acme: Organization, tmp_path: Path
) -> None:
    form = {"name": "Sarah Mitchell", "email": "sarah.mitchell@example.com", "phone": "(555) 010-0199"}
    flow, key = fast(server.base + "/api/v1"), acme.keys["write"]
    with server.client(key) as api:
        # More than a page, so that n8n sees them only if it follows the cursor.
        older = [api.post("/leads", json={"email": form["email"]}).json() for _ in range(4)]
    with n8n(new_database(template=None), tmp_path, flow, key) as base, server.client(key) as api:

        def send(number: str) -> bool:
            return httpx.post(base + "/webhook/new-lead", json={"id": number, **form}, timeout=30).is_success

        # For a moment after the start, n8n does not know the webhook.
        wait_for(lambda: send("form-1"))
        assert [send(number) for number in ("form-2", "form-3", "form-3")] == [True] * 3
        leads = api.get("/leads").json()["data"]
        assert leads[3:] == older[::-1]
        assert [lead["email"] for lead in leads[:3]] == [form["email"]] * 3
        details = [api.get(f"/leads/{lead['id']}/details").json() for lead in leads[:3]]
        assert [each["reference"] for each in details] == ["form-3", "form-2", "form-1"]

        def seen() -> list[int]:
            return [len(api.get(f"/leads/{lead['id']}/signals").json()["data"]) for lead in leads]

        wait_for(lambda: seen() == [1] * 7)
        time.sleep(5)  # two more polls
        assert seen() == [1] * 7
        assert httpx.post(base + "/webhook/new-lead", json={"id": "form-4"}, timeout=30).status_code == 500
