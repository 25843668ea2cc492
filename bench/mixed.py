"""A mixed load: clients that read, create, change and push leads and add signals. Each write has an
Idempotency-Key and is repeated with it until it succeeds, so that every effect must exist once.
"""

import asyncio
import itertools
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

REPEAT = 0.1
"""Seconds before a request is repeated."""
BEAT = 0.05
"""Seconds between two looks at whether this process itself is delayed."""
PATIENCE = 60.0
"""Seconds within which the requests that still fail at the end of the load must succeed."""


@dataclass(frozen=True)
class Attempt:
    """A request that was sent once. status: 0 where the connection was lost or refused. code: of a
    problem. began: by time.monotonic(). seconds: until the answer, or until the loss.
    """

    kind: str
    status: int
    code: str
    began: float
    seconds: float

    @property
    def has_written(self) -> bool:
        """Whether it is a write that succeeded."""
        return self.kind != "read" and 200 <= self.status < 300


@dataclass(frozen=True)
class Write:
    """A write that was acknowledged. mark: the text that only its effect contains."""

    kind: str
    mark: str
    lead: str
    answer: dict[str, Any]


@dataclass
class Load:
    """Each client sends its next request when the last one has succeeded.

    pause: seconds between two requests of a client. has_pushes: whether every fourth lead is
    pushed, half of them by the change of the stage alone. is_reading: whether the clients only list
    leads.
    """

    base: str
    key: str
    clients: int = 12
    pause: float = 0.0
    has_pushes: bool = True
    is_reading: bool = False
    name: str = field(default_factory=lambda: secrets.token_hex(4))
    attempts: list[Attempt] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Requests that got an answer which no repetition can change."""
    unfinished: list[str] = field(default_factory=list)
    """Requests that did not succeed within PATIENCE."""
    stalls: list[tuple[float, float]] = field(default_factory=list)
    """When this process itself did not run, because other programs used the processor."""
    _ends_at: float | None = None

    @property
    def statuses(self) -> Counter[int]:
        """The number of answers of each status."""
        return Counter(attempt.status for attempt in list(self.attempts))

    def longest(self, *, push: bool = False, downs: Sequence[tuple[float, float]] = ()) -> float:
        """The seconds of the longest request, of those that wait for the CRM or of the others.

        downs: the beginnings and ends of times that don't count, because no server ran. Nor do those
        in which this process did not run.
        """
        uncounted = _merged([*downs, *self.stalls])
        return max((_counted(a, uncounted) for a in list(self.attempts) if (a.kind == "push") == push), default=0.0)

    def successes(self) -> list[float]:
        """When writes succeeded, in order, by time.monotonic()."""
        return sorted(attempt.began + attempt.seconds for attempt in list(self.attempts) if attempt.has_written)

    def has_succeeded(self, moment: float) -> bool:
        """Whether a write that was sent after the moment has succeeded."""
        return any(attempt.began > moment and attempt.has_written for attempt in list(self.attempts))

    def longest_pause(self) -> float:
        """The longest time without a write that succeeded, in seconds."""
        return max((later - earlier for earlier, later in itertools.pairwise(self.successes())), default=0.0)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Sends requests during the block, and repeats what fails until it succeeds."""
        failures: list[BaseException] = []

        def run() -> None:
            try:
                asyncio.run(self._send_all())
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            self._ends_at = time.monotonic()
            thread.join()
        if failures:
            raise failures[0]

    async def _send_all(self) -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx.AsyncClient(
            base_url=self.base + "/api/v1",
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=30,
            limits=limits,
            trust_env=False,
        ) as http:
            watch = asyncio.create_task(self._watch())
            await asyncio.gather(*(self._use(http, client) for client in range(self.clients)))
            watch.cancel()

    async def _watch(self) -> None:
        while True:
            due = time.monotonic() + BEAT
            await asyncio.sleep(BEAT)
            if (now := time.monotonic()) > due + BEAT:
                self.stalls.append((due, now))

    async def _use(self, http: httpx.AsyncClient, client: int) -> None:
        for number in itertools.count():
            if self._ends_at is not None:
                return
            if self.is_reading:
                await self._send(http, "read", "GET", "/leads?limit=20")
                continue
            mark = f"{self.name}-{client}-{number}"
            has_push = self.has_pushes and number % 4 == 0
            created = await self._write(
                http, "create", "POST", "/leads", mark, {"name": mark, "email": f"{mark}@example.com"}
            )
            if created is None:
                continue
            lead = created.json()["id"]
            path = f"/leads/{lead}"
            await self._write(http, "signal", "POST", f"{path}/signals", mark, {"type": "load", "value": mark}, lead)
            await self._send(http, "read", "GET", "/leads?limit=20")
            read = await self._send(http, "read", "GET", path)
            if read is None:
                continue
            stage = {"pipeline_stage": "qualified"} if has_push else {}
            # If-Match: a change that was made twice is refused.
            await self._write(
                http, "patch", "PATCH", path, mark, {"company": mark} | stage, lead, {"If-Match": read.headers["etag"]}
            )
            if has_push and number % 8 == 0:
                await self._write(http, "push", "POST", f"{path}/push-to-crm", mark, None, lead)

    async def _write(
        self,
        http: httpx.AsyncClient,
        kind: str,
        method: str,
        path: str,
        mark: str,
        body: dict[str, Any] | None,
        lead: str = "",
        headers: dict[str, str] = {},  # noqa: B006
    ) -> httpx.Response | None:
        keyed = headers | {"Idempotency-Key": f"{kind} {mark}"}
        answer = await self._send(http, kind, method, path, body, keyed)
        if answer is not None:
            self.writes.append(Write(kind, mark, lead or answer.json()["id"], answer.json()))
        return answer

    async def _send(
        self,
        http: httpx.AsyncClient,
        kind: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response | None:
        """Sends the request until it succeeds. None: it was refused, or nothing helped."""
        while True:
            answer, status, code, began = None, 0, "", time.monotonic()
            try:
                answer = await http.request(method, path, json=body, headers=headers)
                status = answer.status_code
            except httpx.TransportError:
                pass
            seconds = time.monotonic() - began
            if answer is not None and status >= 400:
                is_problem = answer.headers.get("content-type") == "application/problem+json"
                code = answer.json()["code"] if is_problem else "no problem document"
            self.attempts.append(Attempt(kind, status, code, began, seconds))
            await asyncio.sleep(self.pause)
            if answer is not None and status < 300:
                return answer
            if 0 < status < 500 and code != "idempotency_in_progress":
                self.refused.append(f"{method} {path}: {status} {code}")
                return None
            if self._ends_at is not None and time.monotonic() > self._ends_at + PATIENCE:
                self.unfinished.append(f"{method} {path}: {status} {code}")
                return None
            await asyncio.sleep(REPEAT)


def _merged(times: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same times without overlaps."""
    merged: list[tuple[float, float]] = []
    for began, ended in sorted(times):
        if merged and began <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], ended)
        else:
            merged.append((began, ended))
    return merged


def _counted(attempt: Attempt, uncounted: Sequence[tuple[float, float]]) -> float:
    """The seconds of the request without those that don't count."""
    ended = attempt.began + attempt.seconds
    return attempt.seconds - sum(max(0.0, min(ended, up) - max(attempt.began, down)) for down, up in uncounted)
