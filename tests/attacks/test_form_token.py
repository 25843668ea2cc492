"""Attacks with the password of leads_api and the token of a form: the token sends to its form, and
does nothing else.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest

from tests.attacks.test_shim_login import claim
from tests.support.database import Database, Organization, make_organization
from tests.support.process import Server

ADDRESS = "known@example.com"
RECEIVED = '{"status":"received"}'

CALLS = """
select format('select %%I.%%I(%%s)', n.nspname, p.proname,
  (select string_agg(case format_type(t.type, null) when 'uuid' then quote_literal(%(lead)s::text)
     when 'text' then quote_literal('{"email": "new@example.com"}') else 'null' end, ', ' order by t.position)
   from unnest(p.proargtypes::oid[]) with ordinality as t (type, position)
   where t.position <= p.pronargs - p.pronargdefaults)) as call
from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
where n.nspname = 'api' and p.prokind = 'f' and has_function_privilege('leads_api', p.oid, 'execute')
  and p.proname not in ('submit_form', 'preflight_form')
"""
STATE = """
select
  (select count(*) from app.lead) as leads,
  (select count(*) from scoring.signal) as signals,
  (select count(*) from intake.form) as forms,
  (select md5(string_agg(l::text, '' order by l.id)) from app.lead as l) as content,
  (select count(*) from audit.event) as events
"""


@pytest.fixture(scope="module")
def alice(database: Database) -> Organization:
    return make_organization(database, "Alice Roofing")


@pytest.fixture(scope="module")
def bob(database: Database) -> Organization:
    return make_organization(database, "Bob Plumbing")


def make_form(server: Server, organization: Organization, **settings: Any) -> str:
    """Creates a form, and returns the token."""
    with server.client(organization.keys["admin"]) as client:
        return str(client.post("/forms", json=settings).json()["address"]).rpartition("/")[2]


@pytest.fixture
def enter(database: Database) -> Iterator[Callable[[str], psycopg.Connection[dict[str, Any]]]]:
    """Returns a session of leads_api that has set the claim of a token."""
    with database.connect("leads_api") as connection:

        def enter(token: str) -> psycopg.Connection[dict[str, Any]]:
            connection.execute(f"set leads.key_digest = '{claim(token)}'")
            return connection

        yield enter


def submit(session: psycopg.Connection[dict[str, Any]], **body: str) -> str:
    call = "select (api.submit_form(%s, 'application/json', '{}')).body as b"
    return str(session.execute(call, [json.dumps(body)]).fetchall()[0]["b"])


def test_no_other_function_shows_or_changes_anything(
    server: Server, database: Database, alice: Organization, enter: Callable[..., Any]
) -> None:
    token = make_form(server, alice)
    with server.client(alice.keys["write"]) as client:
        lead = client.post("/leads", json={"email": ADDRESS, "name": "Dana Whitfield"}).json()["id"]
    with database.connect() as connection:
        calls = [row["call"] for row in connection.execute(CALLS, {"lead": lead}).fetchall()]
    assert len(calls) > 25
    before = database.sql(STATE)
    session = enter(token)
    for scope in (None, "form", "read", "write", "admin"):
        for call in calls:
            text = ""
            try:
                with session.transaction():
                    if scope is not None:
                        session.execute("select auth.enter(%s, 'r', %s, false)", [claim(token), scope])
                    else:
                        session.execute("select set_config('leads.organization_id', %s, true)", [alice.id])
                    text = str(session.execute(call.encode()).fetchall())
            except psycopg.Error as error:
                text = str(error)
            assert "Whitfield" not in text, call
            assert ADDRESS not in text, call
    assert database.sql(STATE) == before


@pytest.mark.parametrize("on_duplicate", ["create", "skip", "fill"])
def test_a_token_reaches_its_own_organization_only(
    server: Server,
    database: Database,
    alice: Organization,
    bob: Organization,
    enter: Callable[..., Any],
    on_duplicate: str,
) -> None:
    with server.client(bob.keys["write"]) as client:
        lead = client.post("/leads", json={"email": ADDRESS, "reference": on_duplicate}).json()
        session = enter(make_form(server, alice, on_duplicate=on_duplicate, mapping={"id": "reference"}))
        session.execute("select set_config('leads.organization_id', %s, false)", [bob.id])
        assert submit(session, email=ADDRESS, company="Taken", id=on_duplicate) == RECEIVED
        assert client.get(f"/leads/{lead['id']}").json()["company"] is None
    owners = database.sql("select organization_id from app.lead where company = 'Taken'")
    assert {str(row["organization_id"]) for row in owners} == {alice.id}


def test_a_token_can_not_change_its_form(server: Server, alice: Organization, enter: Callable[..., Any]) -> None:
    session = enter(make_form(server, alice))
    for statement in (
        "select * from intake.form", "update intake.form set source = 'x'", "select * from intake.submission",
        "delete from intake.client", "select * from auth.claimed_key", "select auth.add_form_key(null, null, null)",
        "select intake.create_form(null, '{}')", "set role leads_intake",
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement.encode())


def test_a_token_that_was_revoked_sends_nothing(
    server: Server, database: Database, alice: Organization, enter: Callable[..., Any]
) -> None:
    token = make_form(server, alice)
    session = enter(token)
    assert submit(session, email="before@example.com") == RECEIVED
    database.sql("update auth.api_key set revoked_at = now() where digest = sha256(decode(%s, 'hex'))", claim(token))
    with pytest.raises(psycopg.Error, match="unauthorized"):
        submit(session, email="after@example.com")
    assert httpx.post(f"{server.base}/in/{token}", json={"email": "after@example.com"}).status_code == 401
    assert database.sql("select count(*) as n from app.lead where email = 'after@example.com'")[0]["n"] == 0
