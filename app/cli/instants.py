"""Times in the command line's arguments."""

from datetime import UTC, datetime


def read(value: str) -> datetime | None:
    """The time in an ISO 8601 text: a date, which means midnight UTC, or a date and time with Z or
    an offset. None: it is no such time.
    """
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return None
    if instant.tzinfo is None:
        return instant.replace(tzinfo=UTC) if len(value) == len("2026-12-31") else None
    return instant
