"""One cell stops: its clients get 503 at once, and the others notice nothing."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from app.cells import files
from app.cells.router import RuntimeMap
from app.cli.keys import digest
from tests.support import router
from tests.support.cells import Cells, make_cells
from tests.support.database import Database, Organization
from tests.support.process import Server
from tests.support.pushing import wait_for
from tests.support.router import needs_router
from tests.support.routes import HELD, SLOW, held

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


@contextmanager
def paused(server: Server) -> Iterator[None]:
    """The API server hangs during the block."""
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.process.pid, signal.SIGCONT)


def test_one_late_answer_takes_no_server_out(cells: Cells) -> None:
    """The cell has no other server, so each client would get 503."""

    def looked() -> tuple[int, str]:
        """How many checks have failed, and the state of the server."""
        row = cells.router_row("west")
        return int(row["chkfail"]), row["status"]

    def state_after_one() -> str:
        """The state after one late answer; empty: the next answer was late, too, before this has seen the state."""
        wait_for(lambda: looked()[1] == "UP")
        before, _ = looked()
        with paused(cells.servers["west"][0]):
            failed, state = wait_for(lambda: (now := looked())[0] > before and now)
        return state if failed == before + 1 else ""

    assert wait_for(state_after_one) == "UP 1/2"
    wait_for(lambda: looked()[1] == "UP")


def test_a_server_that_hangs_gets_no_new_request_and_answers_those_that_it_has(cells: Cells) -> None:
    database = cells.databases["west"]
    database.sql(HELD + "notify leads_routes")
    west = cells.make_organization("west")
    load(cells, {"west": west})
    first, second = (cells.client(west.keys["write"]) for _ in range(2))
    wait_for(lambda: first.get("/wait").status_code == 200)
    with ThreadPoolExecutor(1) as threads, ExitStack() as hanging:
        with held(database):
            read = threads.submit(first.get, "/wait")
            wait_for(lambda: busy(database))
            hanging.enter_context(paused(cells.servers["west"][0]))
        wait_for(lambda: cells.router_row("west")["status"] == "DOWN")
        for response in (second.get("/leads"), second.post("/leads", json={"email": "a@example.com"})):
            assert (response.status_code, response.json()["code"]) == (503, "unavailable")
        assert not read.done()
        hanging.close()
        assert read.result().status_code == 200
    wait_for(lambda: second.get("/leads").status_code == 200)


def test_a_request_to_a_server_that_hangs_has_an_unknown_outcome(cells: Cells, tmp_path: Path) -> None:
    west, server = cells.make_organization("west"), cells.servers["west"][0]
    made = make_cells(tmp_path, {"west": cells.databases["west"]}, {"west": [server]})
    config = made.router_config()
    # The router waits for a shorter time, and its check doesn't take the server out before.
    for old, new in (("timeout server 90s", "timeout server 1s"), ("check inter 500ms", "check inter 1h")):
        assert old in config
        config = config.replace(old, new)
    with router.running(config, tmp_path) as started, started.client(west.keys["write"]) as client:
        assert client.get("/leads").status_code == 200
        with paused(server):
            responses = client.get("/leads"), client.post("/leads", json={"email": "a@example.com"})
    assert [response.status_code for response in responses] == [503, 503]
    assert [response.json()["code"] for response in responses] == ["unavailable", "outcome_unknown"]
    wait_for(lambda: cells.router_row("west")["status"] == "UP")


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
    stopped = cells.servers["west"][0].base.removeprefix("http://")
    assert f"doesn't use the API server {stopped} of the cell west" in cells.leads("cells", "check").stdout
    print(f"The slowest of 41 responses of the stopped cell took {slowest * 1000:.0f} ms.")
    # Generous: the machine may stand still.
    assert slowest < 10


def test_a_read_whose_connection_is_lost_is_sent_to_another_server_and_a_change_is_not(
    cells: Cells, new_server: Callable[..., Server], tmp_path: Path
) -> None:
    organization, database = cells.make_organization("east"), cells.databases["east"]
    database.sql(SLOW + HELD)
    servers = [new_server(database), new_server(database)]
    made = make_cells(tmp_path, {"east": database}, {"east": servers})
    key = organization.keys["write"]
    with (
        router.running(made.router_config(), tmp_path) as started,
        ThreadPoolExecutor(4) as threads,
        started.client(key) as client,
    ):
        # Each has a connection of its own: HAProxy ends one that was used before without a response.
        writers = [started.client(key), started.client(key)]
        with held(database):
            reads = [threads.submit(client.get, "/wait") for _ in servers]
            while busy(database) < 2:
                assert not any(read.done() for read in reads)
                time.sleep(0.02)
            writes = [threads.submit(writer.post, "/slow-write", params={"seconds": 6}) for writer in writers]
            while busy(database) < 4:
                assert not any(each.done() for each in (*reads, *writes))
                time.sleep(0.02)
            servers[0].process.kill()
            servers[0].process.wait(30)
        assert [read.result().status_code for read in reads] == [200, 200]
        answers = sorted((write.result() for write in writes), key=lambda answer: answer.status_code)
        for writer in writers:
            writer.close()
    assert [answer.status_code for answer in answers] == [200, 503]
    assert answers[1].json()["code"] == "outcome_unknown"
    assert answers[1].json()["status"] == 503
    assert answers[1].headers["retry-after"] == "1"


def busy(database: Database) -> int:
    """The statements that sleep."""
    rows = database.sql("select 1 from pg_stat_activity where datname = %s and wait_event = 'PgSleep'", database.name)
    return len(rows)
