"""Attacks with the password of leads_router, the login of ``leads cells sync``, and SQL of the attacker's choice.

The machine of the router has this password for every cell.
"""

import hashlib
from collections.abc import Iterator

import psycopg
import pytest

from app.cli.keys import digest
from tests.attacks.logins import Session, executable_functions, relations
from tests.support.database import Database, Organization, make_organization

FUNCTIONS = {
    "admin.announce_keys",
    "admin.cell",
    "admin.moves",
    "admin.routed_credentials",
    "admin.unannounced_keys",
}
"""The functions that the login can execute. A new one must be reviewed and added here."""

SECRETS = ("Bob Plumbing", "bobs.lead@example.com", "Bob's lead")


@pytest.fixture(scope="module")
def bob(database: Database) -> Organization:
    """An organization with a lead and a named key."""
    bob = make_organization(database, SECRETS[0])
    database.sql(
        "insert into app.lead (organization_id, email, name) values (%s, %s, %s)", bob.id, SECRETS[1], SECRETS[2]
    )
    return bob


@pytest.fixture
def session(database: Database, bob: Organization) -> Iterator[Session]:
    with database.connect("leads_router") as connection:
        yield connection


def test_no_table_is_readable_or_writable(session: Session, database: Database) -> None:
    for relation in relations(database):
        for statement in ("select from {}", "table {}", "copy {} to stdout"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement.format(relation))
        held = database.sql(
            "select p from unnest(array['select', 'insert', 'update', 'references']) as p "
            "where has_any_column_privilege('leads_router', %s, p) or has_table_privilege('leads_router', %s, 'delete')",
            *[relation] * 2,
        )
        assert held == []


def test_only_reviewed_functions_are_executable(session: Session) -> None:
    assert executable_functions(session) == FUNCTIONS


def test_every_other_function_is_refused(session: Session, database: Database) -> None:
    """None makes a key, reads or exports a lead, erases, or moves an organization."""
    calls = database.sql(
        "select p.oid::regproc::text as name, format('select * from %s.%I(%s)', p.pronamespace::regnamespace, p.proname, "
        "(select string_agg('null::' || format_type(a.type, null), ', ' order by a.n) "
        "from unnest(p.proargtypes::oid[]) with ordinality as a (type, n))) as statement "
        "from pg_proc as p where p.prokind = 'f' and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype) "
        "and p.pronamespace::regnamespace::text in "
        "('admin', 'api', 'app', 'audit', 'auth', 'crm', 'intake', 'scoring', 'webhook')"
    )
    refused = set()
    for call in calls:
        if call["name"] not in FUNCTIONS:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(call["statement"])
            refused.add(call["name"])
    assert {"admin.create_key", "admin.erase_lead", "admin.export_leads", "admin.begin_move", "api.get_lead"} <= refused


def test_it_can_become_no_other_role(session: Session, database: Database) -> None:
    # This role only lets a login use the server's reserved connections.
    others = "select rolname from pg_roles where rolname not in ('leads_router', 'pg_use_reserved_connections')"
    for row in database.sql(others):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(f'set role "{row["rolname"]}"')


def test_what_it_reads_is_no_credential_and_no_personal_value(session: Session, bob: Organization) -> None:
    shown = str(
        [
            session.execute(f"select * from admin.{call}").fetchall()
            for call in ("cell()", "moves()", "routed_credentials(null, null)", "unannounced_keys()")
        ]
    )
    # The digest of the digest: the claim can't be computed from it.
    assert digest(bob.keys["read"]).hex() in shown
    claims = [hashlib.sha256(key.encode()).hexdigest() for key in bob.keys.values()]
    for secret in (*SECRETS, *bob.keys.values(), *claims):
        assert secret not in shown
