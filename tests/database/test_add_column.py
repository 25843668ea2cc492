"""A migration can add a column with a default to every table.

PostgreSQL 15.20 refuses it while a stored expression uses the table's row type. A later minor
version of 18 probably does too. pgtap/catalogue/test_nothing_depends_on_the_row_type_of_a_table.sql
has the details; it holds on every version, and this test runs the statement itself.
"""

import psycopg
import pytest

from tests.support.database import Database

_TABLES = """
select c.oid::regclass::text as name
from pg_catalog.pg_class as c
where
  c.relnamespace in (
    select n.oid from pg_catalog.pg_namespace as n
    where n.nspname in ('admin', 'api', 'app', 'audit', 'auth', 'bi', 'crm', 'intake', 'scoring', 'webhook')
  )
  and c.relkind in ('r', 'p')
  and not c.relispartition
order by 1
"""
_USES_THE_ROW_TYPE = """
create function app.score_of(lead app.lead) returns integer language sql
begin atomic
  select (lead).lead_score;
end
"""


def test_every_table_takes_a_column_with_a_default(database: Database) -> None:
    tables = [row["name"] for row in database.sql(_TABLES)]
    assert {"app.lead", "audit.event", "crm.sync", "scoring.signal"} < set(tables)
    refused = {}
    for table in tables:
        try:
            database.sql(f"alter table {table} add column added integer not null default 0")
        except psycopg.errors.FeatureNotSupported as error:
            refused[table] = str(error)
    assert refused == {}


def test_control_a_function_that_uses_the_row_type_prevents_it(database: Database) -> None:
    with database.connect() as connection:
        if not 150020 <= connection.info.server_version < 160000:
            pytest.skip("this version of PostgreSQL does not check it")
        connection.execute(_USES_THE_ROW_TYPE)
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="uses its row type"):
            connection.execute("alter table app.lead add column another integer not null default 0")
