"""The directory: it is derived from the cells, a new key is announced when the router knows it, and what
differs is reported.
"""

import asyncio
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app import settings
from app.cells import claims, database, files, sync
from app.cells.claims import Claim, Claims, Map
from app.cells.router import RuntimeMap
from app.cells.sync import Sync
from app.cli import addresses
from app.cli.keys import digest
from app.cli.move import publisher
from app.cli.output import Mistake
from tests.support.cells import Cells
from tests.support.process import mistake, printed
from tests.support.router import needs_router

pytestmark = needs_router


@pytest.fixture(scope="module", autouse=True)
def named(cells: Cells) -> None:
    """The cells have their names, as leads cells add gives them. Only east has an address for leads_router."""
    for cell in files.read(cells.folder):
        assert cell.router_url
        options = [part for server in cell.servers for part in ("--server", server)]
        options += ["--router-url", cell.router_url] if cell.name == "east" else []
        printed(cells.leads("cells", "add", cell.name, "--operator-url", cell.operator_url, *options))


@pytest.fixture
def syncing(cells: Cells, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts leads cells sync, which ends with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> subprocess.Popen[bytes]:
        process = cells.start("cells", "sync", *options, log=tmp_path / "sync.log")
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
        assert process.wait(30) == 0, (tmp_path / "sync.log").read_text()


def wait_for_lines(cells: Cells, *keys: str) -> None:
    """Waits until the router knows the keys."""
    runtime = RuntimeMap(cells.environ["LEADS_ROUTER_SOCKET"])
    end = time.monotonic() + 30
    while not {digest(key).hex() for key in keys} <= runtime.lines().keys():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_map_that_is_made_again_is_equal(cells: Cells) -> None:
    organizations = {name: cells.make_organization(name) for name in cells.databases}
    printed(cells.leads("cells", "sync", "--once"))
    first = (cells.folder / files.MAP).read_bytes()
    for name, organization in organizations.items():
        for key in organization.keys.values():
            assert cells.map[digest(key).hex()] == name
            # The map has no credential, and nothing from which one can be computed.
            assert key.encode() not in first
        assert cells.client(organization.keys["read"]).get("/organizations/me").json()["id"] == organization.id
    (cells.folder / files.MAP).unlink()
    printed(cells.leads("cells", "sync", "--once"))
    assert (cells.folder / files.MAP).read_bytes() == first
    lines = RuntimeMap(cells.environ["LEADS_ROUTER_SOCKET"]).lines()
    assert lines == cells.map
    alone = cells.leads("cells", "sync", "--once", LEADS_ROUTER_SOCKET="")
    assert (alone.returncode, "no router gets new keys" in alone.stderr) == (0, True)
    assert printed(cells.leads("cells", "check")) == "Nothing found."


def test_a_new_key_is_announced_when_the_router_knows_it(
    cells: Cells, syncing: Callable[..., subprocess.Popen[bytes]]
) -> None:
    organization = cells.make_organization("east")
    syncing("--every", "3600")
    wait_for_lines(cells, *organization.keys.values())
    admin = cells.client(organization.keys["admin"])
    created = []
    for number in range(20):
        response = admin.post("/keys", json={"name": f"key {number}", "scope": "read"})
        assert response.status_code == 201, response.text
        assert "announced" not in response.headers
        created.append(response.json())
        used = cells.client(created[-1]["key"]).get("/organizations/me")
        assert used.status_code == 200, (number, used.text)
    rotated = admin.post(f"/keys/{created[0]['id']}/rotate", json={"overlap_hours": 0})
    assert cells.client(rotated.json()["key"]).get("/organizations/me").status_code == 200
    # Its own key ends with the response.
    own = next(key["id"] for key in admin.get("/keys").json()["data"] if key["scope"] == "admin")
    rotated = admin.post(f"/keys/{own}/rotate", json={"overlap_hours": 0})
    admin = cells.client(rotated.json()["key"])
    form = admin.post("/forms", json={"name": "a form"}).json()
    assert form["address"].startswith("/in/")
    assert cells.client().post(form["address"], json={"email": "a@example.com"}).status_code == 200
    printed_key = printed(cells.leads("keys", "create", "--organization", organization.id, "--scopes", "read"))
    assert cells.client(printed_key).get("/organizations/me").status_code == 200
    id = json.loads(printed(cells.leads("keys", "list", "--organization", organization.id, "--json")))[-1]["id"]
    rotated_key = printed(cells.leads("keys", "rotate", id))
    assert cells.client(rotated_key).get("/organizations/me").status_code == 200
    address = printed(cells.leads("forms", "create", "--organization", organization.id))
    assert cells.client().post(address, json={"email": "a@example.com"}).status_code == 200


def test_without_sync_the_response_is_sent_and_the_log_says_it(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is stored and shown once: a response with an error would lose it."""
    organization = cells.make_organization("west")
    server = cells.servers["west"][0]
    with server.client(organization.keys["admin"]) as client:
        response = client.post("/keys", json={"name": "a key", "scope": "read"})
    assert response.status_code == 201
    lines = [line for line in server.lines() if line.get("request_id") == response.headers["x-request-id"]]
    assert any("the router does not know yet" in line.get("message", "") for line in lines)
    monkeypatch.setattr(addresses, "ANNOUNCEMENT_PATIENCE", 0.1)
    process = cells.leads("keys", "create", "--organization", organization.id, "--scopes", "read")
    assert (process.returncode, process.stdout[:8]) == (0, "lk_test_")
    assert "Check that leads cells sync is running" in process.stderr
    printed(cells.leads("cells", "sync", "--once"))
    assert cells.databases["west"].sql("select from auth.unannounced_key") == []
    assert cells.client(response.json()["key"]).get("/organizations/me").status_code == 200


def test_a_database_that_is_no_cell_announces_nothing(cells: Cells) -> None:
    database = cells.databases["west"]
    database.sql("select admin.set_cell(null)", login="leads_operator")
    try:
        organization = cells.make_organization("west")
        assert database.sql("select from auth.unannounced_key") == []
        with cells.servers["west"][0].client(organization.keys["admin"]) as client:
            assert client.post("/keys", json={"name": "a key", "scope": "read"}).status_code == 201
        assert "has no name" in cells.leads("cells", "check").stdout
    finally:
        database.sql("select admin.set_cell('west')", login="leads_operator")


def test_what_differs_is_reported(cells: Cells) -> None:
    organization = cells.make_organization("east")
    printed(cells.leads("cells", "sync", "--once"))
    path, lines = cells.folder / files.MAP, cells.map
    key = digest(organization.keys["read"]).hex()
    other = digest(organization.keys["write"]).hex()
    files.write_map(path, {**{d: c for d, c in lines.items() if d != other}, key: "west", "0" * 64: "east"})
    process = cells.leads("cells", "check")
    assert process.returncode == 1
    assert "lacks lines: requests with 1 key are refused." in process.stdout
    assert "has wrong lines: requests with 1 key are refused." in process.stdout
    assert "has lines of 1 key that no cell has." in process.stdout
    printed(cells.leads("cells", "sync", "--once"))
    assert cells.map == lines
    runtime = RuntimeMap(cells.environ["LEADS_ROUTER_SOCKET"])
    runtime.change(runtime.lines(), {**lines, key: "west"})
    process = cells.leads("cells", "check", "--json")
    assert process.returncode == 1
    assert [finding["finding"][:13] for finding in json.loads(process.stdout)] == ["The router at"]
    printed(cells.leads("cells", "sync", "--once"))
    assert printed(cells.leads("cells", "check")) == "Nothing found."
    assert "no router is checked" in cells.leads("cells", "check", LEADS_ROUTER_SOCKET="").stderr


def test_a_router_whose_configuration_was_not_renewed_is_reported(cells: Cells) -> None:
    printed(cells.leads("cells", "sync", "--once"))
    listed = files.read(cells.folder)
    files.write(cells.folder, [listed[0], replace(listed[1], servers=("localhost:1", "127.0.0.1:2"))])
    try:
        process = cells.leads("cells", "check")
        findings = process.stdout.splitlines()
        assert (process.returncode, len(findings)) == (1, 1), process.stdout
        assert "has other API servers of the cell west than cells.toml" in findings[0]
    finally:
        files.write(cells.folder, listed)
    assert printed(cells.leads("cells", "check")) == "Nothing found."


def test_a_router_that_is_down_does_not_keep_the_others_from_learning_of_a_move(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = digest(cells.make_organization("east").keys["read"]).hex()
    printed(cells.leads("cells", "sync", "--once"))
    up = cells.environ["LEADS_ROUTER_SOCKET"]
    monkeypatch.setenv("LEADS_CELLS_DIR", str(cells.folder))
    monkeypatch.setenv("LEADS_ROUTER_SOCKET", f"{cells.folder}/down.sock {up}")
    try:
        with pytest.raises(Mistake, match=r"down\.sock can't be used: .* run the command again"):
            publisher(settings.read(), "east", "west")([key])
        assert RuntimeMap(up).lines()[key] == "west"
    finally:
        printed(cells.leads("cells", "sync", "--once"))


def test_a_round_that_has_begun_before_a_move_has_ended_keeps_its_lines(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the cells have said before may be out of date when the map is written, in this round and in short ones."""
    monkeypatch.setenv("LEADS_CELLS_DIR", str(cells.folder))
    monkeypatch.setenv("LEADS_ROUTER_SOCKET", cells.environ["LEADS_ROUTER_SOCKET"])
    keys = [digest(cells.make_organization("east").keys["read"]).hex() for _ in range(2)]
    runtime = RuntimeMap(cells.environ["LEADS_ROUTER_SOCKET"])
    printed(cells.leads("cells", "sync", "--once"))

    def move(key: str) -> None:
        """As a move's command, whose target took over after the cells were read."""
        publisher(settings.read(), "east", "west")([key])

    def derive(*arguments: Any) -> Map:
        move(keys[0])
        return claims.derive(*arguments)

    def places() -> list[tuple[str | None, str]]:
        lines, written = runtime.lines(), cells.map
        return [(lines[key], written[key]) for key in keys]

    async def rounds() -> None:
        rounds = Sync(cells.folder, [runtime.address])
        with monkeypatch.context() as patch:
            patch.setattr(sync, "derive", derive)
            assert await rounds.full_round() == []
        assert places() == [("west", "west"), ("east", "east")]
        move(keys[1])
        for _ in range(2):
            new = digest(cells.make_organization("east").keys["read"]).hex()
            assert await rounds.short_round() == []
            assert (runtime.lines()[new], cells.map[new]) == ("east", "east")
            assert places() == [("west", "west")] * 2
        # These organizations have not moved. So the next round repairs the lines.
        assert await rounds.full_round() == []
        assert places() == [("east", "east")] * 2
        await rounds.close()

    asyncio.run(rounds())


def test_a_move_whose_target_takes_over_while_the_cells_are_read_is_no_error(
    cells: Cells, monkeypatch: pytest.MonkeyPatch
) -> None:
    organization = cells.make_organization("east")
    key, read, looks = digest(organization.keys["read"]).hex(), database.read_claims, []

    async def read_claims(connection: database.Connection) -> Claims:
        """The first look at each of the two cells has read the organization there."""
        looks.append(connection)
        seen = await read(connection)
        return seen | {UUID(organization.id): Claim(None, {key: UUID(organization.id)})} if len(looks) <= 2 else seen

    async def errors() -> list[str]:
        rounds = Sync(cells.folder, [cells.environ["LEADS_ROUTER_SOCKET"]])
        try:
            return await rounds.full_round()
        finally:
            await rounds.close()

    monkeypatch.setattr(database, "read_claims", read_claims)
    assert asyncio.run(errors()) == []
    assert (cells.map[key], len(looks)) == ("east", 2)  # only this organization is read again


def test_a_cell_that_is_not_prepared_is_reported_beside_one_that_is(cells: Cells) -> None:
    printed(cells.leads("cells", "sync", "--once"))
    cells.databases["west"].sql("create schema cell; grant usage on schema cell to leads_operator")
    cells.databases["west"].sql("create function cell.position(uuid) returns table (a int) language sql as 'select 1'")
    try:
        process = cells.leads("cells", "check")
        assert process.stdout.startswith("The cell east is not prepared for moves"), process.stdout
        assert len(process.stdout.splitlines()) == 1
    finally:
        cells.databases["west"].sql("drop schema cell cascade")


def test_sync_check_and_list_need_no_password_of_the_operator(cells: Cells) -> None:
    known = files.read(cells.folder)
    organization = cells.make_organization("west")
    try:
        files.write(
            cells.folder,
            [
                replace(
                    cell,
                    operator_url=cell.operator_url.replace("leads_operator", "leads_nobody"),
                    router_url=cells.databases[cell.name].url("leads_router"),
                )
                for cell in known
            ],
        )
        printed(cells.leads("cells", "sync", "--once"))
        assert cells.client(organization.keys["read"]).get("/organizations/me").status_code == 200
        assert printed(cells.leads("cells", "check")) == "Nothing found."
        listed = json.loads(printed(cells.leads("cells", "list", "--json")))
        assert [each["is_reachable"] for each in listed] == [True, True]
        # The control: the operator's address is wrong.
        assert "leads_nobody" in mistake(cells.leads("organizations", "list", LEADS_CELL="east"))
    finally:
        files.write(cells.folder, known)


def test_two_owners_keep_the_line_and_are_reported(cells: Cells) -> None:
    organization = cells.make_organization("east")
    printed(cells.leads("cells", "sync", "--once"))
    lines = cells.map
    west = cells.databases["west"]
    # As if a backup of another cell had been restored.
    west.sql("insert into app.organization (organization_id, name) values (%s, 'twice')", organization.id)
    try:
        for key in (organization.keys["read"], "lk_test_another"):
            west.sql(
                "insert into auth.api_key (organization_id, scopes, digest) values (%s, '{read}', %s)",
                organization.id,
                digest(key),
            )
        process = cells.leads("cells", "sync", "--once")
        assert process.returncode == 1
        assert f"The cells east and west both serve the organization {organization.id}." in process.stderr
        assert cells.map == lines
        assert cells.client(organization.keys["read"]).get("/organizations/me").status_code == 200
        assert "both serve" in cells.leads("cells", "check").stdout
        answer = mistake(cells.leads("keys", "list", "--organization", organization.id))
        assert "both serve" in answer
    finally:
        west.sql("update auth.api_key set revoked_at = now() where organization_id = %s", organization.id)
        west.sql(
            "insert into app.placement (organization_id, state, cell) values (%s, 'moved', 'east')", organization.id
        )
    printed(cells.leads("cells", "sync", "--once"))
    assert cells.map == lines


def test_a_command_works_in_the_cell_of_the_organization(cells: Cells) -> None:
    for cell in cells.databases:
        organization = printed(cells.leads("organizations", "create", f"In {cell}", "--test", "--cell", cell))
        listed = printed(cells.leads("organizations", "list", LEADS_CELL=cell))
        assert organization in listed
        printed(cells.leads("organizations", "set", organization, "--country-code", "1"))
        rows = cells.databases[cell].sql(
            "select country_code from app.organization where organization_id = %s", organization
        )
        assert rows[0]["country_code"] == "1"
    assert "Set LEADS_CELL to one of them: east, west" in mistake(cells.leads("organizations", "list"))
    assert "There is no cell 'north'" in mistake(cells.leads("organizations", "create", "A", "--cell", "north"))
    nobody = "01a15d22-6c4d-7f50-8b6c-7d8e9fa0b1c2"
    assert f"No cell has {nobody}." in mistake(cells.leads("keys", "list", "--organization", nobody))


def test_a_cell_that_is_down_keeps_its_lines(cells: Cells) -> None:
    printed(cells.leads("cells", "sync", "--once"))
    lines, known = cells.map, files.read(cells.folder)
    try:
        files.write(
            cells.folder,
            [
                files.Cell(cell.name, cell.operator_url.replace("leads_operator", "leads_nobody"), cell.servers)
                if cell.name == "west"
                else cell
                for cell in known
            ],
        )
        process = cells.leads("cells", "sync", "--once")
        assert process.returncode == 1
        assert "The cell west can't be reached" in process.stderr
        assert cells.map == lines
        listed = json.loads(printed(cells.leads("cells", "list", "--json")))
        assert [(each["name"], each["is_reachable"]) for each in listed] == [("east", True), ("west", False)]
    finally:
        files.write(cells.folder, known)


def test_the_router_learns_what_it_has_forgotten(
    cells: Cells, syncing: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """A full comparison repairs the router's map, and revoked keys leave it."""
    organization = cells.make_organization("east")
    syncing("--every", "1")
    wait_for_lines(cells, *organization.keys.values())
    runtime = RuntimeMap(cells.environ["LEADS_ROUTER_SOCKET"])
    runtime.change(runtime.lines(), {})
    wait_for_lines(cells, *organization.keys.values())
    cells.databases["east"].sql(
        "update auth.api_key set revoked_at = now() where digest = %s", digest(organization.keys["read"])
    )
    end = time.monotonic() + 30
    while digest(organization.keys["read"]).hex() in {**runtime.lines(), **cells.map}:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_list_that_can_not_be_used_is_explained(cells: Cells, tmp_path: Path) -> None:
    def add(*arguments: str) -> str:
        return mistake(cells.leads("cells", "add", *arguments, LEADS_CELLS_DIR=str(tmp_path / "new")))

    url = cells.databases["east"].url("leads_operator")
    assert "is not a name of a cell" in add("East", "--operator-url", url, "--server", "127.0.0.1:1")
    assert "host:port" in add("east", "--operator-url", url, "--server", "127.0.0.1")
    assert "has a password" in add("east", "--operator-url", url + "&password=x", "--server", "127.0.0.1:1")
    router = ("--router-url", cells.databases["east"].url("leads_router"))
    for address in (router[1] + "&password=x", "x"):
        assert "The router_url of the cell east" in add(
            "east", "--operator-url", url, "--router-url", address, "--server", "127.0.0.1:1"
        )
    assert "is the cell east" in add("other", "--operator-url", url, "--server", "127.0.0.1:1")
    assert not (tmp_path / "new").exists()
    assert "Add the first cell" in mistake(cells.leads("cells", "list", LEADS_CELLS_DIR=str(tmp_path / "new")))
    server = files.read(cells.folder)[0].servers[0]
    west = cells.databases["west"].url("leads_operator")
    assert "Two cells have the server" in mistake(
        cells.leads("cells", "add", "north", "--operator-url", west + "&application_name=b", "--server", server)
    )
    taken = ("--operator-url", west + "&application_name=b", *router, "--server", "127.0.0.1:1")
    assert "Two cells have the router_url" in mistake(cells.leads("cells", "add", "north", *taken))
    for text, expected in (
        ("cell = 1", "table [[cell]]"),
        ("[[cell]]\nname = 'a'", "operator_url"),
        ("[[cell]]\nname = 'a'\noperator_url = 'a=b'\nservers = ['a:1']\nrouter_url = 1", "router_url are strings"),
        ("x", "can't be read"),
    ):
        (tmp_path / files.LIST).write_text(text)
        assert expected in mistake(cells.leads("cells", "list", LEADS_CELLS_DIR=str(tmp_path)))
    (tmp_path / files.MAP).write_text("nonsense\n")
    (tmp_path / files.LIST).write_text((cells.folder / files.LIST).read_text())
    assert "is not a line of the map" in mistake(cells.leads("cells", "sync", "--once", LEADS_CELLS_DIR=str(tmp_path)))
