"""What the worker does for the figures of stages, in the tests that have no worker."""

from tests.support.database import Database


def count_stages(database: Database) -> None:
    """Seals all events, and counts them: afterwards the analysts' views are complete."""
    for function in ("admin.seal_events", "admin.count_stages"):
        has_more = True
        while has_more:
            has_more, after = False, None
            while rows := database.sql(f"select * from {function}(%s, 1000)", after, login="leads_worker"):
                after, number = rows[0].values()
                has_more |= number > 0
