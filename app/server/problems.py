"""An error as problem+json (RFC 9457), by one table: the rows of ``api.problem``.

What an error is called decides its row:

=============================  ==========================================================
raised                         the row's ``raised_by``
=============================  ==========================================================
by the shim                    a word, such as ``not_found``
by a function, SQLSTATE PTnnn  the error's message, a word; ``nnn`` is the HTTP status
by a constraint                the constraint's name
by PostgreSQL otherwise        the SQLSTATE
=============================  ==========================================================

An error without a row is a bug: 500, and nothing of it is shown.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

Fault = Mapping[str, Any]
"""An entry of ``errors``: field, code and detail."""


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

MAX_ERRORS = 100
"""Entries of ``errors`` that are shown."""


@dataclass(frozen=True)
class Problem:
    """An error as it is answered; ``headers`` are those that belong to it (RFC 9110)."""

    status: int
    code: str
    title: str
    detail: str
    errors: Sequence[Fault] = ()
    headers: Sequence[tuple[bytes, bytes]] = field(default=())

    def body(self, request_id: str) -> bytes:
        """The members in their order, as UTF-8. ``type`` is the place in the reference where the code is explained."""
        return json.dumps(
            {
                "type": f"/docs#{self.code}",
                "title": self.title,
                "status": self.status,
                "detail": self.detail,
                "code": self.code,
                "errors": list(self.errors[:MAX_ERRORS]),
                "request_id": request_id,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode()


# What is answered before, or without, a database that could say more.
_BARE = {
    "not_found": Row(404, "not_found", "Not found", "There is nothing at this address. Check the path and the id."),
    "unavailable": Row(503, "unavailable", "Unavailable", "The server is busy. Nothing was done. Try again."),
    "internal": Row(500, "internal", "Internal error", "This is a fault of the server. Report it with the request_id."),
}


def of_word(
    table: Table,
    word: str,
    *,
    detail: str | None = None,
    errors: Sequence[Fault] = (),
    status: int | None = None,
    allow: str | None = None,
) -> Problem:
    """The problem that a word stands for. status: the one that a function raised; allow: Allow's value, of a 405."""
    row = table.get(word) or _BARE.get(word)
    if row is None:
        if status is None:
            return of_word(table, "internal")
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Error"
        row = Row(status, word, phrase, phrase + ".")
    status = status or row.status
    return Problem(status, row.code, row.title, detail or row.detail, errors, _headers(status, allow))


def of_error(
    table: Table, sqlstate: str, message: str, detail: str | None, hint: str | None, constraint: str
) -> Problem:
    """The problem that a PostgreSQL error stands for. Its message, detail and hint show only where we raised it."""
    if sqlstate.startswith("PT") and sqlstate[2:].isdigit():
        return of_word(
            table, message, detail=hint, errors=json.loads(detail) if detail else (), status=int(sqlstate[2:])
        )
    row = table.get(constraint) or table.get(sqlstate)
    if row is None:
        # Too many connections, out of memory or disk (class 53), a shutdown (57P0x), a lost connection (class 08).
        busy = sqlstate.startswith(("53", "57P", "08"))
        return of_word(table, "unavailable" if busy else "internal")
    if row.field is None:
        return Problem(row.status, row.code, row.title, row.detail, (), _headers(row.status))
    errors = ({"field": row.field, "code": row.field_code, "detail": row.detail},)
    return of_word(table, row.code, errors=errors, status=row.status)


def _headers(status: int, allow: str | None = None) -> Sequence[tuple[bytes, bytes]]:
    if status == 401:
        return ((b"www-authenticate", b"Bearer"),)
    if status == 405 and allow:
        return ((b"allow", allow.encode()),)
    if status in (429, 503):
        return ((b"retry-after", b"1"),)
    return ()
