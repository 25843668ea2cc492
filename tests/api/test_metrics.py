"""The metrics of servers: their labels, what they reveal, and several server processes."""

import os
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.cli.keys import digest
from tests.support.database import Database, Organization
from tests.support.process import Leads, Server, mistake, server_processes
from tests.support.pushing import wait_for

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def url_in(log: Path) -> str:
    """Returns the address that the process has printed."""
    return wait_for(lambda: re.findall(r"http://\S+/metrics$", log.read_text(), re.MULTILINE))[0]  # type: ignore[no-any-return]


def scrape(url: str) -> Samples:
    """Returns the samples at the address."""
    families = text_string_to_metric_families(httpx.get(url, verify=False).text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float:
    """Returns the sum of the samples with these labels."""
    return sum(
        number for (each, found), number in samples.items() if each == name and labels.items() <= dict(found).items()
    )


def requests(url: str, **labels: str) -> float:
    return value(scrape(url), "leads_http_requests_total", **labels)


@pytest.fixture(scope="module")
def server(database: Database, new_server: Callable[..., Server]) -> Server:
    """One process with metrics."""
    return new_server(database, LEADS_METRICS="127.0.0.1:0", LEADS_CORS_ORIGINS="*")


@pytest.fixture(scope="module")
def url(server: Server) -> str:
    return url_in(server.log)


def test_requests_are_counted_by_the_path_of_their_route(server: Server, url: str, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        id = client.post("/leads", json={"email": "ada@example.com"}).json()["id"]
        for _ in range(3):
            assert client.get(f"/leads/{id}").status_code == 200
        assert client.head(f"/leads/{id}").status_code == 200
        assert client.get("/leads?limit=0").status_code == 400
        assert client.get("/leads/export").status_code == 200
    with server.client() as client:
        assert client.get(f"/leads/{id}").status_code == 401
    assert httpx.get(server.base + "/docs.md", verify=False).status_code == 200

    wait_for(lambda: requests(url, route="/docs.md") == 1)
    samples = scrape(url)
    name = "leads_http_requests_total"
    assert value(samples, name, method="POST", route="/leads", status="201") == 1
    assert value(samples, name, method="GET", route="/leads/{id}", status="200") == 4
    assert value(samples, name, method="GET", route="/leads/{id}", status="401") == 1
    assert value(samples, name, method="GET", route="/leads", status="400") == 1
    assert value(samples, name, method="GET", route="/leads/export", status="200") == 1
    assert value(samples, "leads_http_request_duration_seconds_count", method="GET", route="/leads/{id}") == 5
    assert value(samples, "leads_http_request_duration_seconds_bucket", route="/leads/{id}", le="+Inf") == 5
    assert value(samples, "leads_http_request_duration_seconds_sum", route="/leads/{id}") > 0
    assert value(samples, "leads_database_statement_seconds_count", function="api.get_lead") == 5
    assert value(samples, "leads_pool_connections") == 8
    assert value(samples, "leads_server_processes") == 1


def test_strange_requests_add_no_series(server: Server, url: str, acme: Organization) -> None:
    with server.client(acme.keys["read"]) as client:
        client.get("/nowhere")
        client.request("DELETE", "/leads")
        wait_for(lambda: requests(url, route="unmatched", status="405") > 0)
        before = scrape(url)
        for number in range(40):
            client.get(f"/nowhere/{number}")
            client.get(f"/leads%2F{number}")
            client.get(server.base + f"/{number}")
            client.request(f"METHOD{number}", "/leads")
            client.request("TRACE", f"/{number}")
            client.get(f"/leads/{number}", headers={"X-Request-Id": f"id-{number}", "User-Agent": f"agent {number}"})
    unmatched = value(before, "leads_http_requests_total", route="unmatched")
    wait_for(lambda: requests(url, route="unmatched") >= unmatched + 3 * 40)
    after = scrape(url)
    added = {(name, labels) for name, labels in after.keys() - before.keys()}
    assert {dict(labels).get("route") for _, labels in added} <= {"/leads/{id}", "unmatched", None}, added
    assert len(added) < 40
    assert not [labels for _, labels in after if re.search(r"METHOD|TRACE|nowhere|agent", str(sorted(labels)))]


def test_no_metric_names_a_tenant_or_a_key(
    server: Server, url: str, database: Database, acme: Organization, new_organization: Callable[..., Organization]
) -> None:
    other = new_organization(name="Zebulon Roofing")
    with server.client(other.keys["write"]) as client:
        id = client.post(
            "/leads", json={"name": "Ada Abbott", "company": "Ada Co", "email": "ada@zebulon.example"}
        ).json()["id"]
        client.get(f"/leads/{id}")
        client.get("/leads?q=Abbott")
        client.get(f"/leads/{acme.keys['read']}")
        client.get(f"/{acme.keys['read']}/ada@zebulon.example")
        client.post("/in/lf_live_0123456789", json={"email": "ada@zebulon.example"})
    wait_for(lambda: requests(url, method="POST", route="/leads", status="201") >= 1)
    text = httpx.get(url, verify=False).text
    secrets = [
        *(key for organization in (acme, other) for key in organization.keys.values()),
        *(digest(key) for organization in (acme, other) for key in organization.keys.values()),
        *(acme.id, other.id, id),
        *("Zebulon", "Acme", "Abbott", "zebulon", "Ada", "lf_live", "lk_test"),
    ]
    assert not [secret for secret in secrets if str(secret) in text]
    assert "@" not in text
    assert not re.search(r"[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}", text)
    assert not re.search(r"\b\d+\.\d+\.\d+\.\d+\b", text)


def test_only_the_worker_may_read_the_totals_of_the_database(database: Database) -> None:
    rows = database.sql(
        "select r.rolname from pg_roles as r where r.rolname like 'leads%' and not r.rolsuper and "
        "has_function_privilege(r.oid, 'admin.service_figures()', 'execute') order by 1"
    )
    assert [row["rolname"] for row in rows if row["rolname"] not in ("leads_jobs", "leads_migrator")] == [
        "leads_worker"
    ]


def test_the_worker_sees_an_open_transaction_of_another_login(database: Database) -> None:
    statement = "select label from admin.service_figures() where name = 'transaction'"
    with database.connect("leads_operator") as connection:
        connection.execute("begin")
        pid = connection.info.backend_pid
        connection.execute("select admin.create_organization(%s, %s)", ("Open Roofing", "test"))
        seen = [row["label"] for row in database.sql(statement, login="leads_worker")]
        assert [label for label in seen if label.startswith(f"{pid}:")]
        connection.execute("rollback")
        seen = [row["label"] for row in database.sql(statement, login="leads_worker")]
        assert not [label for label in seen if label.startswith(f"{pid}:")]


def test_several_processes_have_one_address_and_their_counts_add_up(
    database: Database, new_server: Callable[..., Server], acme: Organization
) -> None:
    server = new_server(database, LEADS_METRICS="127.0.0.1:0", WORKERS="2", LEADS_CONNECTIONS="2")
    url = url_in(server.log)
    wait_for(lambda: value(scrape(url), "leads_server_processes") == 2)
    sent = 0

    def send(times: int) -> None:
        nonlocal sent
        for _ in range(times):
            # A new connection each, so that each process gets some.
            with suppress(httpx.TransportError), server.client(acme.keys["read"]) as client:
                sent += client.get("/leads?limit=1").status_code == 200

    send(20)
    wait_for(lambda: requests(url, route="/leads", status="200") == sent)
    wait_for(lambda: value(scrape(url), "leads_pool_connections") == 4)

    os.kill(server_processes(server)[0], signal.SIGKILL)
    for _ in range(20):
        assert requests(url, route="/leads", status="200") == sent
        samples = scrape(url)
        if value(samples, "leads_server_processes") == 1:
            assert value(samples, "leads_pool_connections") == 2, "the connections of the killed process are gone"
            break
        time.sleep(0.05)
    wait_for(lambda: value(scrape(url), "leads_server_processes") == 2)
    send(10)
    wait_for(lambda: requests(url, route="/leads", status="200") == sent)


def test_a_server_without_the_setting_counts_nothing(
    database: Database, new_server: Callable[..., Server], acme: Organization, tmp_path: Path
) -> None:
    server = new_server(database, TMPDIR=str(tmp_path))
    with server.client(acme.keys["read"]) as client:
        client.get("/leads")
    assert "etrics" not in server.log.read_text()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_removed_when_the_server_stops(
    database: Database, new_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = new_server(database, LEADS_METRICS="127.0.0.1:0", TMPDIR=str(tmp_path))
    assert len(list(tmp_path.glob("leads-serve-*"))) == 1
    server.process.terminate()
    server.process.wait(30)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("worker",)])
def test_an_address_that_is_in_use_is_a_mistake(
    url: str, leads: Leads, database: Database, command: tuple[str, ...]
) -> None:
    port = httpx.URL(url).port
    message = mistake(leads(*command, LEADS_METRICS=f"127.0.0.1:{port}", LEADS_WORKER_URL=database.url("leads_worker")))
    assert message == (
        f"LEADS_METRICS is 127.0.0.1:{port}, which is in use. leads serve and leads worker need an address each: give "
        "this process another port."
    )
