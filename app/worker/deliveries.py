"""The deliveries to webhooks that this worker has leased: it makes each attempt, and reports its outcome."""

import time
from typing import TYPE_CHECKING

import httpx

from app import log
from app.worker.delivery import Delivery, Result, deliver
from app.worker.leasing import report, settled
from app.worker.totals import Totals
from app.worker.vault import Vault
from app.worker.webhook_queue import WebhookQueue

if TYPE_CHECKING:
    from app.spans import Spans

AT_ONCE = 64
"""Deliveries of one worker that run at once. webhook.lease_deliveries leases fewer of one organization."""


class Deliveries:
    """Makes deliveries."""

    def __init__(
        self, queue: WebhookQueue, vault: Vault, client: httpx.AsyncClient, totals: Totals, spans: "Spans | None"
    ) -> None:
        self._queue = queue
        self._vault = vault
        self._http = client
        self._totals = totals
        self._spans = spans

    async def work(self, delivery: Delivery) -> None:
        """Makes the attempt. It does not raise."""
        started = time.time_ns()
        result = await self._deliver(delivery)
        try:
            state = await settled(lambda: self._queue.settle(delivery, result)) or "lost"
            self._totals.deliveries[result.outcome, state] += 1
            self._report(delivery, started, result, state)
        except Exception as error:
            # The lease expires, and the next attempt sends the event, perhaps a second time.
            log.failure("The outcome of the delivery can't be kept.", error, **_about(delivery))

    async def _deliver(self, delivery: Delivery) -> Result:
        try:
            return await deliver(self._http, self._vault, delivery)
        except Exception as error:
            # A bug, or an address that the client does not expect. It counts as a failure, so that the
            # next attempt comes after a pause.
            log.failure("The delivery failed.", error, **_about(delivery))
            return Result("failed", message=f"The event can't be sent ({type(error).__name__})")

    def _report(self, delivery: Delivery, started: int, result: Result, state: str) -> None:
        status = {} if result.http_status is None else {"status": result.http_status}
        reason = {} if result.message is None else {"reason": result.message}
        members = {**_about(delivery), "outcome": result.outcome, **status, **reason, "delivery": state}
        attributes = {"organization_id": delivery.organization_id, **_about(delivery), "outcome": result.outcome}
        report(self._spans, "deliver webhook", started, delivery.trace_id, members, attributes)


def _about(delivery: Delivery) -> dict[str, object]:
    return {
        "endpoint_id": delivery.endpoint_id,
        "delivery_id": delivery.delivery_id,
        "attempt": delivery.attempt,
    }
