"""PostgREST, which the user of the benchmark runs: its settings, its requests, and its process."""

import base64
import hashlib
import hmac
import json
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.api import Api, Row
from bench.cpu import PROC
from bench.figures import BenchmarkError
from bench.load import Request
from bench.operations import AUDIT, CREATE, FILTER, PATCH, READ, SOURCE, STAGE, Operation, Pair

_PAGE = "order=created_at.desc,id.desc&limit=50"
_LISTENS = "0A"


def settings(base: str, database: str, secret: str, connections: int) -> str:
    """Returns the configuration file of a server at the base URL, for the database at this URL."""
    return (
        f'server-host = "{urlsplit(base).hostname}"\nserver-port = {_port(base)}\n'
        f'db-uri = "{database}"\ndb-schemas = "app,audit"\ndb-anon-role = "bench_web"\n'
        f'db-pool = {connections}\njwt-secret = "{secret}"\n'
    )


def new_secret() -> str:
    """Returns a secret that signs tokens."""
    return secrets.token_hex(32)


def api(secret: str) -> Api:
    """Returns the API of a PostgREST with the secret."""
    return Api(lambda operation, pair, body: request(secret, operation, pair, body), rows)


def request(secret: str, operation: Operation, pair: Pair, body: str) -> Request:
    """Returns the request."""
    headers = [("Authorization", f"Bearer {_token(secret, pair)}")]
    fields = ",".join(operation.fields)
    if operation in (READ, PATCH):
        path = f"/lead?id=eq.{pair.lead}&select={fields}"
        headers.append(("Accept", "application/vnd.pgrst.object+json"))
    elif operation == CREATE:
        path = f"/lead?select={fields}"
        body = json.dumps({"organization_id": pair.organization, **json.loads(body)}, separators=(",", ":"))
    elif operation == FILTER:
        path = f"/lead?pipeline_stage_and_source=eq.{STAGE}/{SOURCE}&select={fields}&{_PAGE}"
    elif operation == AUDIT:
        path = f"/event?select={fields}&{_PAGE}"
        headers.append(("Accept-Profile", "audit"))
    else:
        path = f"/lead?select={fields}&{_PAGE}"
    if body:
        headers += [("Content-Type", "application/json"), ("Prefer", "return=representation")]
    return Request(operation.method, path, tuple(headers), body)


def rows(_: Operation, content: Any) -> list[Row]:
    """Returns the rows: an array, or the only one as an object."""
    return list(content) if isinstance(content, list) else [content]


def process(url: str, proc: Path = PROC) -> int:
    """Returns the id of the process of this machine that listens on the port of the URL.
    Raises BenchmarkError. Source: proc_pid_fd(5), and proc_net_tcp in the Linux documentation.
    """
    port = _port(url)
    sockets = {
        f"socket:[{fields[9]}]"
        for name in ("tcp", "tcp6")
        for fields in map(str.split, (proc / "net" / name).read_text().splitlines()[1:])
        if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port
    }
    for link in proc.glob("[0-9]*/fd/*"):
        try:
            target = str(link.readlink())
        except OSError:
            continue
        if target in sockets:
            return int(link.relative_to(proc).parts[0])
    raise BenchmarkError(
        f"No process of this user listens on port {port}. The server at {url} must run on this machine."
    )


def _port(url: str) -> int:
    return urlsplit(url).port or 80


def _token(secret: str, pair: Pair) -> str:
    """A JSON Web Token with HS256 (RFC 7519)."""
    head = _base64(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    claims = _base64(json.dumps({"role": "bench_web", "organization_id": pair.organization}).encode())
    signature = hmac.digest(secret.encode(), f"{head}.{claims}".encode(), hashlib.sha256)
    return f"{head}.{claims}.{_base64(signature)}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
