"""Attacks on the scripts that a superuser runs, with the migrating login: it owns the database, and is no superuser."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress

import psycopg
import pytest

from app.cells import preparation, proxy
from app.cells.files import Cell
from app.settings import ROOT
from tests.support.database import Database

CELLS = (
    Cell("east", "postgresql://leads_operator@127.0.0.1:1/leads", ("127.0.0.1:80",)),
    Cell("west", "postgresql://leads_operator@127.0.0.1:2/leads", ("127.0.0.1:81",)),
)
SCRIPTS = {
    "superuser.sql": (ROOT / "app" / "superuser.sql").read_text(),
    "leads cells prepare": preparation.script(CELLS[0], CELLS, {}),
    "leads cells plproxy": proxy.script(CELLS, {}),
}
TRAPS = """
create schema evil;
grant usage on schema evil to public;
create sequence evil.runs;
grant usage on sequence evil.runs to public;
create function evil.run() returns boolean language plpgsql as $$
begin
  -- A sequence is not rolled back.
  if (select r.rolsuper from pg_catalog.pg_roles as r where r.rolname = current_user) then
    perform pg_catalog.nextval('evil.runs');
  end if;
  return true;
end $$;
create function evil.current_database() returns pg_catalog.name language plpgsql as
  $$ begin perform evil.run(); return pg_catalog.current_database(); end $$;
create function evil.set_config(pg_catalog.text, pg_catalog.text, boolean) returns pg_catalog.text language plpgsql as
  $$ begin perform evil.run(); return pg_catalog.set_config($1, $2, $3); end $$;
create function evil.to_regclass(pg_catalog.text) returns regclass language plpgsql as
  $$ begin perform evil.run(); return pg_catalog.to_regclass($1); end $$;
create function public.format(pg_catalog.text, integer) returns pg_catalog.text language plpgsql as
  $$ begin perform evil.run(); return pg_catalog.format($1, variadic array[$2::pg_catalog.text]); end $$;
create domain evil.name as pg_catalog.name check (evil.run());
create domain evil.text as pg_catalog.text check (evil.run());
"""
"""What a script could take for PostgreSQL's own."""


@pytest.fixture(scope="module")
def trapped(new_database: Callable[..., Database]) -> Iterator[Database]:
    """A database whose owner has set traps."""
    database = new_database()
    with database.connect("leads_migrator") as connection:
        connection.execute(TRAPS.encode())
        path = "evil, pg_catalog, public"
        connection.execute(f"alter database {database.name} set search_path = {path}".encode())
    yield database
    with psycopg.connect(database.server.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(f"alter database {database.name} reset search_path".encode())


def runs(database: Database, script: str) -> bool:
    """Whether code of the database's owner runs with the rights of the superuser who runs the script."""
    with database.connect("leads_migrator") as connection:
        connection.execute("alter sequence evil.runs restart")
    with database.connect() as connection:
        # The shared server is no cell and has no PL/Proxy.
        with suppress(psycopg.errors.RaiseException, psycopg.errors.FeatureNotSupported):
            connection.execute(script.encode())
        connection.rollback()
        rows = connection.execute("select is_called from evil.runs").fetchall()
    return bool(rows[0]["is_called"])


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_owner_of_the_database_does_not_become_a_superuser(trapped: Database, name: str) -> None:
    assert not runs(trapped, SCRIPTS[name])


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_control_without_a_search_path_runs_the_owners_code(trapped: Database, name: str) -> None:
    script, number = re.subn(r"(?m)^set (local )?search_path = .*;$", "", SCRIPTS[name], count=1)
    assert number == 1
    assert runs(trapped, script)


def test_a_schema_that_the_owner_has_made_is_refused(new_database: Callable[..., Database]) -> None:
    """Its tables could have triggers."""
    database = new_database()
    database.sql("create schema router create table key (digest bytea primary key, cell text)", login="leads_migrator")
    with (
        database.connect() as connection,
        pytest.raises(psycopg.errors.RaiseException, match="The schema router belongs to a role that is no superuser"),
    ):
        connection.execute(SCRIPTS["leads cells plproxy"].encode())
