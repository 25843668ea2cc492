"""From a request to a receiver: a webhook is created through the API, a lead changes, and the message verifies."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook

from tests.api.test_metrics import scrape, url_in, value
from tests.support import hooks
from tests.support.database import WORKER_KEY, Database, make_organization
from tests.support.hooks import Hooks
from tests.support.process import Server, logged
from tests.support.pushing import Worker, wait_for, working
from tests.support.receiver import Receiver as SpanReceiver
from tests.support.receiver import attributes
from tests.support.receiver import receiver as spans  # noqa: F401

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
KEY = base64.b64encode(WORKER_KEY).decode()


@pytest.fixture
def receiver() -> Iterator[Hooks]:
    with hooks.receiving() as running:
        yield running


def lines(worker: Worker) -> list[dict[str, Any]]:
    return [line for line in logged(worker.log) if "delivery_id" in line]


def test_a_change_of_a_lead_reaches_the_receiver_with_a_valid_signature(
    database: Database,
    server: Server,
    receiver: Hooks,
    spans: SpanReceiver,  # noqa: F811
    tmp_path: Path,
) -> None:
    organization = make_organization(database, environment="live")
    environ = {
        "LEADS_CRM_KEY": KEY,
        "LEADS_METRICS": "127.0.0.1:0",
        "OTEL_EXPORTER_OTLP_ENDPOINT": spans.url,
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    url = receiver.url("/hook") + "?token=T0ken"
    with server.client(organization.keys["admin"]) as api, working(database, tmp_path, **environ) as worker:
        created = api.post("/webhooks", json={"url": url, "actions": ["lead.created", "lead.updated"]})
        assert created.status_code == 201, created.text
        webhook, secret = created.json(), created.json()["secret"]
        receiver.secrets["/hook"] = secret

        # By default: the ids, and the names of the fields.
        headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
        lead = api.post("/leads", json={"name": "Jane Doe", "email": "jane@example.com"}, headers=headers).json()["id"]
        (first,) = wait_for(lambda: receiver.messages)
        assert first.body["type"] == "lead.created"
        assert first.body["data"]["lead_id"] == lead
        assert first.body["data"]["organization_id"] == organization.id
        assert b"jane" not in receiver.requests[0].content.lower()
        assert receiver.requests[0].query == {"token": "T0ken"}

        # With values, and in the overlap of two secrets.
        changed = api.patch(f"/webhooks/{webhook['id']}", json={"include": "values"})
        assert changed.status_code == 200, changed.text
        rotated = api.post(f"/webhooks/{webhook['id']}/rotate-secret", json={"overlap_hours": 1})
        assert rotated.status_code == 200, rotated.text
        assert api.patch(f"/leads/{lead}", json={"company": "Doe Roofing"}).status_code == 200
        wait_for(lambda: len(receiver.messages) == 2)
        last = receiver.requests[-1]
        assert b"Doe Roofing" in last.content
        assert receiver.messages[-1].body["data"]["fields"] == ["company"]
        for each in (secret, rotated.json()["secret"]):
            assert Webhook(each).verify(last.content, last.headers) == receiver.messages[-1].body
        assert secret != rotated.json()["secret"]

        # What an operator sees of it.
        wait_for(lambda: len(lines(worker)) == 2)
        metrics = url_in(worker.log)
        wait_for(lambda: value(scrape(metrics), "leads_worker_running_deliveries") == 0)
        delivered = value(scrape(metrics), "leads_worker_deliveries_total", outcome="delivered", state="delivered")
        assert delivered == 2
        span = wait_for(lambda: [span for span in spans.spans() if span.name == "deliver webhook"])[0]
    line, _ = lines(worker)
    assert list(line) == "time level endpoint_id delivery_id attempt outcome status delivery ms trace_id".split()
    assert (line["endpoint_id"], line["outcome"], line["status"]) == (webhook["id"], "delivered", 200)
    assert line["trace_id"] == span.trace_id.hex() == TRACE
    assert attributes(span)["leads.endpoint_id"] == webhook["id"]
    for text in (worker.log.read_text(), b"".join(spans.bodies).decode("latin-1")):
        for hidden in (secret, rotated.json()["secret"], "T0ken", "/hook", "jane@example.com", "Doe Roofing"):
            assert hidden not in text


def test_webhooks_can_be_created_as_soon_as_a_worker_has_announced_its_key(
    database: Database, server: Server, tmp_path: Path
) -> None:
    organization = make_organization(database)
    database.sql("delete from webhook.sealing_key")
    database.sql("notify leads_routes")
    with server.client(organization.keys["admin"]) as api:

        def create() -> httpx.Response:
            return api.post("/webhooks", json={"url": "https://hooks.example.com/leads"})

        wait_for(lambda: create().status_code == 503)
        assert create().json()["code"] == "no_sealing_key"
        with working(database, tmp_path):
            # The announcement notifies the server, which reads the key.
            wait_for(lambda: create().status_code == 201)
