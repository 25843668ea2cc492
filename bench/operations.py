"""The six measured operations: as HTTP requests of the product,
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

CHANGE = (
    "id", "organization_id", "name", "company", "email", "source", "lead_score", "pipeline_stage", "updated_at",
)  # fmt: skip
"""The fields of a lead in the response to PATCH."""
ITEM = (*CHANGE, "industry", "company_size", "created_at")
"""The fields of a lead in a list."""
LEAD = (*ITEM, "pain_points", "timeline", "budget_range", "ai_reasoning", "qualification_completed_at")
"""All fields of a lead."""
EVENT = ("id", "organization_id", "action", "source", "correlation_id", "payload", "created_at")
"""The fields of an event of the audit log."""

STAGE, SOURCE = "new", "website"
"""The values of the filters."""


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
    """pgbench's processor time divided by ours, at least."""
    method: str
    path: str
    fields: tuple[str, ...]
    """The fields of each row in the response."""
    bodies: tuple[str, ...] = ("",)
    """Sent in turn, so that each patch changes the result of the previous one."""
    event: str | None = None
    """The action of the audit event that each request writes."""


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


READ = Operation("read one", 0.60, "GET", PREFIX + "/leads/{lead}", LEAD)
LIST = Operation("list 50", 0.75, "GET", PREFIX + "/leads", ITEM)
FILTER = Operation("list filtered", 0.75, "GET", f"{PREFIX}/leads?pipeline_stage={STAGE}&source={SOURCE}", ITEM)
CREATE = Operation(
    "create",
    0.85,
    "POST",
    PREFIX + "/leads",
    ITEM,
    (
        _json(
            name="Sarah Mitchell",
            email="sarah.mitchell@example.com",
            source="website",
            industry="residential",
            pipeline_stage="new",
        ),
    ),
    event="lead.created",
)
PATCH = Operation(
    "patch",
    0.90,
    "PATCH",
    PREFIX + "/leads/{lead}",
    CHANGE,
    # Four, because with many clients two changes of a lead may arrive in the other order.
    tuple(
        _json(pipeline_stage=stage, lead_score=score)
        for stage, score in (("proposal", 87), ("won", 92), ("proposal", 86), ("won", 93))
    ),
    event="lead.updated",
)
AUDIT = Operation("audit page", 0.75, "GET", PREFIX + "/audit-log", EVENT)

OPERATIONS = (READ, LIST, FILTER, CREATE, PATCH, AUDIT)


def call(operation: Operation, table: Table, pair: Pair, body: str) -> Call:
    """Returns the statement that the server would send for the request."""
    path, _, query = operation.path.format(lead=pair.lead).partition("?")
    headers = [(b"host", b"127.0.0.1"), (b"authorization", b"Bearer " + pair.key.encode())]
    scope = {"method": operation.method, "path": path, "query_string": query.encode(), "headers": headers}
    request = read_request(scope)
    match = table.match(path.removeprefix(PREFIX))
    assert match, f"{path} is not a route"
    route = match.routes[operation.method]
    parsed = parse(request, route, match.parameters, body.encode() if body else None)
    assert isinstance(parsed, ParsedCall), f"{path} is refused"
    entering = (request.digest, request.id, route.scope, b"t" if route.is_read_only else b"f")
    values = (None if value is None else value.decode() for value in (*entering, *parsed.arguments))
    return Call(route.statement.text.decode(), tuple(values))
