"""The command line, as an operator uses it."""

import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from app import embedded, migration_lock, migration_run, migrations, settings
from app.cli import demo, serve
from app.cli.addresses import Addresses
from app.settings import ROOT
from tests.support.database import Database, Organization, make_key, make_organization
from tests.support.keys import BASE62, checksum
from tests.support.process import Leads, Server, leads_in, leads_on, mistake, printed, sighup_ends
from tests.support.pushing import wait_for


def test_organizations(leads: Leads) -> None:
    live = printed(leads("organizations", "create", "Acme Plumbing"))
    test = json.loads(printed(leads("organizations", "create", "Acme Trials", "--test", "--json")))
    assert test["environment"] == "test"
    listed = {row["id"]: row for row in json.loads(printed(leads("organizations", "list", "--json")))}
    assert (listed[live]["name"], listed[live]["environment"]) == ("Acme Plumbing", "live")
    assert listed[test["id"]]["name"] == "Acme Trials"
    assert "Acme Plumbing" in printed(leads("organizations", "list"))

    stages = [row["name"] for row in json.loads(printed(leads("organizations", "stages", live, "--json")))]
    assert stages == ["new", "contacted", "qualified", "proposal", "won", "lost"]
    added = json.loads(printed(leads("organizations", "stages", live, "--add", "on-hold", "--json")))
    assert added[-1] == {"position": 7, "name": "on-hold"}
    removed = json.loads(printed(leads("organizations", "stages", live, "--remove", "proposal", "--json")))
    assert "proposal" not in [row["name"] for row in removed]

    (settings,) = json.loads(
        printed(leads("organizations", "set", live, "--country-code", "44", "--accept-name-and-phone", "--json"))
    )
    assert (settings["country_code"], settings["accepts_name_and_phone"]) == ("44", True)
    (settings,) = json.loads(printed(leads("organizations", "set", live, "--no-accept-name-and-phone", "--json")))
    assert (settings["country_code"], settings["accepts_name_and_phone"]) == ("44", False)
    assert "1 to 3 digits without +" in mistake(leads("organizations", "set", live, "--country-code", "+44"))
    assert "44" in printed(leads("organizations", "list"))


def get(server: Server, key: str, path: str) -> httpx.Response:
    with server.client(key) as client:
        return client.get(path)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["organizations", "create", " "], "The name must have 1 to 255 characters, and no control characters."),
        (["organizations", "stages", "nonsense"], "not a valid UUID"),
        (["organizations", "stages", str(uuid4())], "To list them, run: leads organizations list"),
        (["keys", "create", "--organization", str(uuid4()), "--scopes", "read"], "There is no organization"),
        (
            ["keys", "create", "--organization", str(uuid4()), "--scopes", "root"],
            "is not a list of scopes. Use read, write and admin",
        ),
        (["keys", "create", "--scopes", "read"], "Missing option '--organization'"),
        (["keys", "rotate", str(uuid4())], "To list the keys, run: leads keys list"),
        (["keys", "rotate", str(uuid4()), "--overlap", "soon"], "Use 30m, 24h or 7d"),
        (["keys", "revoke", str(uuid4())], "There is no key"),
        (["keys", "list", "--organization", str(uuid4())], "There is no organization"),
        (["no-such-command"], "No such command"),
    ],
)
def test_a_mistake_is_a_sentence_and_exit_code_2(leads: Leads, arguments: list[str], sentence: str) -> None:
    assert sentence in mistake(leads(*arguments))


def test_stage_rules(leads: Leads, new_organization: Callable[..., Organization], database: Database) -> None:
    acme = new_organization()
    database.sql(
        "insert into app.lead (organization_id, email, pipeline_stage) values (%s, 'a@example.com', 'won')", acme.id
    )
    assert 'The stage "won" has leads.' in mistake(leads("organizations", "stages", acme.id, "--remove", "won"))
    assert "the initial stage of every lead" in mistake(leads("organizations", "stages", acme.id, "--remove", "new"))
    assert "has no stage" in mistake(leads("organizations", "stages", acme.id, "--remove", "nope"))
    assert "1 to 64 characters" in mistake(leads("organizations", "stages", acme.id, "--add", "On Hold"))
    assert "already" in mistake(leads("organizations", "stages", acme.id, "--add", "won"))


def test_keys(leads: Leads, server: Server, new_organization: Callable[..., Organization], database: Database) -> None:
    acme = new_organization()
    created = json.loads(
        printed(leads("keys", "create", "--organization", acme.id, "--scopes", "read,write", "--name", "web", "--json"))
    )
    key = created["key"]
    assert get(server, key, "/health").json()["scopes"] == ["read", "write"]

    text = printed(leads("keys", "list"))
    assert created["id"] in text
    assert key not in text
    digest = database.sql("select digest from auth.api_key where id = %s", created["id"])[0]["digest"]
    assert digest == hashlib.sha256(hashlib.sha256(key.encode()).digest()).digest()

    new = printed(leads("keys", "rotate", created["id"], "--overlap", "1h"))
    assert get(server, key, "/health").status_code == 200
    assert get(server, new, "/health").json()["scopes"] == ["read", "write"]
    listed = json.loads(printed(leads("keys", "list", "--organization", acme.id, "--json")))
    assert [row["rotated_from"] for row in listed if row["name"] == "web"] == [None, created["id"]]
    with server.client(acme.keys["admin"]) as client:
        states = {row["id"]: row["state"] for row in client.get("/keys").json()["data"]}
    assert {row["id"]: row["state"] for row in listed} == states
    assert set(states.values()) == {"active"}

    printed(leads("keys", "revoke", created["id"]))
    assert get(server, key, "/health").status_code == 401
    assert get(server, new, "/health").status_code == 200
    assert "revoked or has expired" in mistake(leads("keys", "revoke", created["id"]))

    actions = [row["action"] for row in get(server, new, "/audit-log?source=system&limit=3").json()["data"]]
    assert actions == ["api_key.revoked", "api_key.updated", "api_key.rotated"]


def test_a_rotated_key_ends_at_once_without_overlap(
    leads: Leads, server: Server, new_organization: Callable[..., Organization]
) -> None:
    key = json.loads(
        printed(leads("keys", "create", "--organization", new_organization().id, "--scopes", "read", "--json"))
    )
    printed(leads("keys", "rotate", key["id"], "--overlap", "0s"))
    assert get(server, key["key"], "/health").status_code == 401


def test_a_key_is_rotated_once(leads: Leads, new_organization: Callable[..., Organization]) -> None:
    """A second rotation would use the end of the overlap as the key's own expiry."""
    organization = new_organization().id
    key = json.loads(printed(leads("keys", "create", "--organization", organization, "--scopes", "read", "--json")))
    new = json.loads(printed(leads("keys", "rotate", key["id"], "--json")))
    assert f"Rotate its successor: {new['id']}" in mistake(leads("keys", "rotate", key["id"]))
    printed(leads("keys", "rotate", new["id"]))
    listed = json.loads(printed(leads("keys", "list", "--organization", organization, "--json")))
    assert listed[-1]["expires_at"] is None


def test_a_key_expires(
    leads: Leads, server: Server, new_organization: Callable[..., Organization], database: Database
) -> None:
    acme = new_organization()
    key = printed(leads("keys", "create", "--organization", acme.id, "--scopes", "read", "--expires", "1h"))
    assert get(server, key, "/health").status_code == 200
    # As if an hour had passed.
    rows = database.sql(
        "update auth.api_key set expires_at = expires_at - interval '1 hour' "
        "where organization_id = %s and expires_at > now() returning expires_at",
        acme.id,
    )
    assert len(rows) == 1
    assert get(server, key, "/health").status_code == 401
    past = leads(
        "keys", "create", "--organization", new_organization().id, "--scopes", "read", "--expires", "2020-01-01"
    )
    assert "The time of expiry is in the past." in mistake(past)


def test_the_form_of_a_key(database: Database) -> None:
    rows = database.sql("select auth.new_key('live') as key from generate_series(1, 1000)")
    keys = {row["key"] for row in rows}
    assert len(keys) == 1000
    for key in keys:
        assert re.fullmatch(r"lk_live_[0-9A-Za-z]{36}", key)
        assert key[-6:] == checksum(key[:-6])
    # Each digit has a chance of 1 in 62: about 484 of 30,000.
    counts = Counter("".join(key[8:-6] for key in keys))
    assert set(counts) == set(BASE62)
    assert 350 < min(counts.values()) <= max(counts.values()) < 650


def test_migrate_plan_applies_nothing(leads: Leads, new_database: Callable[..., Database]) -> None:
    empty = new_database(template=None)
    process = leads("migrate", "--plan", LEADS_MIGRATE_URL=empty.url("leads_migrator"))
    assert "create table app.lead (" in process.stdout
    assert process.stdout.count("\nbegin;\n") == process.stdout.count("\ncommit;\n") == len(migrations.all_())
    assert f"{len(migrations.all_())} migrations to apply." in process.stderr
    assert empty.sql("select count(*) as n from pg_namespace where nspname in ('app', 'yoyo')") == [{"n": 0}]

    behind = leads("serve", "--port", "0", DATABASE_URL=empty.url("leads_api"))
    assert "run: leads migrate" in mistake(behind)

    applied = leads("migrate", LEADS_MIGRATE_URL=empty.url("leads_migrator"))
    assert applied.returncode == 0, applied.stderr
    assert "Applying 0.9.0-03.leads.sql" in applied.stderr
    assert f"\nApplied {len(migrations.all_())} migrations" in applied.stderr
    again = leads("migrate", LEADS_MIGRATE_URL=empty.url("leads_migrator"))
    assert "up to date" in again.stderr
    assert leads("migrate", "--plan", LEADS_MIGRATE_URL=empty.url("leads_migrator")).stdout == ""


def test_a_plan_run_by_hand_creates_the_same_schema(leads: Leads, new_database: Callable[..., Database]) -> None:
    empty, migrated = new_database(template=None), new_database(template=None)
    # The plan has the released migrations only.
    with migration_lock.locked(migrated.url("leads_migrator")) as lock:
        assert list(migration_run.apply(lock)) == migrations.all_()
    plan = leads("migrate", "--plan", LEADS_MIGRATE_URL=empty.url("leads_migrator")).stdout
    command = [str(embedded.binary("psql")), "-Xq", "-v", "ON_ERROR_STOP=1", empty.url("leads_migrator")]
    process = subprocess.run(command, input=plan, text=True, capture_output=True, check=False)
    assert process.returncode == 0, process.stderr
    owners = (
        "select p.oid::regprocedure::text as f, p.proowner::regrole::text as o, p.proacl::text as a from pg_proc as p "
    )
    owners += "where p.pronamespace::regnamespace::text = any(%s) order by 1"
    schemas = ["admin", "api", "app", "audit", "auth", "crm", "scoring"]
    assert empty.sql(owners, schemas) == migrated.sql(owners, schemas)


def test_missing_passwords_are_reported(leads: Leads) -> None:
    assert "No password is set" in mistake(leads("migrate", "--set-passwords"))


def test_an_outdated_schema_is_not_served(leads: Leads, new_database: Callable[..., Database]) -> None:
    old = new_database()
    body = "returns integer language sql immutable begin atomic select 0; end"
    old.sql(f"create or replace function api.schema_version() {body}")
    assert "is at version 0" in mistake(leads("serve", "--port", "0", DATABASE_URL=old.url("leads_api")))


@pytest.mark.parametrize(
    ("login", "sentence"),
    [
        ("postgres", "is a superuser"),
        ("leads_migrator", "which owns objects"),
        ("leads_operator", "may not"),
    ],
)
def test_only_the_shims_login_serves(leads: Leads, database: Database, login: str, sentence: str) -> None:
    assert sentence in mistake(leads("serve", "--port", "0", DATABASE_URL=database.url(login)))


def test_more_connections_than_the_server_allows_are_a_mistake(leads: Leads, database: Database) -> None:
    limit = int(database.sql("show max_connections")[0]["max_connections"]) - 3
    processes = limit // 101 + 1
    sentence = mistake(leads("serve", "--port", "0", "--workers", str(processes), LEADS_CONNECTIONS="100"))
    assert f"allows this login {limit} connections" in sentence
    assert f"needs {processes * 101}" in sentence


def test_a_wrong_set_up_is_reported(leads: Leads, server: Server, database: Database) -> None:
    port = server.base.rpartition(":")[2]
    assert f"Port {port} on 127.0.0.1 is in use" in mistake(leads("serve", "--port", port))
    assert "HOST" in mistake(leads("serve", "--host", "no.such.host.example.com", "--port", "0"))
    assert "PORT is 'eighty'" in mistake(leads("serve", PORT="eighty"))
    assert "can't be reached" in mistake(
        leads("organizations", "list", LEADS_OPERATOR_URL="postgresql://127.0.0.1:1/x")
    )
    assert "LEADS_OPERATOR_URL is not set" in mistake(leads("organizations", "list", LEADS_OPERATOR_URL=""))
    assert "CREATEROLE" in mistake(leads("migrate", LEADS_MIGRATE_URL=database.url("leads_operator"))).upper()


def test_a_wrong_password_of_your_own_login_is_not_one_that_leads_migrate_sets(
    leads: Leads, database: Database
) -> None:
    login = f"stranger_{uuid4().hex[:8]}"
    # The server's pg_hba.conf asks only analysts for a password.
    database.sql(f"create role {login} login password 'right' in role leads_bi")
    try:
        sentence = mistake(leads("migrate", LEADS_MIGRATE_URL=make_conninfo(database.url(login), password="wrong")))
    finally:
        database.sql(f"drop role {login}")
    assert f'authentication failed for user "{login}"' in sentence
    assert "Correct the login or the password in the address." in sentence
    assert "--set-passwords" not in sentence


def test_every_command_has_help(leads: Leads) -> None:
    for command in ([], ["serve"], ["demo"], ["migrate"], ["organizations"], ["keys", "create"], ["keys"], ["doctor"]):
        assert printed(leads(*command, "--help")).startswith("Usage:")


@pytest.mark.parametrize("command", ["", "organizations", "keys", "scoring", "crm", "bi", "audit"])
def test_the_help_of_a_group_shows_whole_summaries(leads: Leads, command: str) -> None:
    _, _, listed = printed(leads(*command.split(), "--help")).partition("Commands:")
    assert listed.count("\n  ") > 1
    assert "..." not in listed


class Read(dict[str, str]):
    """An environment without variables, which records the names that are read."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return default


def test_the_help_lists_every_variable_that_the_programs_read(leads: Leads) -> None:
    environ = Read()
    settings.read(environ)
    texts = [path.read_text() for path in (ROOT / "app").rglob("*.py")]
    read = {name for text in texts for name in re.findall(r'environ(?:\.get\(|\[)"(LEADS_\w+)"', text)}
    assert "LEADS_PG_BIN" in read
    text, _, _ = printed(leads("--help")).partition("Exit codes")
    listed = set(re.findall(r"\b(?:(?:LEADS|DATABASE|BI)_[A-Z_]+|HOST|PORT|WORKERS)\b", text))
    assert listed == read | environ.names


@pytest.mark.parametrize(
    "command",
    [
        *("organizations list", "keys list", "crm list", "crm queue", "audit verify", "audit seal", "bi list", "psql"),
        *("doctor", "demo", "worker", "migrate --plan", "migrate --mark-applied", "scoring show --organization ID"),
        *(
            "export leads --organization ID",
            "erase --organization ID --yes",
            "bi create ann --organization ID",
            "bi revoke ann",
        ),
    ],
)
@pytest.mark.parametrize("exists", [True, False])
def test_a_command_does_not_create_a_database(command: str, exists: bool, run_dir: Path) -> None:
    folder = run_dir / f"none-{uuid4().hex[:8]}"
    if exists:
        folder.mkdir()
    addresses = ("DATABASE_URL", "LEADS_MIGRATE_URL", "LEADS_OPERATOR_URL", "LEADS_WORKER_URL")
    kept = {name: value for name, value in os.environ.items() if name not in addresses}
    done = leads_in({**kept, "LEADS_DATA_DIR": str(folder)})(*command.replace("ID", str(uuid4())).split())
    assert mistake(done) == f"There is no database yet in {folder}. Run leads serve first, which creates it."
    assert not folder.exists() or list(folder.iterdir()) == []


def test_other_organizations_write_while_the_demo_seals_and_counts(new_database: Callable[..., Database]) -> None:
    database = new_database()
    other = make_organization(database)
    with ThreadPoolExecutor(1) as threads:
        with database.connect() as holder, holder.transaction():
            holder.execute("lock table app.uncounted_seal in exclusive mode")
            seeding = threads.submit(demo.seed, database.url("leads_migrator"))
            waiting = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            while not database.sql(waiting):
                assert not seeding.done(), seeding.exception()
                time.sleep(0.05)
            with database.connect() as connection:
                connection.execute("set lock_timeout = '60s'")
                connection.execute(
                    "insert into app.lead (organization_id, email) values (%s, 'ada@example.com')", [other.id]
                )
        assert seeding.result()


def test_demo_on_request(
    leads: Leads, new_database: Callable[..., Database], new_server: Callable[..., Server]
) -> None:
    database = new_database()
    migrator = {"LEADS_MIGRATE_URL": database.url("leads_migrator")}
    key = printed(leads("demo", **migrator))
    another = printed(leads("demo", **migrator))
    with new_server(database).client(key) as client:
        page = client.get("/leads?limit=200").json()
        more = client.get("/leads", params={"limit": 200, "cursor": page["next_cursor"]}).json()
        assert len(page["data"] + more["data"]) == 400
        assert client.get("/organizations/me").json()["environment"] == "test"
    assert another != key
    printed(leads("audit", "verify", LEADS_OPERATOR_URL=database.url("leads_operator")))
    assert database.sql("select count(*) as n from app.organization") == [{"n": 2}]
    ages = database.sql(
        "select extract(day from now() - min(created_at))::integer as oldest, max(created_at) <= now() as past "
        "from app.lead"
    )
    assert 80 <= ages[0]["oldest"] <= 90
    assert ages[0]["past"]
    assert 1000 < database.sql("select count(*) as n from audit.event")[0]["n"] < 5000
    assert database.sql("select count(*) as n from audit.unsealed") == [{"n": 0}]
    assert {row["status"] for row in database.sql("select distinct status from crm.sync")} == {
        "ok", "failed", "pending", "skipped"
    }  # fmt: skip


@pytest.fixture
def data_dir(run_dir: Path) -> Iterator[Path]:
    """A data folder for the test, which the server's user can enter."""
    path = run_dir / f"data-{uuid4().hex[:8]}"
    path.mkdir()
    yield path
    assert not (path / "postgres" / "postmaster.pid").exists()


def start(data_dir: Path, output: Path, *options: str, **more: str) -> tuple[subprocess.Popen[bytes], str]:
    """Starts ``leads serve`` in an empty folder, and yields its output."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("DATABASE_URL", "LEADS_"))}
    if "LEADS_PG_BIN" in os.environ:
        environ["LEADS_PG_BIN"] = os.environ["LEADS_PG_BIN"]
    environ |= {"LEADS_DATA_DIR": str(data_dir), "PORT": "0", **more}
    with output.open("wb") as file, sighup_ends():
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "serve", *options],
            cwd=ROOT,
            env=environ,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    # The banner, whose last lines may be written later.
    wait_for(lambda: "Ctrl-C" in output.read_text() or process.poll() is not None, 300)
    return process, output.read_text()


def test_serve_from_nothing_and_again(data_dir: Path, tmp_path: Path) -> None:
    process, text = start(data_dir, tmp_path / "first", LEADS_METRICS="127.0.0.1:0")
    try:
        line = next(line for line in text.splitlines() if line.strip().startswith("curl"))
        answer = subprocess.run(shlex.split(line), capture_output=True, text=True, check=True).stdout
        assert len(json.loads(answer)["data"]) == 2
        match = re.search(r"lk_test_\w+", text)
        assert match
        key_file = data_dir / "demo-key"
        assert key_file.stat().st_mode & 0o777 == 0o600
        assert key_file.read_text().strip() == match[0]
        base = re.search(r"http://\S+/api/v1", text)
        assert base
        url = base[0]
        auth = {"Authorization": f"Bearer {match[0]}"}
        created = httpx.post(url + "/leads", json={"email": "kept@example.com"}, headers=auth)
        assert created.status_code == 201
        # A worker runs beside it; the demo organization's pushes are simulated.
        lead = httpx.get(base[0] + "/leads?pipeline_stage=contacted&limit=1", headers=auth).json()["data"][0]["id"]
        pushed = httpx.post(f"{base[0]}/leads/{lead}/push-to-crm", headers=auth)
        assert pushed.status_code in (200, 202)

        def external_id() -> str:
            state = httpx.get(f"{url}/leads/{lead}/crm-sync", headers=auth).json()["crm_sync"]
            return str(state["external_id"] or "")

        assert wait_for(external_id).startswith("simulated_")
        # One address has the metrics of the server and of the worker.
        metrics = re.search(r"http://\S+/metrics$", text, re.MULTILINE)
        assert metrics
        shown = (
            'leads_worker_round_timestamp_seconds{task="sealer"}',
            "leads_database_up 1.0",
            "leads_server_processes 1.0",
        )
        wait_for(lambda: all(each in httpx.get(metrics[0]).text for each in shown))
        assert (data_dir / "crm-key").stat().st_mode & 0o777 == 0o600
        settings = subprocess.run(
            [str(embedded.binary("psql")), "-XAt", _url(data_dir), "-c", "show fsync", "-c", "show data_checksums"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert settings.stdout.split() == ["on", "on"]
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0

    process, text = start(data_dir, tmp_path / "wrong key", LEADS_CRM_KEY="wrong")
    assert process.wait(120) == 2
    assert text.startswith("LEADS_CRM_KEY can't be used")

    process, text = start(data_dir, tmp_path / "second", "--no-worker")
    try:
        assert match[0] in text
        assert "Applying" not in text
        base = re.search(r"http://\S+/api/v1", text)
        assert base
        kept_lead = httpx.get(base[0] + created.headers["location"].removeprefix("/api/v1"), headers=auth)
        assert kept_lead.json()["email"] == "kept@example.com"
        lead = httpx.get(base[0] + "/leads?pipeline_stage=lost&limit=1", headers=auth).json()["data"][0]["id"]
        pushed = httpx.post(f"{base[0]}/leads/{lead}/push-to-crm", headers=auth)
        assert (pushed.status_code, pushed.json()["crm_sync"]["status"]) == (202, "pending")
        os.kill(int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        # The last sessions may still answer before they notice it.
        wait_for(lambda: "SIGKILL ended its process" in (tmp_path / "second").read_text())
        statuses = set()
        end = time.monotonic() + 60
        while 200 not in statuses and time.monotonic() < end:
            statuses.add(httpx.get(base[0] + "/leads?limit=1", headers=auth).status_code)
            time.sleep(0.1)
        assert statuses <= {200, 503}
        assert 200 in statuses
    finally:
        process.send_signal(signal.SIGHUP)
        assert process.wait(120) == 0


def test_of_two_servers_one_prepares_a_new_database(
    new_database: Callable[..., Database], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one waits. Otherwise both create the demo organization, and one can fail."""
    database = new_database()
    api, migrator, operator, worker = (
        database.url(f"leads_{login}") for login in ("api", "migrator", "operator", "worker")
    )
    urls = Addresses(api, migrator, operator, worker, is_embedded=True)
    both = threading.Barrier(2)
    seed = demo.seed

    def slow(url: str) -> str:
        with suppress(threading.BrokenBarrierError):
            both.wait(0.3)
        return seed(url)

    monkeypatch.setattr(demo, "seed", slow)
    configuration = settings.read({"LEADS_DATA_DIR": str(tmp_path)})
    with ThreadPoolExecutor(2) as executor:
        keys = list(executor.map(lambda _: serve.prepare_embedded(urls, configuration), range(2)))
    assert keys[0] == keys[1] == (tmp_path / "demo-key").read_text().strip()
    assert database.sql("select count(*) from app.organization") == [{"count": 2}]


COMMANDS = (
    ("organizations", "list"),
    ("keys", "create", "--organization", "ID", "--scopes", "read", "--expires", "90d", "--json"),
    ("keys", "list"),
    ("scoring", "show", "--organization", "ID"),
    ("scoring", "diff", "--organization", "ID"),
    ("crm", "list"),
    ("bi", "list"),
    ("audit", "verify"),
    ("migrate", "--plan"),
    ("migrate",),
)
SETTINGS = {
    "bytea_output": "escape",
    "datestyle": "German",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "extra_float_digits": "-15",
    "intervalstyle": "sql_standard",
    "lock_timeout": "1",
    "quote_all_identifiers": "on",
    "row_security": "off",
    "search_path": "nowhere",
    "standard_conforming_strings": "off",
    "statement_timeout": "1",
    "timezone": "Asia/Kathmandu",
}


@pytest.fixture(scope="module")
def drafted(new_database: Callable[..., Database], tmp_path_factory: pytest.TempPathFactory) -> tuple[Database, str]:
    """A database with an organization that has a draft, both with characters outside Latin-1."""
    database, file = new_database(), tmp_path_factory.mktemp("model") / "model.toml"
    file.write_text(
        'base = 1\n[[rules]]\nname = "leak"\nfield = "pain_points"\n'
        'operator = "present"\nlabel = "漏水"\nweight = 0.2\n',
        encoding="utf-8",
    )
    run = leads_on(database)
    organization = printed(run("organizations", "create", "漏水"))
    json.loads(printed(run("scoring", "edit", str(file), "--organization", organization, "--json")))
    return database, organization


@pytest.mark.parametrize(
    ("kind", "command"),
    [
        *(("settings", command) for command in COMMANDS),
        ("encoding", COMMANDS[0]),
        ("encoding", COMMANDS[4]),
        ("locale", COMMANDS[4]),
        ("locale", COMMANDS[8]),
    ],
)
def test_every_command_works_with_any_encoding_and_settings(
    drafted: tuple[Database, str], command: tuple[str, ...], kind: str
) -> None:
    database, organization = drafted
    environ = {
        "encoding": {"PYTHONIOENCODING": "latin-1"},
        "locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        "settings": {},
    }[kind]
    changes = SETTINGS if kind == "settings" else {}
    with psycopg.connect(database.server.url("postgres", "postgres"), autocommit=True) as connection:
        for name, value in changes.items():
            connection.execute(f"alter database {database.name} set {name} = '{value}'".encode())
        try:
            process = leads_on(database)(*(organization if part == "ID" else part for part in command), **environ)
        finally:
            connection.execute(f"alter database {database.name} reset all".encode())
    assert process.returncode == 0, process.stderr
    assert "Traceback" not in process.stderr
    if command[:2] in (("scoring", "diff"), ("organizations", "list")):
        assert ("\\u6f0f\\u6c34" if kind == "encoding" else "漏水") in process.stdout


def test_the_server_works_with_any_settings(drafted: tuple[Database, str], new_server: Callable[..., Server]) -> None:
    database, organization = drafted
    key = make_key(database, organization, "write")
    with psycopg.connect(database.server.url("postgres", "postgres"), autocommit=True) as connection:
        for name, value in SETTINGS.items():
            connection.execute(f"alter database {database.name} set {name} = '{value}'".encode())
        try:
            server = new_server(database)
        finally:
            connection.execute(f"alter database {database.name} reset all".encode())
    with server.client(key) as client:
        lead = client.post("/leads", json={"email": "a@example.com", "pain_points": "C:\\new"})
        assert lead.status_code == 201
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", lead.json()["created_at"])
        path = lead.headers["location"].removeprefix("/api/v1")
        assert client.get(path).json()["pain_points"] == "C:\\new"
        assert client.patch(path, json={"name": "Ann"}).status_code == 200
        assert client.get("/leads", params={"limit": 1}).status_code == 200
        events = client.get("/audit-log", params={"limit": 2}).json()["data"]
    assert {event["action"] for event in events} == {"lead.updated", "lead.created"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'", "has the encoding LATIN1, and UTF8 is needed"),
        ("encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'", "has the encoding SQL_ASCII, and UTF8 is needed"),
        ("", "standard_conforming_strings is off"),
    ],
)
def test_migrate_refuses_a_database_that_reads_text_otherwise(
    cluster: embedded.Server, options: str, sentence: str
) -> None:
    database = Database(cluster, f"t{uuid4().hex[:12]}")
    provider = "locale_provider libc" if options else ""
    with psycopg.connect(cluster.url("postgres", "postgres"), autocommit=True) as connection:
        connection.execute(
            f"create database {database.name} owner leads_migrator template template0 {options} {provider}".encode()
        )
        if not options:
            connection.execute(f"alter database {database.name} set standard_conforming_strings = off".encode())
    assert sentence in mistake(leads_on(database)("migrate"))
    assert database.sql("select from pg_namespace where nspname = 'yoyo'") == []


def test_files_are_read_and_written_as_utf_8() -> None:
    """Python's default depends on the locale."""
    for path in (ROOT / "app").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\bread_text\(\)|\btext=True", text), path
        assert not re.search(r"\bwrite_text\((?!.*encoding=)", text), path


def _url(data_dir: Path) -> str:
    with embedded.running(data_dir) as server:
        return server.url("leads_operator")
