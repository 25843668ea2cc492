"""The database functions that the worker calls for webhooks."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from psycopg.types.json import Jsonb

from app.worker.connection import Connection, call_for
from app.worker.delivery import SECONDS, Delivery, Result


@dataclass(frozen=True)
class Sealed:
    """The secrets of a webhook, each with its key's id."""

    organization_id: UUID
    endpoint_id: UUID
    secrets: tuple[tuple[bytes, str], ...] = field(repr=False)


class WebhookQueue:
    """The functions, on one connection. They raise psycopg.Error."""

    def __init__(self, connection: Connection, key_ids: Sequence[str]) -> None:
        self._call = connection.call
        self._key_ids = list(key_ids)

    async def lease(self, batch: int, running: Counter[UUID]) -> list[Delivery]:
        """Leases up to batch deliveries that are due.
        running: this worker's running deliveries by organization.
        """
        deadline = asyncio.get_running_loop().time() + SECONDS
        counts = Jsonb({str(organization_id): count for organization_id, count in running.items()})
        return [
            Delivery(
                row.organization_id,
                row.endpoint_id,
                row.delivery_id,
                row.attempt,
                row.url,
                row.message_id,
                row.body,
                tuple(zip(row.secrets, row.secret_keys, strict=True)),
                row.trace_id,
                deadline,
            )
            for row in await self._call("webhook.lease_deliveries", self._key_ids, batch, counts)
        ]

    async def seconds_until_due(self) -> float | None:
        """The seconds until the next delivery is due. Negative: it is due already.
        None: no delivery waits.
        """
        seconds = (await self._call("webhook.seconds_until_due", self._key_ids))[0][0]
        return None if seconds is None else float(seconds)

    async def settle(self, delivery: Delivery, result: Result) -> str | None:
        """The delivery's state after the attempt. None: the lease had passed to another worker."""
        rows = await self._call(
            "webhook.settle_delivery",
            delivery.organization_id,
            delivery.delivery_id,
            delivery.attempt,
            result.outcome,
            result.http_status,
            result.message,
            result.retry_after,
        )
        state: str | None = rows[0][0]
        return state

    async def queue(self, organization_id: UUID, batch: int) -> int | None:
        """Queues deliveries of sealed events of an organization, and returns their number.
        None: another worker queues them, or no webhook waits for one.
        """
        return await call_for(self._call, "webhook.queue_deliveries", organization_id, batch)

    async def announce_keys(self, public_keys: Sequence[bytes]) -> None:
        """Announces the public keys that the API server seals secrets to. The first is the current one."""
        await self._call("webhook.announce_keys", self._key_ids, list(public_keys))

    async def endpoints_without_key(self) -> int:
        """The number of enabled webhooks whose secret none of this worker's keys can open."""
        return int((await self._call("webhook.endpoints_without_key", self._key_ids))[0][0])

    async def secrets_to_seal(self, after: tuple[UUID, UUID] | None, batch: int) -> list[Sealed]:
        """The secrets of the next webhooks that this worker must seal again.
        after: the organization and the webhook before; None: from the first.
        """
        before = after or (None, None)
        rows = await self._call("webhook.secrets_to_seal", self._key_ids, *before, batch)
        return [
            Sealed(row.organization_id, row.endpoint_id, tuple(zip(row.secrets, row.secret_keys, strict=True)))
            for row in rows
        ]

    async def replace_secret(self, of: Sealed, old: bytes, new: bytes, key_id: str) -> None:
        """Replaces a secret by the same one, sealed again. Does nothing if it was rotated meanwhile."""
        await self._call("webhook.keep_sealed_secret", of.organization_id, of.endpoint_id, old, new, key_id)

    async def delete_expired_secrets(self) -> int:
        """Deletes secrets whose overlap with a new one has ended. Returns their number."""
        return int((await self._call("webhook.delete_expired_secrets"))[0][0])

    async def delete_old(self, batch: int) -> int:
        """Deletes deliveries that ended 30 days ago. Returns their number."""
        return int((await self._call("webhook.delete_old_deliveries", batch))[0][0])
