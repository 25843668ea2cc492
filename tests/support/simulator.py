"""A simulated CRM on 127.0.0.1: the known rules of each vendor, and every kind of failure."""

import asyncio
import json
import random
import re
import secrets
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import h11
from standardwebhooks import Webhook, WebhookVerificationError

from tests.support.process import free_port

KEY = "key-of-the-sandbox-0001"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WAYS = (
    *("hang", "error", "429", "429_retry_after", "reset", "redirect"),
    *("store_then_hang", "store_then_error", "store_then_reset"),
)


@dataclass(frozen=True)
class Seen:
    """A received request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    content: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def body(self) -> Any:
        return json.loads(self.content) if self.content else None


@dataclass
class Reply:
    """A response. An object is sent as JSON, a text unchanged."""

    status: int
    body: Any = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Simulator:
    """The simulator's records and settings, and methods that make it fail.
    A test can change them at any time.
    """

    port: int = 0
    keys: dict[str, str] = field(default_factory=lambda: {KEY: "sandbox"})
    """API keys, and the account of each key."""
    secret: str = SECRET
    latency: float = 0.0
    """Seconds before a request is processed, even if the client gives up earlier."""
    lag: float = 0.0
    """Seconds until JobNimbus's search shows a new record."""
    limit: int | None = None
    """Calls per second that JobNimbus accepts before it responds with 429.
    HubSpot's limit is 190 in 10 seconds.
    """
    keeps_external_id: bool = True
    workflows: dict[str, list[str]] = field(default_factory=lambda: {"Customer": ["Lead", "Sold"]})
    sources: list[str] = field(default_factory=lambda: ["Google Ads", "Referral"])
    unique_properties: list[str] = field(default_factory=lambda: ["leads_api_id"])
    clash_status: int = 409
    """HubSpot's status for an existing address: 409, and in some cases 400 or 207."""
    utc_offset: str | None = None
    """The offset from UTC that HubSpot tells about the account."""
    hook_status: int = 200
    hook_keeps: bool = False
    """Whether the webhook's receiver accepts a body even if its status isn't 2xx."""
    hang: float = 12.0
    requests: list[Seen] = field(default_factory=list)
    deliveries: list[Any] = field(default_factory=list)
    """The bodies that the webhook's receiver accepted, each webhook-id once."""
    _stored: list[dict[str, Any]] = field(default_factory=list)
    _hook_ids: set[str] = field(default_factory=set)
    _failures: list[tuple[str, str, float]] = field(default_factory=list)
    _share: float = 0.0
    _random: random.Random = field(default_factory=random.Random)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _run: Callable[[Awaitable[None]], None] = lambda _: None
    _listener: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def contacts(self) -> list[dict[str, Any]]:
        """The stored records, in the form of each vendor,
        without the internal fields that start with _.
        """
        with self._lock:
            return [{name: record[name] for name in record if name[0] != "_"} for record in self._stored]

    def fail(self, kind: str, times: int = 1, on: str = "any", *, retry_after: float = 2) -> None:
        """Makes the next calls fail in this way, one of WAYS. ``on`` is create, look_up or any."""
        assert kind in WAYS
        assert on in ("create", "look_up", "any")
        with self._lock:
            self._failures += [(kind, on, retry_after)] * times

    def chaos(self, share: float, seed: int, *, hang: float = 8.0) -> None:
        """From now on, each call fails with this probability, in a random one of WAYS.
        0 stops it.
        """
        with self._lock:
            self._share, self.hang, self._random = share, hang, random.Random(seed)

    def down(self) -> None:
        """Refuses connections until ``up`` is called."""
        self._run(self._close())

    def up(self) -> None:
        """Accepts connections again, on the same port."""
        self._run(self._open())

    async def _open(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._listener:
            self._listener.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            connection = h11.Connection(h11.SERVER)
            if not (request := await _receive(connection, reader)):
                return
            with self._lock:
                self.requests.append(request)
                way, retry_after = self._way(request)
            await asyncio.sleep(self.latency)
            with self._lock:
                reply = self._reply(request) if way is None or way.startswith("store_then_") else Reply(0)
            match way and way.removeprefix("store_then_"):
                case "hang":
                    await asyncio.sleep(self.hang)
                    return
                case "reset":
                    writer.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
                    writer.transport.abort()
                    return
                case "error":
                    reply = Reply(500, "Internal error")
                case "429":
                    reply = Reply(429, "Too many requests")
                case "429_retry_after":
                    reply = Reply(429, "Too many requests", {"retry-after": f"{retry_after:g}"})
                case "redirect":
                    reply = Reply(302, "", {"location": f"{self.url}/elsewhere"})
            _send(connection, writer, reply)
            await writer.drain()
        except (ConnectionError, h11.RemoteProtocolError, asyncio.CancelledError):
            pass  # the client went away, or the simulator is stopped
        finally:
            writer.close()

    def _way(self, request: Seen) -> tuple[str | None, float]:
        is_on = ("any", "look_up" if request.method == "GET" else "create")
        for failure in self._failures:
            if failure[1] in is_on:
                self._failures.remove(failure)
                return failure[0], failure[2]
        return (self._random.choice(WAYS), 1) if self._random.random() < self._share else (None, 0)

    def _reply(self, request: Seen) -> Reply:
        if request.path == "/hook":
            return self._hook(request)
        account = self.keys.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if account is None:
            return Reply(401, "Unauthorized")
        if request.path.startswith("/api1/"):
            return self._is_too_often("/api1/", 1.0, self.limit) or self._jobnimbus(request, account)
        if self._is_too_often("/crm/", 10.0, 190):
            return _hubspot_error(429, "You have reached your ten_secondly_rolling limit.", "RATE_LIMITS")
        return self._hubspot(request, account)

    def _is_too_often(self, path: str, seconds: float, limit: int | None) -> Reply | None:
        since = time.monotonic() - seconds
        recent = sum(request.path.startswith(path) and request.at > since for request in self.requests[-1000:])
        return Reply(429, "Too many requests") if limit is not None and recent > limit else None

    def _hook(self, request: Seen) -> Reply:
        try:
            body = Webhook(self.secret).verify(request.content, request.headers)
        except WebhookVerificationError as error:
            return Reply(400, str(error))
        if (self.hook_keeps or self.hook_status < 300) and request.headers["webhook-id"] not in self._hook_ids:
            self._hook_ids.add(request.headers["webhook-id"])
            self.deliveries.append(body)
        return Reply(self.hook_status)

    # JobNimbus

    def _jobnimbus(self, request: Seen, account: str) -> Reply:
        match request.method, request.path.removeprefix("/api1"):
            case "GET", "/account/settings":
                workflows = [
                    {"name": name, "object_type": "contact", "status": [{"name": status} for status in statuses]}
                    for name, statuses in self.workflows.items()
                ]
                return Reply(200, {"workflows": workflows, "sources": [{"SourceName": name} for name in self.sources]})
            case "GET", "/contacts":
                return self._search(request, account)
            case "POST", "/contacts":
                return self._create(request.body, account)
        return Reply(404, "Not found")

    def _search(self, request: Seen, account: str) -> Reply:
        size, start = int(request.query.get("size", "1000")), int(request.query.get("from", "0"))
        if not 1 <= size <= 1000 or start + size > 10_000:
            return Reply(400, "Result window is too large")
        musts = json.loads(request.query.get("filter", '{"must":[]}'))["must"]
        now = time.monotonic()
        matching = [
            record
            for record in self._stored
            if "jnid" in record
            and record["_account"] == account
            and record["_at"] + self.lag <= now
            and all(_matches(record, must) for must in musts)
        ]
        by = request.query.get("sort_field", "date_created")
        matching.sort(key=lambda record: record[by], reverse=request.query.get("sort_direction", "desc") == "desc")
        fields = request.query["fields"].split(",") if "fields" in request.query else None
        page = [
            {name: value for name, value in record.items() if name[0] != "_" and (fields is None or name in fields)}
            for record in matching[start : start + size]
        ]
        return Reply(200, {"count": len(matching), "results": page})

    def _create(self, body: dict[str, Any], account: str) -> Reply:
        if body.get("record_type_name") not in self.workflows:
            return Reply(400, "Invalid record_type_name")
        if body.get("status_name") not in self.workflows[body["record_type_name"]]:
            return Reply(400, "Invalid status_name")
        if body.get("source_name", self.sources[0]) not in self.sources:
            return Reply(400, "Invalid source_name")
        if not (name := body.get("display_name") or body.get("first_name") or body.get("company")):
            return Reply(400, "A name is required")
        others = (record for record in self._stored if "jnid" in record and record["_account"] == account)
        if any(record["display_name"].lower() == name.lower() for record in others):
            return Reply(400, "Duplicate contact exists")
        if not self.keeps_external_id:
            body.pop("external_id", None)
        shown = {"jnid": f"jn_{secrets.token_hex(10)}", **body, "display_name": name, "date_created": int(time.time())}
        self._stored.append({**shown, "_account": account, "_at": time.monotonic()})
        return Reply(200, shown)

    # HubSpot

    def _hubspot(self, request: Seen, account: str) -> Reply:
        if request.path == "/account-info/v3/details":
            return Reply(200, {"portalId": 117422, "timeZone": "US/Eastern", "utcOffset": self.utc_offset})
        if match := re.fullmatch(r"/crm/v3/properties/contacts/(\w+)", request.path):
            return Reply(200, {"name": match[1], "hasUniqueValue": match[1] in self.unique_properties})
        if not (match := re.fullmatch(r"/crm/(?:v3/objects|objects/\d{4}-\d{2})/contacts(?:/(.+))?", request.path)):
            return _hubspot_error(404, "resource not found", "OBJECT_NOT_FOUND")
        records = [record for record in self._stored if "properties" in record and record["_account"] == account]
        match request.method, match[1]:
            case "GET", None:
                after, limit = int(request.query.get("after", "0")), int(request.query.get("limit", "10"))
                page = {"results": [_shown(record, request) for record in records[after : after + limit]]}
                more = {"paging": {"next": {"after": str(after + limit)}}} if after + limit < len(records) else {}
                return Reply(200, page | more)
            case "GET", key:
                by = request.query.get("idProperty")
                for record in records:
                    if key and key.lower() == (record["properties"].get(by, "").lower() if by else record["id"]):
                        return Reply(200, _shown(record, request))
                return Reply(404)
            case "POST", None:
                return self._insert(request.body["properties"], records, account)
            case "POST", "batch/upsert":
                return self._upsert(request.body["inputs"][0], records, account)
        return Reply(405)

    def _insert(self, properties: dict[str, str], records: list[dict[str, Any]], account: str) -> Reply:
        known = {"email", "firstname", "lastname", "company", "phone", "lifecyclestage", *self.unique_properties}
        if unknown := set(properties) - known:
            return _hubspot_error(400, f"Property {unknown.pop()!r} does not exist", "VALIDATION_ERROR")
        if not {"email", "firstname", "lastname"} & set(properties):
            return _hubspot_error(400, "email, firstname or lastname is required", "VALIDATION_ERROR")
        for record in records:
            if properties.get("email", "").lower() == record["properties"].get("email", "?"):
                message = f"Contact already exists. Existing ID: {record['id']}"
                return _hubspot_error(self.clash_status, message, "CONFLICT")
        if "email" in properties:
            properties["email"] = properties["email"].lower()
        record = {"id": str(1000 + len(self._stored)), "properties": properties, "archived": False}
        self._stored.append({**record, "_account": account})
        return Reply(201, record)

    def _upsert(self, item: dict[str, Any], records: list[dict[str, Any]], account: str) -> Reply:
        if (by := item["idProperty"]) not in self.unique_properties:
            return _hubspot_error(400, f"{by} is not a unique property", "VALIDATION_ERROR")
        for record in records:
            if record["properties"].get(by) == item["id"]:
                record["properties"].update(item["properties"])
                return Reply(200, {"status": "COMPLETE", "results": [{"id": record["id"], "new": False}]})
        reply = self._insert(item["properties"], records, account)
        if reply.status == 201:
            return Reply(200, {"status": "COMPLETE", "results": [{"id": reply.body["id"], "new": True}]})
        if reply.status == 207:
            return Reply(207, {"status": "COMPLETE", "results": [], "numErrors": 1, "errors": [reply.body]})
        return reply


@contextmanager
def running() -> Iterator[Simulator]:
    """Runs a simulator during the block."""
    simulator, loop = Simulator(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(60)

    async def stop() -> None:
        await simulator._close()
        calls = asyncio.all_tasks() - {asyncio.current_task()}
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    simulator._run = run
    simulator.port = free_port()  # which stays free while the simulator is down
    simulator.up()
    try:
        yield simulator
    finally:
        run(stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _receive(connection: h11.Connection, reader: asyncio.StreamReader) -> Seen | None:
    request: h11.Request | None = None
    content = b""
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await reader.read(1 << 16))
            case h11.Request() as head:
                request = head
            case h11.Data() as data:
                content += data.data
            case h11.EndOfMessage() if request:
                parts = urlsplit(request.target.decode())
                headers = {name.decode().lower(): value.decode() for name, value in request.headers}
                query = dict(parse_qsl(parts.query))
                return Seen(request.method.decode(), unquote(parts.path), query, headers, content)
            case h11.ConnectionClosed():
                return None


def _send(connection: h11.Connection, writer: asyncio.StreamWriter, reply: Reply) -> None:
    is_text = isinstance(reply.body, str)
    content = (reply.body if is_text else json.dumps(reply.body)).encode()
    headers = {
        "content-type": "text/plain" if is_text else "application/json",
        "content-length": str(len(content)),
        "connection": "close",
        **reply.headers,
    }
    writer.write(connection.send(h11.Response(status_code=reply.status, headers=list(headers.items()))) or b"")
    writer.write(connection.send(h11.Data(data=content)) or b"")
    writer.write(connection.send(h11.EndOfMessage()) or b"")


def _matches(record: dict[str, Any], must: dict[str, Any]) -> bool:
    match must:
        case {"term": term}:
            return all(record.get(name) == value for name, value in term.items())
        case {"range": between}:
            return all(record[name] >= bounds["gte"] for name, bounds in between.items())
    raise ValueError(must)


def _shown(record: dict[str, Any], request: Seen) -> dict[str, Any]:
    names = request.query.get("properties", "email,firstname,lastname").split(",")
    shown = {name: record["properties"].get(name) for name in names}
    return {"id": record["id"], "properties": shown, "archived": False}


def _hubspot_error(status: int, message: str, category: str) -> Reply:
    body = {"status": "error", "message": message, "correlationId": secrets.token_hex(16), "category": category}
    if status == 429:
        body |= {"errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}
    return Reply(status, body)


if __name__ == "__main__":
    # As a separate process: prints its address and runs until it is stopped.
    # Argument: latency in seconds.
    with running() as alone:
        alone.latency = float(sys.argv[1])
        print(alone.url, flush=True)
        signal.pause()
