"""The server does what the OpenAPI document says: it accepts, rejects and answers as described.

PROOF_CASES: the number of random requests, new ones in each run (`make fuzz`).
PROOF_SEED repeats those of a seed.
"""

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.cli.demo import seed
from tests.support.database import Database, make_key
from tests.support.process import Server
from tests.support.proving import prove
from tests.support.pushing import working

CASES = int(os.environ.get("PROOF_CASES", "0"))
SEED = int(os.environ.get("PROOF_SEED") or (random.randrange(2**32) if CASES else 1))

Document = dict[str, Any]


@pytest.fixture(scope="module")
def client(server: Server, database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client with all scopes, of an organization with leads, signals, scores,
    pushes and a sealed log.
    """
    with server.client(seed(database.url("leads_migrator"))) as writer:
        organization = writer.get("/health").json()["organization_id"]
    # The reference says what some organizations accept.
    database.sql("select admin.set_organization(%s, true)", organization, login="leads_operator")
    key = make_key(database, organization, "admin")
    with working(database, tmp_path_factory.mktemp("worker")), server.client(key) as client:
        for lead in client.get("/leads?limit=8").json()["data"]:
            assert client.post(f"/leads/{lead['id']}/score").status_code == 200
            assert client.post(f"/leads/{lead['id']}/push-to-crm").status_code == 200
        yield client


@pytest.fixture(scope="module")
def document(server: Server) -> Document:
    """The OpenAPI document."""
    found: Document = httpx.get(server.base + "/openapi.json").json()
    return found


def operations(document: Document) -> dict[str, Document]:
    """Each operation by its method and path."""
    return {f"{method.upper()} {path}": o for path, item in document["paths"].items() for method, o in item.items()}


def test_the_server_does_what_the_document_says(client: httpx.Client, document: Document, tmp_path: Path) -> None:
    every = operations(document)
    examples = -(-CASES // len(every)) if CASES else 50
    cases, run = 0, 0
    while run == 0 or cases < CASES:
        # The number of requests depends on the seed: operations without parameters have few,
        # and chains of links differ in length.
        folder = tmp_path / f"proof{run}"
        proof = prove(folder, client, json.dumps(document).encode(), examples=examples, seed=SEED + run)
        assert proof.found == set(), proof.output
        assert {name: phase["status"] for name, phase in proof.report["phases"].items()} == dict.fromkeys(
            ("examples", "coverage", "fuzzing", "stateful"), "success"
        ), proof.output
        assert proof.report["operations"]["tested"] == len(every)
        # If most responses were 404, the test would prove little.
        shares = {operation: proof.share(operation) for operation in every}
        low = {operation: share for operation, share in shares.items() if share <= 0.5}
        assert low == {}, proof.report["valid_rates"][next(iter(low))]
        assert proof.cases > 0
        cases, run = cases + proof.cases, run + 1


def without_field(document: Document) -> None:
    del document["components"]["schemas"]["LeadItem"]["properties"]["company"]
    document["components"]["schemas"]["LeadItem"]["required"].remove("company")


def with_field_of_another_type(document: Document) -> None:
    document["components"]["schemas"]["LeadItem"]["properties"]["lead_score"]["type"] = "string"


def with_field_that_never_comes(document: Document) -> None:
    document["components"]["schemas"]["Lead"]["properties"]["phone"] = {"type": "string"}
    document["components"]["schemas"]["Lead"]["required"].append("phone")


def without_word(document: Document) -> None:
    document["components"]["schemas"]["AuditEvent"]["properties"]["source"]["enum"].remove("system")
    document["components"]["schemas"]["AuditEvent"]["properties"]["source"]["enum"].remove("api")


def without_status(document: Document) -> None:
    del document["paths"]["/leads/{id}"]["get"]["responses"]["404"]


def with_other_media_type(document: Document) -> None:
    name = document["paths"]["/leads"]["get"]["responses"]["400"]["$ref"].rpartition("/")[2]
    content = document["components"]["responses"][name]["content"]
    content["application/json"] = content.pop("application/problem+json")


def with_longer_text(document: Document) -> None:
    document["components"]["schemas"]["NewLeadInput"]["properties"]["industry"]["maxLength"] += 1


def with_shorter_texts(document: Document) -> None:
    for schema in document["components"]["schemas"]["LeadInput"]["properties"].values():
        if "maxLength" in schema:
            schema["maxLength"] //= 4


def parameter(document: Document, path: str, name: str) -> Document:
    (item,) = (p for p in document["paths"][path]["get"]["parameters"] if p["name"] == name)
    schema: Document = item["schema"]
    return schema


def with_higher_bound(document: Document) -> None:
    parameter(document, "/leads", "limit")["maximum"] = 10_000


def with_lower_bound(document: Document) -> None:
    parameter(document, "/leads", "limit")["maximum"] -= 1


def without_rule(document: Document) -> None:
    schemas = document["components"]["schemas"]
    schemas["CreateLeadBody"] = schemas["CreateLeadBody"]["allOf"][0]


def with_optional_type(document: Document) -> None:
    """The document says that a signal needs no type."""
    del document["components"]["schemas"]["SignalInput"]["required"]


def with_other_code(document: Document) -> None:
    """The keywords beside $ref apply too."""
    content = document["components"]["responses"]["NotFound"]["content"]["application/problem+json"]
    content["schema"]["properties"]["code"]["enum"] = ["gone"]


def with_other_change(document: Document) -> None:
    document["components"]["schemas"]["FieldChange"]["properties"]["from"]["type"] = "boolean"


def with_public_operation(document: Document) -> None:
    """The document does not say that a key is needed."""
    del document["paths"]["/health"]["get"]["responses"]["401"]


@pytest.mark.parametrize(
    ("fault", "operation", "kind"),
    [
        (without_field, "list_leads", "JsonSchemaError"),
        (with_field_of_another_type, "list_leads", "JsonSchemaError"),
        (with_field_that_never_comes, "get_lead", "JsonSchemaError"),
        (without_word, "list_audit_events", "JsonSchemaError"),
        (without_status, "get_lead", "UndefinedStatusCode"),
        (with_other_media_type, "list_leads", "UndefinedContentType"),
        (with_longer_text, "create_lead", "RejectedPositiveData"),
        (with_shorter_texts, "update_lead", "AcceptedNegativeData"),
        (with_higher_bound, "list_leads", "RejectedPositiveData"),
        (with_lower_bound, "list_leads", "AcceptedNegativeData"),
        (without_rule, "create_lead", "RejectedPositiveData"),
        (with_optional_type, "create_signals", "RejectedPositiveData"),
        (with_other_code, "get_lead", "JsonSchemaError"),
        (with_other_change, "list_audit_events", "JsonSchemaError"),
        (with_public_operation, "get_health", "UndefinedStatusCode"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_wrong_document_is_detected(
    client: httpx.Client,
    document: Document,
    tmp_path: Path,
    fault: Callable[[Document], None],
    operation: str,
    kind: str,
) -> None:
    broken = json.loads(json.dumps(document))
    fault(broken)
    proof = prove(
        tmp_path,
        client,
        json.dumps(broken).encode(),
        examples=20,
        seed=1,
        phases=("coverage", "fuzzing"),
        operations=[operation],
    )
    assert kind in proof.found, proof.output
