"""One line of JSON on standard error for each request, and for each thing that an operator should see.

Never a key, a query or a body.
"""

import json
import sys
from datetime import UTC, datetime


def write(level: str, **members: object) -> None:
    """Writes a line with the time, the level (info, warning, error) and the members."""
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"), "level": level}
    sys.stderr.write(json.dumps(line | members, separators=(",", ":"), default=str) + "\n")


def request(id: bytes, method: str, path: str, status: int, seconds: float) -> None:
    """Writes a request's line."""
    write("info", request_id=id.decode(), method=method, path=path, status=status, ms=round(seconds * 1000, 2))
