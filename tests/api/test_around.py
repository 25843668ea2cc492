"""HEAD, OPTIONS and CORS. CORS is off unless it is configured."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.support.contract import anonymous, check_headers, check_problem
from tests.support.database import Database, Organization
from tests.support.process import Server

ORIGIN = "https://app.example.com"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization, content-type, if-match, idempotency-key, x-request-id",
}


@pytest.fixture(scope="module")
def client(server: Server, acme: Organization) -> Iterator[httpx.Client]:
    """A client of a server with the default settings."""
    with server.client(acme.keys["write"]) as client:
        yield client


@pytest.fixture(scope="module")
def cors(database: Database, new_server: Callable[..., Server], acme: Organization) -> Iterator[httpx.Client]:
    """A client of a server that allows two origins."""
    with new_server(database, LEADS_CORS_ORIGINS=f"{ORIGIN}, http://localhost:3000").client(
        acme.keys["write"]
    ) as client:
        yield client


def test_head_is_get_without_the_body(client: httpx.Client) -> None:
    created = client.post("/leads", json={"email": "a@example.com"})
    lead = created.headers["location"].removeprefix("/api/v1")
    client.post("/leads", json={"email": "b@example.com"})
    event = client.get("/audit-log?limit=1").json()["data"][0]["id"]
    for path in ("/leads?limit=1", lead, "/audit-log?limit=1", f"/audit-log/{event}", "/health", "/organizations/me"):
        get, head = (client.request(method, path, headers={"X-Request-Id": "a"}) for method in ("GET", "HEAD"))
        assert (get.status_code, head.status_code) == (200, 200)
        assert head.content == b""
        assert int(head.headers["content-length"]) == len(get.content) > 0
        assert anonymous(get)[1] == anonymous(head)[1]
        check_headers(head)


def test_a_path_without_a_get_has_no_head(client: httpx.Client) -> None:
    assert client.request("HEAD", "/leads/x").status_code == 404


def test_cors_is_off_by_default(client: httpx.Client) -> None:
    answer = client.get("/leads", headers={"Origin": ORIGIN})
    assert answer.status_code == 200
    refused = client.options("/leads", headers=PREFLIGHT)
    check_problem(refused, 405, "method_not_allowed")
    for headers in (answer.headers, refused.headers):
        assert not [name for name in headers if name.startswith("access-control-")]


def test_cors_allows_the_configured_origins(cors: httpx.Client) -> None:
    preflight = cors.options("/leads/x", headers=PREFLIGHT)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in preflight.headers
    for path, status in (("/leads", 200), ("/leads?limit=0", 400), ("/nowhere", 404)):
        answer = cors.get(path, headers={"Origin": "http://localhost:3000"})
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        known = {
            "ETag",
            "Link",
            "Location",
            "X-Request-Id",
            "RateLimit",
            "RateLimit-Policy",
            "Retry-After",
            "Server-Timing",
            "Idempotency-Replayed",
            "Content-Disposition",
            "Deprecation",
            "Sunset",
            "Leads-Position",
        }
        assert known == set(exposed)
        check_headers(answer)
        assert "Origin" in answer.headers["vary"]
    refused = cors.get("/leads", headers={"Origin": ORIGIN, "Authorization": "Bearer x"})
    check_problem(refused, 401, "unauthorized")
    assert refused.headers["access-control-allow-origin"] == ORIGIN


def test_a_preflight_lists_the_methods_that_its_path_has(cors: httpx.Client, database: Database) -> None:
    routes = database.sql(
        "select array_agg(method) as methods, path from api.route where key_parameter is null group by path"
    )
    assert len(routes) > 10
    for route in routes:
        methods = sorted({*route["methods"], *(["HEAD"] if "GET" in route["methods"] else ())})
        path = route["path"].replace("{", "").replace("}", "")
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            preflight = cors.options(path, headers=PREFLIGHT | {"Access-Control-Request-Method": method})
            assert preflight.headers["access-control-allow-methods"] == ", ".join(methods)
            assert preflight.status_code == (200 if method in methods else 400), (path, method)
    # A page sees the 404 of a path that does not exist.
    unknown = cors.options("/nowhere", headers=PREFLIGHT)
    assert unknown.status_code == 200
    every = {row["method"] for row in database.sql("select method from api.route")} | {"HEAD"}
    assert set(unknown.headers["access-control-allow-methods"].split(", ")) == every
    reference = cors.options(str(cors.base_url.copy_with(path="/openapi.json")), headers=PREFLIGHT)
    assert reference.headers["access-control-allow-methods"] == "GET, HEAD"


def test_cors_allows_no_other_origin(cors: httpx.Client) -> None:
    for origin in ("https://evil.example.com", f"{ORIGIN}.evil.example.com", "http://app.example.com", "null"):
        answer = cors.get("/leads", headers={"Origin": origin})
        assert "access-control-allow-origin" not in answer.headers
        assert cors.options("/leads", headers=PREFLIGHT | {"Origin": origin}).status_code == 400
    check_problem(cors.options("/leads"), 405, "method_not_allowed")
