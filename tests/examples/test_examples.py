"""The Postman collection in docs/examples has each operation of the API once, and passes in newman.

make test-examples installs the npm packages that package-lock.json lists.
Without them, newman does not run.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.settings import ROOT
from tests.support.database import Database, Organization
from tests.support.process import Server
from tests.support.pushing import working

COLLECTION = ROOT / "docs" / "examples" / "leads.postman_collection.json"
MODULES = Path(__file__).parent / "node_modules"
ADDRESS = "http://127.0.0.1:8000/api/v1"
FORMAT = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
"""By this address, Postman recognizes the format of a collection. Nothing loads it."""

installed = pytest.mark.skipif(
    not MODULES.is_dir(), reason="The packages of the examples are not installed: make test-examples."
)


def load() -> Any:
    return json.loads(COLLECTION.read_text(encoding="utf-8"))


def requests(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The requests of a collection, in their order."""
    for item in items:
        if "item" in item:
            yield from requests(item["item"])
        else:
            yield item


def test_the_collection_has_each_operation_once(server: Server) -> None:
    paths = httpx.get(server.base + "/openapi.json", verify=False).json()["paths"]
    operations = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
    made = [item["request"] for item in requests(load()["item"])]
    sent = [f"{request['method']} /{'/'.join(request['url']['path'])}" for request in made]
    assert sorted(re.sub(r"\{\{\w+\}\}", "{}", each) for each in sent) == sorted(
        re.sub(r"\{\w+\}", "{}", each) for each in operations
    )
    assert len(operations) >= 24


def test_each_request_of_the_collection_is_well_formed_and_tested() -> None:
    collection = load()
    assert collection["info"]["schema"] == FORMAT
    variables = {variable["key"]: variable["value"] for variable in collection["variable"]}
    assert set(re.findall(r"\{\{(\w+)\}\}", COLLECTION.read_text())) <= set(variables)
    assert {name: value for name, value in variables.items() if value} == {"baseUrl": ADDRESS}
    for item in requests(collection["item"]):
        url = item["request"]["url"]
        query = "&".join(f"{each['key']}={each['value']}" for each in url.get("query", []))
        assert url["raw"] == "/".join([*url["host"], *url["path"]]) + (f"?{query}" if query else "")
        if "body" in item["request"]:
            assert isinstance(json.loads(item["request"]["body"]["raw"]), dict | list)
        scripts = ["\n".join(event["script"]["exec"]) for event in item["event"] if event["listen"] == "test"]
        assert len(scripts) == 1
        assert "have.status(" in scripts[0]


def test_the_collection_has_no_secret_and_no_other_host() -> None:
    text = COLLECTION.read_text(encoding="utf-8")
    assert sorted(re.findall(r"\w+://[^\"]*", text)) == [ADDRESS, FORMAT]
    assert "lk_" not in text
    assert set(re.findall(r"@([\w.]+)", text)) == {"example.com"}


def newman(server: Server, key: str) -> int:
    """Runs the collection as docs/examples/README.md says, and returns the number of requests."""
    program = str(MODULES / ".bin" / "newman")
    variables = ("--env-var", f"baseUrl={server.base}/api/v1", "--env-var", f"key={key}")
    process = subprocess.run(
        [program, "run", str(COLLECTION), *variables, "--color", "off"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    assert process.returncode == 0, process.stdout
    counted = re.search(r"│ +requests │ +(\d+) │ +0 │", process.stdout)
    assert counted is not None
    return int(counted[1])


@installed
def test_the_collection_passes_in_newman_twice(
    server: Server, database: Database, acme: Organization, tmp_path: Path
) -> None:
    settings = json.dumps({"record_type_name": "Customer", "status_name": "Lead"})
    database.sql("select admin.connect_crm(%s, 'jobnimbus', 'demo', %s)", acme.id, settings, login="leads_operator")
    with working(database, tmp_path):
        for _ in range(2):
            assert newman(server, acme.keys["admin"]) == len(list(requests(load()["item"])))


@installed
def test_the_collection_passes_without_a_crm(server: Server, new_organization: Callable[..., Organization]) -> None:
    assert newman(server, new_organization().keys["admin"]) == len(list(requests(load()["item"])))


@installed
def test_the_collection_fails_with_a_key_that_is_too_weak(server: Server, acme: Organization) -> None:
    with pytest.raises(AssertionError, match="The key has the scope admin"):
        newman(server, acme.keys["write"])
