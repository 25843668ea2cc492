"""The secrets of keys, forms and webhooks are in no table, log, dump, metric, export, error or later output.

PostgreSQL logs all statements here, with the settings that docs/security.md requires: no parameters.
"""

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from app import embedded
from tests.api.test_metrics import scrape, url_in
from tests.support import hooks
from tests.support.database import WORKER_KEY, Database, make_organization
from tests.support.process import Server, leads_on
from tests.support.pushing import wait_for, working

CRM_KEY = base64.b64encode(WORKER_KEY).decode()


def forms_of(secret: str) -> Iterator[str]:
    """The texts that show the secret: itself, in hexadecimal digits, and in base64 from each offset."""
    parts = [secret.encode()]
    if secret.startswith("whsec_"):
        parts += [secret[6:].encode(), base64.b64decode(secret[6:])]
    for part in parts:
        yield part.decode("latin-1")
        yield part.hex()
        for offset in range(3):
            text = part[offset:]
            encoded = base64.b64encode(text[: len(text) // 3 * 3])
            yield encoded.decode()
            yield encoded.hex()


def tables(database: Database) -> dict[str, str]:
    """All rows of all tables of the application, as text: bytea is in hexadecimal digits."""
    names = database.sql(
        "select c.oid::regclass::text as name from pg_class as c where c.relkind in ('r', 'p') and not c.relispartition "
        "and c.relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema')"
    )
    with database.connect() as connection:
        return {
            row["name"]: "\n".join(
                each["row"] for each in connection.execute(f"select t::text as row from {row['name']} as t".encode())
            )
            for row in names
        }


def leaks(places: dict[str, str], secrets: dict[str, str]) -> set[tuple[str, str]]:
    """Which secret is in which place."""
    return {
        (name, place)
        for name, secret in secrets.items()
        for form in forms_of(secret)
        for place, text in places.items()
        if form in text
    }


def test_no_secret_is_stored_or_logged(
    new_database: Callable[..., Database],
    new_server: Callable[..., Server],
    run_dir: Path,
    tmp_path: Path,
) -> None:
    database = new_database()
    for setting in ("log_statement = 'all'", "log_min_duration_statement = 0", "log_min_error_statement = 'error'"):
        database.sql(f"alter database {database.name} set {setting}")
    log = run_dir / "postgres" / "postgresql.log"
    begins_at = log.stat().st_size
    organization = make_organization(database, environment="live")
    server = new_server(database, LEADS_METRICS="127.0.0.1:0")
    leads = leads_on(database)
    secrets: dict[str, str] = {f"the key {scope}": key for scope, key in organization.keys.items()}
    places: dict[str, str] = {}

    def shown(name: str, answer: httpx.Response, field: str) -> dict[str, str]:
        assert answer.status_code in (200, 201), answer.text
        body: dict[str, str] = answer.json()
        secrets[name] = body[field].rpartition("/")[2] if field == "address" else body[field]
        return body

    def printed(name: str, *arguments: str) -> dict[str, str]:
        process = leads(*arguments, "--json")
        assert process.returncode == 0, process.stderr
        body: dict[str, str] = json.loads(process.stdout)
        secrets[name] = next(body[field] for field in ("key", "secret", "address") if field in body).rpartition("/in/")[
            2
        ]
        places[f"the errors of {name}"] = process.stderr
        return body

    with (
        hooks.receiving() as receiver,
        server.client(organization.keys["admin"]) as client,
        working(database, tmp_path, LEADS_CRM_KEY=CRM_KEY, LEADS_METRICS="127.0.0.1:0") as worker,
    ):
        # Through HTTP: created, rotated, repeated and failed.
        url = receiver.url("/hook")
        secrets["the secret of a sender"] = "s3nder-" + "x" * 40
        key = shown("a key", client.post("/keys", json={"scope": "read"}, headers={"Idempotency-Key": "1"}), "key")
        shown(
            "its successor", client.post(f"/keys/{key['id']}/rotate", json={}, headers={"Idempotency-Key": "2"}), "key"
        )
        form = {"name": "form", "preset": "typeform", "secret": secrets["the secret of a sender"]}
        shown("a form", client.post("/forms", json=form, headers={"Idempotency-Key": "3"}), "address")
        hook = shown(
            "a webhook", client.post("/webhooks", json={"url": url}, headers={"Idempotency-Key": "4"}), "secret"
        )
        path = f"/webhooks/{hook['id']}/rotate-secret"
        shown("its next secret", client.post(path, json={}, headers={"Idempotency-Key": "5"}), "secret")
        receiver.secrets["/hook"] = secrets["its next secret"]
        repeats = [
            client.post("/keys", json={"scope": "read"}, headers={"Idempotency-Key": "1"}),
            client.post(f"/keys/{key['id']}/rotate", json={}, headers={"Idempotency-Key": "2"}),
            client.post("/forms", json=form, headers={"Idempotency-Key": "3"}),
            client.post("/webhooks", json={"url": url}, headers={"Idempotency-Key": "4"}),
            client.post(path, json={}, headers={"Idempotency-Key": "5"}),
        ]
        assert {answer.json()["code"] for answer in repeats} == {"secret_already_shown"}
        failures = [
            client.post(f"/keys/{key['id']}/rotate", json={}),
            client.post("/keys", json={"scope": "root"}),
            client.post("/forms", json={**form, "preset": "calendly", "color": "red"}),
            client.post("/webhooks", json={"url": "no url"}),
            httpx.post(f"{server.base}/in/{secrets['a form']}", content=b"x", headers={"Content-Encoding": "br"}),
            httpx.get(f"{server.base}/in/{secrets['a form']}"),
            httpx.get(f"{server.base}/api/v1/leads", headers={"Authorization": f"Basic {secrets['a key']}"}),
        ]
        assert all(answer.status_code >= 400 for answer in failures)
        with server.client(secrets["a key"]) as reader:
            failures.append(reader.get(f"/leads?cursor={secrets['a key']}", headers={"X-Request-Id": secrets["a key"]}))

        # Through the command line.
        made = printed("a key of the CLI", "keys", "create", "--organization", organization.id, "--scopes", "read")
        printed("its successor of the CLI", "keys", "rotate", made["id"])
        printed("a form of the CLI", "forms", "create", "--organization", organization.id)
        made = printed("a webhook of the CLI", "webhooks", "create", url, "--organization", organization.id)
        printed("its next secret of the CLI", "webhooks", "rotate-secret", made["id"])

        # The worker delivers.
        assert client.post("/leads", json={"email": "a@example.com"}).status_code == 201
        wait_for(lambda: receiver.requests)

        places |= {f"the answer {number}": answer.text for number, answer in enumerate((*repeats, *failures))}
        for path in ("/keys", "/forms", "/webhooks", "/audit-log?limit=200", "/audit-log/export", "/health"):
            places[path] = client.get(path).text
        for arguments in ("keys list", "forms list", "webhooks list", "audit verify", "doctor"):
            process = leads(*arguments.split())
            places[f"leads {arguments}"] = process.stdout + process.stderr
        places["metrics of the server"] = str(scrape(url_in(server.log)))
        places["metrics of the worker"] = str(scrape(url_in(worker.log)))
    dump = subprocess.run(
        [embedded.binary("pg_dump"), "--inserts", database.url()], check=True, capture_output=True, timeout=120
    )
    places["pg_dump"] = dump.stdout.decode()
    places["the server's log"] = server.log.read_text()
    places["the worker's log"] = worker.log.read_text()

    # The controls: a secret that is planted in a table and in a statement is found.
    planted = {"planted": "lk_test_0123456789abcdefghijklmnopqrstuvwxyz"}
    with database.connect() as connection, connection.transaction(force_rollback=True):
        connection.execute("create table public.planted as select %s::bytea as content", [planted["planted"].encode()])
        row = connection.execute("select p::text as row from public.planted as p").fetchone()
        assert row is not None
        assert leaks({"the table": row["row"]}, planted) == {("planted", "the table")}
        connection.execute(f"select '{planted['planted']}'".encode())
    with log.open("rb") as file:
        file.seek(begins_at)
        places["PostgreSQL's log"] = file.read().decode(errors="replace")
    assert "api.create_key(" in places["PostgreSQL's log"]
    assert leaks({"log": places["PostgreSQL's log"]}, planted) == {("planted", "log")}
    rows = tables(database)
    assert {"auth.api_key", "intake.form", "webhook.endpoint", "app.idempotency_key", "audit.event"} <= set(rows)
    assert key["id"] in rows["auth.api_key"]
    assert leaks(places | rows, secrets) == set()


def test_a_secret_is_found_in_each_form() -> None:
    secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    for text in (secret, secret.encode().hex(), f"\\x{bytes(range(32)).hex()}"):
        assert leaks({"place": f"before {text} after"}, {"secret": secret}) == {("secret", "place")}
    for before in ("", "a", "ab"):
        text = base64.b64encode(f"{before}{secret} after".encode()).decode()
        assert leaks({"place": text}, {"secret": secret}) == {("secret", "place")}
