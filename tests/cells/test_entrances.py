"""The tests of the API behind an entrance to cells: the list of those that are left out, and PL/Proxy in short."""

import ast
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.settings import ROOT
from tests.support import excluded
from tests.support.contract import check_problem
from tests.support.database import Database, make_organization, wait_until_announced
from tests.support.entrances import Entrances
from tests.support.keys import new_key
from tests.support.plproxy import needs_plproxy
from tests.support.process import Server


@pytest.mark.parametrize("name", sorted({**excluded.BOTH, **excluded.HAPROXY, **excluded.PLPROXY}))
def test_each_test_that_is_left_out_exists(name: str) -> None:
    path, _, function = name.partition("::")
    assert (ROOT / path).exists()
    if function:
        functions = [n.name for n in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(n, ast.FunctionDef)]
        assert any(each.startswith(function.partition("[")[0]) for each in functions)


@needs_plproxy
def test_pl_proxy_finds_the_cell_of_each_key(
    database: Database, west: Database, new_server: Callable[..., Server], tmp_path: Path
) -> None:
    if not str(database.sql("show server_version")[0]["server_version"]).startswith("15."):
        pytest.skip("make test-15 runs this: PL/Proxy of Debian 12 is for PostgreSQL 15")
    with ExitStack() as opened:
        server = Entrances(new_server, west, lambda: tmp_path, opened, "plproxy").start(database)
        for cell in (database, west):
            organization = make_organization(cell)
            wait_until_announced(cell)
            with server.client(organization.keys["admin"]) as client:
                created = client.post("/leads", json={"email": "ann@example.com"})
                assert created.status_code == 201, created.text
                assert cell.sql("select email from app.lead where id = %s", created.json()["id"])
                assert client.get(f"/leads/{created.json()['id']}").json()["email"] == "ann@example.com"
                check_problem(
                    client.post("/leads", json={"email": "no"}), 422, "validation_failed", ("email", "invalid_email")
                )
                key = client.post("/keys", json={"name": "a key", "scope": "read"}).json()["key"]
            with server.client(key) as client:
                assert client.get("/organizations/me").json()["id"] == organization.id
        with server.client(new_key("test")) as client:
            check_problem(client.get("/leads"), 401, "unauthorized")
        assert httpx.get(server.base + "/openapi.json").status_code == 200
