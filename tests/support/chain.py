"""The chain over the audit log, sealed and verified as the operator does."""

from typing import Any

from tests.support.database import Database


def seal(database: Database) -> int:
    """Seals all there is; how many events."""
    total, after = 0, None
    while rows := database.sql("select * from admin.seal_events(%s::uuid, 1000)", after, login="leads_operator"):
        after, total = rows[0]["organization_id"], total + rows[0]["sealed"]
    return total


def verdict(database: Database, organization: Any, *, limit: int = 10_000, head: str | None = None) -> dict[str, Any]:
    """The first row of admin.verify_chain that doesn't hold, or the last, reading the chain in parts."""
    after = 0
    while True:
        statement = "select to_jsonb(v) as v from admin.verify_chain(%s, %s, %s, %s) as v"
        found: dict[str, Any] = database.sql(statement, organization, after, limit, head, login="leads_operator")[0][
            "v"
        ]
        if not found["holds"] or found["next_after"] is None:
            return found
        after, head = int(found["next_after"]), None
