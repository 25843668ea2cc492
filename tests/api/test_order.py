"""The order of the checks. The first check that fails reports all its errors."""

import socket
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.support.contract import check_problem
from tests.support.database import Database, Organization
from tests.support.keys import new_key
from tests.support.process import Server

NEVER = "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"


def test_the_steps_of_a_patch_run_in_order(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        lead = client.post("/leads", json={"email": "a@example.com"}).json()["id"]

        # The error of each step, and its correction.
        # The first request has all errors, and each next request one less.
        good: dict[str, Any] = {
            "path": f"/leads/{lead}",
            "method": "PATCH",
            "key": acme.keys["write"],
            "content": b'{"timeline": "soon"}',
            "type": "application/json",
            "query": "",
            "tag": "*",
        }
        request: dict[str, Any] = {
            "path": f"/lead/{NEVER}",
            "method": "PUT",
            "key": new_key("test"),
            "content": b"[" * 65537,
            "type": "text/plain",
            "query": "?limit=1",
            "tag": '"0.0"',
        }
        steps: list[tuple[dict[str, Any], int, str, tuple[tuple[str, str], ...]]] = [
            ({}, 404, "not_found", ()),
            ({"path": f"/leads/{NEVER}"}, 405, "method_not_allowed", ()),
            ({"method": "PATCH"}, 401, "unauthorized", ()),
            ({"key": acme.keys["read"]}, 403, "insufficient_scope", ()),
            ({"key": acme.keys["write"]}, 413, "payload_too_large", ()),
            ({"content": b'{"lead_score": 101,'}, 415, "unsupported_media_type", ()),
            (
                {"type": "application/json"},
                400,
                "invalid_parameter",
                (("limit", "unknown_parameter"), ("body", "invalid_json")),
            ),
            ({"query": ""}, 400, "invalid_body", (("body", "invalid_json"),)),
            (
                {"content": b'{"lead_score": 101, "email": null}'},
                422,
                "validation_failed",
                (("lead_score", "out_of_range"),),
            ),
            ({"content": b'{"email": null}'}, 404, "not_found", ()),
            ({"path": f"/leads/{lead}"}, 412, "precondition_failed", ()),
            ({"tag": "*"}, 422, "validation_failed", (("email", "contact_required"),)),
        ]
        for change, status, code, errors in steps:
            request |= change
            check_problem(sent(client, request), status, code, *errors)
        assert request | {"content": good["content"]} == good
        assert sent(client, good).status_code == 200


def sent(client: httpx.Client, request: dict[str, Any]) -> httpx.Response:
    """The response to a request that is built from these parts."""
    headers = {"Authorization": f"Bearer {request['key']}", "Content-Type": request["type"], "If-Match": request["tag"]}
    return client.request(
        request["method"], request["path"] + request["query"], content=request["content"], headers=headers
    )


def test_the_steps_of_a_post_run_in_order(server: Server, database: Database, acme: Organization) -> None:
    good = {"Content-Type": "application/json", "Idempotency-Key": "order"}
    with server.client(acme.keys["write"]) as client:
        assert client.post("/leads", content=b'{"email": "a@example.com"}', headers=good).status_code == 201
        before = database.sql("select count(*) from app.lead")
        for content, headers, status, code, errors in (
            (b"[" * 65537, {"Content-Type": "text/plain", "Idempotency-Key": ""}, 413, "payload_too_large", ()),
            (b"[", {"Content-Type": "text/plain", "Idempotency-Key": ""}, 415, "unsupported_media_type", ()),
            (
                b"[",
                good | {"Idempotency-Key": ""},
                400,
                "invalid_parameter",
                (("Idempotency-Key", "invalid_idempotency_key"), ("body", "invalid_json")),
            ),
            (b"[", good, 400, "invalid_body", (("body", "invalid_json"),)),
            (b'{"lead_score": 101}', good, 422, "idempotency_key_reused", ()),
            (
                b'{"lead_score": 101}',
                good | {"Idempotency-Key": "another"},
                422,
                "validation_failed",
                (("lead_score", "out_of_range"), ("email", "contact_required")),
            ),
        ):
            check_problem(client.post("/leads", content=content, headers=headers), status, code, *errors)
        assert database.sql("select count(*) from app.lead") == before


def test_unknown_paths_and_methods_are_answered_without_a_key(server: Server) -> None:
    with server.client() as client:
        for path in (
            "",
            "/",
            "/lead",
            "/leads/",
            f"/leads/{NEVER}/",
            f"/leads/{NEVER}/x",
            "//leads",
            "/LEADS",
            "/%00",
            "/%ff",
        ):
            check_problem(client.get(path), 404, "not_found")
        for method, path, allowed in (
            ("PUT", "/leads", "GET, HEAD, POST"),
            ("PUT", f"/leads/{NEVER}", "DELETE, GET, HEAD, PATCH"),
            ("POST", "/leads/x", "DELETE, GET, HEAD, PATCH"),
            ("OPTIONS", "/health", "GET, HEAD"),
            ("TRACE", "/audit-log", "GET, HEAD"),
            ("QUERY", "/audit-log/x", "GET, HEAD"),
        ):
            answer = client.request(method, path)
            check_problem(answer, 405, "method_not_allowed")
            assert answer.headers["allow"] == allowed


@pytest.mark.parametrize(
    "id", ["x", "%00", "%ff", "'", "9F1C8A324D654E2B8A913C0E7D4B2F18", f"{{{NEVER}}}", NEVER + "%20", "%2F", "é"]
)
def test_a_malformed_id_is_a_record_that_does_not_exist(server: Server, acme: Organization, id: str) -> None:
    with server.client(acme.keys["write"]) as client:
        for path in (f"/leads/{id}", f"/audit-log/{id}"):
            check_problem(client.get(path), 404, "not_found")
        if id != "%2F":
            check_problem(client.patch(f"/leads/{id}", json={"lead_score": 1}), 404, "not_found")


def test_an_id_in_upper_case_is_accepted(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        id = client.post("/leads", json={"email": "a@example.com"}).json()["id"]
        assert client.get(f"/leads/{id.upper()}").json()["id"] == id


# A query, and its errors in this order.
BAD_QUERIES: list[tuple[str, list[tuple[str, str]]]] = [
    ("limit=a&cursor=*&start_at=yesterday&end_at=2026-02-30&foo=1&source=",
     [("foo", "unknown_parameter"), ("limit", "invalid_integer"), ("source", "empty_value"),
      ("cursor", "invalid_cursor"), ("start_at", "invalid_timestamp"), ("end_at", "invalid_timestamp")]),
    ("limit=0", [("limit", "out_of_range")]),
    ("limit=201", [("limit", "out_of_range")]),
    ("limit=-1", [("limit", "out_of_range")]),
    ("limit=", [("limit", "empty_value")]),
    ("limit", [("limit", "empty_value")]),
    ("limit=1.0", [("limit", "invalid_integer")]),
    ("limit=1e1", [("limit", "invalid_integer")]),
    ("limit=%201", [("limit", "invalid_integer")]),
    ("limit=+1", [("limit", "invalid_integer")]),
    ("limit=99999999999", [("limit", "invalid_integer")]),
    ("limit=4294967297", [("limit", "invalid_integer")]),
    ("limit=%D9%A1", [("limit", "invalid_integer")]),
    ("limit=1&limit=1", [("limit", "repeated_parameter")]),
    ("limit=1&limit=1&limit=1&%6Cimit=2", [("limit", "repeated_parameter")]),
    ("foo=1&foo=2&bar", [("foo", "unknown_parameter"), ("bar", "unknown_parameter")]),
    ("Limit=1&id=1&body=1&if_match=1", [(n, "unknown_parameter") for n in ("Limit", "id", "body", "if_match")]),
    ("=1", [("", "unknown_parameter")]),
    ("cursor=&cursor=", [("cursor", "repeated_parameter")]),
    ("cursor=A", [("cursor", "invalid_cursor")]),
    ("cursor=e30", [("cursor", "invalid_cursor")]),
    ("cursor=AAAA", [("cursor", "invalid_cursor")]),
    ("cursor=eyJjcmVhdGVkX2F0IjoiMjAyNi0wNC0yN1QxMzoyMjowNS4xMTRaIiwiaWQiOiI5ZjFjOGEzMi00ZDY1LTRlMmItOGE5MS0zYzBlN2Q0YjJmMTgifQ==",
     [("cursor", "invalid_cursor")]),
    ("cursor=" + "A" * 5000, [("cursor", "invalid_cursor")]),
    ("source=,", [("source", "empty_value")]),
    ("source=a,", [("source", "empty_value")]),
    ("source=a,,b", [("source", "empty_value")]),
    ("source=a&source=&source=b", [("source", "empty_value")]),
    ("source=a&start_at=2026-03-01&start_at=2026-03-01", [("start_at", "repeated_parameter")]),
    ("email=&pipeline_stage=", [("pipeline_stage", "empty_value"), ("email", "empty_value")]),
    ("source=1,2,3,4,5,6,7,8,9,10,11&email=1,2,3,4,5,6,7,8,9,10,11",
     [("source", "too_many_values"), ("email", "too_many_values")]),
    ("&".join(f"source={n}" for n in range(11)), [("source", "too_many_values")]),
    ("source=a%00b", [("source", "nul_character")]),
    ("%00=1", [("\0", "unknown_parameter")]),
    ("source=%ff", [("source", "not_utf8")]),
    ("source=%ed%a0%80", [("source", "not_utf8")]),
    ("%ff=1", [("%ff", "not_utf8")]),
    ("source=" + "a" * 17000, [("query", "too_long")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "errors"), BAD_QUERIES, ids=lambda value: value[:40] if isinstance(value, str) else ""
)
def test_a_malformed_query_is_400_and_lists_all_errors(
    server: Server, acme: Organization, query: str, errors: list[tuple[str, str]]
) -> None:
    with server.client(acme.keys["read"]) as client:
        check_problem(client.get(f"/leads?{query}"), 400, "invalid_parameter", *errors, in_order=True)
        # A client without a valid key doesn't see these errors.
        check_problem(client.get(f"/leads?{query}", headers={"Authorization": "Bearer x"}), 401, "unauthorized")


def test_the_error_of_an_unknown_parameter_lists_the_known_ones(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["read"]) as client:
        detail = client.get("/leads?page=2").json()["errors"][0]["detail"]
        assert "limit, cursor, pipeline_stage, source, email, start_at, end_at" in detail
        for path in (f"/leads/{NEVER}", f"/audit-log/{NEVER}", "/health", "/organizations/me"):
            check_problem(client.get(path + "?limit=1"), 400, "invalid_parameter", ("limit", "unknown_parameter"))


def test_empty_parts_of_a_query_are_ignored(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["read"]) as client:
        for query in ("?", "?&", "?limit=1&", "?&&limit=1"):
            assert client.get(f"/leads{query}").status_code == 200


def test_a_filter_by_an_unknown_value_is_422_if_the_values_are_known(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["read"]) as client:
        problem = check_problem(
            client.get("/leads", params={"pipeline_stage": "new,nope,Won"}),
            422,
            "validation_failed",
            ("pipeline_stage", "unknown_stage"),
            ("pipeline_stage", "unknown_stage"),
        )
        assert [entry["detail"].split('"')[1] for entry in problem["errors"]] == ["nope", "Won"]
        check_problem(
            client.get("/audit-log", params={"source": "api,http"}),
            422,
            "validation_failed",
            ("source", "unknown_source"),
        )
        assert client.get("/leads", params={"source": "nobody_has_it"}).json()["data"] == []
        assert client.get("/audit-log", params={"action": "lead.erased"}).json()["data"] == []
        check_problem(
            client.get("/audit-log", params={"lead_id": "x"}), 400, "invalid_parameter", ("lead_id", "invalid_uuid")
        )


# A body as bytes, and its errors.
BAD_BODIES: list[tuple[bytes, list[tuple[str, str]]]] = [
    (b"", [("body", "invalid_json")]),
    (b" ", [("body", "invalid_json")]),
    (b"{", [("body", "invalid_json")]),
    (b"{'email': 'a@example.com'}", [("body", "invalid_json")]),
    (b'{"email": "a@example.com",}', [("body", "invalid_json")]),
    (b'{"email": "a@example.com"} {}', [("body", "invalid_json")]),
    (b'{"lead_score": NaN}', [("body", "invalid_json")]),
    (b'{"lead_score": 087}', [("body", "invalid_json")]),
    (b'{"name": "a\nb"}', [("body", "invalid_json")]),
    (b'\xef\xbb\xbf\xef\xbb\xbf{"email": "a@example.com"}', [("body", "invalid_json")]),
    (b'{"name": "\\ud800"}', [("body", "invalid_json")]),
    (b'{"name": "\\udc00\\ud800"}', [("body", "invalid_json")]),
    (b'{"name": "\\u0000"}', [("body", "nul_character")]),
    (b'{"\\u0000": 1}', [("body", "nul_character")]),
    (b'{"name": "a\x00b"}', [("body", "nul_character")]),
    (b'{"email": "a@example.com"}\x00', [("body", "nul_character")]),
    (b'{"name": "\xff"}', [("body", "not_utf8")]),
    (b'{"name": "\xed\xa0\x80"}', [("body", "not_utf8")]),
    ('{"name": "é"}'.encode("latin-1"), [("body", "not_utf8")]),
    ('{"name": "é"}'.encode("utf-16"), [("body", "not_utf8")]),
    (b"null", [("body", "not_an_object")]),
    (b"1", [("body", "not_an_object")]),
    (b'"email"', [("body", "not_an_object")]),
    (b"[]", [("body", "not_an_object")]),
    (b'[{"email": "a@example.com"}]', [("body", "not_an_object")]),
    (b"[" * 60_000, [("body", "too_deep")]),
    (b'{"a":' * 9_000 + b"1" + b"}" * 9_000, [("body", "too_deep")]),
    (b'{"a":' * 33 + b"1" + b"}" * 33, [("body", "too_deep")]),
    (b'{"a": 1, "a": ' + b'{"a":' * 9_000 + b"1" + b"}" * 9_001, [("body", "too_deep")]),
    (b'{"email": "a@example.com", "email": "b@example.com"}', [("email", "duplicate_key")]),
    (b'{"email": "a@example.com", "\\u0065mail": "a@example.com"}', [("email", "duplicate_key")]),
    (b'{"a": ' + b'{"a":' * 400 + b"1" + b"}" * 400 + b', "a": 1}', [("a", "duplicate_key")]),
    (b'{"a": ' + b'{"a":' * 9_000 + b"1" + b"}" * 9_000 + b', "a": 1}', [("body", "too_deep")]),
    (b'{"a": [' + b"[]," * 499 + b"1]}", [("body", "too_deep")]),
    (b'{"b": 1, "b": 1, "a": [{"c": {"d": 1, "d": 2}}]}', [("b", "duplicate_key"), ("d", "duplicate_key")]),
]


@pytest.mark.parametrize(("body", "errors"), BAD_BODIES, ids=lambda value: repr(value[:30]))
def test_a_malformed_body_is_400(
    server: Server, database: Database, acme: Organization, body: bytes, errors: list[tuple[str, str]]
) -> None:
    with server.client(acme.keys["write"]) as client:
        client.headers["Content-Type"] = "application/json"
        before = database.sql("select (select count(*) from app.lead) as l, (select count(*) from audit.event) as e")
        answer = client.post("/leads", content=body)
        check_problem(answer, 400, "invalid_body", *errors)
        assert answer.elapsed.total_seconds() < 20
        check_problem(client.patch(f"/leads/{NEVER}", content=body), 400, "invalid_body", *errors)
        check_problem(
            client.post("/leads?foo=1", content=body), 400, "invalid_parameter", ("foo", "unknown_parameter"), *errors
        )
        after = database.sql("select (select count(*) from app.lead) as l, (select count(*) from audit.event) as e")
        assert after == before


def test_a_body_has_at_most_32_levels(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        client.headers["Content-Type"] = "application/json"
        for opening, closing in ((b'{"a":', b"}"), (b"[", b"]")):
            body = b'{"timeline":' + opening * 31 + b"1" + closing * 31 + b"}"
            check_problem(
                client.patch(f"/leads/{NEVER}", content=body), 422, "validation_failed", ("timeline", "wrong_type")
            )
            body = b'{"timeline":' + opening * 32 + b"1" + closing * 32 + b"}"
            check_problem(client.patch(f"/leads/{NEVER}", content=body), 400, "invalid_body", ("body", "too_deep"))


def test_a_body_has_at_most_64_kib(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        client.headers["Content-Type"] = "application/json"
        body = b'{"email": "a@example.com"}'
        assert client.post("/leads", content=body.ljust(65_536)).status_code == 201
        check_problem(client.post("/leads", content=body.ljust(65_537)), 413, "payload_too_large")
        # Also without Content-Length.
        assert client.post("/leads", content=iter([body.ljust(65_535), b" "])).status_code == 201
        check_problem(client.post("/leads", content=iter([body.ljust(65_536), b" "])), 413, "payload_too_large")
        check_problem(client.post("/leads", content=b" " * 5_000_000), 413, "payload_too_large")


def test_the_type_of_a_body_is_json(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        path = client.post("/leads", json={"email": "a@example.com"}).headers["location"].removeprefix("/api/v1")
        two_headers = [
            "application/json",
            "APPLICATION/JSON",
            "application/json; charset=utf-8",
            'application/json;charset="UTF-8"',
        ]
        neither = ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonl", "json", "*/*",
                   "application/json; charset=latin-1", "application/json, application/json"]  # fmt: skip
        merge_patch = "application/merge-patch+json"
        for method, url, good, bad in (
            ("POST", "/leads", two_headers, [*neither, merge_patch]),
            ("PATCH", path, [*two_headers, merge_patch, f"{merge_patch}; charset=utf-8"], neither),
        ):
            content = b'{"email": "a@example.com"}'
            for type in good:
                answer = client.request(method, url, content=content, headers={"Content-Type": type})
                assert answer.status_code in (200, 201), type
            for type in bad:
                answer = client.request(method, url, content=content, headers={"Content-Type": type})
                check_problem(answer, 415, "unsupported_media_type")
            check_problem(client.request(method, url, content=content), 415, "unsupported_media_type")
            check_problem(client.request(method, url), 415, "unsupported_media_type")
            headers = {"Content-Type": "application/json", "Content-Encoding": "br"}
            check_problem(client.request(method, url, content=content, headers=headers), 415, "unsupported_media_type")


def test_a_repeated_header_is_named(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
        check_problem(
            client.post("/leads", json={"email": "a@example.com"}, headers=headers),
            400,
            "invalid_parameter",
            ("Idempotency-Key", "repeated_header"),
        )


def raw(server: Server, request: bytes) -> bytes:
    """The bytes of the response to the bytes of a request."""
    address = urlsplit(server.base)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def test_data_that_is_not_http_is_400_and_the_server_continues(server: Server, acme: Organization) -> None:
    key = acme.keys["write"].encode()
    end = b"Host: x\r\nConnection: close\r\nAuthorization: Bearer " + key + b"\r\n"
    for request in (
        b"GET /api/v1/leads?source=\xff HTTP/1.1\r\n" + end + b"\r\n",
        b"GET /api/v1/leads/\xff HTTP/1.1\r\n" + end + b"\r\n",
        b"GET /api/v1/leads\x00 HTTP/1.1\r\n" + end + b"\r\n",
        b"BREW /api/v1/leads HTTP/1.1\r\n" + end + b"\r\n",
        b"POST /api/v1/leads HTTP/1.1\r\n" + end + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /api/v1/leads HTTP/1.1\r\n" + end + b"Content-Length: 99999999999999999999\r\n\r\n{}",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ):
        assert raw(server, request).startswith(b"HTTP/1.1 400 "), request[:60]
    with server.client(acme.keys["read"]) as client:
        assert client.get("/leads").status_code == 200


def test_a_client_that_disconnects_during_its_body_leaves_nothing_behind(
    server: Server, database: Database, acme: Organization
) -> None:
    before = database.sql("select count(*) from app.lead")
    address = urlsplit(server.base)
    for _ in range(3):
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            connection.sendall(
                b"POST /api/v1/leads HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"
                b"Authorization: Bearer " + acme.keys["write"].encode() + b'\r\n\r\n{"email": "a@example.com"}'
            )
    with server.client(acme.keys["read"]) as client:
        assert client.get("/leads").status_code == 200
    assert database.sql("select count(*) from app.lead") == before
    assert not [line for line in server.lines() if line["level"] == "error"]


def test_a_request_id_is_kept_if_it_is_a_token_and_else_replaced(server: Server, acme: Organization) -> None:
    good = ["a", "a" * 64, "0123-abc.DEF_~!#$%&'*+^`|", "00000000-0000-4000-8000-000000000000"]
    bad = ["", "a" * 65, "a b", 'a"b', "a,b", "a/b", "a;b", "clé", "a\tb"]
    with server.client(acme.keys["read"]) as client:
        ids = set()
        for path in ("/health", "/leads?limit=0", "/nowhere"):
            for id in good:
                assert client.get(path, headers={"X-Request-Id": id}).headers["x-request-id"] == id
            for value in bad:
                answer = client.get(path, headers=[(b"X-Request-Id", value.encode("latin-1"))])
                ids.add(answer.headers["x-request-id"])
            ids.add(client.get(path, headers=[("X-Request-Id", "a"), ("X-Request-Id", "b")]).headers["x-request-id"])
            ids.add(client.get(path).headers["x-request-id"])
    assert len(ids) == 3 * (len(bad) + 2)
    assert all(len(id) == 32 for id in ids)


def test_the_request_id_is_in_the_header_the_error_the_audit_row_and_the_log(
    server: Server, database: Database, acme: Organization
) -> None:
    with server.client(acme.keys["write"]) as client:
        answer = client.post("/leads", json={"email": "secret@example.com"})
        lead = answer.json()["id"]
        refused = client.get(f"/leads/{NEVER}?email=secret@example.com")
    row = database.sql("select correlation_id from audit.event where lead_id = %s", lead)[0]
    assert row["correlation_id"] == answer.headers["x-request-id"]
    lines = {line["request_id"]: line for line in server.lines() if "request_id" in line}
    line = lines[answer.headers["x-request-id"]]
    members = "time level request_id method path route status ms db_ms organization_id key_id".split()
    assert list(line) == members
    assert (line["method"], line["path"], line["status"]) == ("POST", "/api/v1/leads", 201)
    assert lines[refused.json()["request_id"]]["status"] == 400
    # The log contains no key, no query and no body.
    log = server.log.read_text()
    assert acme.keys["write"] not in log
    assert "secret@" not in log


def test_rows_and_times_of_the_log_are_in_order(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["read"]) as client:
        for _ in range(3):
            client.get("/health")
    times = [line["time"] for line in server.lines() if line.get("path") == "/api/v1/health"]
    assert len(times) >= 3
    assert all(earlier <= later for earlier, later in pairwise(times))
