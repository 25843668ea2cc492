"""The database of a test, and organizations with keys in it."""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from app import embedded
from app.cli.keys import digest, new_key

UNBOUND_ANALYST = "The analyst's login has no organization, so it reads nothing."
"""The doctor's finding about the analysts of other tests' databases. The tests share one cluster."""


@dataclass(frozen=True)
class Database:
    """The database of a test."""

    server: embedded.Server
    name: str

    def url(self, login: str = "postgres") -> str:
        """Returns the address of the database for a login."""
        return self.server.url(login, self.name)

    def connect(self, login: str = "postgres", **options: Any) -> psycopg.Connection[dict[str, Any]]:
        """Returns a connection in autocommit mode, whose rows are dictionaries."""
        return psycopg.connect(self.url(login), autocommit=True, row_factory=dict_row, **options)

    def sql(self, statement: str, *values: Any, login: str = "postgres") -> list[dict[str, Any]]:
        """Runs one statement as the login, by default a superuser, and returns its rows."""
        with self.connect(login) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []


@dataclass(frozen=True)
class Organization:
    """An organization with a key of each scope."""

    id: str
    keys: dict[str, str]


def make_organization(database: Database, name: str = "Acme Restoration", environment: str = "test") -> Organization:
    """Creates an organization with a key of each scope."""
    rows = database.sql("select admin.create_organization(%s, %s) as id", name, environment, login="leads_operator")
    organization = Organization(str(rows[0]["id"]), {})
    for scope in ("read", "write", "admin"):
        organization.keys[scope] = make_key(database, organization.id, scope)
    return organization


def make_key(database: Database, organization_id: str, scope: str, environment: str = "test") -> str:
    """Creates a key, and returns it."""
    key = new_key(environment)
    database.sql("select admin.create_key(%s, %s, %s)", organization_id, scope, digest(key), login="leads_operator")
    return key
