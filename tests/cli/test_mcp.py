"""leads mcp, as a client of the Model Context Protocol uses it, against a real API server."""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from email.message import Message
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastmcp import Client, FastMCP
from fastmcp.client.client import CallToolResult
from fastmcp.client.transports import ClientTransport, StdioTransport, StreamableHttpTransport
from jsonschema import Draft202012Validator
from mcp_types import TextContent, Tool

import app
from app import cli, mcp_server
from app.cli.output import Mistake
from app.settings import ROOT, SettingsError
from tests.support.database import Organization
from tests.support.process import Server, free_port

LEFT_OUT = {"export_audit_events", "export_leads", "store_leads"}
"""The operations that are no tools, whatever the scope: exports and uploads."""


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as portal:
        yield portal


class Session:
    """A client of the protocol, and what its server wrote to standard error."""

    def __init__(self, portal: BlockingPortal, client: Client[Any], log: Path) -> None:
        self._portal, self._client, self.log = portal, client, log

    def tools(self) -> dict[str, Tool]:
        return {tool.name: tool for tool in self._portal.call(self._client.list_tools)}

    def call(self, name: str, /, **arguments: Any) -> CallToolResult:
        return self._portal.call(partial(self._client.call_tool, name, arguments, raise_on_error=False))

    def data(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """The result of a call that succeeds."""
        result = self.call(name, **arguments)
        assert not result.is_error, result.content
        assert result.structured_content is not None
        assert json.loads(texts(result)[0]) == result.structured_content
        return result.structured_content

    def error(self, name: str, /, **arguments: Any) -> str:
        """The text of a call that fails."""
        result = self.call(name, **arguments)
        assert result.is_error, result.content
        (text,) = texts(result)
        return text


def texts(result: CallToolResult) -> list[str]:
    return [content.text for content in result.content if isinstance(content, TextContent)]


@pytest.fixture(scope="module")
def opened(portal: BlockingPortal) -> Iterator[Callable[..., Session]]:
    """Opens sessions with clients that connect as the transport says."""
    with ExitStack() as stack:

        def open_session(transport: ClientTransport | FastMCP, log: Path = Path(os.devnull)) -> Session:
            client: Client[Any] = stack.enter_context(portal.wrap_async_context_manager(Client(transport)))
            return Session(portal, client, log)

        yield open_session


@pytest.fixture(scope="module")
def session(
    opened: Callable[..., Session], server: Server, acme: Organization, tmp_path_factory: pytest.TempPathFactory
) -> Session:
    """Over standard input and output, with all tools."""
    log = tmp_path_factory.mktemp("mcp") / "log"
    key_file = log.with_name("key")
    key_file.write_text(acme.keys["admin"] + "\n")
    # As docs/mcp.md configures it.
    page = (ROOT / "docs" / "mcp.md").read_text(encoding="utf-8")
    configured = json.loads(page.split("```json\n")[1].partition("```")[0])["mcpServers"]["leads"]
    assert configured["command"].endswith("/.venv/bin/leads")
    values = dict(zip(configured["env"], (server.base, str(key_file)), strict=True))
    options = ["-m", "app", *configured["args"], "--scope", "admin"]
    transport = StdioTransport(sys.executable, options, env=os.environ | values, cwd=str(ROOT), log_file=log)
    return opened(transport, log)


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    document: dict[str, Any] = httpx.get(f"{server.base}/openapi.json").json()
    return document


def operations(document: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    return {
        operation["operationId"]: (method, operation)
        for item in document["paths"].values()
        for method, operation in item.items()
    }


def secret(document: dict[str, Any]) -> set[str]:
    """The operations that can answer that their response, with a secret, was shown already."""
    shown = {
        f"#/components/responses/{name}"
        for name, response in document["components"]["responses"].items()
        if "`secret_already_shown`" in response["description"]
    }
    return {
        name
        for name, (_, operation) in operations(document).items()
        if shown & {response.get("$ref") for response in operation["responses"].values()}
    }


def test_no_tool_shows_a_secret(session: Session, document: dict[str, Any]) -> None:
    assert secret(document) >= {"create_form", "create_webhook", "rotate_webhook_secret"}
    assert not secret(document) & set(session.tools())


def test_the_tools_are_the_operations(session: Session, document: dict[str, Any]) -> None:
    known, tools = operations(document), session.tools()
    assert set(tools) == set(known) - LEFT_OUT - secret(document)
    for name, tool in tools.items():
        method, operation = known[name]
        Draft202012Validator.check_schema(tool.input_schema)
        assert tool.title == operation["summary"]
        assert tool.description is not None
        assert tool.description.startswith(operation["summary"])
        assert tool.output_schema is None
        hints = tool.annotations
        assert hints is not None
        assert hints.read_only_hint == (method == "get")
        assert hints.destructive_hint == (method in ("put", "patch", "delete"))
        assert hints.idempotent_hint == (method != "post")
    assert "update_lead_details\nchanges phone" in str(tools["update_lead"].description)
    assert set(tools["get_lead"].input_schema["properties"]) == {"id"}


def test_the_tools_take_few_tokens(session: Session) -> None:
    text = json.dumps([tool.model_dump(by_alias=True, exclude_none=True) for tool in session.tools().values()])
    # Without the shortening, it is more than three times as long.
    assert len(text) < 2000 * len(session.tools())
    assert "\\u0000-" not in text


def test_a_lead_is_created_read_and_changed(session: Session) -> None:
    result = session.call("create_lead", email="ada@example.com", details={"roof_age": 12})
    lead = json.loads(texts(result)[0])
    assert session.data("get_lead", id=lead["id"])["email"] == "ada@example.com"
    assert session.data("get_lead_details", id=lead["id"])["details"] == {"roof_age": 12}
    tag = texts(result)[1].removeprefix("ETag: ")
    change = {"id": lead["id"], "name": "Ada", "If-Match": tag}
    assert session.data("update_lead", **change)["name"] == "Ada"
    assert session.error("update_lead", **change | {"name": "Eve"}).startswith("412 precondition_failed: ")
    assert session.data("update_lead", id=lead["id"], name=None)["name"] is None


def test_a_list_has_ten_rows_unless_the_model_says_otherwise(session: Session) -> None:
    for number in range(12):
        session.data("create_lead", email=f"row{number}@example.com", source="ten")
    page = session.data("list_leads", source=["ten"])
    assert len(page["data"]) == 10
    assert len(session.data("list_leads", source=["ten"], cursor=page["next_cursor"])["data"]) == 2
    assert len(session.data("list_leads", source=["ten"], limit=12)["data"]) == 12
    # This limit is not that of a list.
    assert session.tools()["verify_audit_log"].input_schema["properties"]["limit"]["default"] == 1000


def test_an_id_leads_to_no_other_operation(session: Session) -> None:
    for id in ("../organizations/me", "..%2forganizations%2fme", "x?limit=1", "x#", "./../../health"):
        assert re.search(r"^404 not_found: |'id' cannot contain dot segments$", session.error("get_lead", id=id))


def test_an_error_is_a_text(session: Session) -> None:
    first, *faults, last = session.error("create_lead", lead_score=300).splitlines()
    assert first.startswith("422 validation_failed: ")
    assert sorted(fault.split(": ")[:2] for fault in faults) == [
        ["- email", "contact_required"],
        ["- lead_score", "out_of_range"],
    ]
    assert last.startswith("Request id: ")
    assert "Unknown arguments: emial" in session.error("create_lead", emial="ada@example.com")
    assert "Missing required arguments: id" in session.error("get_lead")


def test_a_key_without_the_scope_changes_nothing(
    opened: Callable[..., Session], acme: Organization, document: dict[str, Any], server: Server
) -> None:
    reader = opened(mcp_server.make(document, server.base, acme.keys["read"], "write"))
    assert "delete_lead" not in reader.tools()
    assert reader.error("create_lead", email="eve@example.com").startswith("403 insufficient_scope: ")
    assert reader.data("list_leads", email=["eve@example.com"])["data"] == []


def test_the_tools_can_be_fewer(document: dict[str, Any]) -> None:
    known = operations(document)
    chosen = operations(mcp_server.choose(document, "read"))
    assert {"list_leads", "get_lead"} < set(chosen)
    assert {method for method, _ in chosen.values()} == {"get"}
    assert (
        set(operations(mcp_server.choose(document, "write")))
        == {name for name, (_, operation) in known.items() if operation["security"] != [{"key": ["admin"]}]} - LEFT_OUT
    )
    some = {"get_lead", "update_lead"}
    assert set(operations(mcp_server.choose(document, "admin", some))) == some
    with pytest.raises(mcp_server.UnknownTool, match=r"^There is no tool delete_lead with the scope write\. The tools"):
        mcp_server.choose(document, "write", {"delete_lead", "get_lead"})


@contextmanager
def between(target: str, lost: int = 0) -> Iterator[tuple[str, list[Message]]]:
    """A proxy in front of the API, and the headers of all requests but those for the document. Instead of sending the
    first answers, it closes the connection.
    """
    seen: list[Message] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = httpx.request(self.command, target + self.path, headers=dict(self.headers), content=body)
            if self.path != "/openapi.json":
                seen.append(self.headers)
                if len(seen) <= lost:
                    self.close_connection = True
                    return
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_port}", seen
        finally:
            proxy.shutdown()
            thread.join()


@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_answer_creates_no_second_lead(
    opened: Callable[..., Session],
    session: Session,
    document: dict[str, Any],
    server: Server,
    acme: Organization,
    lost: int,
) -> None:
    lead = {"email": f"lost{lost}@example.com"}
    with between(server.base, lost) as (url, seen):
        careful = opened(mcp_server.make(document, url, acme.keys["write"], "write"))
        if lost == 1:
            created = careful.data("create_lead", **lead)
        else:
            text = careful.error("create_lead", **lead)
            key = seen[0]["Idempotency-Key"]
            assert f'send the same arguments with Idempotency-Key "{key}"' in text
            created = careful.data("create_lead", **lead, **{"Idempotency-Key": key})
        assert len({headers["Idempotency-Key"] for headers in seen}) == 1
        assert [row["id"] for row in session.data("list_leads", email=[lead["email"]])["data"]] == [created["id"]]
        # Another call has a key of its own.
        assert careful.data("create_lead", **lead)["id"] != created["id"]


def test_a_read_has_the_positions_of_the_writes_that_may_be_the_last() -> None:
    """A model can call several tools at once. The response that arrives last can be that of the earlier write."""
    sent: list[str | None] = []
    turns = [asyncio.Event(), asyncio.Event()]

    async def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            sent.append(request.headers.get("Leads-Position"))
            return httpx2.Response(200)
        number = int(request.url.path[1:])
        await turns[number].wait()
        return httpx2.Response(200, headers={"Leads-Position": f"p{number}"})

    async def run() -> None:
        transport = mcp_server._Transport("key")
        transport._inner = httpx2.MockTransport(answer)  # type: ignore[assignment]
        async with httpx2.AsyncClient(transport=transport, base_url="http://leads.example") as client:
            await client.get("/")
            writes = [asyncio.create_task(client.patch(f"/{number}")) for number in range(2)]
            for number in (1, 0):
                turns[number].set()
                await writes[number]
            await client.get("/")
            await client.patch("/1")
            await client.get("/")

    asyncio.run(run())
    assert sent == [None, "p1, p0", "p1"]


def test_an_api_that_is_gone_is_an_error(opened: Callable[..., Session], document: dict[str, Any]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    alone = opened(mcp_server.make(document, url, "key", "write"))
    assert alone.error("get_health") == f"The API at {url}/ can't be reached."


@dataclass(frozen=True)
class Http:
    """A process of ``leads mcp --http``."""

    url: str
    log: Path
    seen: list[Message]
    """The headers of the requests to the API."""


@pytest.fixture(scope="module")
def http(server: Server, acme: Organization, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Http]:
    log = tmp_path_factory.mktemp("mcp") / "log"
    options = [
        "--http",
        "--port",
        "0",
        "--allow-origin",
        "https://agent.example.com",
        "--allow-host",
        "mcp.example.com",
    ]
    with (
        between(server.base) as (url, seen),
        log.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "app", "mcp", *options],
            cwd=ROOT,
            # The key of the environment must not be used.
            env={**os.environ, "LEADS_API_URL": url, "LEADS_API_KEY": acme.keys["admin"]},
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert line.startswith("The MCP server is at http://127.0.0.1:"), log.read_text()
        yield Http(line.split()[-1], log, seen)
        process.terminate()


@pytest.fixture(scope="module")
def calling(http: Http, opened: Callable[..., Session]) -> Callable[[str], Session]:
    """Opens sessions over HTTP, with a key."""
    headers = {"X-Forwarded-For": "192.0.2.7", "Cookie": "a=b", "Traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}
    return lambda key: opened(StreamableHttpTransport(http.url, auth=key, headers=headers))


def test_over_http_each_caller_has_its_own_key(
    http: Http, calling: Callable[[str], Session], new_organization: Callable[..., Organization], acme: Organization
) -> None:
    globex = new_organization()
    ours, theirs, reader = calling(acme.keys["write"]), calling(globex.keys["write"]), calling(globex.keys["read"])
    lead = ours.data("create_lead", email="ours@example.com")
    other = theirs.data("create_lead", email="theirs@example.com")
    for _ in range(3):
        assert theirs.error("get_lead", id=lead["id"]).startswith("404 not_found: ")
        assert ours.error("get_lead", id=other["id"]).startswith("404 not_found: ")
        assert [row["id"] for row in reader.data("list_leads")["data"]] == [other["id"]]
        assert ours.data("get_lead", id=lead["id"])["id"] == lead["id"]
    assert reader.error("create_lead", email="eve@example.com").startswith("403 insufficient_scope: ")
    assert calling("lk_live_unknown").error("list_leads").startswith("401 unauthorized: ")
    used = {"lk_live_unknown", acme.keys["write"], globex.keys["write"], globex.keys["read"]}
    assert {headers["Authorization"] for headers in http.seen} == {f"Bearer {key}" for key in used}
    for headers in http.seen:
        assert not {"cookie", "origin", "x-forwarded-for"} & {name.lower() for name in headers}
        assert headers["Traceparent"].startswith("00-1111")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Authorization": ""}, 401),
        ({"Authorization": "Basic bGVhZHM6"}, 401),
        ({"Origin": "https://evil.example.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "https://agent.example.com"}, 200),
        ({"Host": "evil.example.com"}, 421),
        ({"Host": "mcp.example.com"}, 200),
        ({"Host": "localhost"}, 200),
    ],
)
def test_http_requires_a_token_and_knows_its_callers(
    http: Http, acme: Organization, headers: dict[str, str], status: int
) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    common = {"Accept": "application/json, text/event-stream", "Authorization": f"Bearer {acme.keys['read']}"}
    answer = httpx.post(http.url, json=request, headers=common | headers)
    assert answer.status_code == status, answer.text
    assert ("list_leads" in answer.text) == (status == 200)
    assert ("Bearer" in answer.headers.get("WWW-Authenticate", "")) == (status == 401)


def test_no_log_has_a_key(session: Session, http: Http, server: Server, acme: Organization) -> None:
    session.error("get_lead", id="no-id")
    server.lines()
    written = [path.read_text() for path in (session.log, http.log, server.log)]
    assert written[2]
    for key in acme.keys.values():
        assert not any(key in text for text in written)


def test_a_mistake_is_named(server: Server, acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistake(*options: str, **environ: str) -> str:
        for name in ("LEADS_API_KEY", "LEADS_API_KEY_FILE", "LEADS_API_URL"):
            monkeypatch.setenv(name, environ.get(name, ""))
        with pytest.raises((Mistake, SettingsError)) as raised:
            cli.leads(["mcp", *options], standalone_mode=False)
        return str(raised.value)

    assert "LEADS_API_KEY is not set" in mistake()
    assert "it must be the address of an API server" in mistake("--http", LEADS_API_URL="leads")
    gone = f"http://127.0.0.1:{free_port()}"
    assert f"{gone}/openapi.json can't be read: " in mistake("--http", LEADS_API_URL=gone)
    key = acme.keys["read"]
    assert "The tools are: create_lead" in mistake("--tools", "x", LEADS_API_KEY=key, LEADS_API_URL=server.base)
    for wrong in ("k", "k\u00e9", "a\nb", key[:-1]):
        message = mistake(LEADS_API_KEY=wrong, LEADS_API_URL=server.base)
        assert "refuses the key" in message
        assert wrong not in message or wrong == "k"
    in_use = server.base.rpartition(":")[2]
    assert "Choose another --host or --port." in mistake("--http", "--port", in_use, LEADS_API_URL=server.base)
    monkeypatch.setitem(sys.modules, "fastmcp", None)
    monkeypatch.delitem(sys.modules, "app.mcp_server")
    monkeypatch.delattr(app, "mcp_server")
    assert ".venv/bin/pip install -e '.[mcp]'" in mistake()


def test_other_commands_import_no_part_of_the_extra() -> None:
    program = "import sys; from app import cli; cli.leads(['--help'], standalone_mode=False); print(*sys.modules)"
    process = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    modules = set(process.stdout.splitlines()[-1].split())
    assert "app.cli.mcp" in modules
    assert not {"fastmcp", "mcp", "httpx2", "app.mcp_server"} & modules
