"""Attacks on the entrance to the cells: requests in which the router and an API server could find different
requests, and a cell that others control and that lies about its keys.
"""

import re
import socket
from urllib.parse import urlsplit

import pytest

from app import settings
from app.cells import database as reading
from app.cells.router import RuntimeMap
from app.cli.keys import digest
from app.cli.move import publisher
from tests.support.cells import Cells
from tests.support.database import Organization
from tests.support.pushing import wait_for
from tests.support.router import needs_router

pytestmark = needs_router

HIDDEN = (
    "GET /api/v1/organizations/me HTTP/1.1\r\nHost: leads.example.com\r\nAuthorization: Bearer {west}\r\n"
    "X-Request-Id: {id}\r\n\r\n"
)
"""The request that an attacker hides. Its key is of the cell west. So the router sends it there if it sees it, and
it comes to the cell east only behind the router's back.
"""

HEAD = "POST /api/v1/leads HTTP/1.1\r\nHost: leads.example.com\r\nAuthorization: Bearer {east}\r\n"

REQUESTS = {
    # Both lengths (RFC 9112, section 6.3).
    "length, then chunked": HEAD + "Content-Length: {length+5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
    "chunked, then length": HEAD
    + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n{hex}\r\n{hidden}\r\n0\r\n\r\n",
    "chunked in capitals": HEAD + "Content-Length: {length+5}\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n{hidden}",
    "chunked behind a tab": HEAD + "Content-Length: {length+5}\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n{hidden}",
    "chunked behind a vertical tab": HEAD
    + "Content-Length: {length+5}\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n{hidden}",
    "chunked in quotes": HEAD + 'Content-Length: {length+5}\r\nTransfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n{hidden}',
    "no encoding that exists": HEAD
    + "Content-Length: {length+5}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}",
    "chunked, identity": HEAD
    + "Content-Length: {length+5}\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}",
    "identity, chunked": HEAD
    + "Content-Length: {length+5}\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n{hidden}",
    "two encodings": HEAD
    + "Content-Length: {length+5}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n{hidden}",
    "encoding on the next line": HEAD
    + "Content-Length: {length+5}\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{hidden}",
    "blank before the colon": HEAD
    + "Content-Length: {length+5}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n{hidden}",
    "underscore": HEAD + "Content-Length: {length+5}\r\nTransfer_Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
    "removed by Connection": HEAD
    + "Connection: transfer-encoding\r\nContent-Length: {length+5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
    "length removed by Connection": HEAD + "Connection: content-length\r\nContent-Length: {length}\r\n\r\n{hidden}",
    "HTTP/1.0 and chunked": HEAD.replace("HTTP/1.1", "HTTP/1.0")
    + "Connection: keep-alive\r\nContent-Length: {length+5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
    # Other lengths.
    "two lengths": HEAD + "Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{hidden}",
    "two lengths, the other first": HEAD + "Content-Length: {length}\r\nContent-Length: 0\r\n\r\n{hidden}",
    "two lengths in one": HEAD + "Content-Length: 0, {length}\r\n\r\n{hidden}",
    "length with a sign": HEAD + "Content-Length: +{length}\r\n\r\n{hidden}",
    "negative length": HEAD + "Content-Length: -{length}\r\n\r\n{hidden}",
    "hexadecimal length": HEAD + "Content-Length: 0x{hex}\r\n\r\n{hidden}",
    "length that is too large": HEAD + "Content-Length: 18446744073709551616\r\n\r\n{hidden}",
    "length before a blank and a word": HEAD + "Content-Length: {length} 0\r\n\r\n{hidden}",
    # Chunks.
    "size of a chunk that is too large": HEAD
    + "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n{hidden}\r\n0\r\n\r\n",
    "size of a chunk with a sign": HEAD + "Transfer-Encoding: chunked\r\n\r\n-1\r\n{hidden}\r\n0\r\n\r\n",
    "chunk with an extension of two lines": HEAD
    + "Transfer-Encoding: chunked\r\n\r\n2;a\nx\r\n{{}}\r\n0\r\n\r\n{hidden}",
    "chunk without its end": HEAD + "Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}0\r\n\r\n{hidden}",
    "trailer that is a request": HEAD + "Transfer-Encoding: chunked\r\n\r\n0\r\n{hidden}",
    # A body that the API server doesn't read, or answers before its end.
    "body of a refused request": (HEAD + "Content-Length: {length}\r\n\r\n{hidden}").replace("{east}", "{east}x"),
    "body of a GET": HEAD.replace("POST", "GET") + "Content-Length: {length}\r\n\r\n{hidden}",
    "body of a HEAD": HEAD.replace("POST", "HEAD") + "Content-Length: {length}\r\n\r\n{hidden}",
    "chunked body of a GET": HEAD.replace("POST", "GET")
    + "Transfer-Encoding: chunked\r\n\r\n{hex}\r\n{hidden}\r\n0\r\n\r\n",
    "body of an unknown method": HEAD.replace("POST", "BREW") + "Content-Length: {length}\r\n\r\n{hidden}",
    "body of an unknown route": HEAD.replace("/leads", "/nothing") + "Content-Length: {length}\r\n\r\n{hidden}",
    "body that is not JSON": HEAD + "Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{hidden}",
    "body of an unknown type": HEAD + "Content-Type: image/png\r\nContent-Length: {length}\r\n\r\n{hidden}",
    "body that is expected": HEAD + "Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n{hidden}",
    "expectation that is unknown": HEAD + "Expect: 100-continued\r\nContent-Length: {length}\r\n\r\n{hidden}",
    # Other protocols.
    "upgrade to HTTP/2": HEAD.replace("POST", "GET")
    + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n{hidden}",
    "upgrade to a WebSocket": HEAD.replace("POST", "GET")
    + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n{hidden}",
    "upgrade with a body": HEAD
    + "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: {length}\r\n\r\n{hidden}",
    "CONNECT": HEAD.replace("POST /api/v1/leads", "CONNECT leads.example.com:80") + "\r\n{hidden}",
    "CONNECT with a path": HEAD.replace("POST", "CONNECT") + "Content-Length: {length}\r\n\r\n{hidden}",
    "TRACE": HEAD.replace("POST", "TRACE") + "Content-Length: {length}\r\n\r\n{hidden}",
    "preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{hidden}",
    "HTTP/0.9": "GET /api/v1/leads\r\n\r\n{hidden}",
    # Ends of lines.
    "line feed in a value": HEAD
    + "X-A: b\nTransfer-Encoding: chunked\r\nContent-Length: {length+5}\r\n\r\n0\r\n\r\n{hidden}",
    "carriage return in a value": HEAD
    + "X-A: b\rTransfer-Encoding: chunked\r\nContent-Length: {length+5}\r\n\r\n0\r\n\r\n{hidden}",
    "NUL in a value": HEAD + "X-A: b\x00c\r\nContent-Length: {length}\r\n\r\n{hidden}",
    "head that ends with line feeds": HEAD.replace("\r\n", "\n") + "Content-Length: {length}\n\n{hidden}",
    "request in the encoded path": HEAD.replace("/leads", "/leads%20HTTP/1.1%0d%0aX:%20y%0d%0a%0d%0a{encoded}")
    + "Content-Length: 0\r\n\r\n",
    "request in the id": HEAD + "X-Request-Id: a%0d%0a%0d%0a{encoded}\r\nContent-Length: 0\r\n\r\n",
}

PSEUDO = {":method": "POST", ":scheme": "http", ":authority": "leads.example.com", ":path": "/api/v1/leads"}

FRAMES: dict[str, tuple[dict[str, str], list[tuple[str, str]], str]] = {
    "plain": ({}, [], "{}"),
    "chunked": ({}, [("transfer-encoding", "chunked")], "0\r\n\r\n{hidden}"),
    "chunked and length": (
        {},
        [("transfer-encoding", "chunked"), ("content-length", "{length+5}")],
        "0\r\n\r\n{hidden}",
    ),
    "length of zero": ({}, [("content-length", "0")], "{hidden}"),
    "two lengths": ({}, [("content-length", "0"), ("content-length", "{length}")], "{hidden}"),
    "longer length": ({}, [("content-length", "4000")], "{hidden}"),
    "body of a GET": ({":method": "GET"}, [], "{hidden}"),
    "body that is expected": ({}, [("expect", "100-continue"), ("content-length", "{length}")], "{hidden}"),
    "ends of lines in a value": ({}, [("x-a", "b\r\n\r\n{hidden}")], ""),
    "line feeds in a value": ({}, [("x-a", "b\ntransfer-encoding: chunked\n")], "0\r\n\r\n{hidden}"),
    "carriage returns in a value": ({}, [("x-a", "b\rtransfer-encoding: chunked\r")], "0\r\n\r\n{hidden}"),
    "ends of lines in a cookie": ({}, [("cookie", "a\r\n\r\n{hidden}")], ""),
    "ends of lines in a name": ({}, [("transfer-encoding: chunked\r\nx", "a")], "0\r\n\r\n{hidden}"),
    "colon in a name": ({}, [("transfer-encoding:chunked", "a")], "0\r\n\r\n{hidden}"),
    "capitals in a name": ({}, [("Transfer-Encoding", "chunked")], "0\r\n\r\n{hidden}"),
    "blank behind a name": ({}, [("transfer-encoding ", "chunked")], "0\r\n\r\n{hidden}"),
    "request in the path": ({":path": "/api/v1/leads HTTP/1.1\r\nHost: a\r\n\r\n{hidden}"}, [], ""),
    "request in the method": ({":method": "GET / HTTP/1.1\r\nHost: a\r\n\r\n{hidden}POST"}, [], ""),
    "request in the authority": ({":authority": "a\r\n\r\n{hidden}"}, [], ""),
    "request in the scheme": ({":scheme": "http://a/ HTTP/1.1\r\nHost: a\r\n\r\n{hidden}"}, [], ""),
    "path in the authority": ({":authority": "a/api/v1/keys?"}, [], "{hidden}"),
    "absolute path": ({":path": "http://leads.example.com/api/v1/leads"}, [], "{hidden}"),
    "asterisk": ({":method": "OPTIONS", ":path": "*"}, [], "{hidden}"),
    "upgrade": ({}, [("connection", "upgrade"), ("upgrade", "websocket")], "{hidden}"),
    "CONNECT to a WebSocket": ({":method": "CONNECT", ":protocol": "websocket"}, [], "{hidden}"),
}
"""Requests in HTTP/2, which the router translates: other pseudo-headers, headers, and the body."""


@pytest.fixture(scope="module")
def tenants(cells: Cells) -> tuple[Organization, Organization]:
    """An organization in each cell, whose keys the router knows."""
    made = cells.make_organization("east", name="Eve"), cells.make_organization("west", name="Victim")
    assert cells.leads("cells", "sync", "--once").returncode == 0
    return made


def written(text: str, id: str, east: str, west: str) -> bytes:
    """The bytes of a request."""
    hidden = HIDDEN.format(west=west, id=id)
    values = {
        "{east}": east,
        "{length+5}": str(len(hidden) + 5),
        "{length}": str(len(hidden)),
        "{hex}": f"{len(hidden):x}",
        "{encoded}": "".join(f"%{byte:02x}" for byte in hidden.encode()),
        "{{}}": "{}",
        "{hidden}": hidden,
    }
    for name, value in values.items():
        text = text.replace(name, value)
    return text.encode("latin-1")


def in_frames(headers: list[tuple[str, str]], body: str) -> bytes:
    """The bytes of a request in HTTP/2 (RFC 9113), whose headers are not compressed (RFC 7541, section 6.2.2)."""

    def text(value: str) -> bytes:
        rest, length = len(value) - 127, bytearray([min(len(value), 127)])
        while rest >= 0:
            length.append(rest & 127 | (128 if rest > 127 else 0))
            rest = rest >> 7 or -1
        return bytes(length) + value.encode("latin-1")

    def frame(type: int, flags: int, stream: int, content: bytes = b"") -> bytes:
        return len(content).to_bytes(3, "big") + bytes([type, flags]) + stream.to_bytes(4, "big") + content

    block = b"".join(b"\x10" + text(name) + text(value) for name, value in headers)
    data = frame(0, 1, 1, body.encode("latin-1")) if body else b""
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0) + frame(1, 4 if body else 5, 1, block) + data


def send(base: str, data: bytes) -> None:
    """Sends the bytes, and reads for a moment."""
    address = urlsplit(base)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=30) as connection:
        connection.sendall(data)
        connection.settimeout(0.1)
        try:
            while connection.recv(65536):
                pass
        except (TimeoutError, ConnectionResetError):
            pass


def ids(cells: Cells, cell: str) -> set[str]:
    """The ids of the requests that the API server of a cell has answered."""
    return {str(line.get("request_id")) for line in cells.servers[cell][0].lines()}


def test_no_request_is_hidden_from_the_router(cells: Cells, tenants: tuple[Organization, Organization]) -> None:
    """What one client sends never becomes a request that the router does not see, and never gets another client's
    response: the router's connections to a cell are shared.
    """
    east, west = tenants
    assert cells.router is not None
    victims = [(each, cells.client(each.keys["read"])) for each in tenants]
    hidden = {f"hidden-{number}": name for number, name in enumerate(REQUESTS)}
    for id, name in hidden.items():
        send(cells.router.base, written(REQUESTS[name], id, east.keys["write"], west.keys["read"]))
        for organization, client in victims:
            response = client.get("/organizations/me")
            assert (response.status_code, response.json()["id"]) == (200, organization.id), name
    assert [hidden[id] for id in ids(cells, "east") & set(hidden)] == []

    # The control: a request behind another one, which no router reads.
    plain = HEAD + "Content-Length: 2\r\n\r\n{{}}{hidden}"
    control = written(plain, "control", east.keys["write"], west.keys["read"])

    def is_answered() -> bool:
        # On a busy machine, the connection may have ended before.
        send(cells.servers["east"][0].base, control)
        return "control" in ids(cells, "east")

    wait_for(is_answered)


def test_no_request_in_http2_is_hidden_from_the_router(
    cells: Cells, tenants: tuple[Organization, Organization]
) -> None:
    """HAProxy takes HTTP/2 from a client that begins with it, and sends HTTP/1.1 to the API servers."""
    east, west = tenants
    assert cells.router is not None
    victims = [(each, cells.client(each.keys["read"])) for each in tenants]
    base = cells.router.base

    def send_framed(number: int, pseudo: dict[str, str], headers: list[tuple[str, str]], body: str) -> None:
        def made(text: str) -> str:
            return written(text, f"framed-{number}", east.keys["write"], west.keys["read"]).decode("latin-1")

        own = [("authorization", f"Bearer {east.keys['write']}"), ("x-request-id", f"own-{number}")]
        lines = [*(PSEUDO | pseudo).items(), *own, *headers]
        send(base, in_frames([(name, made(value)) for name, value in lines], made(body)))

    for number, (name, frames) in enumerate(FRAMES.items()):
        send_framed(number, *frames)
        for organization, client in victims:
            response = client.get("/organizations/me")
            assert (response.status_code, response.json()["id"]) == (200, organization.id), name
    assert {id for id in ids(cells, "east") if id.startswith("framed-")} == set()

    def is_answered() -> bool:
        # On a busy machine, the connection may have ended before.
        send_framed(0, *FRAMES["plain"])
        return "own-0" in ids(cells, "east")

    # The control: the frames are those of requests.
    wait_for(is_answered)


LIES = {
    "a line in a digest": "select '{eve}'::uuid, false, gen_random_uuid(), repeat('0', 64) || E'\\n{digest} east\\n' || repeat('1', 64)",
    "a command in a digest": "select '{eve}'::uuid, false, gen_random_uuid(), E'\\n\\nset map #{number} {digest} east'",
    "a digest with a cell": "select '{eve}'::uuid, false, gen_random_uuid(), '{digest} east'",
    "a digest in capitals": "select '{eve}'::uuid, false, gen_random_uuid(), upper('{digest}')",
    "the key of another cell": "select '{eve}'::uuid, false, gen_random_uuid(), '{digest}'",
    "the organization of another cell": "select '{victim}'::uuid, false, gen_random_uuid(), '{digest}'",
    "the organization of another cell, moving": "select '{victim}'::uuid, true, gen_random_uuid(), '{digest}'",
    "organizations without an end": "select '{eve}'::uuid, false, gen_random_uuid(), repeat('0', 64) from generate_series(1, 1000)",
    "no digest": "select '{eve}'::uuid, false, gen_random_uuid(), null::text",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_cell_that_lies_gets_no_key_of_another_cell(
    cells: Cells, tenants: tuple[Organization, Organization], lie: str
) -> None:
    """The router knows the keys of all cells. A cell that others control must not get them."""
    eve, victim = tenants
    runtime = RuntimeMap(cells.environ["LEADS_ROUTER_SOCKET"])
    key = digest(victim.keys["read"]).hex()
    before = dict(cells.map)
    assert before[key] == "west"
    lying(cells, LIES[lie], eve.id, victim.id, key, runtime._id().removeprefix("#"))
    try:
        result = cells.leads("cells", "sync", "--once")
        assert result.returncode in (0, 1), result.stderr
        assert cells.map.get(key) == "west"
        assert runtime.lines()[key] == "west"
        assert cells.client(victim.keys["read"]).get("/organizations/me").status_code == 200
    finally:
        honest(cells)
    assert cells.leads("cells", "sync", "--once").returncode == 0
    assert cells.map == before


def test_the_control_without_the_check_gets_a_key(
    cells: Cells, tenants: tuple[Organization, Organization], monkeypatch: pytest.MonkeyPatch
) -> None:
    eve, victim = tenants
    key = digest(victim.keys["write"]).hex()
    before = (cells.folder / "cells.map").read_text()
    monkeypatch.setattr(reading, "_DIGEST", re.compile("(?s).*"))
    lying(cells, LIES["a line in a digest"], eve.id, victim.id, key, "0")
    try:
        # Only the file: such a line can't be removed from the router's memory.
        assert cells.leads("cells", "sync", "--once", LEADS_ROUTER_SOCKET="").returncode == 0
        assert f"\n{key} east\n" in (cells.folder / "cells.map").read_text()
    finally:
        honest(cells)
        (cells.folder / "cells.map").write_text(before)


def test_a_move_takes_no_key_of_a_third_cell(cells: Cells, tenants: tuple[Organization, Organization]) -> None:
    """The source hands over the keys. It could name one that it knows from an organization that has moved away, whose
    requests would then reach an organization of the source's choice.
    """
    own, others = (digest(each.keys["read"]).hex() for each in tenants)
    before = (cells.folder / "cells.map").read_text()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**cells.environ, "LEADS_ROUTER_SOCKET": ""}.items():
            patch.setenv(name, value)
        try:
            publisher(settings.read(), "east", "north")([own, others, "0" * 64])
            assert {key: cells.map[key] for key in (own, others, "0" * 64)} == {
                own: "north",
                others: "west",
                "0" * 64: "north",
            }
        finally:
            (cells.folder / "cells.map").write_text(before)


def test_a_cell_that_says_it_moves_an_organization_of_another_one_is_not_believed(
    cells: Cells, tenants: tuple[Organization, Organization]
) -> None:
    _, victim = tenants
    east = cells.databases["east"]
    east.sql("insert into app.placement (organization_id, state, cell) values (%s, 'copying', 'north')", victim.id)
    try:
        process = cells.leads("organizations", "move", victim.id, "--resume")
        assert process.returncode != 0
        assert "The cells east and west both have the organization." in process.stderr
    finally:
        east.sql("delete from app.placement where organization_id = %s", victim.id)


def lying(cells: Cells, lie: str, eve: str, victim: str, key: str, number: str) -> None:
    """Replaces what the cell east says about its keys."""
    body = lie
    for name, value in {"{eve}": eve, "{victim}": victim, "{digest}": key, "{number}": number}.items():
        body = body.replace(name, value)
    database = cells.databases["east"]
    database.sql("alter function admin.routed_credentials rename to honest")
    database.sql(
        "create function admin.routed_credentials(uuid, integer, uuid[] default null) returns table (organization_id uuid, "
        f"is_moving boolean, key_id uuid, digest text) language sql as $lie$ {body} $lie$"
    )
    database.sql("grant execute on function admin.routed_credentials to leads_operator, leads_router")


def honest(cells: Cells) -> None:
    """The cell east says again what is true."""
    cells.databases["east"].sql("drop function admin.routed_credentials(uuid, integer, uuid[])")
    cells.databases["east"].sql("alter function admin.honest rename to routed_credentials")
