"""``leads webhooks``, and what ``leads doctor`` says about webhooks."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from app import sealing
from tests.support.database import WORKER_KEY, Database, Organization, announce_worker_key
from tests.support.process import Leads, leads_here, mistake, printed
from tests.support.webhooks import queue

URL = "https://hooks.example.com/leads"


@pytest.fixture(scope="module")
def leads(database: Database) -> Leads:
    return leads_here(database)


@pytest.fixture
def organization(new_organization: Callable[..., Organization]) -> Organization:
    return new_organization(environment="live")


def listed(leads: Leads, organization: Organization) -> list[dict[str, Any]]:
    webhooks: list[dict[str, Any]] = json.loads(
        printed(leads("webhooks", "list", "--organization", organization.id, "--json"))
    )
    return webhooks


def create(leads: Leads, organization: Organization, *options: str) -> dict[str, Any]:
    webhook: dict[str, Any] = json.loads(
        printed(leads("webhooks", "create", URL, "--organization", organization.id, "--json", *options))
    )
    return webhook


def test_a_webhook_is_created_changed_and_deleted(leads: Leads, organization: Organization, database: Database) -> None:
    secret = printed(leads("webhooks", "create", URL, "--organization", organization.id))
    [webhook] = listed(leads, organization)
    id = webhook["id"]
    assert (webhook["url"], webhook["actions"], webhook["include"], webhook["secret"]) == (URL, None, "ids", None)
    [row] = database.sql("select secret from webhook.endpoint where id = %s", id)
    assert sealing.open(row["secret"], sealing.private_key_of(WORKER_KEY)) == secret

    options = ("--name", "Warehouse", "--action", "lead.created", "--action", "lead.erased", "--include", "values")
    assert printed(leads("webhooks", "set", id, *options)) == f"The webhook {id} is changed."
    [webhook] = listed(leads, organization)
    assert (webhook["name"], webhook["actions"], webhook["include"]) == (
        "Warehouse",
        ["lead.created", "lead.erased"],
        "values",
    )
    printed(leads("webhooks", "set", id, "--name", "", "--all-actions", "--state", "disabled"))
    [webhook] = listed(leads, organization)
    assert (webhook["name"], webhook["actions"], webhook["disabled_reason"]) == (None, None, "request")
    printed(leads("webhooks", "set", id, "--state", "enabled", "--skip-missed"))
    rotated = json.loads(printed(leads("webhooks", "rotate-secret", id, "--overlap", "0h", "--json")))
    assert rotated["secret"] not in (secret, None)
    assert rotated["previous_secret_expires_at"] is None
    assert "0 to 168 hours" in mistake(leads("webhooks", "rotate-secret", id, "--overlap", "8d"))
    assert "hooks.example.com" in printed(leads("webhooks", "list"))
    assert printed(leads("webhooks", "delete", id)) == f"The webhook {id} is deleted."
    assert listed(leads, organization) == []


def test_deliveries_are_listed_repeated_and_tested(
    leads: Leads, organization: Organization, database: Database
) -> None:
    id = create(leads, organization, "--action", "lead.created")["id"]
    database.sql("insert into app.lead (organization_id, email) values (%s, 'a@example.com')", organization.id)
    queue(database)
    [delivery] = json.loads(printed(leads("webhooks", "deliveries", id, "--json")))
    assert (delivery["action"], delivery["state"], delivery["attempts"]) == ("lead.created", "pending", 0)
    assert "lead.created" in printed(leads("webhooks", "deliveries", id))
    assert json.loads(printed(leads("webhooks", "deliveries", id, "--state", "failed", "--json"))) == []
    text = printed(leads("webhooks", "redeliver", id, delivery["id"]))
    assert text == f"The delivery {delivery['id']} is pending."
    test = json.loads(printed(leads("webhooks", "test", id, "--json")))
    assert (test["action"], test["state"]) == ("webhook.test", "pending")
    assert "has no delivery" in mistake(leads("webhooks", "redeliver", id, id))
    printed(leads("webhooks", "set", id, "--state", "disabled"))
    assert "is disabled" in mistake(leads("webhooks", "test", id))


def test_mistakes_say_what_is_wrong(leads: Leads, organization: Organization) -> None:
    at = ("--organization", organization.id)
    text = mistake(leads("webhooks", "create", "http://example.com", *at, "--action", "lead.exploded"))
    assert "url: This must be an https address." in text
    assert "actions[0]: The audit log has no such action." in text
    id = create(leads, organization)["id"]
    assert "leads webhooks set --help" in mistake(leads("webhooks", "set", id))
    assert "not both" in mistake(leads("webhooks", "set", id, "--action", "lead.created", "--all-actions"))
    assert "10.0.0.1" not in mistake(leads("webhooks", "set", id, "--url", "https://10.0.0.1"))
    for command in ("set", "delete", "rotate-secret"):
        options = ("--state", "enabled") if command == "set" else ()
        text = mistake(leads("webhooks", command, organization.id, *options))
        assert text == f"There is no webhook {organization.id}. To list the webhooks, run: leads webhooks list"
    for _ in range(19):
        create(leads, organization)
    assert "has 20 webhooks" in mistake(leads("webhooks", "create", URL, *at))


def test_a_secret_needs_the_key_of_a_worker(leads: Leads, organization: Organization, database: Database) -> None:
    webhook = create(leads, organization)
    database.sql("delete from webhook.sealing_key")
    for command in (("create", URL, "--organization", organization.id), ("rotate-secret", webhook["id"])):
        assert mistake(leads("webhooks", *command)).endswith("Start one with: leads worker")
    assert len(listed(leads, organization)) == 1
    announce_worker_key(database.url("leads_worker"))


def test_the_doctor_reports_webhooks_that_send_nothing(
    leads: Leads, organization: Organization, database: Database
) -> None:
    lost, failing, gone, stopped = (create(leads, organization)["id"] for _ in range(4))
    database.sql("update webhook.endpoint set secret_key = 'lost' where id = %s", lost)
    for id, reason in ((failing, "failing"), (gone, "gone"), (stopped, "request")):
        database.sql(
            "update webhook.endpoint set state = 'disabled', disabled_reason = %s, disabled_at = now() where id = %s",
            reason,
            id,
        )
    rows = database.sql("select * from admin.webhook_findings() where subject ~ %s", organization.id)
    found = {row["subject"].split()[1]: row for row in rows}
    assert set(found) == {lost, failing, gone}
    assert 'key "lost", which no worker has' in found[lost]["finding"]
    assert f"leads webhooks rotate-secret {lost} --overlap 0h" in found[lost]["remedy"]
    assert "for 3 days" in found[failing]["finding"]
    assert "answered with 410" in found[gone]["finding"]
    assert f"leads webhooks set {gone} --state enabled" in found[gone]["remedy"]
    # The remedies work.
    printed(leads("webhooks", "rotate-secret", lost, "--overlap", "0h"))
    for id in (failing, gone):
        printed(leads("webhooks", "set", id, "--state", "enabled"))
    assert database.sql("select * from admin.webhook_findings() where subject ~ %s", organization.id) == []
