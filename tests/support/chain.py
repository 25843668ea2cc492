"""Seals and verifies the chain of the audit log, as the operator."""

from typing import Any

from tests.support.database import Database


def seal(database: Database) -> int:
    """Seals all events, and returns their number."""
    total, after = 0, None
    while rows := database.sql("select * from admin.seal_events(%s::uuid, 1000)", after, login="leads_operator"):
        after, total = rows[0]["organization_id"], total + rows[0]["sealed"]
    return total


def verdict(database: Database, organization: Any, *, limit: int = 10_000, head: str | None = None) -> dict[str, Any]:
    """Reads the chain in parts, and returns the first row of admin.verify_chain that fails,
    or else the last.
    """
    after = 0
    while True:
        statement = "select to_jsonb(v) as v from admin.verify_chain(%s, %s, %s, %s) as v"
        rows = database.sql(statement, organization, after, limit, head, login="leads_operator")
        row: dict[str, Any] = rows[0]["v"]
        if not row["holds"] or row["next_after"] is None:
            return row
        after, head = int(row["next_after"]), None
