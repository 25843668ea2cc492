"""The move of an organization inside each of the two cells: who answers, who works, and that every step can be
called twice. A subscription between two servers is the mover's, and its tests'.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.cells.carrying import begin, call, carry, finish, owned
from tests.support.chain import seal, verdict
from tests.support.database import Database, make_organization


@pytest.fixture(scope="module")
def source(new_database: Callable[..., Database]) -> Database:
    """The cell that has the organizations."""
    return new_database()


@pytest.fixture(scope="module")
def target(new_database: Callable[..., Database]) -> Database:
    """The cell to which they move."""
    return new_database()


def request(database: Database, key: str, function: str, *arguments: Any, scope: str = "write") -> dict[str, Any]:
    """What a request does in the database. Raises psycopg.Error, with the error's word as its message."""
    claim = hashlib.sha256(key.encode()).hexdigest()
    places = ", ".join(["%s"] * len(arguments))
    with database.connect("leads_api") as connection:
        row = connection.execute(
            f"select (a.r).status, (a.r).body from (select api.{function}({places}) as r"
            " from auth.enter(%s, 'a-request', %s, false) offset 0) as a",
            [*arguments, claim, scope],
        ).fetchone()
    assert row
    return row


def create(database: Database, key: str, email: str, idempotency_key: str | None = None) -> dict[str, Any]:
    """Creates a lead."""
    return request(database, key, "create_lead", f'{{"email":"{email}","name":"Ann","company":"B"}}', idempotency_key)


def refused(database: Database, key: str) -> str:
    """The error of a request."""
    with pytest.raises(psycopg.Error) as caught:
        create(database, key, "refused@example.com")
    return caught.value.diag.message_primary or ""


def test_each_step_can_be_called_twice_and_one_cell_answers(source: Database, target: Database) -> None:
    """The source answers until the fence, the target from its take-over on, and nobody in between."""
    acme = make_organization(source)
    key = acme.keys["write"]
    assert create(source, key, "one@example.com")["status"] == 201
    assert begin(source, target, acme.id) == begin(source, target, acme.id)
    assert create(source, key, "two@example.com", "a key")["status"] == 201
    seal(source)
    for _ in range(2):
        call(source, "admin.drain", acme.id)
    assert create(source, key, "three@example.com")["status"] == 201
    for _ in range(2):
        call(source, "admin.fence", acme.id)
    assert refused(source, key) == "moving"
    finish(source, acme.id)
    carry(source, target, acme.id)
    assert refused(target, key) == "unauthorized"
    assert owned(source, acme.id) == owned(source, acme.id)
    taken = call(target, "admin.take_over", acme.id, owned(source, acme.id))[0]["take_over"]
    assert taken["auth.api_key"] == 3
    assert taken["audit.unsealed"] > 0
    assert call(target, "admin.take_over", acme.id, owned(source, acme.id))[0]["take_over"] == {"is_repeated": True}
    assert refused(source, key) == "moving"
    assert create(target, key, "four@example.com")["status"] == 201
    for _ in range(2):
        call(source, "admin.give_up", acme.id, "second")
    assert refused(source, key) == "unauthorized"
    # The answer that the source has kept, and no second lead.
    assert create(target, key, "two@example.com", "a key")["status"] == 201
    leads = target.sql("select email from app.lead where organization_id = %s order by created_at, id", acme.id)
    assert [lead["email"] for lead in leads] == [f"{name}@example.com" for name in ("one", "two", "three", "four")]
    seal(target)
    assert verdict(target, acme.id)["holds"]
    assert call(source, "admin.placement", acme.id)[0]["placement"] == "moved"
    assert call(target, "admin.placement", acme.id)[0]["placement"] == "here"
