"""Rate limits of keys and forms. The limit is one request per minute, so that no test depends on speed:
it allows for the tokens of the minutes that it takes.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.test_metrics import scrape, url_in, value
from tests.support.contract import check_headers, check_problem
from tests.support.database import Database, Organization, make_key
from tests.support.keys import new_key
from tests.support.process import Server, server_processes
from tests.support.pushing import wait_for

BURST = 6
LIMITS = {"LEADS_RATE_LIMIT": "1", "LEADS_RATE_BURST": str(BURST)}
FIELDS = ("ratelimit", "ratelimit-policy")


@pytest.fixture(scope="module")
def server(database: Database, new_server: Callable[..., Server]) -> Server:
    """A server with limits, metrics and CORS."""
    return new_server(database, LEADS_METRICS="127.0.0.1:0", LEADS_CORS_ORIGINS="https://app.example.com", **LIMITS)


@pytest.fixture(scope="module")
def free(database: Database, new_server: Callable[..., Server]) -> Server:
    """A server without limits."""
    return new_server(database)


@contextmanager
def new_client(server: Server, database: Database, organization: Organization, scope: str) -> Iterator[httpx.Client]:
    """A client with a key of its own."""
    with server.client(make_key(database, organization.id, scope)) as client:
        yield client


def exhaust(client: httpx.Client, method: str = "GET", path: str = "/leads?limit=1") -> httpx.Response:
    """Sends requests until one is over the limit, and returns its response."""
    started = time.monotonic()
    for sent in range(BURST + 100):
        response = client.request(method, path)
        if response.status_code == 429:
            assert sent <= BURST + (time.monotonic() - started) / 60 + 1
            return response
    raise AssertionError("no request was over the limit")


def test_without_the_setting_there_is_no_limit(free: Server, acme: Organization) -> None:
    with free.client(acme.keys["read"]) as client:
        for _ in range(30):
            response = client.get("/leads?limit=1")
            assert response.status_code == 200
            assert not [field for field in FIELDS if field in response.headers]


def test_the_headers_count_down_and_the_problem_says_when_to_try_again(
    server: Server, database: Database, acme: Organization
) -> None:
    with new_client(server, database, acme, "read") as client:
        first = client.get("/health")
        assert first.headers["ratelimit-policy"] == f'"default";q={BURST};w={BURST * 60}'
        assert first.headers["ratelimit"] == f'"default";r={BURST - 1};t=60'
        second = client.get("/leads", headers={"X-Request-Id": "second"})
        assert second.headers["ratelimit"].startswith(f'"default";r={BURST - 2};t=')
        assert [client.get("/leads").status_code for _ in range(BURST - 2)] == [200] * (BURST - 2)
        response = exhaust(client)
        problem = check_problem(response, 429, "rate_limited")
        seconds = int(response.headers["retry-after"])
        assert 1 <= seconds <= 60
        assert response.headers["ratelimit"] == f'"default";r=0;t={seconds}'
        assert problem["detail"] == f"This key may send 1 requests per minute. Try again in {seconds} s."
        # Any other route, and a request of the wrong form.
        for path in ("/health", "/leads?limit=x", "/audit-log/export"):
            check_problem(client.get(path), 429, "rate_limited")
        assert client.head("/leads").status_code == 429


def test_each_kind_of_response_counts_once(server: Server, database: Database, acme: Organization) -> None:
    with new_client(server, database, acme, "write") as client:

        def remaining(response: httpx.Response) -> int:
            check_headers(response)
            return int(response.headers["ratelimit"].partition(";r=")[2].partition(";")[0])

        lead = client.post("/leads", json={"email": "one@example.com"})
        assert remaining(lead) == BURST - 1
        with client.stream("GET", "/leads/export") as stream:
            stream.read()
            assert stream.status_code == 200
            assert remaining(stream) == BURST - 2
        # It reads the request twice: the key, then the errors.
        assert remaining(client.post("/leads", content=b"{", headers={"Content-Type": "application/json"})) == BURST - 3
        assert remaining(client.get("/audit-log/verify")) == BURST - 4  # the key lacks the scope
        assert remaining(client.get(lead.headers["location"][7:], headers={"If-None-Match": "*"})) == BURST - 5
    with new_client(server, database, acme, "write") as client:
        # A route that waits: it asks again and again. Nobody makes the answer.
        database.sql("select admin.connect_crm(%s, 'jobnimbus', 'default', '{}')", acme.id, login="leads_operator")
        id = client.post("/leads", json={"name": "Two", "email": "two@example.com"}).json()["id"]
        database.sql("select admin.change_crm_connection(%s, 'pause')", acme.id, login="leads_operator")
        pushed = client.post(f"/leads/{id}/push-to-crm")
        assert pushed.status_code == 202
        assert remaining(pushed) == BURST - 2


def test_what_needs_no_key_is_not_counted(server: Server, database: Database, acme: Organization) -> None:
    with new_client(server, database, acme, "read") as client:
        exhaust(client)
        for method, path in (("GET", "/nowhere"), ("DELETE", "/leads")):
            response = client.request(method, path)
            assert response.status_code in (404, 405)
            assert "ratelimit" not in response.headers
        for path in ("/livez", "/readyz", "/openapi.json"):
            assert httpx.get(server.base + path, headers=client.headers).status_code == 200


def test_a_key_spends_its_own_tokens_only(
    server: Server, database: Database, acme: Organization, new_organization: Callable[..., Organization]
) -> None:
    """Not those of another key of the organization, and not those of another organization."""
    other = new_organization()
    with (
        new_client(server, database, acme, "read") as client,
        new_client(server, database, acme, "read") as colleague,
        new_client(server, database, other, "read") as stranger,
    ):
        exhaust(client)
        for each in (colleague, stranger):
            assert each.get("/health").headers["ratelimit"] == f'"default";r={BURST - 1};t=60'


def test_who_lacks_a_key_can_not_use_up_its_limit(server: Server, database: Database, acme: Organization) -> None:
    """Keys that are nearly the same, the digest, and the key in a wrong place."""
    key = make_key(database, acme.id, "read")
    stored = database.sql(
        "select encode(digest, 'hex') as d from auth.api_key order by created_at desc, id desc limit 1"
    )
    forged = (key[:-1], key.swapcase(), key + "x", f"{key} {key}", stored[0]["d"], new_key("test"))
    with server.client() as client:
        for _ in range(BURST + 2):
            for each in forged:
                response = client.get("/leads", headers={"Authorization": f"Bearer {each}"})
                check_problem(response, 401, "unauthorized")
                assert "ratelimit" not in response.headers
            assert client.get("/leads", headers={"Authorization": f"Basic {key}"}).status_code == 401
        response = client.get("/leads", headers={"Authorization": f"Bearer {key}"})
        assert response.headers["ratelimit"] == f'"default";r={BURST - 1};t=60'


def test_a_revoked_key_is_unauthorized_again(server: Server, database: Database, acme: Organization) -> None:
    with new_client(server, database, acme, "read") as client:
        assert client.get("/leads").status_code == 200
        database.sql(
            "update auth.api_key set revoked_at = now() "
            "where id = (select id from auth.api_key order by created_at desc, id desc limit 1)"
        )
        for _ in range(BURST + 2):
            check_problem(client.get("/leads"), 401, "unauthorized")


def test_a_request_over_the_limit_needs_no_database(server: Server, database: Database, acme: Organization) -> None:
    with new_client(server, database, acme, "write") as client:
        exhaust(client)
        with database.connect() as connection, connection.transaction():
            connection.execute("lock table auth.api_key")
            for method, path in (("GET", "/leads"), ("POST", "/leads"), ("POST", "/leads/bulk")):
                response = client.request(method, path, content=b"{}", headers={"Content-Type": "application/json"})
                check_problem(response, 429, "rate_limited")
                assert "server-timing" not in response.headers


def test_a_repeat_of_an_idempotency_key_counts_and_a_refused_one_changes_nothing(
    server: Server, database: Database, acme: Organization
) -> None:
    with new_client(server, database, acme, "write") as client:

        def send(email: str) -> httpx.Response:
            return client.post("/leads", json={"email": email}, headers={"Idempotency-Key": email})

        created = [send("again@example.com") for _ in range(2)]
        assert [response.headers.get("idempotency-replayed") for response in created] == [None, "true"]
        assert created[1].headers["ratelimit"].startswith(f'"default";r={BURST - 2};')
        exhaust(client)
        check_problem(send("never@example.com"), 429, "rate_limited")
    assert not database.sql("select from app.lead where email = 'never@example.com'")


def test_a_form_has_a_limit_of_its_own(server: Server, free: Server, database: Database, acme: Organization) -> None:
    with free.client(acme.keys["admin"]) as admin:
        address, other = (
            server.base + admin.post("/forms", json={"requests_per_minute": 6000}).json()["address"] for _ in range(2)
        )
    with httpx.Client(verify=False) as client:

        def send(to: str) -> httpx.Response:
            return client.post(to, json={"email": "web@example.com"})

        responses = [send(address) for _ in range(BURST + 3)]
        assert [response.status_code for response in responses[:BURST]] == [200] * BURST
        problem = check_problem(responses[-1], 429, "rate_limited")
        assert problem["detail"].startswith("This form may send 1 requests per minute.")
        # Below the prefix too, and its preflight.
        assert send(address.replace("/in/", "/api/v1/in/")).status_code == 429
        assert client.options(address).status_code == 429
        assert send(other).status_code == 200
    token = address.rpartition("/")[2]
    assert token not in server.log.read_text()
    with new_client(server, database, acme, "read") as client:
        assert client.get("/health").status_code == 200


def test_it_is_in_the_log_and_in_the_metrics(server: Server, database: Database, acme: Organization) -> None:
    with new_client(server, database, acme, "read") as client:
        client.get("/health")
        exhaust(client)
        client.get("/organizations/me", headers={"X-Request-Id": "over-the-limit"})
        [line] = [line for line in server.lines() if line.get("request_id") == "over-the-limit"]
        assert (line["status"], line["reason"], line["db_ms"]) == (429, "The key is over its rate limit.", None)

        def organization() -> Any:
            """The one in the line of a request. The server asks for it after the first request, on a connection that
            may be slow.
            """
            id = client.get("/organizations/me").headers["x-request-id"]
            return next(line for line in server.lines() if line.get("request_id") == id)["organization_id"]

        assert wait_for(organization) == acme.id
    labels = {"method": "GET", "route": "/organizations/me", "status": "429"}
    wait_for(lambda: value(scrape(url_in(server.log)), "leads_http_requests_total", **labels) >= 1)


def test_pages_of_other_origins_can_read_the_headers(server: Server, database: Database, acme: Organization) -> None:
    with new_client(server, database, acme, "read") as client:
        client.headers["Origin"] = "https://app.example.com"
        client.get("/health")
        response = exhaust(client)
        exposed = response.headers["access-control-expose-headers"].split(", ")
        assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(exposed)
        assert response.headers["access-control-allow-origin"] == "https://app.example.com"


@pytest.mark.skipif(not Path("/proc").exists(), reason="The workers are found in /proc.")
def test_workers_share_the_limit_also_after_a_kill(
    new_server: Callable[..., Server], database: Database, acme: Organization, tmp_path: Path
) -> None:
    server = new_server(
        database, WORKERS="3", LEADS_CONNECTIONS="2", LEADS_RATE_LIMIT="1", LEADS_RATE_BURST="40", TMPDIR=str(tmp_path)
    )
    key = make_key(database, acme.id, "read")
    started = time.monotonic()

    def send(_: int) -> int:
        # A new connection each, so that each process gets some.
        with suppress(httpx.TransportError), server.client(key) as client:
            return client.get("/health").status_code
        return 0

    wait_for(lambda: len(server_processes(server)) == 3)
    statuses, killed = [send(0)], set[int]()
    with ThreadPoolExecutor(4) as threads:
        sent = [threads.submit(send, number) for number in range(120)]
        # In the middle of the requests, again and again.
        for _ in range(2):
            time.sleep(0.1)
            victim = server_processes(server)[0]
            killed.add(victim)
            os.kill(victim, signal.SIGKILL)
            wait_for(lambda: len({*server_processes(server)} - killed) == 3)
        statuses += [future.result() for future in sent]
    # A request that a kill interrupted has taken a token. Up to four that run at the same time may all be
    # the first that a process sees.
    lost = statuses.count(0)
    assert 40 - lost <= statuses.count(200) <= 40 + 4 + (time.monotonic() - started) / 60 + 1
    assert statuses.count(429) > 40
    # The limit holds in each process, the new ones too, and no lock is left.
    again = [send(0) for _ in range(30)]
    assert again.count(200) <= (time.monotonic() - started) / 60 + 1
    with server.client(make_key(database, acme.id, "read")) as client:
        assert client.get("/health").headers["ratelimit"].startswith('"default";r=39;')
    server.process.terminate()
    server.process.wait(30)
    assert list(tmp_path.iterdir()) == []
