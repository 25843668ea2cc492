import json

import pytest

from app.server import problems
from app.server.postgres import StatementFailed
from app.server.problems import FieldError, Row

TABLE = {
    "not_found": Row(404, "not_found", "Not found", "There is nothing."),
    "invalid": Row(422, "invalid", "Invalid", "Fix it."),
    "internal": Row(500, "internal", "Internal error", "Report it."),
    "unavailable": Row(503, "unavailable", "Unavailable", "Try again."),
    "size_is_small": Row(422, "invalid", "Invalid", "This is too large.", "size", "too_large"),
    "22P02": Row(400, "invalid_json", "Invalid JSON", "This is no JSON."),
}


def of_error(
    sqlstate: str, message: str = "secret", detail: str | None = "secret", constraint: str = ""
) -> problems.Problem:
    problem = problems.of_error(TABLE, StatementFailed(sqlstate, message, detail, "secret", constraint))
    if not sqlstate.startswith("PT"):
        assert b"secret" not in problem.body("r")
    return problem


def test_a_body_has_the_members_in_their_order() -> None:
    errors = (FieldError("é", "x", "X."),)
    body = problems.of_word(TABLE, "invalid", errors=errors).body("r-1")
    assert list(json.loads(body).items()) == [
        ("type", "/docs#invalid"),
        ("title", "Invalid"),
        ("status", 422),
        ("detail", "Fix it."),
        ("code", "invalid"),
        ("errors", [{"field": "é", "code": "x", "detail": "X."}]),
        ("request_id", "r-1"),
    ]
    assert "é".encode() in body


def test_a_constraint_is_found_before_its_sqlstate() -> None:
    problem = of_error("23514", constraint="size_is_small")
    assert (problem.status, problem.code, problem.detail) == (422, "invalid", "Fix it.")
    assert problem.errors == (FieldError("size", "too_large", "This is too large."),)
    assert (of_error("22P02").status, of_error("22P02").code) == (400, "invalid_json")


@pytest.mark.parametrize("sqlstate", ["23514", "42P01", "P0001", "", "PTxyz"])
def test_an_error_without_a_row_is_a_bug(sqlstate: str) -> None:
    assert of_error(sqlstate, constraint="nobody_knows_it").status == 500 or sqlstate == "PTxyz"


@pytest.mark.parametrize("sqlstate", ["53300", "53100", "57P01", "57P03", "08006", "25006", "26000", "42P05", "3F000"])
def test_a_database_without_room_is_503(sqlstate: str) -> None:
    problem = of_error(sqlstate)
    assert problem.status == 503
    assert problem.headers == ((b"retry-after", b"1"),)


def test_a_write_to_a_standby_is_503_and_a_read_that_writes_is_a_bug() -> None:
    error = StatementFailed("25006", "m", None, None, "")
    assert problems.of_error(TABLE, error).status == 503
    assert problems.of_error(TABLE, error, is_read_only=True).status == 500


def test_an_error_that_a_function_raises_has_its_hint_and_errors() -> None:
    errors = '[{"field": "a", "code": "b", "detail": "C."}]'
    problem = problems.of_error(TABLE, StatementFailed("PT409", "not_found", errors, "Look.", ""))
    assert (problem.status, problem.code, problem.title, problem.detail) == (409, "not_found", "Not found", "Look.")
    assert problem.errors == [FieldError("a", "b", "C.")]
    problem = problems.of_error(TABLE, StatementFailed("PT418", "tea_only", None, None, ""))
    assert (problem.status, problem.code, problem.title) == (418, "tea_only", "I'm a Teapot")
    assert problems.of_error(TABLE, StatementFailed("PT499", "odd", None, None, "")).title == "Error"


def test_the_servers_own_problems_need_no_table() -> None:
    for word, status in (("not_found", 404), ("unavailable", 503), ("internal", 500), ("nobody_knows_it", 500)):
        assert problems.of_word({}, word).status == status


def test_a_status_has_its_headers() -> None:
    assert problems.of_word(TABLE, "x", status=401).headers == ((b"www-authenticate", b"Bearer"),)
    assert problems.of_word(TABLE, "x", status=429).headers == ((b"retry-after", b"1"),)
    assert problems.of_word(TABLE, "x", status=405, allow="GET").headers == ((b"allow", b"GET"),)
    assert problems.of_word(TABLE, "x", status=404).headers == ()
