"""An endpoint is a function and a row of the route table.
SQL adds and removes it while the server runs.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import httpx
import pytest

from app import sealing
from app.server.application import ROUTES_POLL
from tests.support.contract import check_headers, check_problem
from tests.support.database import Database, Organization
from tests.support.process import Server

ECHO = """
create function api.echo(
  id uuid,
  size integer default 7,
  is_new boolean default false,
  tags api.any_of default null,
  at timestamptz default null
)
returns api.answer
language sql
stable
begin atomic
  select row(
    200,
    json_build_object('X-Echo', echo.size),
    json_build_object(
      'id', echo.id, 'size', echo.size, 'is_new', echo.is_new, 'tags', echo.tags, 'at', echo.at at time zone 'UTC',
      'organization_id', auth.organization_id('read')
    )::text
  )::api.answer;
end;
alter function api.echo(uuid, integer, boolean, api.any_of, timestamptz) owner to leads_exec;
alter function api.echo(uuid, integer, boolean, api.any_of, timestamptz) security definer;
grant execute on function api.echo(uuid, integer, boolean, api.any_of, timestamptz) to leads_api;
"""

ID = "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"


@pytest.fixture
def client(server: Server, acme: Organization) -> Iterator[httpx.Client]:
    """A client with a key of the scope write."""
    with server.client(acme.keys["write"]) as client:
        yield client


def soon(condition: Callable[[], bool]) -> None:
    """Waits until it is true. Fails before the server reads the routes without a notification. What it waits for must
    be one transaction: the server also reads the routes because of an earlier notification, and after its start.
    """
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < ROUTES_POLL / 5
        time.sleep(0.02)


def test_sql_adds_and_removes_an_endpoint_and_no_request_is_dropped(
    server: Server, database: Database, acme: Organization, client: httpx.Client
) -> None:
    is_over = threading.Event()
    statuses: Counter[int] = Counter()

    def others() -> None:
        with server.client(acme.keys["write"]) as reader:
            while not is_over.is_set():
                statuses[reader.get("/leads?limit=1").status_code] += 1
                statuses[reader.post("/leads", json={"email": "a@example.com"}).status_code] += 1

    traffic = threading.Thread(target=others)
    traffic.start()
    try:
        for _ in range(2):
            check_problem(client.get(f"/things/{ID}/echo"), 404, "not_found")
            with database.connect("postgres") as connection, connection.transaction():
                connection.execute(ECHO.encode())
                connection.execute("insert into api.route values ('GET', '/things/{id}/echo', 'api.echo', 'read')")
                connection.execute("notify leads_routes")
            soon(lambda: client.get(f"/things/{ID}/echo").status_code == 200)
            answer = client.get(f"/things/{ID}/echo?size=-3&is_new=true&tags=a,b&at=2026-03-01T15:00:00+02:00")
            check_headers(answer)
            assert answer.headers["x-echo"] == "-3"
            assert answer.json() == {
                "id": ID,
                "size": -3,
                "is_new": True,
                "tags": ["a", "b"],
                "at": "2026-03-01T13:00:00",
                "organization_id": acme.id,
            }
            # Defaults, wrong types and an id of another organization work as on every route.
            assert client.get(f"/things/{ID}/echo").json()["size"] == 7
            assert client.get("/things/none/echo").json()["id"] is None
            check_problem(
                client.get(f"/things/{ID}/echo?size=x&is_new=yes&tags=1,2,3,4,5,6,7,8,9,10,11&at=now&nope=1"),
                400,
                "invalid_parameter",
                ("nope", "unknown_parameter"),
                ("size", "invalid_integer"),
                ("is_new", "invalid_boolean"),
                ("tags", "too_many_values"),
                ("at", "invalid_timestamp"),
                in_order=True,
            )
            answer = client.post(f"/things/{ID}/echo")
            check_problem(answer, 405, "method_not_allowed")
            assert answer.headers["allow"] == "GET, HEAD"
            check_problem(client.get(f"/things/{ID}/echo", headers={"Authorization": ""}), 401, "unauthorized")

            database.sql("delete from api.route where path = '/things/{id}/echo'")
            database.sql("notify leads_routes")
            soon(lambda: client.get(f"/things/{ID}/echo").status_code == 404)
            database.sql("drop function api.echo")
        soon(lambda: statuses.total() > 20)
    finally:
        is_over.set()
        traffic.join()
    assert set(statuses) == {200, 201}
    assert statuses.total() > 20


def test_routes_are_read_at_most_once_a_second_and_the_last_notice_counts(
    database: Database, client: httpx.Client
) -> None:
    with database.connect() as connection:
        connection.execute(ECHO.encode())
        for n in range(30):
            connection.execute("insert into api.route values ('GET', %s, 'api.echo', 'read')", [f"/n{n}/{{id}}"])
            connection.execute("notify leads_routes")
        soon(lambda: client.get(f"/n29/{ID}").status_code == 200)
        assert client.get(f"/n0/{ID}").status_code == 200
        connection.execute("delete from api.route where function = 'api.echo'")
        connection.execute("notify leads_routes")
        soon(lambda: client.get(f"/n29/{ID}").status_code == 404)
        connection.execute("drop function api.echo")


def function(signature: str, returns: str = "api.answer", volatility: str = "stable", grant: str = "") -> str:
    """The SQL that creates a function and, by default, lets the API server execute it."""
    return (
        f"create function api.{signature} returns {returns} language sql {volatility} "
        f"begin atomic select null::{returns}; end; "
    ) + (grant or f"grant execute on function api.{signature} to leads_api")


# An invalid row: the SQL that creates the function, the function, and a part of the log's message.
BAD_LINES = {
    "/missing": ("", "api.no_such_function", "there is no function"),
    "/elsewhere": ("", "Api.Echo; drop table", "must be written schema.function"),
    "/volatile": (function("volatile()", volatility="volatile"), "api.volatile", "must be STABLE"),
    "/odd_type": (function("odd_type(at point)"), "api.odd_type", "has the type point"),
    "/odd_answer": (function("odd_answer()", returns="text"), "api.odd_answer", "returns api.answer"),
    "/nameless": (function("nameless(text)"), "api.nameless", "without a name"),
    "/parameter/{id}": (function("parameter(key text)"), "api.parameter", "no argument named id"),
    "/part/x{id}": (function("part(id uuid)"), "api.part", "must be a segment"),
    "/leads/{lead_id}": (
        function("drop_lead(lead_id uuid)", volatility="volatile"),
        "api.drop_lead",
        "calls the path's parameters id",
    ),
    "/ungranted": (
        function("ungranted()", grant="revoke execute on function api.ungranted() from public"),
        "api.ungranted",
        "may execute",
    ),
    "/overloaded": (
        function("overloaded(a text)") + ";" + function("overloaded(a uuid)"),
        "api.overloaded",
        "there is no function",
    ),
}


def test_an_invalid_route_is_logged_and_skipped_and_the_others_work(
    server: Server, database: Database, client: httpx.Client, new_server: Callable[..., Server]
) -> None:
    with database.connect() as connection, connection.transaction():
        connection.execute(ECHO.encode())
        connection.execute("insert into api.route values ('GET', '/good/{id}', 'api.echo', 'read')")
        for path, (statement, function, _) in BAD_LINES.items():
            connection.execute(statement.encode())
            method = "PUT" if path == "/leads/{lead_id}" else "GET"
            connection.execute("insert into api.route values (%s, %s, %s, 'read')", [method, path, function])
        connection.execute("notify leads_routes")
    soon(lambda: client.get(f"/good/{ID}").status_code == 200)
    # A server that starts now does the same.
    for instance in (server, new_server(database)):
        messages = [line["message"] for line in instance.lines() if line["level"] == "error"]
        for path, (_, _, reason) in BAD_LINES.items():
            assert [m for m in messages if f" {path} is left out" in m and reason in m], (path, messages)
        with instance.client(client.headers["authorization"].removeprefix("Bearer ")) as reader:
            for path in BAD_LINES:
                if path != "/leads/{lead_id}":
                    check_problem(reader.get(path.replace("{id}", ID)), 404, "not_found")
            check_problem(reader.put(f"/leads/{ID}"), 405, "method_not_allowed")
            check_problem(reader.get(f"/leads/{ID}"), 404, "not_found")
            assert reader.get("/leads").status_code == 200
            assert reader.get(f"/good/{ID}").status_code == 200
        paths = httpx.get(instance.base + "/openapi.json", verify=False).json()["paths"]
        assert "/good/{id}" in paths
        assert not set(BAD_LINES) & set(paths)


@pytest.mark.parametrize(
    ("wait", "statement", "reason"),
    [
        ("api.no_such_wait", "", "there is no function api.no_such_wait that only reads"),
        ("api.writing_wait", function("writing_wait(id uuid)", volatility="volatile"), "that only reads"),
        ("api.other_wait", function("other_wait(lead uuid)"), "has no argument named lead"),
    ],
)
def test_a_route_with_an_invalid_wait_is_logged_and_skipped(
    server: Server, database: Database, client: httpx.Client, wait: str, statement: str, reason: str
) -> None:
    path = "/" + wait.removeprefix("api.") + "/{id}"
    with database.connect() as connection, connection.transaction():
        connection.execute(statement.encode())
        connection.execute(
            "insert into api.route (method, path, function, scope, wait_seconds, wait_function) "
            "values ('GET', %s, 'api.get_lead', 'read', 1, %s)",
            [path, wait],
        )
        connection.execute("notify leads_routes")
    soon(lambda: any(path in line.get("message", "") and reason in line["message"] for line in server.lines()))
    check_problem(client.get(path.replace("{id}", ID)), 404, "not_found")


def test_a_202_is_repeated_until_the_status_changes_or_has_a_retry_after(
    server: Server, database: Database, client: httpx.Client
) -> None:
    """A result that changes after 0.5 seconds, one with a Retry-After of a minute,
    and one that never changes.
    """
    answer = "select row(%s, json_build_object('Retry-After', '%s'), '{}')::api.answer"
    begin = "create function api.begin_%s(id uuid) returns api.answer language sql volatile begin atomic %s; end"
    ask = "create function api.ask_%s(id uuid) returns api.answer language sql stable begin atomic %s; end"
    until = "case when clock_timestamp() > '{}' then 200 else 202 end"
    now = database.sql("select clock_timestamp() + interval '0.5 s' as at")[0]["at"]
    with database.connect() as connection, connection.transaction():
        for name, first, then in (
            ("soon", answer % (202, 1), answer % (until.format(now.isoformat()), 1)),
            ("later", answer % (202, 60), answer % (200, 1)),
            ("never", answer % (202, 1), answer % (202, 1)),
        ):
            connection.execute((begin % (name, first)).encode())
            connection.execute((ask % (name, then)).encode())
            connection.execute(f"grant execute on function api.begin_{name}, api.ask_{name} to leads_api".encode())
            connection.execute(
                "insert into api.route (method, path, function, scope, wait_seconds, wait_function) "
                "values ('POST', %s, %s, 'read', 2, %s)",
                [f"/{name}/{{id}}", f"api.begin_{name}", f"api.ask_{name}"],
            )
        connection.execute("notify leads_routes")
    soon(lambda: client.post(f"/later/{ID}").status_code == 202)
    answers = {name: client.post(f"/{name}/{ID}") for name in ("soon", "later", "never")}
    assert {name: answer.status_code for name, answer in answers.items()} == {"soon": 200, "later": 202, "never": 202}
    assert answers["later"].headers["retry-after"] == "60"
    assert answers["never"].elapsed.total_seconds() >= 1.9


def test_a_function_with_changed_types_is_prepared_again(database: Database, client: httpx.Client) -> None:
    function = """create function api.typed(value {type}) returns api.answer language sql stable begin atomic
        select row(200, null, json_build_object('is', pg_typeof(typed.value), 'value', typed.value)::text)::api.answer;
      end;
      grant execute on function api.typed to leads_api;"""
    with database.connect() as connection:
        connection.execute(function.format(type="integer").encode())
        connection.execute("insert into api.route values ('GET', '/typed', 'api.typed', 'read')")
        connection.execute("notify leads_routes")
        soon(lambda: client.get("/typed?value=1").status_code == 200)
        for _ in range(20):
            assert client.get("/typed?value=1").json() == {"is": "integer", "value": 1}
        with connection.transaction():
            connection.execute("drop function api.typed(integer)")
            connection.execute(function.format(type="text").encode())
            connection.execute("notify leads_routes")
        soon(lambda: client.get("/typed?value=one").status_code == 200)
        for _ in range(20):
            assert client.get("/typed?value=one").json() == {"is": "text", "value": "one"}


def test_a_public_route_needs_no_key(database: Database, server: Server) -> None:
    with database.connect() as connection, server.client() as client:
        connection.execute(
            """create function api.hello() returns api.answer language sql stable
            begin atomic select row(200, null, '"hello"')::api.answer; end;
            grant execute on function api.hello to leads_api;
            insert into api.route values ('GET', '/hello', 'api.hello', null);
            notify leads_routes"""
        )
        soon(lambda: client.get("/hello").status_code == 200)
        assert client.get("/hello", headers={"Authorization": "Bearer x"}).json() == "hello"
        check_problem(client.get("/hello?a=1"), 400, "invalid_parameter", ("a", "unknown_parameter"))


def test_a_get_can_not_write_with_any_function(database: Database, client: httpx.Client) -> None:
    with database.connect() as connection:
        connection.execute(
            """create function api.sneak_write() returns void language plpgsql volatile security definer as
              'begin update app.lead set lead_score = 99; end';
            create function api.sneak() returns api.answer language plpgsql stable security definer as
              'begin perform api.sneak_write(); return row(200, null, null)::api.answer; end';
            grant execute on function api.sneak to leads_api;
            insert into api.route values ('GET', '/sneak', 'api.sneak', 'read');
            notify leads_routes"""
        )
        soon(lambda: client.get("/sneak").status_code != 404)
        for _ in range(5):
            check_problem(client.get("/sneak"), 500, "internal")
        answer = client.post("/leads", json={"email": "a@example.com"})
        assert answer.status_code == 201
        assert database.sql("select count(*) from app.lead where lead_score = 99") == [{"count": 0}]


SECRET = """
create function api.make_secret(new_secret text, sealed_secret bytea, sealing_key text)
returns api.answer language sql volatile begin atomic
  select row(
    201,
    null,
    json_build_object(
      'secret', make_secret.new_secret, 'sealed', make_secret.sealed_secret, 'key', make_secret.sealing_key
    )
  )::api.answer;
end;
alter function api.make_secret(text, bytea, text) owner to leads_exec;
grant execute on function api.make_secret(text, bytea, text) to leads_api;
insert into api.route values ('POST', '/secrets', 'api.make_secret', 'read');
notify leads_routes;
"""


def test_a_function_gets_a_new_secret_sealed_to_the_key_that_a_worker_has_announced(
    database: Database, client: httpx.Client
) -> None:
    private_key = sealing.private_key_of(os.urandom(32))
    with database.connect() as connection:
        connection.execute("delete from webhook.sealing_key")
        connection.execute(SECRET.encode())
    soon(lambda: client.post("/secrets").status_code == 503)
    problem = client.post("/secrets")
    check_problem(problem, 503, "no_sealing_key")
    assert problem.json()["detail"].endswith("leads worker")
    check_problem(client.post("/secrets", headers={"Authorization": "Bearer none"}), 401, "unauthorized")

    announce = "select webhook.announce_keys('{k2,k1}', %s)"
    keys = [sealing.public_bytes(private_key), os.urandom(32)]
    database.sql(announce, keys, login="leads_worker")
    soon(lambda: client.post("/secrets").status_code == 201)
    first, second = (client.post("/secrets").json() for _ in range(2))
    assert first["key"] == second["key"] == "k2"
    assert first["secret"].startswith("whsec_")
    assert first["secret"] != second["secret"]
    assert sealing.open(bytes.fromhex(first["sealed"][2:]), private_key) == first["secret"]
    check_problem(
        client.post("/secrets?new_secret=mine"), 400, "invalid_parameter", ("new_secret", "unknown_parameter")
    )
    database.sql("delete from api.route where path = '/secrets'")
    database.sql("drop function api.make_secret")
