"""The roles that the migrations create are those of ``auth.roles()``,
which everything else reads.
"""

import re

from app import migrations
from tests.support.database import Database
from tools.frozen import without_frozen_blocks


def test_the_migrations_create_the_roles_that_auth_roles_lists(database: Database) -> None:
    text = "".join(without_frozen_blocks(migration.path.read_text()) for migration in migrations.all_())
    text += (migrations.FOLDER / "next.sql").read_text()
    created = re.findall(r"(?:\('|create role )(leads_\w+)(?:', '| )(login|nologin)(?:'\)|;)", text)
    listed = database.sql("select name, kind from auth.roles()")
    assert sorted(created) == sorted((row["name"], "login" if row["kind"] == "login" else "nologin") for row in listed)


def test_the_cluster_has_no_other_role_of_that_prefix(database: Database) -> None:
    """No rule checks a role that auth.roles() leaves out."""
    roles = database.sql("select rolname from pg_roles where rolname like 'leads\\_%' and rolname <> 'leads_migrator'")
    listed = database.sql("select name from auth.roles()")
    assert {row["rolname"] for row in roles} == {row["name"] for row in listed}
