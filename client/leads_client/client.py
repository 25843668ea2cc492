"""The client: the generated operations, with retries, pages and exports."""

import functools
import json
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from importlib.metadata import version
from typing import Any, ParamSpec, Protocol, Self, TypeVar

import httpx
import stamina

from leads_client.errors import LeadsError, error_of
from leads_client.generated.api.operations import Operations
from leads_client.generated.client import Client
from leads_client.generated.types import UNSET

P = ParamSpec("P")
T = TypeVar("T")
Row_co = TypeVar("Row_co", covariant=True)

_RETRIED = {429, 502, 503, 504}
"""The statuses that say: not now."""

_UNTOUCHED = {"rate_limited", "unavailable"}
"""The codes that say that nothing was done."""

_POSITIONS = 8
"""Values that the header Leads-Position may have."""

_headers: ContextVar[httpx.Headers | None] = ContextVar("_headers", default=None)


class Page(Protocol[Row_co]):
    """A page of a list."""

    @property
    def data(self) -> Iterable[Row_co]:
        """The rows."""

    @property
    def next_cursor(self) -> str | None:
        """The cursor of the next page; None on the last page."""


class Leads(Operations):
    """A client for one key. It has a method for each operation of the API.

    base_url: the address of the server, with or without /api/v1. timeout: seconds to connect, and
    without a byte of the response. attempts: how often a request is sent at most. max_wait: a
    longer Retry-After, in seconds, is an error at once. options: those of httpx.Client, such as
    verify and proxy. Threads can share a client.
    """

    def __init__(
        self, base_url: str, key: str, *, timeout: float = 30, attempts: int = 5, max_wait: float = 60, **options: Any
    ) -> None:
        self._attempts, self._max_wait = attempts, max_wait
        self._lock = threading.Lock()
        self._positions: list[tuple[float, str]] = []
        """The positions of the last writes, and when each write had ended."""
        self._http = httpx.Client(
            base_url=base_url.rstrip("/").removesuffix("/api/v1") + "/api/v1",
            headers={"Authorization": f"Bearer {key}", "User-Agent": f"leads-client/{version('leads-client')}"},
            timeout=timeout,
            **options,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def pages(self, operation: Callable[P, Page[T]], *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        """Yields the rows of all pages of a list, such as pages(leads.list_leads, source=["web"]).

        With order="updated_at" it ends with the last change that has been sealed.
        """
        call: Callable[..., Page[T]] = functools.partial(operation, *args, **kwargs)
        cursor, page = None, call()
        yield from page.data
        while page.next_cursor is not None and page.next_cursor != cursor:
            cursor = page.next_cursor
            page = call(cursor=cursor)
            yield from page.data

    def with_headers(self, operation: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T, httpx.Headers]:
        """Calls an operation, and returns its result and the headers of the response."""
        _headers.set(None)
        result, headers = operation(*args, **kwargs), _headers.get()
        if headers is None:
            raise TypeError("An export has no headers before its first row.")
        return result, headers

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Sends any request below /api/v1, with the options of httpx.Client.build_request.

        It is repeated like the others, but a POST, PATCH or PUT has no key of its own: give an
        Idempotency-Key in headers.
        """
        return self._send(self._http.build_request(method, path, **options))

    def _call(self, operation: Any, /, **arguments: Any) -> Any:
        response = self._send(self._request(operation, arguments))
        _headers.set(response.headers)
        return operation._parse_response(client=Client("", raise_on_unexpected_status=True), response=response)

    def _lines(self, operation: Any, row: Any, /, **arguments: Any) -> Iterator[Any]:
        response = self._send(self._request(operation, arguments), stream=True)
        try:
            rows = 0
            for line in _lines(response.iter_bytes()):
                value = json.loads(line)
                if "id" in value:
                    rows += 1
                    yield row.from_dict(value)
                elif value == {"complete": True, "rows": rows}:
                    return
            raise httpx.RemoteProtocolError("The export was cut off. Repeat it.", request=response.request)
        finally:
            response.close()

    def _request(self, operation: Any, arguments: dict[str, Any]) -> httpx.Request:
        if arguments.get("idempotency_key", "") is UNSET:
            arguments["idempotency_key"] = str(uuid.uuid4())
        return self._http.build_request(**operation._get_kwargs(**arguments))

    def _send(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        on = functools.partial(_pause, request, self._max_wait)
        started = time.monotonic()
        if request.method == "GET" and "Leads-Position" not in request.headers and (positions := self._positions):
            request.headers["Leads-Position"] = ", ".join(position for _, position in positions)
        for attempt in stamina.retry_context(on, self._attempts, timeout=None, wait_initial=0.5, wait_max=8):
            with attempt:
                response = self._http.send(request, stream=stream)
                if position := response.headers.get("Leads-Position"):
                    self._keep(started, position)
                if response.is_success:
                    return response
                response.read()
                raise error_of(response)
        raise AssertionError

    def _keep(self, started: float, position: str) -> None:
        """Keeps the position of a write. It includes the writes that had ended when this one began."""
        with self._lock:
            kept = [each for each in self._positions if each[0] > started]
            if len(kept) == _POSITIONS:
                kept, position = [], "primary"
            self._positions = [*kept, (time.monotonic(), position)]


def _pause(request: httpx.Request, max_wait: float, error: Exception) -> bool | float:
    """Returns whether to repeat the request, or after how many seconds."""
    is_repeatable = request.method == "GET" or "Idempotency-Key" in request.headers
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout():
            return True  # it was not sent
        case httpx.NetworkError() | httpx.TimeoutException() | httpx.RemoteProtocolError():
            return is_repeatable
        case LeadsError() if error.status in _RETRIED or error.code == "idempotency_in_progress":
            if not (is_repeatable or error.code in _UNTOUCHED):
                return False
            if error.retry_after is None:
                return True
            return error.retry_after <= max_wait and error.retry_after + random.uniform(0, 1)
    return False


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The lines. Response.iter_lines would also split at characters such as U+2028."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest
