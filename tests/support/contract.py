"""What every answer of the API has in common, as checks that the tests share."""

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

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

# What would tell of the inside: SQL, PostgreSQL's and Python's own words, schemas' objects, constraints' names.
_INSIDE = re.compile(
    r"\b(select|insert|update|sqlstate|relation|constraint|plpgsql|psycopg|traceback|pg_\w+"
    r"|(?:app|auth|audit|api|admin|public)\.\w+|\w+_within_\w+|\w+_is_text\w*)\b",
    re.IGNORECASE,
)


def check_headers(response: httpx.Response) -> None:
    """Whether the headers are there that every answer has."""
    assert response.headers["cache-control"] == "private, no-cache"
    assert "Authorization" in response.headers["vary"]
    assert re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}", response.headers["x-request-id"])


def check_problem(
    response: httpx.Response, status: int, code: str, *errors: tuple[str, str], in_order: bool = False
) -> dict[str, Any]:
    """Whether this is that problem, with exactly these entries (field, code) in errors; gives its members."""
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
        # What the client itself sent comes back in quotes.
        assert not _INSIDE.search(re.sub('"[^"]*"', "", text)), text
    assert all(list(entry) == ["field", "code", "detail"] for entry in problem["errors"])
    found = [(entry["field"], entry["code"]) for entry in problem["errors"]]
    assert (found if in_order else sorted(found)) == (list(errors) if in_order else sorted(errors))
    assert ("retry-after" in response.headers) is (status in (429, 503))
    assert ("www-authenticate" in response.headers) is (status == 401)
    assert ("allow" in response.headers) is (status == 405)
    return problem


def anonymous(response: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    """All of an answer but the request id and the date: to compare answers byte for byte."""
    id = response.headers["x-request-id"].encode()
    headers = {name: value for name, value in response.headers.items() if name not in ("x-request-id", "date")}
    return response.status_code, headers, response.content.replace(id, b"")
