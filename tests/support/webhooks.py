"""The worker's part of webhooks, without a worker: what it calls in the database."""

from typing import Any

from tests.support.chain import seal
from tests.support.database import Database, Organization


def make_webhook(database: Database, organization: Organization, **settings: Any) -> str:
    """Creates a webhook with an address that answers nothing, and returns its id. Its secret is sealed to a key of the
    organization's own, so that a test does not lease the deliveries of another one.
    """
    columns = {
        "organization_id": organization.id,
        "url": "https://hooks.example.com/",
        "position": 0,
        "secret": b"sealed",
        "secret_key": organization.id,
    } | settings
    places = ", ".join(["%s"] * len(columns))
    rows = database.sql(
        f"insert into webhook.endpoint ({', '.join(columns)}) values ({places}) returning id::text", *columns.values()
    )
    webhook: str = rows[0]["id"]
    return webhook


def queue(database: Database) -> None:
    """Seals all events, and queues their deliveries."""
    seal(database)
    after = None
    while rows := database.sql("select * from webhook.queue_deliveries(%s::uuid, 1000)", after, login="leads_worker"):
        after = rows[0]["organization_id"] if rows[0]["queued"] < 1000 else after


def lease(database: Database, organization: Organization, batch: int = 64) -> list[dict[str, Any]]:
    """Leases deliveries of the organization."""
    statement = "select * from webhook.lease_deliveries(%s, %s)"
    return database.sql(statement, [organization.id], batch, login="leads_worker")


def settle(database: Database, delivery: dict[str, Any], outcome: str, *more: Any) -> str | None:
    """Settles a delivery, and returns its new state."""
    places = ", ".join(["%s"] * (4 + len(more)))
    arguments = (delivery["organization_id"], delivery["delivery_id"], delivery["attempt"], outcome, *more)
    rows = database.sql(f"select webhook.settle_delivery({places}) as state", *arguments, login="leads_worker")
    state: str | None = rows[0]["state"]
    return state
