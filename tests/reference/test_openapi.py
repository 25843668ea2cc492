"""The OpenAPI document is complete and well-formed:
a validator, a linter, and what a reader expects to find.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.api.test_added_route import ECHO, ID, soon
from tests.support.database import Database, Organization, make_organization
from tests.support.process import Server

REDOCLY = "@redocly/cli@2.77.0"
PROBLEM = "application/problem+json"

Document = dict[str, Any]


@pytest.fixture(scope="module")
def document(server: Server) -> Document:
    """The OpenAPI document."""
    body: Document = httpx.get(server.base + "/openapi.json", verify=False).json()
    return body


@pytest.fixture(scope="module")
def operations(document: Document) -> dict[tuple[str, str], Document]:
    """Each operation, by method and path."""
    return {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def resolved(document: Document, response: Document) -> Document:
    """The response, or the shared one that it refers to."""
    if "$ref" not in response:
        return response
    shared: Document = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    return shared


def test_it_is_openapi_3_1(document: Document) -> None:
    assert document["openapi"] == "3.1.0"
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


@pytest.mark.skipif(shutil.which("npx") is None, reason=f"The linter {REDOCLY} needs npx.")
def test_redocly_finds_nothing(document: Document, tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    # The first rule does not look into allOf. The second one knows no precedence: a fixed segment
    # precedes a parameter (test_routes.py), so /leads/by-reference/{reference} is not ambiguous.
    (tmp_path / "redocly.yaml").write_text(
        "extends: [recommended-strict]\n"
        "rules: {no-required-schema-properties-undefined: off, no-ambiguous-paths: off}\n"
    )
    process = subprocess.run(
        ["npx", "--yes", REDOCLY, "lint", "--config", "redocly.yaml", "--format", "stylish", "openapi.json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if "npm error code E" in process.stdout:
        pytest.skip(f"npm can't get the linter, {REDOCLY}: {process.stdout.strip().splitlines()[-1]}")
    assert process.returncode == 0, process.stdout
    assert "valid" in process.stdout


def schemas(value: Any) -> Iterator[Document]:
    """Each schema with its examples; those of a parameter or a body are beside its schema."""
    if isinstance(value, list):
        for inner in value:
            yield from schemas(inner)
    elif isinstance(value, dict):
        schema = value.get("schema", value)
        examples = (
            [example["value"] for example in value["examples"].values()]
            if isinstance(value.get("examples"), dict)
            else []
        )
        examples += value["examples"] if isinstance(value.get("examples"), list) else []
        examples += [value["example"]] if "example" in value else []
        if examples and isinstance(schema, dict):
            yield {"schema": schema, "examples": examples}
        for name, inner in value.items():
            if name not in ("example", "examples"):
                yield from schemas(inner)


def test_each_example_matches_its_schema(document: Document) -> None:
    checked = 0
    for found in schemas(document):
        validator = Draft202012Validator(
            {**found["schema"], "components": document["components"]},
            format_checker=Draft202012Validator.FORMAT_CHECKER,
        )
        for example in found["examples"]:
            assert [error.message for error in validator.iter_errors(example)] == [], example
            checked += 1
    assert checked > 80


def test_everything_has_a_description(document: Document, operations: dict[tuple[str, str], Document]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for key, operation in operations.items():
        assert operation["summary"], key
        assert operation["description"], key
        assert set(operation["tags"]) <= tags, key
        assert all(parameter["description"] for parameter in operation.get("parameters", ())), key
        assert all(resolved(document, answer)["description"] for answer in operation["responses"].values()), key
    ids = [operation["operationId"] for operation in operations.values()]
    assert len(set(ids)) == len(ids)
    for name, schema in document["components"]["schemas"].items():
        assert schema["description"], name
        for field, value in schema.get("properties", {}).items():
            assert value.get("description"), (name, field)
    for header in document["components"]["headers"].values():
        assert header["description"]


def test_every_route_has_every_error_that_it_can_return(
    database: Database, document: Document, operations: dict[tuple[str, str], Document]
) -> None:
    routes = database.sql(
        "select r.method, r.path, r.scope, o.problems from api.route as r join api.operation as o using (function)"
    )
    assert {(route["method"], route["path"]) for route in routes} == set(operations)
    statuses = {row["code"]: row["status"] for row in database.sql("select distinct code, status from api.problem")}
    for route in routes:
        expected = {*route["problems"], "unauthorized", "insufficient_scope", "rate_limited", "internal", "unavailable"}
        expected |= {"invalid_parameter"}
        operation = operations[route["method"], route["path"]]
        parameters = {parameter["name"] for parameter in operation.get("parameters", ())}
        if "{" in route["path"]:
            expected |= {"not_found"}
        if "requestBody" in operation:
            expected |= {"invalid_body", "validation_failed", "payload_too_large", "unsupported_media_type"}
        if "If-Match" in parameters:
            expected |= {"precondition_failed"}
        if "Idempotency-Key" in parameters:
            expected |= {"idempotency_key_reused", "idempotency_in_progress"}
            # An answer that shows a secret is not kept, and so never erased.
            expected |= set() if "secret_already_shown" in expected else {"erased"}
        expected |= {"outcome_unknown"} if route["method"] != "GET" else {"invalid_position"}
        told = {
            (code, int(status), example["value"]["code"], example["value"]["status"])
            for status, response in operation["responses"].items()
            for code, example in resolved(document, response)
            .get("content", {})
            .get(PROBLEM, {})
            .get("examples", {})
            .items()
        }
        assert told == {(code, statuses[code], code, statuses[code]) for code in expected}


def test_the_document_follows_the_route_table(
    database: Database, server: Server, new_organization: Callable[..., Organization]
) -> None:
    path = "/things/{id}/told"

    def told() -> Document | None:
        found: Document = httpx.get(server.base + "/openapi.json", verify=False).json()["paths"]
        item: Document | None = found.get(path)
        return item

    tag = httpx.get(server.base + "/openapi.json", verify=False).headers["etag"]
    with database.connect() as connection:
        connection.execute(ECHO.encode())
        connection.execute(
            "comment on function api.echo(uuid, integer, boolean, api.any_of, timestamptz) is 'Echo it.'"
        )
        connection.execute("insert into api.route values ('GET', %s, 'api.echo', 'read')", [path])
        connection.execute("notify leads_routes")
        soon(lambda: told() is not None)
        operation = (told() or {})["get"]
        assert (operation["summary"], operation["tags"]) == ("Echo it", ["Other"])
        assert {p["name"]: (p["in"], p["schema"]["type"]) for p in operation["parameters"] if p["name"] != "at"} == {
            "id": ("path", "string"),
            "size": ("query", "integer"),
            "is_new": ("query", "boolean"),
            "tags": ("query", "array"),
            "Leads-Position": ("header", "string"),
        }
        changed = httpx.get(server.base + "/openapi.json", headers={"If-None-Match": tag}, verify=False)
        assert (changed.status_code, changed.headers["etag"] != tag) == (200, True)
        assert [error.message for error in OpenAPIV31SpecValidator(changed.json()).iter_errors()] == []
        with server.client(new_organization().keys["read"]) as client:
            assert client.get(path.replace("{id}", ID)).status_code == 200
        connection.execute("delete from api.route where path = %s", [path])
        connection.execute("notify leads_routes")
        soon(lambda: told() is None)
        connection.execute("drop function api.echo")
    assert httpx.get(server.base + "/openapi.json", verify=False).headers["etag"] == tag


def test_the_document_has_an_etag(server: Server) -> None:
    with httpx.Client(base_url=server.base, verify=False) as client:
        first = client.get("/openapi.json")
        assert (first.status_code, first.headers["content-type"]) == (200, "application/json")
        again = client.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
        assert client.get("/openapi.json", headers={"If-None-Match": '"other"'}).status_code == 200


def test_if_the_document_cannot_be_made_the_old_one_stays_and_the_api_works(
    new_database: Callable[..., Database], new_server: Callable[..., Server]
) -> None:
    database = new_database()
    key = make_organization(database).keys["read"]
    server = new_server(database)
    old = httpx.get(server.base + "/openapi.json", verify=False)
    with database.connect() as connection:
        connection.execute("revoke execute on function api.openapi() from leads_api")
        connection.execute("notify leads_routes")
    soon(
        lambda: any("The reference stays as it was" in line["message"] for line in server.lines() if "message" in line)
    )
    assert httpx.get(server.base + "/openapi.json", verify=False).content == old.content
    # A server that starts now has no document.
    late = new_server(database)
    for path in ("/openapi.json", "/docs", "/docs.md", "/llms.txt"):
        refused = httpx.get(late.base + path, verify=False)
        assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (
            503,
            "unavailable",
            "10",
        )
    with late.client(key) as client:
        assert client.get("/leads").status_code == 200
    with database.connect() as connection:
        connection.execute("grant execute on function api.openapi() to leads_api")
        connection.execute("notify leads_routes")
    soon(lambda: httpx.get(late.base + "/openapi.json", verify=False).content == old.content)


def test_an_operation_that_shows_a_secret_says_so(document: Document) -> None:
    """In the text of Idempotency-Key, and with an example of the secret."""
    showing = set()
    for path in document["paths"].values():
        for operation in path.values():
            texts = [
                each["description"] for each in operation.get("parameters", ()) if each["name"] == "Idempotency-Key"
            ]
            if any("secret_already_shown" in text for text in texts):
                showing.add(operation["operationId"])
                (status,) = (status for status in operation["responses"] if status.startswith("2"))
                shown = operation["responses"][status]["content"]["application/json"]["example"]
                assert any(str(shown.get(name)).endswith("…") for name in ("key", "secret", "address"))
    assert showing == {"create_form", "create_key", "create_webhook", "rotate_key", "rotate_webhook_secret"}


def test_a_body_of_optional_members_is_optional(document: Document) -> None:
    optional = {
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
        if not operation.get("requestBody", {"required": True}).get("required", False)
    }
    assert optional == {"create_form", "rotate_key", "rotate_webhook_secret"}


def test_an_example_belongs_to_its_operation(document: Document) -> None:
    def example(method: str, path: str, status: str) -> Any:
        return document["paths"][path][method]["responses"][status]["content"]["application/json"]["example"]

    create = document["paths"]["/leads"]["post"]
    sent = create["requestBody"]["content"]["application/json"]["example"]
    answered = example("post", "/leads", "201")
    assert {name: value for name, value in sent.items() if name in answered}.items() <= answered.items()
    assert sent.keys() - answered.keys() == {"phone", "reference", "details"}
    for media in document["paths"]["/leads/{id}"]["patch"]["requestBody"]["content"].values():
        assert media["example"].items() <= example("patch", "/leads/{id}", "200").items()
    refused = resolved(document, create["responses"]["422"])["content"][PROBLEM]["examples"]["validation_failed"]
    assert [error["field"] in sent for error in refused["value"]["errors"]] == [True]
    assert example("post", "/leads/{id}/push-to-crm", "202")["crm_sync"]["status"] == "pending"
    assert example("get", "/leads", "200")["next_cursor"] is not None
    everything = example("get", "/leads/{id}/everything", "200")
    assert all(everything.values())
    # This operation has no cursor.
    assert example("get", "/crm-connections", "200")["next_cursor"] is None
    assert "Link" not in document["paths"]["/crm-connections"]["get"]["responses"]["200"]["headers"]


def test_shared_responses_are_written_once(document: Document) -> None:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for status, response in operation["responses"].items():
                assert (int(status) >= 400) is ("$ref" in response), (method, path, status)
    texts = [json.dumps(response, sort_keys=True) for response in document["components"]["responses"].values()]
    assert len(set(texts)) == len(texts)
    operations = sum(len(item) for item in document["paths"].values())
    assert len(json.dumps(document)) < 7_200 * operations


def test_fixed_words_are_enums(document: Document, database: Database) -> None:
    schemas = document["components"]["schemas"]
    codes = {row["code"] for row in database.sql("select code from api.problem")}
    assert set(schemas["ProblemCode"]["enum"]) == codes
    listed = {
        (name, field)
        for name, schema in schemas.items()
        for field, value in schema.get("properties", {}).items()
        if "enum" in value or "enum" in value.get("items", {})
    }
    assert listed == {
        ("AuditEvent", "source"),
        ("Form", "on_duplicate"),
        ("Form", "state"),
        ("FormInput", "on_duplicate"),
        ("FormInput", "preset"),
        ("FormSubmission", "outcome"),
        ("ChainFault", "code"),
        ("CrmAttempt", "outcome"),
        ("CrmConnection", "state"),
        ("BulkResult", "status"),
        ("CrmPush", "status"),
        ("CrmSync", "status"),
        ("Health", "environment"),
        ("Health", "scopes"),
        ("Health", "status"),
        ("Key", "environment"),
        ("Key", "scope"),
        ("Key", "state"),
        ("KeyInput", "scope"),
        ("LeadCopy", "status"),
        ("LeadErasure", "status"),
        ("Organization", "environment"),
        ("Score", "kind"),
        ("Score", "model"),
        ("NewWebhookInput", "include"),
        ("Webhook", "disabled_reason"),
        ("Webhook", "include"),
        ("Webhook", "state"),
        ("WebhookDelivery", "state"),
        ("WebhookInput", "include"),
        ("WebhookInput", "state"),
    }
