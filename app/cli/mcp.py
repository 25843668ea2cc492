"""``leads mcp``: the operations of the API as tools of the Model Context Protocol."""

import socket
from typing import Any

import click
import httpx

from app import settings
from app.cli.output import Mistake

_MISSING = (
    "leads mcp needs the package {name}, which is not installed. Install it in the folder of the clone: .venv/bin/pip "
    "install -e '.[mcp]'"
)


@click.command()
@click.option(
    "--scope",
    type=click.Choice(("read", "write", "admin")),
    default="write",
    show_default=True,
    help="The highest scope of the tools. The key may allow less.",
)
@click.option("--tools", metavar="NAMES", help="Only these tools, separated by commas. [default: all of the scope]")
@click.option("--http", is_flag=True, help="Serve HTTP. Each caller sends its own key as a bearer token.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on, with --http.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8001,
    show_default=True,
    help="The port to listen on, with --http; 0 takes a free port.",
)
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    help="A name that Host may have, with --http; repeatable.",
)
@click.option(
    "--allow-origin",
    multiple=True,
    metavar="ORIGIN",
    help="An origin of web pages that may send requests, with --http; repeatable.",
)
def mcp(
    scope: str,
    tools: str | None,
    http: bool,
    host: str,
    port: int,
    allow_host: tuple[str, ...],
    allow_origin: tuple[str, ...],
) -> None:
    """Serve the API's operations as MCP tools, over standard input and output.

    An agent or a desktop client starts the command. LEADS_API_URL is the address of the API
    (default: http://127.0.0.1:8000). LEADS_API_KEY is the key, or LEADS_API_KEY_FILE a file with it.
    A key with the scope read is enough for an agent that only reads.

    With --http, the command has no key: it passes the bearer token of each request to the API.
    """
    try:
        from app import mcp_server
    except ModuleNotFoundError as error:
        raise Mistake(_MISSING.format(name=error.name)) from None
    configuration = settings.read()
    key = None if http else configuration.api_key
    if not http and key is None:
        raise Mistake("LEADS_API_KEY is not set: give it a key of the API, such as one of: leads keys create")
    names = {name.strip() for name in tools.split(",")} if tools else set()
    document = _document(configuration.api_url)
    if key is not None:
        _check(configuration.api_url, document, key)
    try:
        server = mcp_server.make(document, configuration.api_url, key, scope, names)
    except mcp_server.UnknownTool as error:
        raise Mistake(str(error)) from None
    if not http:
        server.run("stdio", show_banner=False, log_level="WARNING")
        return
    with _bind(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"The MCP server is at http://{shown}:{listener.getsockname()[1]}/mcp")
        server.run(
            "http",
            show_banner=False,
            log_level="WARNING",
            path="/mcp",
            host=host,
            sockets=[listener],
            # Without sessions, each request has a caller of its own.
            stateless_http=True,
            json_response=True,
            host_origin_protection=True,
            allowed_hosts=list(allow_host),
            allowed_origins=list(allow_origin),
            uvicorn_config={"access_log": False},
        )


def _document(url: str) -> dict[str, Any]:
    """The OpenAPI document of the API."""
    address = str(httpx.URL(url).join("/openapi.json"))
    try:
        response = httpx.get(address, timeout=30).raise_for_status()
        document: dict[str, Any] = response.json()
    except httpx.HTTPStatusError as error:
        reason = f"the answer is {error.response.status_code}"
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
    except ValueError:
        reason = "the answer is not JSON"
    else:
        return document
    raise Mistake(f"{address} can't be read: {reason}. Start the API, or set LEADS_API_URL to its address.")


def _check(url: str, document: dict[str, Any], key: str) -> None:
    """Raises Mistake if the API refuses the key. The tools report any other failure."""
    address = str(httpx.URL(url).join(document["servers"][0]["url"])).rstrip("/")
    try:
        header = {b"Authorization": f"Bearer {key}".encode()}
        status = httpx.get(f"{address}/health", headers=header, timeout=30).status_code
    except httpx.LocalProtocolError:
        status = 401  # no header can have this text
    except httpx.HTTPError:
        return
    if status in (401, 403):
        raise Mistake(
            f"The API at {url} refuses the key: it is unknown, revoked or expired, or the token of a form. Set "
            "LEADS_API_KEY or LEADS_API_KEY_FILE to a key of this API, such as one of: leads keys create"
        )


def _bind(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise Mistake(
            f"The server can't listen on {host}:{port}: {error.strerror}. Choose another --host or --port."
        ) from None
