"""Checks that apply to every response of the API."""

import re
from typing import Any

import httpx

ITEM = (
    "id organization_id name company email source lead_score pipeline_stage industry company_size created_at updated_at"
).split()
WHOLE = (
    "id organization_id name company email source lead_score pipeline_stage industry company_size pain_points timeline "
    "budget_range ai_reasoning qualification_completed_at created_at updated_at"
).split()
CHANGE = "id organization_id name company email source lead_score pipeline_stage updated_at".split()
EVENT = "id organization_id action source correlation_id payload created_at".split()

# Unicode's White_Space.
WHITE_SPACE = (
    "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
    "\u200a\u2028\u2029\u202f\u205f\u3000"
)
# What the API removes at the ends of a text. It refuses control characters.
TRIMMED = (
    "".join(character for character in WHITE_SPACE if character not in "\v\f\u0085")
    + "\u00ad\u061c\u180e\ufeff"
    + "".join(map(chr, [*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)]))
)

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

# Words that reveal internals: SQL, words of PostgreSQL and Python, objects of our schemas,
# names of constraints.
_INSIDE = re.compile(
    r"\b(select|insert|update|sqlstate|relation|constraint|plpgsql|psycopg|traceback|pg_\w+"
    r"|(?:app|auth|audit|api|admin|public)\.\w+|\w+_within_\w+|\w+_is_text\w*)\b",
    re.IGNORECASE,
)


def check_headers(response: httpx.Response) -> None:
    """Checks the headers that every response has."""
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "private, no-cache"
    assert "Authorization" in response.headers["vary"]
    assert re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}", response.headers["x-request-id"])


def check_problem(
    response: httpx.Response, status: int, code: str, *errors: tuple[str, str], in_order: bool = False
) -> dict[str, Any]:
    """Checks the problem, with exactly these entries (field, code) in errors,
    and returns its members.
    """
    assert response.status_code == status, response.text
    check_headers(response)
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["content-length"]) == len(response.content)
    problem: dict[str, Any] = response.json()
    assert list(problem) == ["type", "title", "status", "detail", "code", "errors", "request_id"]
    assert problem["type"] == f"/docs#{code}"
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["request_id"] == response.headers["x-request-id"]
    for text in (problem["title"], problem["detail"], *(entry["detail"] for entry in problem["errors"])):
        assert text[0].isupper()
        # Text in quotes was sent by the client.
        assert not _INSIDE.search(re.sub('"[^"]*"', "", text)), text
    assert all(list(entry) == ["field", "code", "detail"] for entry in problem["errors"])
    entries = [(entry["field"], entry["code"]) for entry in problem["errors"]]
    assert (entries if in_order else sorted(entries)) == (list(errors) if in_order else sorted(errors))
    assert ("retry-after" in response.headers) is (status in (429, 503))
    assert ("www-authenticate" in response.headers) is (status == 401)
    assert ("allow" in response.headers) is (status == 405)
    return problem


def anonymous(response: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    """Returns the response without its request id, date and timing, to compare responses byte for
    byte.
    """
    id = response.headers["x-request-id"].encode()
    left_out = ("x-request-id", "date", "server-timing")
    headers = {name: value for name, value in response.headers.items() if name not in left_out}
    return response.status_code, headers, response.content.replace(id, b"")
