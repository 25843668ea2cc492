"""The database functions that the worker calls for webhooks."""

from collections.abc import Sequence

from app.worker.connection import Connection


class WebhookQueue:
    """The functions, on one connection. They raise psycopg.Error."""

    def __init__(self, connection: Connection, key_ids: Sequence[str]) -> None:
        self._call = connection.call
        self._key_ids = list(key_ids)

    async def announce_keys(self, public_keys: Sequence[bytes]) -> None:
        """Announces the public keys that the API server seals secrets to. The first is the current one."""
        await self._call("webhook.announce_keys", self._key_ids, list(public_keys))

    async def endpoints_without_key(self) -> int:
        """The number of enabled webhooks whose secret none of this worker's keys can open."""
        return int((await self._call("webhook.endpoints_without_key", self._key_ids))[0][0])
