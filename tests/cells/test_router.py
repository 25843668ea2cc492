"""The router finds the cell of each request by the credential that the API server reads."""

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest

from app.cells import files
from app.cells.router import RouterError, RuntimeMap
from app.cli.keys import digest
from tests.support import router
from tests.support.cells import Cells
from tests.support.database import Organization
from tests.support.process import free_port, mistake, printed
from tests.support.pushing import wait_for
from tests.support.router import needs_router
from tests.support.scale import long

pytestmark = needs_router

REJECTED = """
create function api.rejected()
returns api.answer
language sql
stable
begin atomic
  select row(502, null, '{}')::api.answer;
end;

grant execute on function api.rejected() to leads_api;
insert into api.route (method, path, function, scope) values ('GET', '/rejected', 'api.rejected', 'read');
notify leads_routes;
"""
"""SQL that adds a route to a cell."""

NOBODY = "lk_test_0123456789012345678901234567890123"


@dataclass(frozen=True)
class Tenant:
    """An organization in a cell, and the token of a form of it."""

    cell: str
    organization: Organization
    token: str

    @property
    def key(self) -> str:
        return self.organization.keys["write"]

    def lines(self) -> dict[str, str]:
        return {digest(each).hex(): self.cell for each in (*self.organization.keys.values(), self.token)}


def has_http2() -> bool:
    """Whether there are openssl, and a curl with HTTP/2."""
    if shutil.which("openssl") is None or shutil.which("curl") is None:
        return False
    process = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=False)
    return "HTTP2" in process.stdout


def make_tenant(cells: Cells, cell: str) -> Tenant:
    organization = cells.make_organization(cell)
    rows = cells.databases[cell].sql(
        "select (admin.create_form(%s, %s)).address as address",
        organization.id,
        '{"requests_per_minute": 6000}',
        login="leads_operator",
    )
    return Tenant(cell, organization, rows[0]["address"].rpartition("/")[2])


@pytest.fixture(scope="module")
def tenants(cells: Cells) -> tuple[Tenant, Tenant]:
    east, west = make_tenant(cells, "east"), make_tenant(cells, "west")
    load(cells, {**east.lines(), **west.lines()})
    return east, west


def load(cells: Cells, lines: dict[str, str]) -> None:
    """Makes these the lines of the router's map."""
    files.write_map(cells.folder / files.MAP, lines)
    runtime = RuntimeMap(cells.environ["LEADS_ROUTER_SOCKET"])
    runtime.change(runtime.lines(), lines)
    assert runtime.lines() == lines


def status(base: str, request: bytes) -> int:
    """The status of the response to these bytes; 0: the connection ends without one."""
    address = urlsplit(base)
    assert address.hostname
    assert address.port
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as answer:
            line = answer.readline()
    return int(line.split()[1]) if line else 0


ME = "GET /api/v1/organizations/me HTTP/1.1\r\nHost: leads.example.com\r\nConnection: close\r\n{}\r\n"
FORM = "POST {} HTTP/1.1\r\nHost: leads.example.com\r\nConnection: close\r\nContent-Length: 2\r\n{}\r\n{{}}"

HEADERS = {
    "plain": "Authorization: Bearer {key}\r\n",
    "name in capitals": "AUTHORIZATION: Bearer {key}\r\n",
    "scheme in lower case": "authorization: bearer {key}\r\n",
    "scheme in capitals": "Authorization: BEARER {key}\r\n",
    "scheme in mixed case": "Authorization: bEaReR {key}\r\n",
    "several blanks": "Authorization:   Bearer    {key}   \r\n",
    "no blank after the colon": "Authorization:Bearer {key}\r\n",
    "tab before the scheme": "Authorization:\tBearer {key}\r\n",
    "tab instead of the blank": "Authorization: Bearer\t{key}\r\n",
    "tab after the blank": "Authorization: Bearer \t {key}\r\n",
    "tab at the end": "Authorization: Bearer {key} \t\r\n",
    "vertical tab before the key": "Authorization: Bearer \x0b{key}\r\n",
    "form feed before the key": "Authorization: Bearer \x0c{key}\r\n",
    "form feed after the key": "Authorization: Bearer {key}\x0c\r\n",
    "no-break space before the key": "Authorization: Bearer \xa0{key}\r\n",
    "blank in the key": "Authorization: Bearer {key} {other}\r\n",
    "comma after the key": "Authorization: Bearer {key},{other}\r\n",
    "comma before the key": "Authorization: Bearer ,{key}\r\n",
    "quotes": 'Authorization: Bearer "{key}"\r\n',
    "scheme twice": "Authorization: Bearer Bearer {key}\r\n",
    "no scheme": "Authorization: {key}\r\n",
    "another scheme": "Authorization: Basic {key}\r\n",
    "colon after the scheme": "Authorization: Bearer: {key}\r\n",
    "only the scheme": "Authorization: Bearer\r\n",
    "only the scheme and a blank": "Authorization: Bearer \r\n",
    "empty": "Authorization:\r\n",
    "none": "",
    "unknown key": "Authorization: Bearer {nobody}\r\n",
    "key in capitals": "Authorization: Bearer {upper}\r\n",
    "twice the same": "Authorization: Bearer {key}\r\nAuthorization: Bearer {key}\r\n",
    "two keys": "Authorization: Bearer {key}\r\nAuthorization: Bearer {other}\r\n",
    "two keys, the other first": "Authorization: Bearer {other}\r\nAuthorization: Bearer {key}\r\n",
    "an empty one first": "Authorization:\r\nAuthorization: Bearer {key}\r\n",
    "an empty one last": "Authorization: Bearer {key}\r\nAuthorization:\r\n",
    "scheme and key in two": "Authorization: Bearer\r\nAuthorization: {key}\r\n",
    "two spellings of the name": "authorization: Bearer {key}\r\nAUTHORIZATION: Bearer {other}\r\n",
    "continued on the next line": "Authorization: Bearer\r\n {key}\r\n",
    "blank before the colon": "Authorization : Bearer {key}\r\n",
    "another header": "Proxy-Authorization: Bearer {other}\r\nAuthorization: Bearer {key}\r\n",
    "underscore in a name": "X_Authorization: Bearer {other}\r\nAuthorization: Bearer {key}\r\n",
    "named in Connection": "Authorization: Bearer {key}\r\nConnection: authorization\r\n",
}

LINES = {
    "absolute form": "GET http://leads.example.com/api/v1/organizations/me HTTP/1.1",
    "HTTP/1.0": "GET /api/v1/organizations/me HTTP/1.0",
    "query": "GET /api/v1/leads?limit=1&q=/in/{other_token} HTTP/1.1",
    "encoded path": "GET /api/v1/%6frganizations/me HTTP/1.1",
    "trailing slash": "GET /api/v1/organizations/me/ HTTP/1.1",
    "HEAD": "HEAD /api/v1/organizations/me HTTP/1.1",
    "asterisk": "OPTIONS * HTTP/1.1",
    "dots": "GET /api/v1/leads/../organizations/me HTTP/1.1",
    "form in the middle": "GET /api/v1/leads/in/{other_token} HTTP/1.1",
    "form with a longer path": "GET /in/{other_token}/x HTTP/1.1",
    "form without a token": "GET /in/ HTTP/1.1",
}

PATHS = {
    "plain": "/in/{token}",
    "with the prefix": "/api/v1/in/{token}",
    "with the prefix twice": "/api/v1/api/v1/in/{token}",
    "query": "/in/{token}?a=/in/{other_token}",
    "question mark encoded": "/in/{token}%3Fa=b",
    "trailing slash": "/in/{token}/",
    "slash encoded": "/in/{token}%2F",
    "slash encoded before the token": "/in%2F{token}",
    "slash twice": "/in//{token}",
    "slash before": "//in/{token}",
    "one character encoded": "/in/{encoded}",
    "encoded in lower case": "/in/{encoded_lower}",
    "encoded twice": "/in/{encoded_twice}",
    "prefix encoded": "/%61pi/v1/%69n/{token}",
    "not an encoding": "/in/{token}%zz",
    "capitals": "/IN/{token}",
    "plus": "/in/{token}+",
    "encoded blank": "/in/{token}%20",
    "encoded NUL": "/in/{token}%00",
    "encoded line feed": "/in/{token}%0a",
    "not UTF-8": "/in/{token}%ff",
    "parameters": "/in/{token};a=b",
    "fragment": "/in/{token}#a",
    "fragment encoded": "/in/{token}%23a",
    "dots": "/in/x/../{token}",
    "absolute form": "http://leads.example.com/in/{token}",
    "absolute form with a form in the query": "http://leads.example.com/in/{token}?/in/{other_token}",
    "unknown token": "/in/{nobody}",
    "key instead of a token": "/in/{key}",
}


def words(tenant: Tenant, other: Tenant) -> dict[str, str]:
    token = tenant.token
    return {
        "key": tenant.key,
        "upper": tenant.key.upper(),
        "other": other.key,
        "nobody": NOBODY,
        "token": token,
        "other_token": other.token,
        "encoded": token[:-1] + f"%{ord(token[-1]):02X}",
        "encoded_lower": "".join(f"%{ord(character):02x}" for character in token),
        "encoded_twice": quote(token[:-1] + f"%{ord(token[-1]):02X}"),
    }


def cases() -> dict[str, str]:
    return {
        **{f"header: {name}": ME.replace("{}", header) for name, header in HEADERS.items()},
        **{
            f"line: {name}": f"{line}\r\nHost: leads.example.com\r\nConnection: close\r\n{HEADERS['plain']}\r\n"
            for name, line in LINES.items()
        },
        **{f"path: {name}": FORM.replace("{}", path, 1).replace("{}", "", 1) for name, path in PATHS.items()},
        **{
            f"path and another key: {name}": FORM.replace("{}", path, 1).replace(
                "{}", "Authorization: Bearer {other}\r\n", 1
            )
            for name, path in PATHS.items()
        },
    }


REVIEWED = {
    # The router joins the lines before it sends the head on.
    "header: continued on the next line": {200},
    # The router refuses what RFC 9112, section 3.2, does not allow.
    "path: fragment": {400},
    "path and another key: fragment": {400},
}
"""The router's statuses where they differ from those of the API server."""


def test_the_router_and_the_api_server_read_the_same_credential(cells: Cells, tenants: tuple[Tenant, Tenant]) -> None:
    """The router's response is that of the cell which knows the credential; if none does, that of each."""
    assert cells.router is not None
    different = {}
    for name, text in cases().items():
        for tenant, other in (tenants, tenants[::-1]):
            request = text.format(**words(tenant, other)).encode("latin-1")
            direct = {cell: status(servers[0].base, request) for cell, servers in cells.servers.items()}
            accepted = set(direct.values()) if len(set(direct.values())) == 1 else set(direct.values()) - {401}
            # A request that any cell may answer gets one of them by chance.
            routed = {status(cells.router.base, request) for _ in range(3)}
            assert len(accepted) == 1, (name, direct)
            if routed != REVIEWED.get(name, accepted):
                different[name] = (direct, routed)
    assert different == {}


def test_the_configuration_has_the_first_path_of_the_sockets(cells: Cells, tmp_path: Path) -> None:
    """The router on this machine need not be the first."""
    path = str(tmp_path / "router.sock")
    text = printed(cells.leads("cells", "router-config", LEADS_ROUTER_SOCKET=f"10.0.0.7:9999 {path}"))
    assert f"  stats socket {path} " in text
    said = mistake(cells.leads("cells", "router-config", LEADS_ROUTER_SOCKET="10.0.0.7:9999"))
    assert said.startswith("Set LEADS_ROUTER_SOCKET to the path of the router's socket")


FORBIDDEN = ("blank before the colon", "continued on the next line", "named in Connection", "name in capitals")
"""Headers that HTTP/2 does not allow."""


@long
@pytest.mark.skipif(not has_http2(), reason="There is no openssl, or no curl with HTTP/2.")
def test_over_http2_the_router_and_the_api_server_read_the_same_credential(
    cells: Cells, tenants: tuple[Tenant, Tenant], tmp_path: Path
) -> None:
    """With the table of above, as far as HTTP/2 and curl can send it."""
    certificate, port = tmp_path / "tls.pem", free_port()
    request = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost")
    subprocess.run(["openssl", *request, "-keyout", certificate, "-out", certificate], check=True, capture_output=True)
    options = ("--bind", router.BIND, "--account", "")
    config = printed(cells.leads("cells", "router-config", *options, LEADS_ROUTER_SOCKET=str(tmp_path / "router.sock")))
    bind = f"  bind {router.BIND}\n"
    config = config.replace(bind, f"{bind}  bind 127.0.0.1:{port} ssl crt {certificate} alpn h2,http/1.1\n")

    def routed(path: str, *arguments: str) -> int:
        output = ("-o", os.devnull, "-w", "%{http_version} %{http_code}")
        process = subprocess.run(
            ["curl", "-sk", "--http2", "--path-as-is", *output, *arguments, f"https://127.0.0.1:{port}{path}"],
            capture_output=True,
            text=True,
            check=False,
        )
        version, code = process.stdout.split()
        assert version == "2", (path, arguments)
        return int(code)

    different = {}
    with router.running(config, tmp_path):
        for tenant, other in (tenants, tenants[::-1]):
            texts = words(tenant, other)
            for name, header in HEADERS.items():
                lines = header.format(**texts).split("\r\n")[:-1]
                if name in FORBIDDEN or any(line.endswith(":") for line in lines) or not header.isascii():
                    continue
                message = ME.replace("{}", header).format(**texts).encode("latin-1")
                direct = {status(servers[0].base, message) for servers in cells.servers.values()}
                arguments = [part for line in lines for part in ("-H", line)]
                answers = {routed("/api/v1/organizations/me", *arguments) for _ in range(3)}
                if answers != (direct - {401} or direct):
                    different[name] = (direct, answers)
            key = f"Authorization: Bearer {tenant.key}"
            assert routed("/api/v1/organizations/me", "--head", "-H", key) == 200
            for path in ("/in/{token}", "/api/v1/in/{token}", "/in/{encoded_lower}"):
                assert routed(path.format(**texts), "--data", "{}", "-H", f"Authorization: Bearer {other.key}") == 200
    assert different == {}


def test_a_forged_line_of_the_map_gives_no_access(cells: Cells, tenants: tuple[Tenant, Tenant]) -> None:
    """Each cell checks the credential itself: in the wrong cell it is unknown."""
    east, west = tenants
    lines = {**east.lines(), **west.lines()}
    try:
        load(cells, {**lines, digest(east.key).hex(): "west", digest(east.token).hex(): "west"})
        for path in ("/organizations/me", "/leads", "/keys", "/audit-log"):
            response = cells.client(east.key).get(path)
            assert response.status_code == 401, response.text
            assert west.organization.id not in response.text
        assert cells.client().post(f"/in/{east.token}", json={"email": "a@example.com"}).status_code == 401
        # A cell that the router does not have is no cell.
        load(cells, {**lines, digest(east.key).hex(): "north"})
        assert {cells.client(east.key).get("/organizations/me").status_code for _ in range(12)} <= {200, 401}
    finally:
        load(cells, lines)
    assert cells.client(east.key).get("/organizations/me").json()["id"] == east.organization.id


def test_the_address_of_another_cell_gives_no_access(cells: Cells, tenants: tuple[Tenant, Tenant]) -> None:
    east, west = tenants
    for tenant, cell in ((east, "west"), (west, "east")):
        with cells.servers[cell][0].client(tenant.organization.keys["admin"]) as client:
            for path in ("/organizations/me", "/leads", "/keys", "/audit-log"):
                response = client.get(path)
                assert response.status_code == 401, response.text
                assert tenant.organization.id not in response.text


def test_an_unknown_key_gets_the_problem_of_any_cell(cells: Cells, tenants: tuple[Tenant, Tenant]) -> None:
    for _ in range(4):
        response = cells.client(NOBODY).get("/leads")
        assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
        assert response.headers["www-authenticate"] == "Bearer"
    assert cells.router is not None
    assert httpx.get(cells.router.base + "/openapi.json", verify=False).status_code == 200


def test_the_router_sends_on_the_id_of_the_request_and_the_address_of_the_client(
    cells: Cells, tenants: tuple[Tenant, Tenant]
) -> None:
    east, _ = tenants
    response = cells.client(east.key).get("/leads", headers={"X-Request-Id": "mine-1"})
    assert response.headers["x-request-id"] == "mine-1"
    lines = [line for line in cells.servers["east"][0].lines() if line.get("request_id") == "mine-1"]
    assert [line["organization_id"] for line in lines] in ([east.organization.id], [None])


def test_a_response_of_the_api_server_keeps_its_status(cells: Cells, tenants: tuple[Tenant, Tenant]) -> None:
    """502 is also what the router answers if the connection to the API server is lost."""
    cells.databases["east"].sql(REJECTED)
    client = cells.client(tenants[0].key)
    wait_for(lambda: client.get("/rejected").status_code != 404)
    answer = client.get("/rejected")
    assert (answer.status_code, answer.content) == (502, b"{}")


def test_the_root_leads_to_the_reference_of_any_cell(cells: Cells) -> None:
    assert cells.router is not None
    for method in ("GET", "HEAD"):
        response = httpx.request(method, cells.router.base + "/", verify=False)
        assert (response.status_code, response.headers["location"]) == (307, "/docs")


def test_the_api_server_refuses_a_head_that_is_too_large(cells: Cells) -> None:
    assert cells.router is not None
    for size, expected in ((33_000, 431), (60_000, 400)):
        response = httpx.get(cells.router.base + "/livez", headers={"X-Large": "x" * size}, verify=False)
        assert response.status_code == expected
        # HAProxy answers what it can't read itself, with a page that can't be configured.
        assert ("problem" in response.headers["content-type"]) == (expected == 431)


def test_the_map_in_the_memory_is_made_equal(cells: Cells, tenants: tuple[Tenant, Tenant]) -> None:
    runtime = RuntimeMap(cells.environ["LEADS_ROUTER_SOCKET"])
    before = {digest: cell for digest, cell in runtime.lines().items() if cell is not None}
    try:
        many = {f"{number:064x}": "east" for number in range(1000)}
        runtime.change(runtime.lines(), many)
        # Two lines of one digest: as if the router had started again between two commands.
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(runtime.address)
            connection.sendall(f"add map {runtime._id()} {7:064x} west\n".encode())
            connection.recv(100)
        assert runtime.lines() == {**many, f"{7:064x}": None}
        few = {**dict.fromkeys(list(many)[:3], "west"), **dict(list(many.items())[5:10]), **before}
        runtime.change(runtime.lines(), few)
        assert runtime.lines() == few
    finally:
        runtime.change(runtime.lines(), before)
    with pytest.raises(RouterError, match="can't be used"):
        RuntimeMap(str(cells.folder / "no.sock")).lines()
