"""Errors as problem+json (RFC 9457). One table defines them: the rows of ``api.problem``.

The row is found by the column ``raised_by``:

==============================  =========================================================
the error comes from            ``raised_by``
==============================  =========================================================
the server                      a word, such as ``not_found``
a function, SQLSTATE ``PTnnn``  the error's message, a word; ``nnn`` is the HTTP status
a constraint                    the constraint's name
PostgreSQL, in any other case   the SQLSTATE
==============================  =========================================================

An error without a row is a bug: the response is 500 and shows nothing of it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from app.server.postgres import StatementFailed

MAX_ERRORS = 100
"""Entries of ``errors`` that a response shows."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """An entry of ``errors``: what is wrong with one field, parameter or header."""

    field: str
    code: str
    detail: str


@dataclass(frozen=True)
class Row:
    """A row of ``api.problem``."""

    status: int
    code: str
    title: str
    detail: str
    field: str | None = None
    field_code: str | None = None


Table = Mapping[str, Row]
"""The rows by ``raised_by``."""


@dataclass(frozen=True)
class Problem:
    """An error as the response shows it.
    ``headers`` are those that belong to the error (RFC 9110).
    """

    status: int
    code: str
    title: str
    detail: str
    errors: Sequence[FieldError] = ()
    headers: Sequence[tuple[bytes, bytes]] = ()
    cause: Mapping[str, str] = field(default_factory=dict)
    """What the request's line in the log says about it: ``sqlstate`` or ``reason``."""

    def body(self, request_id: str) -> bytes:
        """The members in their order, as UTF-8.
        ``type`` is where the reference explains the code.
        """
        return json.dumps(
            {
                "type": f"/docs#{self.code}",
                "title": self.title,
                "status": self.status,
                "detail": self.detail,
                "code": self.code,
                "errors": [
                    {"field": error.field, "code": error.code, "detail": error.detail}
                    for error in self.errors[:MAX_ERRORS]
                ],
                "request_id": request_id,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode()


# These also occur before the database has been read, when it can't be reached,
# and where no table is at hand.
_BUILT_IN = {
    "invalid_request": Row(
        400, "invalid_request", "Invalid request", "This is not a valid HTTP/1.1 request. Correct the HTTP client."
    ),
    "head_too_large": Row(
        431, "head_too_large", "Head too large", "The request line and headers have at most 32 KiB, and 100 headers."
    ),
    "not_found": Row(404, "not_found", "Not found", "There is nothing at this address. Check the path and the id."),
    "unavailable": Row(503, "unavailable", "Unavailable", "The server is busy. Nothing was done. Try again."),
    "internal": Row(
        500, "internal", "Internal error", "An error occurred in the server. Report it with the request_id."
    ),
}


def of_word(
    table: Table,
    word: str,
    *,
    detail: str | None = None,
    errors: Sequence[FieldError] = (),
    status: int | None = None,
    allow: str | None = None,
) -> Problem:
    """The problem of a word. status: the one that a function raised; allow:
    the Allow header of a 405.
    """
    row = table.get(word) or _BUILT_IN.get(word)
    if row is None:
        if status is None:
            return of_word(table, "internal")
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Error"
        row = Row(status, word, phrase, phrase + ".")
    status = status or row.status
    return Problem(status, row.code, row.title, detail or row.detail, errors, _headers(status, allow))


def of_error(table: Table, error: StatementFailed, *, is_read_only: bool = False) -> Problem:
    """The problem of a PostgreSQL error. is_read_only: whether its transaction must not write.
    Its own message, detail and hint are shown only if our SQL raised it.
    """
    if error.sqlstate.startswith("PT") and error.sqlstate[2:].isdigit():
        raised_errors = read_errors(error.detail) if error.detail else ()
        problem = of_word(table, error.message, detail=error.hint, errors=raised_errors, status=int(error.sqlstate[2:]))
        # The seconds of Retry-After.
        if problem.status == 429 and error.constraint.isdigit():
            return replace(problem, headers=((b"retry-after", error.constraint.encode()),))
        return problem
    if error.sqlstate == "25006":
        # If the request may write, the server is a standby. Otherwise its function has a bug.
        return of_word(table, "internal" if is_read_only else "unavailable")
    row = table.get(error.constraint) or table.get(error.sqlstate)
    if row is None:
        # Class 40 is a transaction that another one stopped, 53 too many connections, no memory
        # or no disk, 55 an object in use, 57 a shutdown or a cancellation, 58 a fault of the
        # machine's files, 3F000 a database that is being restored.
        busy = error.is_of_session or error.sqlstate.startswith(("40", "53", "55", "57", "58", "3F000"))
        return of_word(table, "unavailable" if busy else "internal")
    if row.field is None:
        return Problem(row.status, row.code, row.title, row.detail, (), _headers(row.status))
    errors = (FieldError(row.field, row.field_code or "", row.detail),)
    return of_word(table, row.code, errors=errors, status=row.status)


def read_errors(text: str | bytes) -> list[FieldError]:
    """The field errors that a function of the database gives as JSON."""
    return [FieldError(error["field"], error["code"], error["detail"]) for error in json.loads(text)]


def _headers(status: int, allow: str | None = None) -> Sequence[tuple[bytes, bytes]]:
    if status == 401:
        return ((b"www-authenticate", b"Bearer"),)
    if status == 405 and allow:
        return ((b"allow", allow.encode()),)
    if status in (429, 503):
        return ((b"retry-after", b"1"),)
    return ()
