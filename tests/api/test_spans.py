# ruff: noqa: F811 - a fixture, imported by its name
"""Traces reach an OpenTelemetry receiver, with the ids of requests and without their values."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from app.settings import ROOT
from tests.support.database import Database, Organization
from tests.support.process import Server
from tests.support.pushing import wait_for
from tests.support.receiver import Receiver, attributes, receiver  # noqa: F401

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NEVER = "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"


@pytest.fixture(scope="module")
def traced(database: Database, new_server: Callable[..., Server], receiver: Receiver) -> Server:
    return new_server(database, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="50")


@pytest.fixture(scope="module")
def client(traced: Server, acme: Organization) -> Iterator[httpx.Client]:
    with traced.client(acme.keys["admin"]) as client:
        client.get("/health")
        wait_for(lambda: line_of(traced, client.get("/health"))["key_id"])
        yield client


def line_of(server: Server, response: httpx.Response) -> dict[str, Any]:
    id = response.headers["x-request-id"]
    return next(line for line in server.lines() if line.get("request_id") == id and "status" in line)


def test_a_request_and_its_statement_are_spans(
    traced: Server, receiver: Receiver, acme: Organization, client: httpx.Client
) -> None:
    before = time.time_ns()
    response = client.post("/leads", json={"email": "ada@example.com"}, headers={"X-Request-Id": "first"})
    span, (child,) = receiver.of_request(response)
    line = line_of(traced, response)
    assert (span.name, span.kind, span.status.code) == (
        "POST /api/v1/leads",
        Span.SPAN_KIND_SERVER,
        Status.STATUS_CODE_UNSET,
    )
    assert attributes(span) == {
        "http.request.method": "POST",
        "http.route": "/api/v1/leads",
        "http.response.status_code": 201,
        "url.scheme": "http",
        "leads.request_id": "first",
        "leads.organization_id": acme.id,
        "leads.key_id": line["key_id"],
    }
    assert (child.name, child.kind) == ("SELECT api.create_lead", Span.SPAN_KIND_CLIENT)
    assert attributes(child) == {
        "db.system.name": "postgresql",
        "db.operation.name": "SELECT",
        "db.stored_procedure.name": "api.create_lead",
        "db.query.summary": "SELECT api.create_lead",
    }
    assert before <= span.start_time_unix_nano <= child.start_time_unix_nano
    assert child.end_time_unix_nano <= span.end_time_unix_nano <= time.time_ns()
    assert (child.end_time_unix_nano - child.start_time_unix_nano) / 1e6 == pytest.approx(line["db_ms"], abs=0.02)
    # The trace is also in the log, and in the audit row.
    assert child.trace_id == span.trace_id == bytes.fromhex(line["trace_id"])
    events = client.get("/audit-log", params={"lead_id": response.json()["id"]}).json()["data"]
    assert [event["payload"]["trace_id"] for event in events] == [line["trace_id"]]
    assert {resource["service.name"] for resource in receiver.resources()} == {"leads-api"}


def test_the_parent_is_the_callers_span(receiver: Receiver, client: httpx.Client) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": "vendor=1"}
    span, (child,) = receiver.of_request(client.get("/leads", headers=headers))
    assert (span.trace_id.hex(), span.parent_span_id.hex(), span.trace_state) == (TRACE, PARENT, "vendor=1")
    assert child.trace_id.hex() == TRACE
    span, _ = receiver.of_request(client.get("/leads", headers={"traceparent": f"00-{TRACE.upper()}-{PARENT}-01"}))
    assert span.parent_span_id == b""
    assert span.trace_id.hex() != TRACE


def test_a_caller_can_decide_that_a_trace_is_not_sampled(
    traced: Server, receiver: Receiver, client: httpx.Client
) -> None:
    trace = "a" * 32
    response = client.get("/leads", headers={"traceparent": f"00-{trace}-{PARENT}-00"})
    assert line_of(traced, response)["trace_id"] == trace
    receiver.of_request(client.get("/leads"))  # is exported after it
    assert trace not in {span.trace_id.hex() for span in receiver.spans()}


def test_errors_are_in_the_spans(receiver: Receiver, client: httpx.Client, traced: Server) -> None:
    span, _ = receiver.of_request(client.get("/nowhere"))
    assert (span.name, attributes(span)["http.response.status_code"]) == ("GET", 404)
    assert "http.route" not in attributes(span)
    span, (child,) = receiver.of_request(client.post("/leads", json={"lead_score": 101}))
    assert (attributes(span)["http.response.status_code"], span.status.code) == (422, Status.STATUS_CODE_UNSET)
    assert attributes(child)["db.response.status_code"] == "PT422"
    assert "error.type" not in attributes(child)
    # The statement that fails, and the one that lists the errors.
    span, children = receiver.of_request(client.get("/leads?limit=0"))
    assert [attributes(child)["db.stored_procedure.name"] for child in children] == [
        "api.list_leads",
        "api.input_faults",
    ]
    assert (attributes(children[0])["error.type"], children[0].status.code) == ("23514", Status.STATUS_CODE_ERROR)
    assert span.status.code == Status.STATUS_CODE_UNSET
    with traced.client("lk_test_unknown") as unknown:
        span, _ = receiver.of_request(unknown.get("/leads"))
    assert attributes(span)["http.response.status_code"] == 401
    assert not {"leads.organization_id", "leads.key_id"} & set(attributes(span))


def test_a_download_is_one_span_with_its_pages(receiver: Receiver, client: httpx.Client) -> None:
    span, children = receiver.of_request(client.get("/leads/export"))
    assert span.name == "GET /api/v1/leads/export"
    assert {child.name for child in children} == {"SELECT api.export_leads"}


def test_no_span_has_a_key_or_a_value(
    receiver: Receiver, client: httpx.Client, acme: Organization, traced: Server
) -> None:
    secret = "secretvalue"
    form = client.post("/forms", json={"requests_per_minute": 6000}).json()["address"]
    token = form.rpartition("/")[2]
    keys = [acme.keys["admin"], token]
    body = {"name": secret, "email": f"{secret}@example.com"}
    form_response = httpx.post(traced.base + form, json=body)
    assert receiver.of_request(form_response)[0].name == "POST /in/{token}"
    receiver.of_request(client.post("/leads", json=body | {"lead_score": secret}))
    receiver.of_request(client.get(f"/leads?email={secret}@example.com&{secret}=1"))
    receiver.of_request(client.get(f"/leads/{keys[0]}", headers={"X-Request-Id": keys[0], "User-Agent": secret}))
    receiver.of_request(client.put(f"/leads/by-reference/{secret}@example.com", json={"name": secret}))
    name = client.get("/organizations/me").json()["name"]
    digests = [hashlib.sha256(key.encode()).hexdigest() for key in keys]
    digests += [hashlib.sha256(bytes.fromhex(digest)).hexdigest() for digest in digests]
    exported = b"".join(receiver.bodies)
    for private in (*keys, *digests, secret, "example.com", "auth.enter(", name):
        assert private.encode() not in exported


def test_a_receiver_that_is_away_changes_nothing(
    database: Database, new_server: Callable[..., Server], acme: Organization
) -> None:
    server = new_server(
        database,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1?token=hush",
        OTEL_EXPORTER_OTLP_TIMEOUT="1",
        OTEL_BSP_SCHEDULE_DELAY="50",
    )
    with server.client(acme.keys["read"]) as client:
        assert client.get("/leads").status_code == 200
        wait_for(lambda: "OpenTelemetry reports a fault." in server.log.read_text())
        assert client.get("/leads").status_code == 200
    assert all(line.startswith("{") for line in server.log.read_text().splitlines() if "telemetry" in line.lower())
    assert "hush" not in server.log.read_text()


def test_the_last_spans_are_exported_at_the_end(
    database: Database, new_server: Callable[..., Server], acme: Organization, receiver: Receiver
) -> None:
    server = new_server(
        database, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="60000", OTEL_SERVICE_NAME="mine"
    )
    with server.client(acme.keys["read"]) as client:
        client.get("/health", headers={"X-Request-Id": "last"})
    server.process.terminate()
    assert server.process.wait(30) in (0, -15, 143)
    assert "last" in {attributes(span).get("leads.request_id") for span in receiver.spans()}
    assert "mine" in {resource["service.name"] for resource in receiver.resources()}


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"}, ""),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "No traces are exported: OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf. Correct it, or unset it.",
        ),
        (
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"},
            "No traces are exported: OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is set, and the package opentelemetry is "
            "missing. Install leads-api[otel], or unset the variable.",
        ),
    ],
)
def test_nothing_is_imported_without_a_receiver_and_a_missing_package_is_named(
    environ: dict[str, str], message: str
) -> None:
    """Runs in a process in which the packages can't be imported."""
    program = """
import importlib.abc, sys
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from app import tracing
import app.server.application
assert tracing.start("leads-api") is None
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=inherited | environ, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["message"] for line in lines] == ([message] if message else [])
