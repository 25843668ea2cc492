"""What the attacks with the password of a login of the service look at."""

from typing import Any

import psycopg

from tests.attacks.world import SCHEMAS
from tests.support.database import Database

Session = psycopg.Connection[dict[str, Any]]


def relations(database: Database) -> list[str]:
    """All tables, views and sequences of the application."""
    rows = database.sql(
        "select c.oid::regclass::text as name from pg_class as c join pg_namespace as n on n.oid = c.relnamespace "
        "where n.nspname = any (%s) and c.relkind in ('r', 'v', 'm', 'p', 'S')",
        [*SCHEMAS, "yoyo"],
    )
    assert len(rows) > 8
    return [row["name"] for row in rows]


def executable_functions(session: Session) -> set[str]:
    """The functions that the login can execute, other than PostgreSQL's own."""
    rows = session.execute(
        "select n.nspname || '.' || p.proname as name "
        "from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace "
        "where n.nspname not in ('pg_catalog', 'information_schema') and has_schema_privilege(n.oid, 'usage') "
        "and has_function_privilege(p.oid, 'execute')"
    )
    return {row["name"] for row in rows}
