"""The four measured operations: as HTTP requests,
and as the resulting statements with their values.

The server's own code produces the statements, so that they are always those of the server.
"""

import json
from dataclasses import dataclass

from app.server.api import PREFIX
from app.server.request import Call as ParsedCall
from app.server.request import parse, read_request
from app.server.routes import Table

PAIRS = 100
"""The number of keys that take turns. Each belongs to another organization and has one lead."""


@dataclass(frozen=True)
class Pair:
    """A key, its organization, and a lead of it."""

    key: str
    lead: str
    organization: str


@dataclass(frozen=True)
class Operation:
    """A measured operation, and the efficiency that it should reach."""

    name: str
    goal: float
    method: str
    path: str
    bodies: tuple[str, ...]
    """Sent in turn, so that each patch changes the result of the previous one."""


@dataclass(frozen=True)
class Call:
    """The text of a statement, and its values in order."""

    text: str
    values: tuple[str | None, ...]

    @property
    def digest(self) -> str:
        """The claim: the digest of the key."""
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
    """Returns the statement that the server would send for the request."""
    path = operation.path.format(lead=pair.lead)
    headers = [(b"host", b"127.0.0.1"), (b"authorization", b"Bearer " + pair.key.encode())]
    request = read_request({"method": operation.method, "path": path, "query_string": b"", "headers": headers})
    match = table.match(path.removeprefix(PREFIX))
    assert match, f"{path} is not a route"
    route = match.routes[operation.method]
    parsed = parse(request, route, match.parameters, body.encode() if body else None)
    assert isinstance(parsed, ParsedCall), f"{path} is refused"
    entering = (request.digest, request.id, route.scope, b"t" if route.is_read_only else b"f")
    values = (None if value is None else value.decode() for value in (*entering, *parsed.arguments))
    return Call(route.statement.text.decode(), tuple(values))
