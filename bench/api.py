"""How an API is called: the requests of the operations, and the rows in its responses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from bench.load import Request
from bench.operations import READ, Operation, Pair

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Api:
    """An API."""

    request: Callable[[Operation, Pair, str], Request]
    """Returns the request of an operation for a pair, with one of the operation's bodies."""
    rows: Callable[[Operation, Any], Sequence[Row]]
    """Returns the rows of a response, with the names of the product's fields."""


def requests(api: Api, operation: Operation, pairs: Sequence[Pair]) -> list[Request]:
    """Returns the requests of all pairs with the first body, then of all pairs with the next one."""
    return [api.request(operation, pair, body) for body in operation.bodies for pair in pairs]


def send(client: httpx.Client, request: Request) -> httpx.Response:
    """Sends a request. Raises httpx.TransportError."""
    return client.request(request.method, request.path, content=request.body or None, headers=dict(request.headers))


def answers(api: Api, pair: Pair, base: str) -> bool:
    """Whether the server at this address answers a read with 2xx."""
    try:
        with httpx.Client(base_url=base, trust_env=False) as client:
            return send(client, api.request(READ, pair, "")).is_success
    except httpx.TransportError:
        return False
