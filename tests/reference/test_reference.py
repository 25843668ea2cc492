"""The reference over HTTP: its formats, their caching,
and the server without the renderer's package.
"""

import asyncio
import hashlib
import re
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.server import reference
from tests.support.process import Server

FORMS = {
    "/openapi.json": "application/json",
    "/docs": "text/html; charset=utf-8",
    "/docs.md": "text/markdown; charset=utf-8",
    "/llms.txt": "text/plain; charset=utf-8",
    "/docs/changelog": "text/html; charset=utf-8",
}


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.base, timeout=30, verify=False) as client:
        yield client


@pytest.mark.parametrize("path", FORMS)
def test_each_format_is_public_and_has_an_etag(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, FORMS[path])
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    tag = answer.headers["etag"]
    for value in (tag, f'"other", W/{tag}', "*"):
        again = client.get(path, headers={"If-None-Match": value})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["vary"] == answer.headers["vary"] == "Authorization, Accept-Encoding"
        assert "content-encoding" not in again.headers
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    head = client.head(path)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)
    assert client.post(path).status_code == 405


def test_the_root_leads_to_the_page(client: httpx.Client) -> None:
    for method in ("GET", "HEAD"):
        answer = client.request(method, "/")
        assert (answer.status_code, answer.headers["location"], answer.content) == (307, "/docs", b"")
        # A browser must not keep it.
        assert answer.headers["cache-control"] == "private, no-cache"
    assert client.get("/", follow_redirects=True).content == client.get("/docs").content
    assert client.post("/").status_code == 405


@pytest.mark.parametrize("path", FORMS)
def test_each_form_is_compressed_for_a_client_that_accepts_it(client: httpx.Client, path: str) -> None:
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert int(plain.headers["content-length"]) == len(plain.content)
    for accepted in ("gzip", "br, gzip;q=0.8"):
        answer = client.get(path, headers={"Accept-Encoding": accepted})
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.content == plain.content
        assert int(answer.headers["content-length"]) < len(plain.content)
        # One tag for both, and so a weak one.
        assert answer.headers["etag"] == plain.headers["etag"]
        assert answer.headers["etag"].startswith("W/")
        head = client.head(path, headers={"Accept-Encoding": accepted})
        assert head.content == b""
        same = [
            {name: value for name, value in a.headers.items() if name not in ("date", "x-request-id")}
            for a in (answer, head)
        ]
        assert same[0] == same[1]
    refused = client.get(path, headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert "content-encoding" not in refused.headers
    assert refused.headers["vary"] == answer.headers["vary"] == plain.headers["vary"]


def test_the_api_is_not_compressed(client: httpx.Client) -> None:
    answer = client.get("/api/v1/nowhere", headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 404
    assert "content-encoding" not in answer.headers
    assert answer.headers["vary"] == "Authorization"


def loaded(page: str) -> list[str]:
    return re.findall(r'<(?:script|link rel="stylesheet")[^>]* (?:src|href)="([^"]+)"', page)


def test_the_page_loads_only_files_of_the_server_that_can_be_cached_forever(client: httpx.Client) -> None:
    page = client.get("/docs").text
    paths = loaded(page)
    assert len(paths) == 3
    assert not re.search(r"https?://|src=\"//|<style|<script>", page)
    for path in paths:
        answer = client.get(path, headers={"Accept-Encoding": "identity"})
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert hashlib.sha256(answer.content).hexdigest()[:16] in path
        assert "content-encoding" not in answer.headers
        zipped = client.get(path, headers={"Accept-Encoding": "br, gzip;q=0.8"})
        assert zipped.headers["content-encoding"] == "gzip"
        assert zipped.content == answer.content
        assert int(zipped.headers["content-length"]) < len(answer.content)
        refused = client.get(path, headers={"Accept-Encoding": "gzip;q=0, identity"})
        assert "content-encoding" not in refused.headers


@pytest.mark.parametrize("name", ["page.css", "page.0000000000000000.css", "page.html", "..%2f__init__.py", "x"])
def test_the_folder_serves_no_other_file(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/docs/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_page_has_a_strict_content_security_policy(client: httpx.Client) -> None:
    headers = client.get("/docs").headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["form-action"] == policy["base-uri"] == "'none'"
    assert not re.search(r"http|\*|unsafe-eval", headers["content-security-policy"])
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"


def test_other_responses_keep_the_headers_of_the_api(client: httpx.Client) -> None:
    for path in ("/livez", "/docs/x", "/openapi.json"):
        headers = client.get(path).headers
        assert headers["cache-control"] == "private, no-cache"
        assert headers["vary"] == ("Authorization, Accept-Encoding" if path == "/openapi.json" else "Authorization")
        assert headers["x-request-id"]


async def ask(application: ASGIApp, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://leads", verify=False) as client:
        return await client.get(path)


def test_the_page_names_the_missing_package_and_the_other_formats_work() -> None:
    document = b'{"info":{"title":"T","version":"1"},"paths":{}}'
    starlette = Starlette(routes=reference.routes(lambda: document, dict, lambda: None))

    async def with_id(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            Request(scope).state.request_id = "r"
        await starlette(scope, receive, send)

    refused = asyncio.run(ask(with_id, "/docs"))
    assert refused.status_code == 404
    assert refused.headers["content-type"] == "application/problem+json"
    assert "pip install --no-deps --require-hashes -r tools/page.lock" in refused.json()["detail"]
    for path in ("/docs.md", "/llms.txt", "/openapi.json"):
        assert asyncio.run(ask(with_id, path)).status_code == 200


def test_a_missing_package_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    reference.files.cache_clear()
    monkeypatch.setattr(reference, "_PACKAGE", "no_such_package")
    try:
        assert reference.files() is None
    finally:
        reference.files.cache_clear()
