"""HTTP calls to a vendor: one deadline each, no retries, no redirects, public addresses only."""

import asyncio
import json
import re
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from app.worker.guard import CONNECT, Guard
from app.worker.vendors import Blocked, CallFailed, NotMade, OutcomeUnknown, Redirected, Sent, Unauthorized

Before = Callable[[Sent | None], Awaitable[float]]
"""Called before each call, with what the call creates; None: it only reads. It renews the lease,
and returns the time of the event loop by which the call must end. Its exceptions pass through."""

_MAX_CONTAINERS = 10_000  # objects and arrays of a body: they take most of the time to parse it
_TEMPORARY = (423, 425, 429, 477)
"""Statuses of calls without an effect: Locked, Too Early, Too Many Requests, and HubSpot's Migration
in Progress.
"""
_HTML = re.compile(r"\s*<(!doctype )?html", re.IGNORECASE)
_NOTHING_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


def client(*, allow_loopback: bool) -> httpx.AsyncClient:
    """The client of all calls of a worker.
    It keeps no state between calls, which belong to different tenants.

    A connection serves one call only.
    If it were reused and the vendor had just closed it, the outcome of a POST would be unknown.
    """
    return httpx.AsyncClient(
        transport=Guard(allow_loopback=allow_loopback),
        headers={
            "user-agent": "leads-api",
            "accept": "application/json, text/plain;q=0.9, */*;q=0.1",
            "accept-encoding": "identity",
            "connection": "close",
        },
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        timeout=httpx.Timeout(None, connect=CONNECT, pool=CONNECT),
        follow_redirects=False,
        trust_env=False,
    )


@dataclass(frozen=True)
class Answer:
    """A vendor's response whose status alone doesn't decide the outcome.
    That is 2xx, and 4xx that isn't temporary.
    """

    vendor: str
    status: int
    text: str
    is_html: bool = False
    hides: str = field(default="", repr=False)
    """The credential. It is removed from the vendor's messages."""

    def json(self) -> Any:
        """The body. None: it isn't JSON, or has too many objects and arrays."""
        return self._json

    @cached_property
    def _json(self) -> Any:
        if self.text.count("[") + self.text.count("{") > _MAX_CONTAINERS:
            return None
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None

    def reason(self) -> str:
        """The vendor's message, a line of at most 500 characters. Empty: the response is HTML."""
        if self.is_html:
            return ""
        message = self.text
        match self.json():
            case (
                {"message": str(text)}
                | {"error": str(text)}
                | {"errorMessage": str(text)}
                | {"detail": str(text)}
                | {"errors": [{"message": str(text)}, *_]}
            ):
                message = text
        if self.hides:
            message = message.replace(self.hides, "…")
        printable = "".join(c if c.isprintable() else " " for c in message[:10_000])
        return " ".join(printable.split())[:500]

    def __str__(self) -> str:
        return f"{self.vendor} answered {self.status}" + (f": {reason}" if (reason := self.reason()) else "")


@dataclass(frozen=True)
class Calls:
    """The calls to one vendor with one credential."""

    vendor: str
    """The vendor's name in error messages."""
    base_url: str
    credential: str = field(repr=False)
    """Never part of a message, even if the vendor repeats it."""
    headers: Mapping[str, str] = field(repr=False)
    client: httpx.AsyncClient
    before: Before
    is_own: Callable[[Any], bool] = lambda _: False
    """Whether the body of a 403 is the vendor's own message.
    If not, it comes from something in front of the vendor.
    """
    wait_in: Callable[[Answer], float | None] = lambda _: None
    """The seconds that the body of a temporary refusal asks to wait."""
    max_body: int = 1 << 18
    """Bytes of a response's body that are read, before and after decoding."""
    may_cut: bool = False
    """Whether the status decides if the body is longer. If not, the response counts as no answer."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        makes: Sent | None = None,
        max_body: int | None = None,
    ) -> Answer:
        """Makes the call. Raises CallFailed: without a response,
        OutcomeUnknown if the call creates something.
        """
        max_body = max_body or self.max_body
        lost = NotMade if makes is None else OutcomeUnknown
        deadline = await self.before(makes)
        if asyncio.get_running_loop().time() >= deadline:
            raise NotMade(f"{self.vendor} wasn't called: there was no time left")
        try:
            async with (
                asyncio.timeout_at(deadline),
                self.client.stream(
                    method,
                    self.base_url + path,
                    json=json,
                    content=content,
                    params=params,
                    headers={**self.headers, **(headers or {})},
                ) as response,
            ):
                body = await _read(response, max_body)
        # `from None`: the library's messages may quote a header, which contains the credential.
        except _NOTHING_SENT as error:
            reason = str(error) or f"no connection in {CONNECT:g} seconds"
            raise NotMade(f"{self.vendor} can't be reached: {reason}".replace(self.credential, "…")) from None
        except (TimeoutError, httpx.TimeoutException):
            raise lost(f"{self.vendor} didn't answer in time") from None
        except (httpx.HTTPError, OSError):
            raise lost(f"{self.vendor} broke off the connection without an answer that can be read") from None
        return self._judge(response, body, max_body, lost)

    def _judge(self, response: httpx.Response, body: bytes, max_body: int, lost: type[CallFailed]) -> Answer:
        text = body[:max_body].decode("utf-8", "replace")
        is_whole = self.may_cut or len(body) <= max_body
        is_html = "html" in response.headers.get("content-type", "").lower() or bool(_HTML.match(text))
        answer = Answer(self.vendor, status := response.status_code, text, is_html, self.credential)
        wait = retry_after(response.headers.get("retry-after", ""))
        if 200 <= status < 300:
            if not is_whole:
                raise lost(f"{self.vendor} answered {status} with more than {max_body} bytes", status)
            return answer
        if status == 401 or (status == 403 and self.is_own(answer.json())):
            raise Unauthorized(str(answer), status)
        if status == 403:
            place = self.vendor.replace("The ", "the ")
            page = f"{answer} with an HTML page, probably a firewall in front of {place}"
            # Without retry_after, which applies to the whole connection: another lead may pass.
            raise Blocked(page if is_html else str(answer), status)
        if status in _TEMPORARY or (400 <= status < 500 and status != 408 and "retry-after" in response.headers):
            raise NotMade(str(answer), status, max(filter(None, (wait, self.wait_in(answer))), default=wait))
        if 300 <= status < 400:
            raise Redirected(f"{self.vendor} answered {status} with a redirect, which isn't followed", status, wait)
        if 400 <= status < 500 and status != 408 and is_whole:
            return answer
        raise lost(str(answer), status, wait)


def retry_after(text: str) -> float | None:
    """The seconds in a Retry-After header (RFC 9110, section 10.2.3). None: it can't be read."""
    if re.fullmatch(r"[0-9]{1,9}", text := text.strip()):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


async def _read(response: httpx.Response, max_body: int) -> bytes:
    """The decoded body, cut off after max_body + 1 bytes. Raises httpx.DecodingError."""
    raw = bytearray()
    async for piece in response.aiter_raw():
        raw += piece
        if len(raw) > max_body:
            return bytes(raw[: max_body + 1])
    # We accept the identity only, but a server may ignore that (RFC 9110, section 12.5.3).
    # response.aiter_bytes decodes any number of codings, and each can expand a body a thousandfold.
    match response.headers.get("content-encoding", "").strip().lower():
        case "" | "identity":
            return bytes(raw)
        case "gzip" | "x-gzip" | "deflate":
            decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)  # with either header
            try:
                body = decoder.decompress(raw, max_body + 1)
            except zlib.error as error:
                raise httpx.DecodingError(str(error)) from None
            if decoder.eof or len(body) > max_body:
                return body
    raise httpx.DecodingError("The content coding is unknown, or the body is not complete.")
