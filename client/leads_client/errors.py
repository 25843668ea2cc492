"""Errors: the API's problems (RFC 9457) as an exception."""

import time
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from typing import Any

import httpx

from leads_client.generated.models import FieldError


@dataclass(eq=False)
class LeadsError(Exception):
    """A response whose status is not a success.

    status: the HTTP status. code: a stable word, such as not_found; http_502 if the response is not
    the API's own. detail: what to do next. errors: everything that is wrong with the request, by
    field. request_id: for the support. retry_after: seconds, or None.
    """

    status: int
    code: str
    detail: str
    errors: list[FieldError]
    request_id: str | None
    retry_after: float | None

    def __str__(self) -> str:
        fields = "".join(f"\n  {error.field}: {error.detail}" for error in self.errors)
        return f"{self.status} {self.code}: {self.detail}{fields}"


def error_of(response: httpx.Response) -> LeadsError:
    """The error that a read response tells."""
    problem = _problem(response)
    return LeadsError(
        response.status_code,
        problem.get("code", f"http_{response.status_code}"),
        problem.get("detail", response.reason_phrase),
        [FieldError.from_dict(error) for error in problem.get("errors", ())],
        response.headers.get("X-Request-Id"),
        _seconds(response.headers.get("Retry-After", "")),
    )


def _problem(response: httpx.Response) -> dict[str, Any]:
    """The members of the problem. None, if a proxy has cut it off or has made a form of its own."""
    if not response.headers.get("Content-Type", "").startswith("application/problem+json"):
        return {}
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _seconds(text: str) -> float | None:
    """The value of Retry-After: seconds or a date (RFC 9110, section 10.2.3)."""
    if text.isdecimal():
        return float(text)
    date = parsedate_tz(text)
    return None if date is None else max(0.0, mktime_tz(date) - time.time())
