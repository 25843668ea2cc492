"""One delivery: it posts an event to a webhook's address, with signatures (Standard Webhooks 1.0.0),
and returns the outcome.

Nothing here waits, retries or keeps state. webhook.settle_delivery decides by the outcome what comes
next. No message has text from a response, which may repeat a person's values, or an address that a
name resolves to, because the organization's admins read it.
"""

import math
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import httpx
from standardwebhooks import Webhook

from app.worker.calls import Calls
from app.worker.guard import NotPublic
from app.worker.vault import Vault, VaultError
from app.worker.vendors import CallFailed, Sent

SECONDS = 10.0
"""Seconds that an attempt may take, counted from before it was leased. Less than its lease of 15:
no attempt sends anything when another worker may have sent the lead's next event.
"""

_BODY = 1 << 14  # bytes of a response that are read, so that the receiver can send it. The status decides.
_GONE = 410
_LONGEST_WAIT = 86_400  # seconds
_MESSAGE = 500  # characters


@dataclass(frozen=True)
class Delivery:
    """An attempt of a delivery that this worker has leased."""

    organization_id: UUID
    endpoint_id: UUID
    delivery_id: UUID
    attempt: int
    """The attempt's number. An attempt whose lease has passed to another worker has an older
    number.
    """
    url: str = field(repr=False)
    message_id: str
    body: str = field(repr=False)
    secrets: tuple[tuple[bytes, str], ...] = field(repr=False)
    """The sealed signing secrets that are valid now, the current one first, each with its key's id."""
    trace_id: str | None
    """The trace of the request that the event is about. None: it is not known."""
    deadline: float
    """The time of the event loop by which the attempt must end."""


@dataclass(frozen=True)
class Result:
    """The outcome of an attempt, in the words of webhook.settle_delivery."""

    outcome: str
    http_status: int | None = None
    message: str | None = None
    retry_after: int | None = None
    """Seconds."""


async def deliver(client: httpx.AsyncClient, vault: Vault, delivery: Delivery) -> Result:
    """Posts the event. Only a response with a status of 2xx is a success: a redirect isn't followed."""
    open = partial(vault.open, organization_id=delivery.organization_id, endpoint_id=delivery.endpoint_id)
    (current, key_id), *previous = delivery.secrets
    try:
        secrets = [open(current, key_id=key_id)]
    except VaultError as error:
        return Result("failed", message=str(error))
    for secret, key_id in previous:
        with suppress(VaultError):  # the loss of its key may be why there is another secret now
            secrets.append(open(secret, key_id=key_id))
    now = datetime.now(UTC)

    async def in_time(_: Sent | None) -> float:
        return delivery.deadline

    # The address stands for the credential, because it may contain one: it is never part of a message.
    calls = Calls("The receiver", delivery.url, delivery.url, {}, client, in_time, max_body=_BODY, may_cut=True)
    try:
        answer = await calls.request(
            "POST",
            "",
            content=delivery.body.encode(),
            headers={
                "content-type": "application/json",
                "webhook-id": delivery.message_id,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": " ".join(
                    Webhook(secret).sign(delivery.message_id, now, delivery.body) for secret in secrets
                ),
            },
        )
    except NotPublic:
        return Result("failed", message="The host of the webhook's address isn't at a public address")
    except CallFailed as error:
        wait = None if error.retry_after is None else min(math.ceil(error.retry_after), _LONGEST_WAIT)
        return _failed(error.status, str(error), wait)
    return Result("delivered", answer.status) if answer.status < 400 else _failed(answer.status, "", None)


def _failed(status: int | None, message: str, retry_after: int | None) -> Result:
    if status is None:
        return Result("failed", None, message[:_MESSAGE], retry_after)
    # Some servers answer with numbers that are no status, which the database doesn't keep.
    known = status if status < 600 else None
    redirect = " with a redirect, which isn't followed" if 300 <= status < 400 else ""
    message = f"The receiver answered {status}{redirect}"
    return Result("gone" if status == _GONE else "failed", known, message, retry_after)
