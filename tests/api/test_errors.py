"""Errors: each has the members of a problem, and none shows internal details."""

import json
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.support.contract import anonymous, check_headers, check_problem
from tests.support.database import Database, Organization
from tests.support.process import Server

# Raises the given error, with internal details that no response may show.
FAIL = """
create function api.fail(raised_by text, kind text, status integer)
returns api.answer
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  case kind
    when 'word' then
      raise exception using errcode = 'PT' || status, message = raised_by;
    when 'sqlstate' then
      raise exception using errcode = raised_by, message = 'insider: relation "app.lead"', detail = 'insider',
        hint = 'insider';
    when 'constraint' then
      raise exception using errcode = 'check_violation', constraint = raised_by, table = 'insider',
        message = 'insider: relation "app.lead"', detail = 'Failing row contains (insider).';
    when 'told' then
      raise exception using errcode = 'PT' || status, message = raised_by, hint = 'Do this instead.',
        detail = '[{"field": "size", "code": "too_small", "detail": "This is too small."}]';
  end case;
end
$$;
grant execute on function api.fail(text, text, integer) to leads_api;
insert into api.route (method, path, function, scope) values ('GET', '/fail', 'api.fail', 'read');
"""


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database]) -> Database:
    """A server with a route that fails as the request says."""
    database = new_database()
    database.sql(FAIL)
    return database


@pytest.fixture(scope="module")
def client(server: Server, new_organization: Callable[..., Organization]) -> Iterator[httpx.Client]:
    """A client with a key of the scope read."""
    with server.client(new_organization().keys["read"]) as client:
        yield client


def test_each_row_of_the_problem_table_determines_its_response(client: httpx.Client, database: Database) -> None:
    # Only the API server can set Allow, which a 405 needs.
    rows = database.sql("select * from api.problem where raised_by <> 'method_not_allowed'")
    assert len(rows) > 30
    for row in rows:
        raised_by, status = row["raised_by"], row["status"]
        if len(raised_by) == 5 and (raised_by[0].isdigit() or raised_by.isupper()):
            kind = "sqlstate"
        else:
            kind = "word" if raised_by == row["code"] else "constraint"
        answer = client.get("/fail", params={"raised_by": raised_by, "kind": kind, "status": status})
        errors = [(row["field"], row["field_code"])] if row["field"] else []
        problem = check_problem(answer, status, row["code"], *errors)
        assert problem["title"] == row["title"]
        assert "insider" not in answer.text
        assert (problem["errors"][0]["detail"] if errors else problem["detail"]) == row["detail"]


@pytest.mark.parametrize(
    "sqlstate",
    ["53000", "53100", "53200", "53300", "57P01", "57P03", "08006", "25P02", "26000", "40003", "42P05",
     "55006", "58030"],
)  # fmt: skip
def test_a_fault_of_the_database_or_its_session_is_503_and_the_log_has_its_sqlstate(
    client: httpx.Client, server: Server, sqlstate: str
) -> None:
    id = f"busy-{sqlstate}"
    answer = client.get(
        "/fail", params={"raised_by": sqlstate, "kind": "sqlstate", "status": 0}, headers={"X-Request-Id": id}
    )
    check_problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    (line,) = [line for line in server.lines() if line.get("request_id") == id]
    assert (line["status"], line["sqlstate"]) == (503, sqlstate)
    assert ("LEADS_PREPARED_STATEMENTS" in json.dumps(line)) is (sqlstate in ("26000", "42P05"))
    assert "insider" not in json.dumps(line)


@pytest.mark.parametrize(
    ("raised_by", "kind"),
    [("22012", "sqlstate"), ("23505", "sqlstate"), ("42P01", "sqlstate"), ("42501", "sqlstate"), ("XX000", "sqlstate"),
     ("25006", "sqlstate"), ("0A000", "sqlstate"), ("2D000", "sqlstate"), ("P0001", "sqlstate"),
     ("nobody_knows_it", "constraint"), ("x", "no kind at all")],
)  # fmt: skip
def test_a_bug_returns_500_and_only_the_log_describes_it(
    client: httpx.Client, server: Server, raised_by: str, kind: str
) -> None:
    id = f"bug-{raised_by}"
    answer = client.get(
        "/fail", params={"raised_by": raised_by, "kind": kind, "status": 0}, headers={"X-Request-Id": id}
    )
    check_problem(answer, 500, "internal")
    assert "insider" not in answer.text
    (line,) = [line for line in server.lines() if line.get("request_id") == id and line["level"] == "error"]
    assert line["sqlstate"]
    assert line["message"]
    assert client.get("/health").status_code == 200


def test_a_function_raises_its_own_words_and_errors(client: httpx.Client) -> None:
    answer = client.get("/fail", params={"raised_by": "tea_only", "kind": "told", "status": 418})
    problem = check_problem(answer, 418, "tea_only", ("size", "too_small"))
    assert problem["detail"] == "Do this instead."
    assert problem["errors"][0]["detail"] == "This is too small."
    # A word of the table, raised with another status.
    answer = client.get("/fail", params={"raised_by": "not_found", "kind": "told", "status": 409})
    assert check_problem(answer, 409, "not_found", ("size", "too_small"))["title"] == "Not found"
    for status in (429, 503):
        answer = client.get("/fail", params={"raised_by": "later", "kind": "word", "status": status})
        check_problem(answer, status, "later")


def test_a_problem_has_no_body_on_head_and_the_same_headers(client: httpx.Client) -> None:
    for path in ("/leads?limit=0", "/nowhere", "/leads/9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"):
        get, head = (client.request(method, path, headers={"X-Request-Id": "a"}) for method in ("GET", "HEAD"))
        assert head.content == b""
        assert head.status_code == get.status_code
        assert anonymous(get)[1] == anonymous(head)[1]


def test_data_of_a_client_is_returned_as_text_only(client: httpx.Client) -> None:
    answer = client.get("/leads", params={"pipeline_stage": '<b>"\\\u2028🏚</b>'})
    problem = check_problem(answer, 422, "validation_failed", ("pipeline_stage", "unknown_stage"))
    assert '<b>"\\\u2028🏚</b>' in problem["errors"][0]["detail"]
    answer = client.get("/leads?%3Cb%3E=1")
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.content)["errors"][0]["field"] == "<b>"


def test_an_error_outside_the_api_is_a_problem_too(server: Server) -> None:
    with httpx.Client(base_url=server.base, verify=False) as root:
        for path in ("/nowhere", "/api", "/api/v1", "/api/v2/leads", "/livez/", "/%00", "/api/v1leads"):
            for method in ("GET", "POST"):
                check_problem(root.request(method, path), 404, "not_found")
            assert root.get(path, headers={"X-Request-Id": "mine"}).json()["request_id"] == "mine"
        for path in ("/livez", "/readyz"):
            check_problem(root.post(path), 405, "method_not_allowed")
            assert set(root.post(path).headers["allow"].split(", ")) == {"GET", "HEAD"}
            answer = root.get(path)
            assert answer.json() == {"status": "ok"}
            check_headers(answer)
            assert root.head(path).status_code == 200
    assert [line for line in server.lines() if line.get("request_id") == "mine" and line["status"] == 404]
