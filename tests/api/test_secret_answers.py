"""An answer that shows a secret is never kept: a repeat under its Idempotency-Key is an error."""

import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.contract import UUID, check_problem
from tests.support.database import Database, Organization
from tests.support.process import Server

PATHS = {"forms": "/forms"}
"""What shows a secret when it is created, and the path of its POST."""


def ids(client: httpx.Client, path: str) -> set[str]:
    return {item["id"] for item in client.get(path).json()["data"]}


def secret_of(answer: httpx.Response) -> str:
    """The last part of the address of a form."""
    return str(answer.json()["address"]).rpartition("/")[2]


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_a_repeat_is_409_and_names_the_object(
    server: Server, database: Database, new_organization: Callable[..., Organization], path: str
) -> None:
    body = {"name": "The name", "preset": "typeform", "secret": "the secret of the sender"}
    with server.client(new_organization().keys["admin"]) as client, ThreadPoolExecutor(8) as threads:
        before = ids(client, path)
        # A request that fails leaves the key free.
        check_problem(
            client.post(path, json=body | {"color": "red"}, headers={"Idempotency-Key": "k"}),
            422,
            "validation_failed",
            ("color", "unknown_field"),
        )
        answers = list(threads.map(lambda _: client.post(path, json=body, headers={"Idempotency-Key": "k"}), range(16)))
        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 15}
        created = next(answer for answer in answers if answer.status_code == 201)
        assert ids(client, path) - before == {created.json()["id"]}
        for answer in answers:
            assert "idempotency-replayed" not in answer.headers
            if answer is not created:
                problem = check_problem(answer, 409, "secret_already_shown")
                assert re.findall(UUID, problem["detail"]) == [created.json()["id"]]
                assert secret_of(created) not in answer.text
        check_problem(
            client.post(path, json={"name": "Another name"}, headers={"Idempotency-Key": "k"}),
            422,
            "idempotency_key_reused",
        )
        assert client.post(path, json=body, headers={"Idempotency-Key": "l"}).status_code == 201
        kept = database.sql("select k::text as row, k.request_digest from app.idempotency_key as k")
        assert len(kept) >= 2
        assert not any(secret_of(created) in row["row"] or "The name" in row["row"] for row in kept)
        # The stored digest of the request is no digest of its body, which has a secret.
        content = client.build_request("POST", path, json=body).content
        digests = database.sql(
            "select sha256(%s) as bare, sha256(%s) as request", content, f"POST {path}\n".encode() + content
        )[0]
        assert not {bytes(row["request_digest"]) for row in kept} & {bytes(value) for value in digests.values()}
        # After 24 hours the key is free again.
        database.sql("update app.idempotency_key set created_at = created_at - interval '25 hours'")
        assert client.post(path, json=body, headers={"Idempotency-Key": "k"}).status_code == 201
        assert len(ids(client, path) - before) == 3
