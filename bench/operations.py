"""The four operations that are measured: as HTTP requests, and as the statement and values that come of them.

The server's own code makes them, so that the two can't drift apart.
"""

import json
from dataclasses import dataclass

from app.server.api import PREFIX
from app.server.request import read_arguments, read_request
from app.server.routes import Table

PAIRS = 100
"""So many keys, each of another organization, with a lead each, take turns."""


@dataclass(frozen=True)
class Pair:
    """A key, and a lead of its organization."""

    key: str
    lead: str
    organization: str


@dataclass(frozen=True)
class Operation:
    """What is measured, and the efficiency that it should reach."""

    name: str
    goal: float
    method: str
    path: str
    bodies: tuple[str, ...]
    """Sent in turn: so each patch changes what the one before it left."""


@dataclass(frozen=True)
class Call:
    """A statement's text, and its values in their order."""

    text: str
    values: tuple[str | None, ...]

    @property
    def digest(self) -> str:
        """The claim: what stands for the key."""
        return self.values[0] or ""


def _json(**fields: object) -> str:
    return json.dumps(fields, separators=(",", ":"))


OPERATIONS = (
    Operation("read one", 0.40, "GET", PREFIX + "/leads/{lead}", ("",)),
    Operation("list 50", 0.65, "GET", PREFIX + "/leads", ("",)),
    Operation(
        "create",
        0.55,
        "POST",
        PREFIX + "/leads",
        (
            _json(
                name="Sarah Mitchell",
                email="sarah.mitchell@example.com",
                source="website",
                industry="residential",
                pipeline_stage="new",
            ),
        ),
    ),
    Operation(
        "patch",
        0.80,
        "PATCH",
        PREFIX + "/leads/{lead}",
        (_json(pipeline_stage="proposal", lead_score=87), _json(pipeline_stage="won", lead_score=92)),
    ),
)


def call(operation: Operation, table: Table, pair: Pair, body: str) -> Call:
    """What the server would ask PostgreSQL for the request."""
    path = operation.path.format(lead=pair.lead)
    headers = [(b"host", b"127.0.0.1"), (b"authorization", b"Bearer " + pair.key.encode())]
    request = read_request({"method": operation.method, "path": path, "query_string": b"", "headers": headers})
    match = table.match(path.removeprefix(PREFIX))
    assert match, f"{path} is no route"
    route = match.routes[operation.method]
    arguments = read_arguments(request, route, match.parameters, body.encode() if body else None)
    entering = (request.digest, request.id, route.scope, b"t" if route.is_read_only else b"f")
    values = (None if value is None else value.decode() for value in (*entering, *arguments))
    return Call(route.statement.text.decode(), tuple(values))
