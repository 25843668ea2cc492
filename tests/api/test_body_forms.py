"""Bodies as real senders produce them, and why one is refused."""

import gzip
import json
import random
from collections.abc import Iterator

import httpx
import pytest

from app.server.body import fault_of_json
from tests.support.contract import check_problem
from tests.support.database import Database, Organization
from tests.support.process import Server

JSON = {"Content-Type": "application/json"}
LEAD = b'{"email": "ann@example.com"}'


@pytest.fixture(scope="module")
def client(server: Server, acme: Organization) -> Iterator[httpx.Client]:
    """A client with a key of the scope write."""
    with server.client(acme.keys["write"]) as client:
        yield client


@pytest.mark.parametrize(
    "content_type", ["application/json;charset=utf-8;", 'application/json; a="b;c"; charset=us-ascii']
)
def test_a_content_type_with_parameters_is_accepted(client: httpx.Client, content_type: str) -> None:
    assert client.post("/leads", content=LEAD, headers={"Content-Type": content_type}).status_code == 201


@pytest.mark.parametrize(
    ("headers", "detail", "header", "value"),
    [
        ({"Content-Type": "text/plain"}, "application/json", "accept", "application/json"),
        ({}, "application/json", "accept", "application/json"),
        ({"Content-Type": "application/json; charset=utf-16"}, "charset", None, None),
        (JSON | {"Content-Encoding": "br"}, "Content-Encoding", "accept-encoding", "gzip, identity"),
        (JSON | {"Content-Encoding": "gzip, gzip"}, "Content-Encoding", "accept-encoding", "gzip, identity"),
    ],
)
def test_415_tells_the_type_the_charset_and_the_coding_apart(
    client: httpx.Client, headers: dict[str, str], detail: str, header: str | None, value: str | None
) -> None:
    answer = client.post("/leads", content=LEAD, headers=headers)
    assert detail in check_problem(answer, 415, "unsupported_media_type")["detail"]
    shown = {name: answer.headers[name] for name in ("accept", "accept-encoding") if name in answer.headers}
    assert shown == ({header: value} if header else {})


def test_a_caller_without_a_key_learns_nothing_of_the_body(server: Server) -> None:
    with server.client("x") as client:
        for headers in (JSON | {"Content-Encoding": "br"}, JSON | {"Content-Encoding": "gzip"}, {}):
            answer = client.post("/leads", content=LEAD, headers=headers)
            check_problem(answer, 401, "unauthorized")
            assert "accept-encoding" not in answer.headers


def test_a_gzip_body_is_the_same_request_as_a_plain_one(client: httpx.Client) -> None:
    headers = JSON | {"Idempotency-Key": "zipped"}
    first = client.post("/leads", content=gzip.compress(LEAD), headers=headers | {"Content-Encoding": "gzip"})
    assert first.status_code == 201
    again = [
        client.post("/leads", content=LEAD, headers=headers),
        client.post("/leads", content=b"\xef\xbb\xbf" + LEAD, headers=headers | {"Content-Encoding": "identity"}),
        client.post("/leads", content=gzip.compress(LEAD, 1), headers=headers | {"Content-Encoding": "x-gzip"}),
    ]
    for answer in again:
        assert answer.headers["idempotency-replayed"] == "true"
        assert answer.content == first.content
    other = client.post("/leads", content=gzip.compress(LEAD + b" "), headers=headers | {"Content-Encoding": "gzip"})
    check_problem(other, 422, "idempotency_key_reused")


def test_a_gzip_body_is_limited_by_its_decoded_size(client: httpx.Client) -> None:
    headers = JSON | {"Content-Encoding": "gzip"}
    full = LEAD + b" " * (64 * 1024 - len(LEAD))
    assert client.post("/leads", content=gzip.compress(full), headers=headers).status_code == 201
    check_problem(client.post("/leads", content=gzip.compress(full + b" "), headers=headers), 413, "payload_too_large")
    for data in (LEAD, gzip.compress(LEAD)[:-1], gzip.compress(LEAD) + b"x", b""):
        answer = client.post("/leads", content=data, headers=headers)
        check_problem(answer, 400, "invalid_body", ("body", "invalid_gzip"))


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", "The body is empty. Send a JSON object."),
        (
            b'{\n  "email": "ann@example.com",\n}',
            "The body is not valid JSON: line 3, column 1: a name in double quotes",
        ),
        (b"\xef\xbb\xbf{", "line 1, column 2"),
        (b"\xef\xbb\xbf\xef\xbb\xbf" + LEAD, "line 1, column 1: a value is expected"),
        (b'{"email": "ann@example.com\\ud800"}', "line 1, column 27: \\ud800"),
    ],
)
def test_what_is_not_json_is_located_and_not_quoted(client: httpx.Client, data: bytes, detail: str) -> None:
    for method, path in (("POST", "/leads"), ("PATCH", "/leads/9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18")):
        answer = client.request(method, path, content=data, headers=JSON)
        problem = check_problem(answer, 400, "invalid_body", ("body", "invalid_json"))
        assert detail in problem["errors"][0]["detail"]
        assert "ann@" not in answer.text


def test_one_byte_order_mark_is_skipped(client: httpx.Client) -> None:
    assert client.post("/leads", content=b"\xef\xbb\xbf" + LEAD, headers=JSON).status_code == 201


def mutants(seed: int, count: int) -> list[str]:
    """JSON texts, and texts that differ from one in a few characters."""
    chance = random.Random(seed)
    bases = [
        '{"a": [1, -2.5e+3, true, false, null, "x\\n\\u00e9\\ud83d\\ude00é"], "b": {"c": {}}, "d": []}',
        '[0, -0, 1E5, 1.0, "\\\\", "\\"", "\\/", {"NaN": "Infinity"}]',
        '\t{ "k" :\r\n"v" } ',
        '"\\ud83d\\ude00"',
        "12.50",
    ]
    pieces = [
        *'{}[]:,"\\/ntfu0123456789.eE+-xX \t\n\r\v\f\'#é',
        "\\u", "\\ud800", "\\udc00", "NaN", "Infinity", "-Infinity", "true", "null", "nul", "\u00a0", "\ufeff", "\x01",
        "\x7f", "\u2028", "//", "\\u00e", "00", "1e", ".5", "5.", "\\n",
    ]  # fmt: skip
    texts = list(bases)
    for _ in range(count):
        text = chance.choice(bases)
        for _ in range(chance.randint(1, 3)):
            start = chance.randrange(len(text) + 1)
            end = start + chance.choice((0, 0, 1, 1, 2, 5))
            text = text[:start] + chance.choice(("", chance.choice(pieces), chance.choice(pieces))) + text[end:]
        texts.append(text)
    return texts


def test_postgresql_and_the_message_agree_on_what_is_json(database: Database) -> None:
    texts = mutants(23, 4000)
    with database.connect() as connection:
        connection.execute(
            """create function pg_temp.is_json(body text) returns boolean language plpgsql as $$
            begin
              perform body::jsonb;
              return true;
            exception when invalid_text_representation then
              return false;
            end $$"""
        )
        rows = connection.execute(
            "select t.text, pg_temp.is_json(t.text) as is_json from unnest(%s::text[]) as t (text)", [texts]
        ).fetchall()
    assert 200 < sum(row["is_json"] for row in rows) < 3800
    wrong = [row for row in rows if (fault_of_json(row["text"].encode()) is None) is not row["is_json"]]
    assert not wrong, json.dumps(wrong[:10])
