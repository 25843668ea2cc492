"""The API that PostGraphile makes of the tables."""

import json
import re
from typing import Any

from bench.api import Api, Row
from bench.load import Request
from bench.operations import AUDIT, CREATE, FILTER, LIST, PATCH, READ, SOURCE, STAGE, Operation, Pair

_PAGE = "first: 50, orderBy: [CREATED_AT_DESC, ROW_ID_DESC]"
_NODES = "{ nodes { %s } pageInfo { hasNextPage endCursor } }"
_QUERIES = {
    READ.name: "query ($o: UUID!, $id: UUID!) "
    "{ row: leadByOrganizationIdAndRowId(organizationId: $o, rowId: $id) { %s } }",
    LIST.name: f"query {{ page: allLeads({_PAGE}) {_NODES} }}",
    FILTER.name: "query ($f: String!) "
    f"{{ page: allLeads(condition: {{ pipelineStageAndSource: $f }}, {_PAGE}) {_NODES} }}",
    CREATE.name: "mutation ($lead: LeadInput!) { result: createLead(input: { lead: $lead }) { row: lead { %s } } }",
    PATCH.name: "mutation ($o: UUID!, $id: UUID!, $patch: LeadPatch!) { result: updateLeadByOrganizationIdAndRowId("
    "input: { organizationId: $o, rowId: $id, leadPatch: $patch }) { row: lead { %s } } }",
    AUDIT.name: f"query {{ page: allAuditEvents({_PAGE}) {_NODES} }}",
}


def request(operation: Operation, pair: Pair, body: str) -> Request:
    """Returns the request."""
    fields = {_camel(name): value for name, value in json.loads(body).items()} if body else {}
    variables: dict[str, dict[str, Any]] = {
        READ.name: {"o": pair.organization, "id": pair.lead},
        FILTER.name: {"f": f"{STAGE}/{SOURCE}"},
        CREATE.name: {"lead": {"organizationId": pair.organization, **fields}},
        PATCH.name: {"o": pair.organization, "id": pair.lead, "patch": fields},
    }
    query = _QUERIES[operation.name] % " ".join(map(_camel, operation.fields))
    headers = (
        ("Authorization", f"Bearer {pair.key}"),
        ("Content-Type", "application/json"),
        ("Accept", "application/graphql-response+json"),
    )
    sent = {"query": query, "variables": variables.get(operation.name, {})}
    return Request("POST", "/graphql", headers, json.dumps(sent, separators=(",", ":")))


def rows(_: Operation, content: Any) -> list[Row]:
    """Returns the rows. Without data, and with a null in their place, there are none."""
    data = content.get("data") or {}
    if "page" in data:
        return [_snake(row) for row in data["page"]["nodes"]]
    row = (data.get("result") or data).get("row")
    return [_snake(row)] if row else []


def _camel(name: str) -> str:
    """The name in GraphQL. The column id is rowId, because id is the identifier of a node."""
    return "rowId" if name == "id" else re.sub(r"_(\w)", lambda match: match[1].upper(), name)


def _snake(row: Row) -> Row:
    return {
        "id" if name == "rowId" else re.sub("([A-Z])", lambda match: f"_{match[1].lower()}", name): value
        for name, value in row.items()
    }


GRAPHQL = Api(request, rows)
