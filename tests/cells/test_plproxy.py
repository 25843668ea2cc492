"""PL/Proxy instead of HAProxy: an API server whose database calls the cells answers as the cell's own."""

import hashlib
import os
import re
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from app.cells import files, proxy
from app.cli.keys import digest
from bench.hosts import Host
from tests.support.cells import Cells, make_cells
from tests.support.contract import anonymous
from tests.support.database import Organization, announce_worker_key
from tests.support.moving import check_moves_while_all_write, moved, prepare
from tests.support.plproxy import needs_plproxy, three_hosts
from tests.support.process import Server, mistake, printed
from tests.support.pushing import wait_for
from tests.support.routes import SLOW
from tests.support.scale import long

NAMES = ("east", "west")
OLD = "11111111-1111-7111-8111-111111111111"


@dataclass
class Entrance:
    """Two cells, each with an API server of its own, and the API server of the router."""

    cells: Cells
    router: Server
    table: proxy.RouterTable
    host: Host
    """The host of the router's database."""
    hosts: dict[str, Host]
    """The host of each cell."""

    def make(self, cell: str) -> Organization:
        """An organization in the cell, which the router knows."""
        made = self.cells.make_organization(cell)
        self.add(cell, *made.keys.values())
        return made

    def add(self, cell: str, *keys: str) -> None:
        """Tells the router of the keys."""
        known = self.table.lines()
        self.table.change(known, {**{d: str(c) for d, c in known.items()}, **{digest(k).hex(): cell for k in keys}})


@pytest.fixture(scope="module")
def entrance(
    tmp_path_factory: pytest.TempPathFactory,
    new_server: Callable[..., Server],
) -> Iterator[Entrance]:
    with three_hosts() as (router, *hosts):
        databases = {name: host.database for name, host in zip(NAMES, hosts, strict=True)}
        servers = {name: [new_server(database)] for name, database in databases.items()}
        cells = make_cells(tmp_path_factory.mktemp("plproxy"), databases, servers)
        script = printed(cells.leads("cells", "plproxy"))
        table = router.database.url("leads_router")
        cells.environ["LEADS_ROUTER_SOCKET"] = table
        with router.database.connect() as connection:
            for _ in range(2):  # it may be run again
                connection.execute(script.encode())
        named = dict(zip(NAMES, hosts, strict=True))
        with cells.opened:
            yield Entrance(cells, new_server(router.database), proxy.RouterTable(table), router, named)


@dataclass(frozen=True)
class Call:
    """A request. keep: a member of its response's body that later paths and bodies name."""

    method: str
    route: str
    path: str = ""
    json: Any = None
    keep: str | None = None
    scope: str = "admin"
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None


LEAD = {"name": "Ann", "email": "ann@example.com", "company": "Acme", "source": "web"}
WEBHOOK = {"url": "https://93.184.216.34/hook", "actions": ["lead.created"]}
CALLS = (
    Call("POST", "/leads", json=LEAD, keep="lead", headers={"Idempotency-Key": "one"}),
    Call("POST", "/leads", json=LEAD, headers={"Idempotency-Key": "one"}),
    Call("POST", "/leads", json={**LEAD, "name": "Eve"}, headers={"Idempotency-Key": "one"}),
    Call("POST", "/leads", json=LEAD, scope="read"),
    Call("POST", "/leads", json={"email": "no", "lead_score": 1000, "pipeline_stage": "none"}),
    Call("POST", "/leads", content=b'{"email": '),
    Call("POST", "/leads", content=b"[1]"),
    Call("POST", "/leads", content=b"a=b", headers={"Content-Type": "text/plain"}),
    Call("POST", "/leads", json={"email": "a\u0000b"}),
    Call("POST", "/leads", json={"email": "bob@example.com", "reference": "r-1"}),
    Call("POST", "/leads", json={"email": "bob2@example.com", "reference": "r-1"}),
    Call("GET", "/leads"),
    Call("GET", "/leads", "/leads?limit=1"),
    Call("GET", "/leads", "/leads?limit=0"),
    Call("GET", "/leads", "/leads?limit=a&cursor=b"),
    Call("GET", "/leads", "/leads?source=1,2,3,4,5,6,7,8,9,10,11"),
    Call("GET", "/leads", "/leads?source=1,2,3,4,5,6,7,8,9,10,11", scope="unknown"),
    Call("GET", "/leads", "/leads?created_since=yesterday"),
    Call("GET", "/leads", scope="unknown"),
    Call("GET", "/leads", scope="nobody"),
    Call("GET", "/leads", "/leads?unknown=1"),
    Call("POST", "/leads/bulk", json=[{"email": "c@example.com"}, {"email": "no"}]),
    Call("POST", "/leads/bulk", content=b"email,name\nd@example.com,Dee\n", headers={"Content-Type": "text/csv"}),
    Call("PUT", "/leads/by-reference/{reference}", "/leads/by-reference/r-2", json={"email": "e@example.com"}),
    Call("PUT", "/leads/by-reference/{reference}", "/leads/by-reference/r-2", json={"email": "e@example.com"}),
    Call("GET", "/leads/{id}", "/leads/{lead}"),
    Call("GET", "/leads/{id}", "/leads/{lead}", headers={"If-None-Match": "*"}),
    Call("GET", "/leads/{id}", f"/leads/{OLD}"),
    Call("GET", "/leads/{id}", "/leads/no-id"),
    Call("PATCH", "/leads/{id}", "/leads/{lead}", json={"name": "Bea"}),
    Call("PATCH", "/leads/{id}", "/leads/{lead}", json={"name": "Bea"}, headers={"If-Match": '"no"'}),
    Call("PATCH", "/leads/{id}", "/leads/{lead}", json={"name": ""}),
    Call("GET", "/leads/{id}/details", "/leads/{lead}/details"),
    Call("PATCH", "/leads/{id}/details", "/leads/{lead}/details", json={"roof": "slate"}),
    Call("GET", "/leads/{id}/signals", "/leads/{lead}/signals"),
    Call("POST", "/leads/{id}/signals", "/leads/{lead}/signals", json={"signals": [{"kind": "hail", "value": 1}]}),
    Call("POST", "/leads/{id}/score", "/leads/{lead}/score", json={}),
    Call("GET", "/leads/{id}/scores", "/leads/{lead}/scores"),
    Call("GET", "/leads/{id}/everything", "/leads/{lead}/everything"),
    Call("GET", "/leads/{id}/crm-sync", "/leads/{lead}/crm-sync"),
    Call("POST", "/leads/{id}/push-to-crm", "/leads/{lead}/push-to-crm"),
    Call("GET", "/leads/export", "/leads/export?format=csv"),
    Call("GET", "/leads/export"),
    Call("GET", "/crm-connections"),
    Call("GET", "/forms"),
    Call("POST", "/forms", json={"name": "a form", "requests_per_minute": 1}, keep="form"),
    Call("OPTIONS", "/in/{token}", "/in/{form}", headers={"Origin": "https://a.example"}, scope="nobody"),
    Call("POST", "/in/{token}", "/in/{form}", json={"email": "f@example.com"}, scope="nobody"),
    Call("POST", "/in/{token}", "/in/{form}", json={"email": "g@example.com"}, scope="nobody"),
    Call("POST", "/in/{token}", "/in/unknown", json={"email": "g@example.com"}, scope="nobody"),
    Call("GET", "/webhooks"),
    Call("POST", "/webhooks", json=WEBHOOK, keep="webhook"),
    Call("POST", "/webhooks", json={**WEBHOOK, "url": "ftp://a"}),
    Call("GET", "/webhooks/{id}", "/webhooks/{webhook}"),
    Call("PATCH", "/webhooks/{id}", "/webhooks/{webhook}", json={"actions": ["lead.updated"]}),
    Call("POST", "/webhooks/{id}/rotate-secret", "/webhooks/{webhook}/rotate-secret"),
    Call("POST", "/webhooks/{id}/test", "/webhooks/{webhook}/test", keep="delivery"),
    Call("GET", "/webhooks/{id}/deliveries", "/webhooks/{webhook}/deliveries"),
    Call(
        "POST", "/webhooks/{id}/deliveries/{delivery_id}/redeliver",
        "/webhooks/{webhook}/deliveries/" + OLD + "/redeliver",
    ),
    Call("DELETE", "/webhooks/{id}", "/webhooks/{webhook}"),
    Call("GET", "/keys"),
    Call("POST", "/keys", json={"name": "a key", "scope": "read"}, keep="key"),
    Call("POST", "/keys/{id}/rotate", "/keys/{key}/rotate", json={"overlap_hours": 1}, keep="rotated"),
    Call("DELETE", "/keys/{id}", "/keys/{key}"),
    Call("DELETE", "/keys/{id}", f"/keys/{OLD}"),
    Call("GET", "/audit-log", "/audit-log?limit=5", keep="event"),
    Call("GET", "/audit-log/{id}", "/audit-log/{event}"),
    Call("GET", "/audit-log/verify"),
    Call("GET", "/audit-log/export"),
    Call("GET", "/organizations/me"),
    Call("GET", "/health"),
    Call("DELETE", "/leads/{id}", "/leads/{lead}", scope="write"),
    Call("DELETE", "/leads/{id}", "/leads/{lead}"),
    Call("DELETE", "/leads/{id}", "/leads/{lead}"),
    Call("GET", "/no-such-route"),
    Call("PUT", "/leads"),
)  # fmt: skip

VARYING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|lk_test_\w+|lf_test_[\w-]+|whsec_[\w+/=]+"
    # An ETag, and the fingerprint of a secret.
    r"|[0-9a-f]{16}(?=\.1)|(?<=x)[0-9a-f]{8}(?=\")|[0-9a-f]{32,64}|(?<=cursor=)[\w%=-]+"
    r"|(?<=\"next_cursor\":\")[^\"]+"
)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


class Names:
    """Gives each varying text, such as an id, the name of its first appearance."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def named(self, text: str) -> str:
        text = TIME.sub("<time>", text)
        return VARYING.sub(lambda match: self.known.setdefault(match[0], f"<{len(self.known)}>"), text)


def answers(entrance: Entrance, server: Server, cell: str) -> list[tuple[str, int, dict[str, str], str]]:
    """What a new organization of the cell gets for CALLS, with names in place of what varies."""
    organization = entrance.make(cell)
    keys = {**organization.keys, "unknown": "lk_test_unknown", "nobody": None}
    kept: dict[str, str] = {}
    names, found = Names(), []
    for number, call in enumerate(CALLS):
        with server.client(keys[call.scope]) as client:
            path = re.sub(r"\{(\w+)\}", lambda match: kept[match[1]], call.path or call.route)
            headers = {"X-Request-Id": f"call-{number}", **call.headers}
            if call.content is not None:
                headers = {"Content-Type": "application/json", **headers}
            response = client.request(call.method, path, json=call.json, headers=headers, content=call.content)
        if call.keep is not None:
            body = response.json()
            body = body["data"][0] if "data" in body else body
            value = body.get("address", "") if call.keep == "form" else body.get("id", OLD)
            kept[call.keep] = value.rpartition("/")[2]
            if call.keep == "form":
                entrance.add(cell, kept[call.keep])
        status, shown, content = anonymous(response)
        shown.pop("content-length", None)
        shown = {name: names.named(value) for name, value in shown.items()}
        found.append((f"{call.method} {path}", status, shown, names.named(content.decode())))
    return found


@needs_plproxy
@long
@pytest.mark.parametrize("cell", ["east", "west"])
def test_the_router_answers_as_the_cell(entrance: Entrance, cell: str) -> None:
    routes = {(row["method"], row["path"]) for row in entrance.cells.databases[cell].sql("select * from api.route")}
    assert routes <= {(call.method, call.route) for call in CALLS}
    own = answers(entrance, entrance.cells.servers[cell][0], cell)
    through = answers(entrance, entrance.router, cell)
    different = [
        (label, expected, got) for (_, *expected), (label, *got) in zip(own, through, strict=True) if got != expected
    ]
    assert not different, "\n".join(map(str, different))
    statuses = {status for _, status, *_ in own}
    assert not statuses & {500, 502, 503}
    print(f"{len(own)} requests to {len(routes)} routes of {cell} got the same: {sorted(statuses)}")


@needs_plproxy
@long
def test_the_reference_is_the_same(entrance: Entrance) -> None:
    own, through = (
        httpx.get(server.base + "/openapi.json") for server in (entrance.cells.servers["east"][0], entrance.router)
    )
    assert own.status_code == 200
    assert own.json() == through.json()


@needs_plproxy
@long
def test_leads_cells_sync_keeps_the_table_and_announces_new_keys(entrance: Entrance, tmp_path: Path) -> None:
    cells = entrance.cells
    for cell in files.read(cells.folder):
        assert cell.router_url
        options = [part for server in cell.servers for part in ("--server", server)]
        options += ["--operator-url", cell.operator_url, "--router-url", cell.router_url]
        printed(cells.leads("cells", "add", cell.name, *options))
    organization = cells.make_organization("west")
    printed(cells.leads("cells", "sync", "--once"))
    assert printed(cells.leads("cells", "check")) == "Nothing found."
    assert entrance.table.lines() == cells.map
    process = cells.start("cells", "sync", "--every", "3600", log=tmp_path / "sync.log")
    try:
        with entrance.router.client(organization.keys["admin"]) as admin:
            for number in range(5):
                created = admin.post("/keys", json={"name": f"key {number}", "scope": "read"})
                assert created.status_code == 201, created.text
                assert "announced" not in created.headers
                with entrance.router.client(created.json()["key"]) as client:
                    assert client.get("/organizations/me").json()["id"] == organization.id
    finally:
        process.terminate()
        assert process.wait(30) == 0, (tmp_path / "sync.log").read_text()
    lines = entrance.table.lines()
    entrance.table.change(lines, {**{d: str(c) for d, c in lines.items()}, "0" * 64: "east"})
    assert "has lines of 1 key that no cell has" in cells.leads("cells", "check").stdout
    # The logins of the commands have no other way to the table, and the server's has none.
    for login, statement in (
        ("leads_operator", "select from router.key"),
        ("leads_router", "select from router.key"),
        ("leads_api", "select from router.lines()"),
        ("leads_api", "select router.caller(0, '', '')"),
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            entrance.host.database.sql(statement, login=login)
    for cell_name in NAMES:
        entrance.cells.databases[cell_name].sql("select admin.set_cell(null)", login="leads_operator")


@needs_plproxy
@long
def test_an_organization_moves_between_the_cells_while_all_write(entrance: Entrance, tmp_path: Path) -> None:
    """One cell has PostgreSQL 15, and the other one a newer version."""
    cells = entrance.cells
    prepare(cells, entrance.hosts)
    organizations = [entrance.make("east") for _ in range(10)]
    acme = organizations[0]
    process = cells.start("cells", "sync", log=tmp_path / "sync.log")
    try:
        check_moves_while_all_write(
            cells,
            entrance.hosts,
            organizations,
            lambda key: cells.opened.enter_context(entrance.router.client(key)),
            rounds=2,
        )
        moved(cells, acme.id, "west")
        with entrance.router.client(acme.keys["write"]) as client:
            created = client.post("/leads", json=LEAD)
            assert created.status_code == 201, created.text
        query = "select organization_id::text from app.lead where id = %s"
        rows = cells.databases["west"].sql(query, created.json()["id"])
        assert rows == [{"organization_id": acme.id}]
        statuses = []
        for name in NAMES:
            with cells.servers[name][0].client(acme.keys["read"]) as client:
                statuses.append(client.get("/leads").status_code)
        assert statuses == [401, 200]
    finally:
        process.terminate()
        assert process.wait(30) == 0, (tmp_path / "sync.log").read_text()


@needs_plproxy
@long
def test_the_uses_of_keys_and_the_callers_are_those_of_the_cell(entrance: Entrance) -> None:
    organization = entrance.make("west")
    key = organization.keys["read"]
    claim = hashlib.sha256(key.encode()).hexdigest()
    with entrance.router.client(key) as client:
        assert client.get("/leads").status_code == 200
        # The log names the caller from the second request on.
        wait_for(
            lambda: (
                client.get("/leads").status_code == 200
                and any(line.get("organization_id") == organization.id for line in entrance.router.lines())
            ),
            5,
        )
    entrance.host.database.sql("select auth.record_key_uses(%s, %s)", [claim, "0" * 64], [1.0, 1.0], login="leads_api")
    used = "select key_id from auth.key_use where organization_id = %s"
    assert len(entrance.cells.databases["west"].sql(used, organization.id)) == 1


@needs_plproxy
@long
def test_cells_with_different_sealing_keys_make_no_secrets(entrance: Entrance) -> None:
    read, west = "select * from api.sealing_key()", entrance.cells.databases["west"]
    common = entrance.host.database.sql(read, login="leads_api")
    assert common == west.sql(read, login="leads_api")
    assert len(common) == 1
    west.sql("select webhook.announce_keys(array['another'], array[sha256('another')])", login="leads_worker")
    try:
        assert entrance.host.database.sql(read, login="leads_api") == []
    finally:
        announce_worker_key(west.url("leads_worker"))
    assert entrance.host.database.sql(read, login="leads_api") == common


@needs_plproxy
@long
def test_a_stopped_cell_refuses_its_own_clients_only(entrance: Entrance) -> None:
    east, west = (
        entrance.cells.opened.enter_context(entrance.router.client(entrance.make(cell).keys["write"])) for cell in NAMES
    )
    assert [client.get("/leads").status_code for client in (east, west)] == [200, 200]
    entrance.hosts["west"].end()
    seconds, codes = [], []
    try:
        for _ in range(20):
            started = time.perf_counter()
            responses = west.get("/leads"), west.post("/leads", json=LEAD)
            seconds.append((time.perf_counter() - started) / 2)
            assert [response.status_code for response in responses] == [503, 503]
            assert responses[0].headers["retry-after"] == "1"
            assert responses[0].json()["code"] == "unavailable"
            codes.append(responses[1].json()["code"])
            assert east.get("/leads").status_code == 200
    finally:
        entrance.hosts["west"].start()
    # PL/Proxy does not check a connection that was used less than 2 seconds before: it is lost when it is used.
    assert codes[-1] == "unavailable"
    assert set(codes) <= {"unavailable", "outcome_unknown"}
    print(f"A refusal of the stopped cell took {max(seconds) * 1000:.0f} ms at most: {codes}")
    assert west.get("/leads").json()["data"] == []


@needs_plproxy
@long
def test_a_change_whose_connection_is_lost_has_an_unknown_outcome(entrance: Entrance) -> None:
    west = entrance.hosts["west"].database
    for database in (west, entrance.host.database):
        database.sql(SLOW)
    printed_script = printed(entrance.cells.leads("cells", "plproxy"))
    with entrance.host.database.connect() as connection:
        connection.execute(printed_script.encode())
        connection.execute("notify leads_routes")
    keys = {cell: entrance.make(cell).keys["write"] for cell in NAMES}
    with (
        entrance.router.client(keys["west"]) as client,
        entrance.router.client(keys["east"]) as east,
        ThreadPoolExecutor(4) as threads,
    ):
        wait_for(lambda: client.post("/slow-write?seconds=0").status_code == 200)

        def send_both() -> list[Future[httpx.Response]]:
            both = [
                threads.submit(client.post, "/slow-write?seconds=8"),
                threads.submit(client.get, "/sleep?seconds=8"),
            ]
            wait_for(lambda: len(west.sql("select pid from pg_stat_activity where wait_event = 'PgSleep'")) == 2)
            return both

        both = send_both()
        west.sql("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'PgSleep'")
        assert [each.result().json()["code"] for each in both] == ["outcome_unknown", "unavailable"]
        # Without a last word of the server.
        both = send_both()
        for row in west.sql("select pid from pg_stat_activity where wait_event = 'PgSleep'"):
            with suppress(ProcessLookupError):
                os.kill(row["pid"], signal.SIGKILL)
        assert [each.result().json()["code"] for each in both] == ["outcome_unknown", "unavailable"]
        wait_for(lambda: client.get("/leads").status_code == 200)
        # A cell that hangs.
        both = send_both()
        entrance.hosts["west"].hang()
        started = time.perf_counter()
        assert east.get("/leads").status_code == 200
        codes = [each.result().json()["code"] for each in both]
        print(f"{codes} after {time.perf_counter() - started:.1f} s")
        assert codes == ["outcome_unknown", "unavailable"]
        entrance.hosts["west"].resume()


def processor_seconds(server: Server, *hosts: Host) -> float:
    """The processor time of the server and of its sessions on these hosts."""
    pids = [server.process.pid]
    for host in hosts:
        query = "select pid from pg_stat_activity where application_name in ('leads-api', 'leads-router')"
        pids += [row["pid"] for row in host.database.sql(query)]
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@needs_plproxy
@long
def test_what_the_router_costs(entrance: Entrance) -> None:
    """Prints the figures of docs/cells.md."""
    key = entrance.make("east").keys["write"]
    east = entrance.hosts["east"]
    ways = {"cell": (entrance.cells.servers["east"][0], (east,)), "router": (entrance.router, (entrance.host, east))}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    processor = dict.fromkeys(ways, 0.0)
    with ExitStack() as stack:
        clients = {name: stack.enter_context(server.client(key)) for name, (server, _) in ways.items()}
        for _ in range(20):
            for name, (server, hosts) in ways.items():
                before = processor_seconds(server, *hosts)
                for _ in range(100):
                    started = time.perf_counter()
                    assert clients[name].get("/organizations/me").status_code == 200
                    seconds[name].append(time.perf_counter() - started)
                processor[name] += processor_seconds(server, *hosts) - before
    for name, each in seconds.items():
        print(f"{name}: {statistics.median(each) * 1000:.2f} ms, {processor[name] / len(each) * 1000:.2f} ms of CPU")


def test_the_script_has_the_addresses_of_the_cells_and_no_password(tmp_path: Path) -> None:
    urls = {name: f"postgresql://leads_operator@db-{name}/leads?passfile=/etc/pgpass" for name in NAMES}
    files.write(tmp_path, [files.Cell(name, url, (f"{name}:8000",)) for name, url in urls.items()])
    cells = Cells(tmp_path, {}, {}, environ={"LEADS_CELLS_DIR": str(tmp_path)})
    script = printed(cells.leads("cells", "plproxy", "--address", "west=host=10.0.0.2 dbname=leads passfile=/etc/own"))
    assert "host=db-east" in script
    assert "host=10.0.0.2" in script
    assert "passfile=/etc/own" in script
    # Those of the operator are not those of the router.
    assert "/etc/pgpass" not in script
    assert "leads_operator@" not in script
    for address, part in (
        ("north=dbname=leads", "There is no cell 'north'"),
        ("west", "is not NAME=ADDRESS"),
        ("west=user=leads_api password=secret", "has password"),
        ("west=nonsense=1", "is not a libpq connection string"),
    ):
        refused = mistake(cells.leads("cells", "plproxy", "--address", address))
        assert part in refused


def test_with_sql_in_the_router_an_organization_is_reached_only_with_its_key(entrance: Entrance) -> None:
    """The router's database keeps the claim in settings, which the API server's login can change."""
    victim = entrance.make("west")
    claim = hashlib.sha256(victim.keys["read"].encode()).hexdigest()
    forged = ("", "x", victim.id, digest(victim.keys["read"]).hex(), "0" * 64)
    with entrance.host.database.connect("leads_api") as session:

        def answer(cell: str, key_digest: str) -> str | None:
            settings = {"cell": cell, "key_digest": key_digest, "scope": "read", "request_id": "r"}
            for name, value in settings.items():
                session.execute("select set_config(%s, %s, false)", [f"leads.{name}", value])
            try:
                return str(session.execute("select (api.get_organization()).body").fetchall())
            except psycopg.Error as error:
                return error.sqlstate

        cells = ("0", "1", "2", "-1", "2147483647", "-2147483648")
        assert {answer(cell, key_digest) for cell in cells for key_digest in forged} <= {"PT401", "22023"}
        assert {answer(cell, claim) for cell in ("", "x", "99999999999")} == {"PT503"}
        # The control: with the key, the cell answers.
        assert victim.id in str(answer("1", claim))

    for login in ("leads_api", "leads_worker", "leads_operator", "leads_router"):
        with entrance.host.database.connect(login) as session:
            for statement in (
                "table router.key",
                "table router.cell",
                f"select router.api_get_organization(1, '{claim}', 'r', 'read', true)",
                "select router.sealing_key(1)",
                "create server mine foreign data wrapper plproxy",
                "alter server cells_10 options (set p0 'host=127.0.0.1')",
                "create user mapping for current_user server cells_10 options (user 'leads_operator')",
                "select pg_read_file('postgresql.conf')",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(statement.encode())
    # Whoever could make such a function would use the password file of the router's PostgreSQL.
    function = "create function public.mine() returns text language plproxy as $$ connect 'dbname=leads'; $$"
    with entrance.host.database.connect("leads_migrator") as session, pytest.raises(psycopg.Error, match="language"):
        session.execute(function.encode())


def test_a_cancelled_call_gives_its_answer_to_no_later_one(entrance: Entrance) -> None:
    """The connection to the cell is used again, by requests of other organizations."""
    made = [entrance.make("west") for _ in range(2)]
    claims = {each.id: hashlib.sha256(each.keys["read"].encode()).hexdigest() for each in made}
    query = "select (api.get_organization()).body from auth.enter(%s, 'r', 'read', true)"
    with entrance.host.database.connect("leads_api") as session, entrance.host.database.connect() as other:
        cancelled = []

        def called(organization: str) -> bool:
            try:
                rows = session.execute(query, [claims[organization]]).fetchall()
            except psycopg.Error as error:
                cancelled.append(error.sqlstate)
                return True
            return organization in str(rows)

        for number in range(200):
            with ThreadPoolExecutor(1) as pool:
                call = pool.submit(called, made[number % 2].id)
                time.sleep(number % 10 * 0.0004)
                other.execute("select pg_cancel_backend(%s)", [session.info.backend_pid])
                assert call.result()
        # The last ones without a cancellation.
        for organization, claim in claims.items():
            assert organization in str(session.execute(query, [claim]).fetchall())
    assert {"57014", "PT503"} >= set(cancelled) > set()
