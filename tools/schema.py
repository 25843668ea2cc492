"""``schema.sql``: what the migrations make, for a reviewer to read and for the tests to compare
with.

``python -m tools.schema`` writes it: pg_dump of an empty database that was migrated, then the rows
that are code, and the roles. It is compared on PostgreSQL 18 alone: versions print differently.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path

import psycopg

from app import embedded
from app.cli import migrate
from app.settings import ROOT

FILE = ROOT / "schema.sql"

_ROWS = (
    "api.problem",
    "api.route",
    "api.operation",
    "api.tag",
    "api.guide",
    "api.parameter",
    "api.shape",
    "api.named_schema",
    "app.lead_field",
    "scoring.default_model",
    "crm.vendor",
)
# What depends on the run, the version or the server's own objects.
_NOISE = re.compile(
    r"^(?:--.*|\\(?:un)?restrict .*|SET .*|SELECT pg_catalog\.set_config.*|.* ON FUNCTION pg_catalog\..*)\n",
    re.MULTILINE,
)
_ROLES = """
    select
      r.rolname as role, r.rolcanlogin, r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolbypassrls, r.rolreplication,
      array(
        select g.rolname
        from pg_catalog.pg_auth_members as m
        join pg_catalog.pg_roles as g on g.oid = m.roleid
        where m.member = r.oid and (to_jsonb(m) ->> 'set_option')::boolean is not false
          -- Belongs to the server, which may not have it.
          and g.rolname <> 'pg_use_reserved_connections'
        order by g.rolname
      ) as member_of
    from pg_catalog.pg_roles as r
    where r.rolname like 'leads\\_%'
    order by r.rolname collate "C"
"""


def dump(url: str) -> str:
    """The schema of the database at this address, as a superuser sees it,
    in a form that two equal ones share.
    """
    # The years of the partitions depend on the day of the run.
    partitions = ("--exclude-table=audit.event_*", "--exclude-table=audit.seal_*")
    program = str(embedded.binary("pg_dump"))
    command = [program, "--schema-only", "--exclude-schema=yoyo", *partitions, "--restrict-key=none", url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    parts = [re.sub(r"\n{2,}", "\n\n", _NOISE.sub("", text)).strip()]
    with psycopg.connect(url) as connection:
        for table in _ROWS:
            rows = connection.execute(f'select row_to_json(t)::text from {table} as t order by t::text collate "C"')
            parts.append("\n".join([f"-- the rows of {table}", *(f"-- {row[0]}" for row in rows)]))
        cursor = connection.execute(_ROLES)
        names = [column.name for column in cursor.description or ()]
        roles = (json.dumps(dict(zip(names, row, strict=True))) for row in cursor)
        parts.append("\n".join(["-- the roles", *(f"-- {role}" for role in roles)]))
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Writes schema.sql."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with embedded.running(Path(folder) / "postgres", options={"fsync": "off"}) as server:
            migrate.apply(server.url("leads_migrator"))
            FILE.write_text(dump(server.url("postgres")))
    print(f"{FILE.name} is written.")


if __name__ == "__main__":
    main()
