"""Other databases of the product in the same cluster. They share the roles and their passwords."""

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow

from app.cli.addresses import call, connect

# Each database that has objects of leads_owner.
_OTHERS = """
select d.datname as name
from pg_catalog.pg_database as d
where
  d.datname <> current_database()
  and exists (
    select
    from pg_catalog.pg_shdepend as s
    join pg_catalog.pg_roles as r on r.oid = s.refobjid and s.refclassid = 'pg_authid'::regclass
    where s.dbid = d.oid and r.rolname = 'leads_owner' and s.deptype = 'o'
  )
order by 1
"""


def other_databases(connection: psycopg.Connection[DictRow]) -> list[str]:
    """The names of the other databases in which the product is installed. Raises psycopg.Error."""
    return [row["name"] for row in connection.execute(_OTHERS).fetchall()]


def analysts_elsewhere(connection: psycopg.Connection[DictRow], url: str) -> tuple[dict[str, str], list[str]]:
    """The other databases' analysts: each login's database; and the databases that can't be asked.

    url: the address of the connection's database. Raises psycopg.Error.
    """
    analysts: dict[str, str] = {}
    unknown: list[str] = []
    for name in other_databases(connection):
        try:
            with connect(make_conninfo(url, dbname=name)) as other:
                analysts |= {row["login"]: name for row in call(other, "admin.analysts", None)}
        except psycopg.Error:
            unknown.append(name)
    return analysts, unknown


def admin_grants(login: str) -> str:
    """What a superuser runs if the migrating login lacks ADMIN OPTION on the roles, as after pg_upgrade from 15."""
    name = sql.Identifier(login).as_string()
    return (
        f"Run as a superuser: grant leads_owner, leads_auth, leads_exec, leads_intake, leads_jobs to {name} with "
        "admin true, inherit true, set true; grant leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, "
        f"leads_operator, leads_router to {name} with admin true, inherit false, set false; (For PostgreSQL 15: with "
        "admin option.) leads doctor also lists the analysts' logins."
    )
