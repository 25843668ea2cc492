"""Checks, before anything is measured, that a server returns the product's rows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import httpx

from bench.api import Api, Row, send
from bench.figures import BenchmarkError
from bench.load import Request
from bench.operations import CREATE, OPERATIONS, PATCH, Operation, Pair
from bench.rest import REST

_CHECKED = 3
"""The pairs that are checked."""
_NEW = {CREATE.name: {"id", "created_at", "updated_at"}, PATCH.name: {"updated_at"}}
"""The fields whose values two requests do not have in common."""


def check(title: str, api: Api, base: str, product: str, pairs: Sequence[Pair]) -> dict[str, int]:
    """Sends each operation for some pairs to both servers. Returns the size of a response of each
    operation, in bytes.

    base, product: the addresses. Raises BenchmarkError if a response is not 2xx, or if it has other
    fields or other rows than the product's.
    """
    sizes = {}
    with (
        httpx.Client(base_url=base, trust_env=False, timeout=30) as client,
        httpx.Client(base_url=product, trust_env=False, timeout=30) as reference,
    ):
        for operation in OPERATIONS:
            for pair in pairs[:_CHECKED]:
                for body in operation.bodies:
                    name = f"{title}, {operation.name}"
                    # First, so that a patch changes something: the product then reads that change.
                    response = _received(name, client, api.request(operation, pair, body))
                    expected = _received("The product", reference, REST.request(operation, pair, body))
                    rows = api.rows(operation, response.json())
                    compare(name, operation, rows, REST.rows(operation, expected.json()))
                    sizes[operation.name] = _size(response)
    return sizes


def compare(name: str, operation: Operation, rows: Sequence[Row], expected: Sequence[Row]) -> None:
    """Raises BenchmarkError unless the rows are the expected ones."""
    if len(rows) != len(expected) or not rows:
        raise BenchmarkError(f"{name}: the response has {len(rows)} rows, and the product's {len(expected)}.")
    for row, wanted in zip(rows, expected, strict=True):
        if row.keys() != {*operation.fields}:
            raise BenchmarkError(f"{name}: the fields are {sorted(row)}, and not {sorted(operation.fields)}.")
        for field in row.keys() - _NEW.get(operation.name, set()):
            if _value(field, row[field]) != _value(field, wanted[field]):
                raise BenchmarkError(f"{name}: {field} is {row[field]!r}, and in the product {wanted[field]!r}.")


def _received(name: str, client: httpx.Client, request: Request) -> httpx.Response:
    response = send(client, request)
    if not response.is_success:
        raise BenchmarkError(f"{name}: the response is {response.status_code} {response.text[:500]}")
    return response


def _size(response: httpx.Response) -> int:
    head = sum(len(name) + len(value) + len(": \r\n") for name, value in response.headers.raw)
    return head + len(response.content)


def _value(field: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if field.endswith("_at") and value is not None else value
