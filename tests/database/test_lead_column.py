"""The steps in CONTRIBUTING.md that add a column to leads:
followed word for word, they are complete.
"""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import httpx
import psycopg
import pytest
from psycopg import sql

from app import unreleased
from app.settings import ROOT
from tests.support.database import Database, make_organization
from tests.support.process import Server
from tools import headers

_SECTION = re.compile(r"^## A new column of a lead\n(.*?)^## ", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^ *```(sql|diff)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_CHANGE = re.compile(r"^((?:-(?!--).*\n)+)((?:\+.*\n)+)", re.MULTILINE)


def steps() -> tuple[str, dict[str, list[tuple[str, str]]]]:
    """Returns the DDL, and the replacements by file."""
    section = _SECTION.search((ROOT / "CONTRIBUTING.md").read_text())
    assert section
    ddl, changes = "", dict[str, list[tuple[str, str]]]()
    for kind, text in _BLOCK.findall(section[1]):
        if kind == "sql":
            ddl += dedent(text)
            continue
        for file in re.split(r"^--- ", dedent(text), flags=re.MULTILINE)[1:]:
            name, _, lines = file.partition("\n")
            pairs = [
                tuple(re.sub(r"^[-+]", "", side, flags=re.MULTILINE).strip("\n") for side in pair)
                for pair in _CHANGE.findall(lines)
            ]
            changes[name] = [(before, after) for before, after in pairs]
    return ddl, changes


@pytest.fixture(scope="module")
def database(new_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory) -> Database:
    """A database to which the steps have added the column."""
    database = new_database()
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT / "sql", tree / "sql")
    ddl, changes = steps()
    assert len(changes) == 8
    for name, pairs in changes.items():
        path = Path(tree, name)
        for before, after in pairs:
            text = path.read_text()
            assert before in text, f"{name} has no {before!r}"
            path.write_text(text.replace(before, after))
    (tree / "next.sql").write_text(ddl)
    (state,) = database.sql("select obj_description('yoyo'::regnamespace, 'pg_namespace') as comment")
    database.sql("comment on schema yoyo is null")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unreleased, "ROOT", tree)
        patch.setattr(unreleased, "_LOAD", tree / "sql" / "load.sql")
        patch.setattr(unreleased, "_NEXT", tree / "next.sql")
        with psycopg.connect(database.url("leads_migrator"), autocommit=True) as connection:
            unreleased.apply(connection)
            # The server compares it with this checkout, not with the tree.
            connection.execute(sql.SQL("comment on schema yoyo is {}").format(sql.Literal(state["comment"])))
    return database


def test_the_migrations_have_headers(tmp_path: Path) -> None:
    ddl, _ = steps()
    (tmp_path / "next.sql").write_text(ddl)
    assert headers.main([str(tmp_path)]) == 0


def test_the_new_column_has_a_validated_limit(database: Database) -> None:
    statement = "select convalidated from pg_constraint where conname = 'lead_region_is_text_of_1_to_128'"
    assert database.sql(statement) == [{"convalidated": True}]


def test_the_new_column_is_everywhere(database: Database, new_server: Callable[..., Server]) -> None:
    organization = make_organization(database)
    server = new_server(database)
    key = {"Authorization": f"Bearer {organization.keys['write']}"}
    with httpx.Client(base_url=f"{server.base}/api/v1", headers=key) as client:
        refused = client.post("/leads", json={"email": "ada@example.com", "region": "x" * 129})
        assert refused.status_code == 422
        assert [(e["field"], e["code"]) for e in refused.json()["errors"]] == [("region", "too_long")]
        assert "1 to 128 characters" in refused.json()["errors"][0]["detail"]

        lead = client.post("/leads", json={"email": "ada@example.com", "region": " north "}).json()["id"]
        assert client.get(f"/leads/{lead}").json()["region"] == "north"
        assert client.patch(f"/leads/{lead}", json={"region": "south"}).status_code == 200
        body = client.get(f"/leads/{lead}").json()
        assert (list(body)[-1], body["region"], len(body)) == ("region", "south", 18)
        assert len(client.get("/leads").json()["data"]) == 1

        newest = client.get("/audit-log", params={"action": "lead.updated"}).json()["data"][0]
        assert newest["payload"]["diff"] == {"region": {"from": "north", "to": "south"}}

        reference = httpx.get(server.base + "/openapi.json").json()["components"]["schemas"]
        for schema in ("Lead", "LeadInput"):
            region = reference[schema]["properties"]["region"]
            assert (region["maxLength"], region["description"]) == (128, "The region, as free text.")

        assert database.sql("select region from bi.leads") == []
        assert database.sql("select has_column_privilege('leads_bi', 'bi.leads', 'region', 'select') as may") == [
            {"may": True}
        ]
        database.sql("select * from admin.erase_lead(%s, %s)", organization.id, lead, login="leads_operator")
        newest = client.get("/audit-log", params={"action": "lead.updated"}).json()["data"][0]
        assert newest["payload"]["diff"] == {"region": {"erased": True}}
    assert database.sql("select 1 from audit.event where payload::text like '%south%'") == []
    constraint = "select detail from api.problems() where raised_by = 'lead_region_is_text_of_1_to_128'"
    assert json.dumps(database.sql(constraint, login="leads_api")).count("1 to 128 characters") == 1
