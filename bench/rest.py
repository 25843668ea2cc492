"""The product's API. The peers with FastAPI and Fastify have the same requests and responses."""

from typing import Any

from bench.api import Api, Row
from bench.load import Request
from bench.operations import Operation, Pair


def request(operation: Operation, pair: Pair, body: str) -> Request:
    """Returns the request."""
    headers = [("Authorization", f"Bearer {pair.key}")]
    if body:
        headers.append(("Content-Type", "application/json"))
    return Request(operation.method, operation.path.format(lead=pair.lead), tuple(headers), body)


def rows(_: Operation, content: Any) -> list[Row]:
    """Returns the rows of a page, or the only one."""
    return list(content["data"]) if "data" in content else [content]


REST = Api(request, rows)
