"""A receiver of webhooks on 127.0.0.1, which verifies signatures with the library of Standard Webhooks."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import h11
from standardwebhooks import Webhook, WebhookVerificationError

from app.sealing import new_secret, seal
from app.worker.vault import read
from tests.support.database import Database, Organization
from tests.support.process import free_port
from tests.support.pushing import CRM_KEY
from tests.support.simulator import Reply, Seen, _receive, _send


@dataclass(frozen=True)
class Message:
    """A message whose signature is valid."""

    id: str
    body: Any
    path: str
    answer: int
    """The status of the response. 0: the receiver broke off or was silent."""
    at: float = field(default_factory=time.monotonic)

    @property
    def lead_id(self) -> str:
        id: str = self.body["data"]["lead_id"]
        return id


@dataclass
class Hooks:
    """What was received, and settings that a test can change at any time, by path."""

    port: int = 0
    secrets: dict[str, str] = field(default_factory=dict)
    """The secret that signs for each path."""
    statuses: dict[str, int] = field(default_factory=dict)
    """The status of the response. 0: none, the connection stays silent for ``hang`` seconds. Default: 200."""
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    latency: dict[str, float] = field(default_factory=dict)
    """Seconds before the response."""
    hang: float = 12.0
    messages: list[Message] = field(default_factory=list)
    requests: list[Seen] = field(default_factory=list)
    invalid: list[Seen] = field(default_factory=list)
    """Requests whose signature is not valid."""
    busy: dict[str, int] = field(default_factory=dict)
    """The requests that run now."""
    busiest: dict[str, int] = field(default_factory=dict)
    """The most requests that ran at once."""
    _listener: asyncio.Server | None = None
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def of(self, path: str) -> list[Message]:
        """The accepted messages of a path, each webhook-id once, in the order of their arrival."""
        accepted = {m.id: m for m in reversed(self.messages) if m.path == path and 200 <= m.answer < 300}
        return sorted(accepted.values(), key=lambda message: message.at)

    def add(self, database: Database, organization: Organization, path: str, **more: str) -> str:
        """Adds a webhook that sends to the path. Returns its id."""
        id, self.secrets[path] = add_webhook(database, organization, self.url(path), **more)
        return id

    def down(self) -> None:
        """Refuses connections until ``up`` is called."""
        self._run(self._close())

    def up(self) -> None:
        """Accepts connections, again on the same port."""
        self._run(self._open())

    def _run(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _open(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1000)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._listener:
            self._listener.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = ""
        try:
            connection = h11.Connection(h11.SERVER)
            if not (request := await _receive(connection, reader)):
                return
            path = request.path
            self.busy[path] = self.busy.get(path, 0) + 1
            self.busiest[path] = max(self.busiest.get(path, 0), self.busy[path])
            self.requests.append(request)
            await asyncio.sleep(self.latency.get(path, 0))
            status = self._take(request)
            if status == 0:
                await asyncio.sleep(self.hang)
                return
            _send(connection, writer, Reply(status, "", self.headers.get(path, {})))
            await writer.drain()
        except (ConnectionError, h11.RemoteProtocolError, asyncio.CancelledError):
            pass  # the worker went away, or the receiver is stopped
        finally:
            if path:
                self.busy[path] -= 1
            writer.close()

    def _take(self, request: Seen) -> int:
        status = self.statuses.get(request.path, 200)
        try:
            Webhook(self.secrets[request.path]).verify(request.content, request.headers)
        except (KeyError, WebhookVerificationError):
            self.invalid.append(request)
            return 400
        self.messages.append(Message(request.headers["webhook-id"], json.loads(request.content), request.path, status))
        return status


@contextmanager
def receiving() -> Iterator[Hooks]:
    """Runs a receiver during the block."""
    hooks = Hooks()
    thread = threading.Thread(target=hooks._loop.run_forever, daemon=True)
    thread.start()

    async def stop() -> None:
        await hooks._close()
        calls = asyncio.all_tasks() - {asyncio.current_task()}
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    hooks.port = free_port()  # which stays free while the receiver is down
    hooks.up()
    try:
        yield hooks
    finally:
        hooks._run(stop())
        hooks._loop.call_soon_threadsafe(hooks._loop.stop)
        thread.join()
        hooks._loop.close()


def add_webhook(database: Database, organization: Organization, url: str, *, include: str = "ids") -> tuple[str, str]:
    """Adds a webhook as POST /webhooks does. Returns its id and its secret."""
    vault = read(CRM_KEY)
    secret = new_secret()
    (row,) = database.sql(
        "insert into webhook.endpoint (organization_id, url, include, position, secret, secret_key) "
        "values (%s, %s, %s, (select coalesce(max(position), 0) from audit.seal where organization_id = %s), %s, %s) "
        "returning id::text",
        *(organization.id, url, include, organization.id),
        *(seal(secret, vault.public_keys()[0]), vault.ids[0]),
    )
    return row["id"], secret


def pass_time(database: Database, interval: str) -> None:
    """Moves the times of webhooks and deliveries back, so that the interval has passed for the worker."""
    database.sql(
        "update webhook.endpoint set failing_since = failing_since - %s::interval, "
        "paused_until = paused_until - %s::interval, recovered_at = recovered_at - %s::interval",
        *(interval, interval, interval),
    )
    database.sql(
        "update webhook.delivery set next_attempt_at = next_attempt_at - %s::interval, "
        "leased_until = leased_until - %s::interval, begun_at = begun_at - %s::interval where state = 'pending'",
        *(interval, interval, interval),
    )
    database.sql("notify leads_work")
