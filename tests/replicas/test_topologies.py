"""Two replicas, and what an operator can do to them. A server has two processes, which judge the replicas
independently of each other. make scale runs this.
"""

import signal
import socket
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from bench.hosts import Host, Pair
from tests.client.conftest import installed, sdk  # noqa: F401
from tests.support.database import Organization
from tests.support.process import Server
from tests.support.pushing import wait_for
from tests.support.replicas import (
    HEADER,
    made_lead,
    metrics,
    name_of,
    paused,
    pausing,
    read_own_writes,
    reading,
    targets,
)
from tests.support.scale import long

pytestmark = long

WRITES = 250
"""Writes of each of the four clients that read their own writes."""


@pytest.fixture(scope="module")
def second(pair: Pair) -> Iterator[Host]:
    """Another standby of the primary."""
    host = Host(pair.standby.data.parent.parent / "c")
    pair.make_standby(host, pair.primary)
    host.start()
    yield host
    host.end()


@pytest.fixture(scope="module")
def server(pair: Pair, second: Host, new_server: Callable[..., Server]) -> Server:
    """A server with both replicas."""
    urls = [host.server.url("leads_api") for host in (pair.standby, second)]
    server = new_server(
        pair.primary.database,
        DATABASE_URL=address(pair, second),
        DATABASE_REPLICA_URL=" ".join(urls),
        LEADS_REPLICA_LAG="2",
        LEADS_METRICS="127.0.0.1:0",
        WORKERS="2",
    )
    wait_for(lambda: used(server) == 2)
    return server


def address(pair: Pair, *others: Host) -> str:
    """The address of all hosts, of which the server takes the primary."""
    hosts = (*pair.hosts, *others)
    names, ports = ",".join("127.0.0.1" for _ in hosts), ",".join(str(host.server.port) for host in hosts)
    return f"postgresql://leads_api:{pair.secret}@/leads?host={names}&port={ports}&target_session_attrs=read-write"


@pytest.fixture
def client(server: Server, acme: Organization) -> Iterator[httpx.Client]:
    with server.client(acme.keys["admin"]) as client:
        yield client


def used(server: Server) -> int:
    """The number of replicas that both processes use."""
    lines = metrics(server).splitlines()
    if "leads_server_processes 2.0" not in lines:
        return 0
    return sum(line.startswith("leads_replica_usable{") and line.endswith(" 1.0") for line in lines)


def caught_up(pair: Pair, *hosts: Host) -> None:
    """Waits until the replicas have replayed everything."""
    position = pair.primary.database.sql("select pg_current_wal_lsn() as lsn")[0]["lsn"]
    query = "select 1 from pg_last_wal_replay_lsn() as r (lsn) where r.lsn >= %s"
    wait_for(lambda: all(host.database.sql(query, position) for host in hosts))


def answers(
    server: Server, client: httpx.Client, lead: str, count: int = 200, *, company: str | None = None, position: str = ""
) -> Counter[str | None]:
    """The number of reads that each replica has answered, None: the primary. company: what all must have shown."""
    ids = {uuid.uuid4().hex for _ in range(count)}

    def read(id: str) -> None:
        response = client.get(lead, headers={"X-Request-Id": id, **({HEADER: position} if position else {})})
        assert response.status_code == 200
        assert company in (None, response.json()["company"])

    def lines() -> list[dict[str, Any]]:
        return [line for line in server.lines() if line.get("request_id") in ids]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(read, ids))
    # Each process writes its lines a moment later.
    wait_for(lambda: len(lines()) == count)
    return Counter(line.get("replica") for line in lines())


def test_reads_are_spread_over_both_replicas(client: httpx.Client, server: Server, pair: Pair, second: Host) -> None:
    lead, _ = made_lead(client)
    caught_up(pair, pair.standby, second)

    def are_spread() -> bool:
        """On a busy machine, the server may avoid a replica for a moment."""
        counts = answers(server, client, lead)
        return counts.keys() == {name_of(pair.standby), name_of(second)} and min(counts.values()) > 10

    wait_for(are_spread)


def test_no_read_is_older_than_its_position_whichever_process_and_replica_answers(
    client: httpx.Client, server: Server, pair: Pair, second: Host, acme: Organization
) -> None:
    """Each request has a connection of its own, so it goes to any of the processes."""
    leads = [made_lead(client)[0] for _ in range(4)]
    since = len(server.lines())

    def run(lead: str) -> tuple[list[str], list[int]]:
        with server.client(
            client.headers["authorization"][7:], limits=httpx.Limits(max_keepalive_connections=0)
        ) as each:
            reads = read_own_writes(each, lead, WRITES)
            return reads.stale, reads.failed

    with pausing(pair.standby, 0.1), pausing(second, 0.1), ThreadPoolExecutor(4) as threads:
        results = list(threads.map(run, leads))
    assert results == [([], [])] * 4
    counts = Counter(targets(server, since))
    assert counts.keys() == {name_of(pair.standby), name_of(second), None}, counts


def test_the_other_replica_answers_while_one_is_late(
    client: httpx.Client, server: Server, pair: Pair, second: Host
) -> None:
    lead, _ = made_lead(client)
    with paused(second):
        changed = client.patch(lead, json={"company": "new"})
        caught_up(pair, pair.standby)
        new, position = "new", changed.headers[HEADER]
        wait_for(
            lambda: answers(server, client, lead, company=new, position=position).keys() == {name_of(pair.standby)}
        )
        wait_for(lambda: answers(server, client, lead).keys() == {name_of(pair.standby)})
    wait_for(lambda: used(server) == 2)


def test_no_read_fails_while_the_replicas_die_and_return(
    client: httpx.Client, server: Server, pair: Pair, second: Host
) -> None:
    lead, _ = made_lead(client)
    caught_up(pair, pair.standby, second)
    with reading(client, lead) as statuses:
        wait_for(lambda: len(statuses) > 50)
        second.end(signal.SIGKILL)
        wait_for(lambda: answers(server, client, lead).keys() == {name_of(pair.standby)})
        pair.standby.end(signal.SIGKILL)
        wait_for(lambda: answers(server, client, lead).keys() == {None})
        pair.standby.start()
        second.start()
        wait_for(lambda: used(server) == 2)
    assert set(statuses) == {200}
    wait_for(lambda: answers(server, client, lead).keys() == {name_of(pair.standby), name_of(second)})


def test_a_replica_of_a_replica_serves_and_is_late_with_it(
    client: httpx.Client, server: Server, pair: Pair, second: Host
) -> None:
    lead, _ = made_lead(client)
    pair.follow(second, pair.standby)
    query = "select 1 from pg_stat_replication"
    wait_for(lambda: pair.standby.database.sql(query))
    caught_up(pair, second)
    wait_for(lambda: used(server) == 2)
    reads = read_own_writes(client, lead, 50)
    assert (reads.fresh, reads.stale, reads.failed) == (50, [], [])
    pair.standby.end()
    client.patch(lead, json={"company": "later"})
    wait_for(lambda: answers(server, client, lead).keys() == {None})
    assert answers(server, client, lead, company="later").keys() == {None}
    pair.standby.start()
    wait_for(lambda: used(server) == 2)
    pair.follow(second, pair.primary)
    wait_for(lambda: len(pair.primary.database.sql(query)) == 2)


def test_a_replica_that_replays_later_on_purpose_is_used_only_if_nothing_is_missing(
    client: httpx.Client, server: Server, pair: Pair, second: Host
) -> None:
    lead, _ = made_lead(client, company="before")
    caught_up(pair, second)
    second.database.sql("alter system set recovery_min_apply_delay = '30s'")
    second.database.sql("select pg_reload_conf()")
    caught_up(pair, second)
    wait_for(lambda: used(server) == 2)
    written = client.patch(lead, json={"company": "after"})
    assert name_of(second) not in answers(server, client, lead, 20, company="after", position=written.headers[HEADER])
    wait_for(lambda: answers(server, client, lead).keys() == {name_of(pair.standby)})
    assert "is more than 2 s behind the primary" in server.log.read_text()
    second.database.sql("alter system reset recovery_min_apply_delay")
    second.database.sql("select pg_reload_conf()")
    wait_for(lambda: used(server) == 2)


def test_a_read_that_the_replay_cancels_is_answered_by_the_primary(
    client: httpx.Client, server: Server, pair: Pair, second: Host
) -> None:
    """The replica replays an exclusive lock, and cancels the reads of the table at once."""
    lead, _ = made_lead(client, name="Ada", company="Abbott")
    for host in (pair.standby, second):
        for setting in "hot_standby_feedback = off", "max_standby_streaming_delay = 0":
            host.database.sql(f"alter system set {setting}")
        host.database.sql("select pg_reload_conf()")
    caught_up(pair, pair.standby, second)
    is_over = threading.Event()

    def lock() -> None:
        while not is_over.is_set():
            with pair.primary.database.connect() as session, session.transaction():
                session.execute("lock table app.lead in access exclusive mode")
                session.execute("select pg_current_xact_id()")

    def conflicts() -> int:
        query = "select sum(confl_lock) as count from pg_stat_database_conflicts where datname = 'leads'"
        return sum(int(host.database.sql(query)[0]["count"]) for host in (pair.standby, second))

    before = conflicts()
    with ThreadPoolExecutor(1) as threads, reading(client, f"{lead}/everything") as statuses:
        threads.submit(lock)
        try:
            wait_for(lambda: conflicts() > before + 3, 120)
        finally:
            is_over.set()
    assert set(statuses) == {200}
    for host in (pair.standby, second):
        host.database.sql("alter system reset max_standby_streaming_delay")
        host.database.sql("select pg_reload_conf()")


def test_functions_that_are_replaced_fail_no_read(
    client: httpx.Client, server: Server, pair: Pair, second: Host
) -> None:
    """The replicas replay the new functions later, and one of them has only the old ones for a while."""
    lead, _ = made_lead(client)
    database = pair.primary.database
    definition = database.sql("select pg_get_functiondef('api.get_lead(uuid)'::regprocedure) as text")[0]["text"]
    grants = "grant execute on function api.get_lead(uuid) to leads_api"
    with reading(client, lead) as statuses, pausing(second, 0.5):
        for _ in range(10):
            with database.connect() as session, session.transaction():
                owner = "alter function api.get_lead(uuid) owner to leads_exec"
                session.execute("drop function api.get_lead(uuid)")
                for statement in definition, owner, "revoke all on function api.get_lead(uuid) from public", grants:
                    session.execute(statement)
            time.sleep(0.2)
    assert set(statuses) == {200}
    caught_up(pair, pair.standby, second)
    with paused(second):
        database.sql(
            "create function api.new_read(id uuid) returns api.answer language sql stable security definer "
            "set search_path = pg_catalog, pg_temp as $$ select api.get_lead(id) $$"
        )
        database.sql("alter function api.new_read(uuid) owner to leads_exec")
        database.sql("grant execute on function api.new_read(uuid) to leads_api")
        database.sql(
            "insert into api.route (method, path, function, scope) values ('GET', '/new/{id}', 'api.new_read', 'read')"
        )
        database.sql("call app.notify('leads_routes')")
        path = lead.replace("/leads/", "/new/")

        def are_answered() -> bool:
            """Whether all reads are. Each of the two server processes answers 404 until it has read the routes."""
            with ThreadPoolExecutor(8) as threads:
                statuses = set(threads.map(lambda _: client.get(path).status_code, range(40)))
            assert statuses <= {200, 404}
            return statuses == {200}

        wait_for(are_answered)


def test_the_python_client_reads_its_own_writes(
    sdk: Any, server: Server, acme: Organization, pair: Pair, second: Host
) -> None:
    with sdk.Leads(server.base, acme.keys["write"]) as leads:
        path = f"/leads/{leads.request('POST', '/leads', json={'email': 'a@example.com'}).json()['id']}"
        caught_up(pair, pair.standby, second)
        with paused(pair.standby), paused(second):
            for company in "one", "two":
                leads.request("PATCH", path, json={"company": company})
                assert leads.request("GET", path).json()["company"] == company
                assert [row.company for row in leads.list_leads(limit=1).data] == [company]


def test_a_replica_is_asked_over_tls(
    pair: Pair, second: Host, acme: Organization, new_server: Callable[..., Server], tmp_path: Path
) -> None:
    key, certificate = second.data / "server.key", second.data / "server.crt"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    key.chmod(0o600)
    for file in key, certificate:
        second.own(file)
    authority = tmp_path / "authority.pem"
    authority.write_bytes(certificate.read_bytes())
    try:
        second.database.sql("alter system set ssl = on")
    except psycopg.errors.InvalidParameterValue:
        pytest.skip("This PostgreSQL was built without TLS.")
    second.database.sql("select pg_reload_conf()")

    def url(host: str) -> str:
        port = second.server.port
        options = f"hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert={authority}"
        return f"postgresql://leads_api:{pair.secret}@{host}:{port}/leads?{options}"

    server = new_server(pair.primary.database, DATABASE_REPLICA_URL=f"{url('localhost')} {url('other')}")
    failing = [f"replica other:{second.server.port}"]
    wait_for(lambda: httpx.get(server.base + "/readyz").json().get("failing") == failing)
    with server.client(acme.keys["read"]) as client:
        wait_for(lambda: client.get("/leads").status_code == 200)
    query = "select s.ssl from pg_stat_ssl as s join pg_stat_activity as a using (pid) where a.client_addr is not null"
    rows = second.database.sql(f"{query} and a.usename = 'leads_api'")
    assert len(rows) > 1
    assert all(row["ssl"] for row in rows)
    assert "certificate" in server.log.read_text()


def test_the_start_does_not_wait_for_a_replica_that_never_answers(
    pair: Pair, acme: Organization, new_server: Callable[..., Server]
) -> None:
    with silent_server() as port:
        url = f"postgresql://leads_api@127.0.0.1:{port}/leads"
        server = new_server(pair.primary.database, DATABASE_REPLICA_URL=f"{url} {pair.standby.server.url('leads_api')}")
        wait_for(lambda: httpx.get(server.base + "/readyz").json().get("failing") == [f"replica 127.0.0.1:{port}"])
        with server.client(acme.keys["read"]) as client:
            assert {client.get("/leads").status_code for _ in range(20)} == {200}


@contextmanager
def silent_server() -> Iterator[int]:
    """A server that accepts connections, and never answers. Yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepted: list[socket.socket] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    accepted.append(listener.accept()[0])

        thread = threading.Thread(target=accept)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in accepted:
            connection.close()


def test_a_promotion_loses_no_read_and_no_position(
    client: httpx.Client, server: Server, pair: Pair, second: Host
) -> None:
    """It changes the pair, so it is the last test."""
    lead, made = made_lead(client)
    old = made[HEADER]
    caught_up(pair, pair.standby, second)
    wait_for(lambda: used(server) == 2)
    with reading(client, lead) as statuses:
        pair.primary.end(signal.SIGKILL)
        count = len(statuses)
        wait_for(lambda: len(statuses) > count + 50)
        pair.promote()
        wait_for(lambda: client.patch(lead, json={"company": "new"}).status_code == 200)
        count = len(statuses)
        wait_for(lambda: len(statuses) > count + 50)
    assert set(statuses) == {200}
    new = client.patch(lead, json={"company": "newer"}).headers[HEADER]
    # The other replica still follows the old primary. Both processes notice it.
    wait_for(lambda: server.log.read_text().count("It does not follow the primary: it follows an older one") == 2)
    wait_for(lambda: server.log.read_text().count("It is no replica") == 2)
    for position in old, new, "":
        assert answers(server, client, lead, 20, company="newer", position=position).keys() == {None}
    pair.follow(second, pair.primary)
    caught_up(pair, second)
    wait_for(lambda: answers(server, client, lead).keys() == {name_of(second)})
    for position in old, new, "":
        wait_for(
            lambda position=position: (  # type: ignore[misc]
                answers(server, client, lead, 20, company="newer", position=position).keys() == {name_of(second)}
            )
        )
    with pausing(second, 0.1):
        reads = read_own_writes(client, lead, 100)
    assert (reads.stale, reads.failed) == ([], [])
