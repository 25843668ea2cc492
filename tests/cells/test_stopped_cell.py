"""One cell stops: its clients get 503 at once, and the others notice nothing."""

import os
import signal
import time

import httpx

from app.cells import files
from app.cells.router import RuntimeMap
from app.cli.keys import digest
from tests.support.cells import Cells
from tests.support.database import Organization
from tests.support.router import needs_router

pytestmark = needs_router


def seconds_of(client: httpx.Client) -> tuple[int, float, str]:
    """The status, the time and the code of a read."""
    started = time.perf_counter()
    response = client.get("/organizations/me")
    return response.status_code, time.perf_counter() - started, response.json().get("code", "")


def load(cells: Cells, organizations: dict[str, Organization]) -> None:
    lines = {
        digest(key).hex(): cell for cell, organization in organizations.items() for key in organization.keys.values()
    }
    files.write_map(cells.folder / files.MAP, lines)
    runtime = RuntimeMap(cells.environ["LEADS_ROUTER_SOCKET"])
    runtime.change(runtime.lines(), lines)


def test_a_stopped_cell_refuses_its_own_clients_only(cells: Cells) -> None:
    organizations = {cell: cells.make_organization(cell) for cell in cells.databases}
    load(cells, organizations)
    east, west = (cells.client(organizations[cell].keys["read"]) for cell in ("east", "west"))
    assert [east.get("/leads").status_code, west.get("/leads").status_code] == [200, 200]

    process = cells.servers["west"][0].process
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    slowest = 0.0
    for _ in range(40):
        status, seconds, code = seconds_of(west)
        assert (status, code) == (503, "unavailable")
        slowest = max(slowest, seconds)
        assert seconds_of(east)[0] == 200
    response = west.post("/leads", json={"email": "a@example.com"}, headers={"X-Request-Id": "mine"})
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.json()["request_id"] == response.headers["x-request-id"] == "mine"
    assert "Nothing was done" in response.json()["detail"]
    # A wrong key and a page without a key still get the answer of a cell.
    assert cells.client("lk_test_unknown").get("/leads").status_code == 401
    assert cells.router is not None
    assert {httpx.get(cells.router.base + "/readyz", verify=False).status_code for _ in range(10)} == {200}
    print(f"The slowest of 41 responses of the stopped cell took {slowest * 1000:.0f} ms.")
    # Generous: the machine may stand still.
    assert slowest < 10
