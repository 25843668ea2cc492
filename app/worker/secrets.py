"""The secrets of webhooks: a worker seals each one again, to its current key and bound to its webhook.

A new secret is bound to no webhook, because the API server doesn't know which it will be. After a
rotation of the CRM key, the worker has both keys. When all secrets are sealed to the new one, the
old one can go.
"""

import asyncio
from uuid import UUID

import psycopg

from app import log
from app.worker.rounds import is_about_the_server
from app.worker.vault import Vault, VaultError
from app.worker.webhook_queue import Sealed, WebhookQueue

PERIOD = 60.0
"""Seconds between two looks at all webhooks."""

BATCH = 1000
"""Webhooks of one look."""


class Secrets:
    """Seals secrets again."""

    def __init__(self, queue: WebhookQueue, vault: Vault) -> None:
        self._queue = queue
        self._vault = vault

    async def run(self) -> None:
        """Works forever. Raises psycopg.Error."""
        while True:
            await self._queue.delete_expired_secrets()
            await self._seal_all()
            await asyncio.sleep(PERIOD)

    async def _seal_all(self) -> None:
        after: tuple[UUID, UUID] | None = None
        while page := await self._queue.secrets_to_seal(after, BATCH):
            for webhook in page:
                try:
                    await self._seal(webhook)
                except (VaultError, psycopg.Error) as error:
                    if isinstance(error, psycopg.Error) and is_about_the_server(error):
                        raise
                    # Of the error only the kind: a webhook that is locked is served in the next round.
                    log.write(
                        "warning",
                        message=f"A secret of a webhook can't be sealed again for now: {type(error).__name__}.",
                        organization_id=webhook.organization_id,
                        endpoint_id=webhook.endpoint_id,
                    )
            after = (page[-1].organization_id, page[-1].endpoint_id)

    async def _seal(self, webhook: Sealed) -> None:
        ids = {"organization_id": webhook.organization_id, "endpoint_id": webhook.endpoint_id}
        for sealed, key_id in webhook.secrets:
            secret = self._vault.open(sealed, key_id=key_id, **ids)
            await self._queue.replace_secret(webhook, sealed, *self._vault.seal(secret, **ids))
