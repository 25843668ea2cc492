"""docker-compose.yml, as far as it can be checked without Docker: its schema and its secrets.

`make test-docker` runs it on an engine (tests/docker).
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from app import embedded
from app.embedded import cluster
from app.settings import ROOT
from tools import secrets

COMPOSE = ROOT / "docker-compose.yml"
SPEC: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
SERVICES: dict[str, dict[str, Any]] = SPEC["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "leads-api"]


def check(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True)


def test_it_follows_the_compose_specification() -> None:
    result = check(COMPOSE)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("    healthcheck:", "    health_check:"),
        ("condition: service_completed_successfully", "condition: completed"),
        ("cap_drop: [ALL]", "cap_drop: ALL"),
        ("    file: ./secrets/postgres_password", "    path: ./secrets/postgres_password"),
    ],
)
def test_the_schema_refuses_a_file_that_does_not_follow_it(right: str, wrong: str, tmp_path: Path) -> None:
    text = COMPOSE.read_text()
    assert right in text
    (tmp_path / "docker-compose.yml").write_text(text.replace(right, wrong))
    assert check(tmp_path / "docker-compose.yml").returncode == 1


def strings(node: object) -> Iterator[str]:
    """Return every text in a YAML document, keys included."""
    if isinstance(node, Mapping):
        node = [*node.keys(), *node.values()]
    if isinstance(node, list):
        for item in node:
            yield from strings(item)
    elif node is not None:
        yield str(node)


def test_it_contains_no_password() -> None:
    addresses = [text for text in strings(SPEC) if "://" in text]
    assert addresses
    for text in addresses:
        assert urlsplit(text).password is None
        assert "password=" not in text
    named = {name: value for service in SERVICES.values() for name, value in service.get("environment", {}).items()}
    credentials = {name: value for name, value in named.items() if re.search("PASSWORD|SECRET|KEY", name)}
    assert {"DATABASE_PASSWORD_FILE", "LEADS_CRM_KEY_FILE"} <= credentials.keys()
    for name, value in credentials.items():
        assert name.endswith("_FILE")
        assert value.startswith("/run/secrets/")


def test_its_secrets_are_the_files_that_make_secrets_creates() -> None:
    files = {*map(secrets.file_name, secrets.LOGINS), secrets.CRM_KEY}
    assert SPEC["secrets"] == {name: {"file": f"./{secrets.FOLDER.name}/{name}"} for name in files}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_gets_only_the_secrets_that_its_environment_names(name: str) -> None:
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


def test_only_the_worker_and_the_operator_have_the_crm_key() -> None:
    named = {name: service.get("environment", {}).get("LEADS_CRM_KEY_FILE") for name, service in SERVICES.items()}
    place = f"/run/secrets/{secrets.CRM_KEY}"
    assert {name: file for name, file in named.items() if file} == {"worker": place, "operator": place}
    assert {name for name, service in SERVICES.items() if secrets.CRM_KEY in service.get("secrets", [])} == {
        "worker",
        "operator",
    }


def test_postgresql_has_the_settings_of_the_embedded_server(tmp_path: Path) -> None:
    programs = embedded.binary("postgres").parent
    server = embedded.Server(tmp_path, 5432)
    newer = {"max_notify_queue_pages": "8192", "reserved_connections": "30"}  # than PostgreSQL 15
    arguments = cluster.command(tmp_path, programs, server, newer)
    settings = dict(part.split("=", 1) for flag, part in pairwise(arguments) if flag == "-c")
    # Where the server's files, log and addresses are: the image decides that.
    for name in ("hba_file", "ident_file", "listen_addresses", "port", "logging_collector", "log_destination"):
        del settings[name]
    settings = {name: value for name, value in settings.items() if not name.startswith("unix_socket_")}
    options = [part.removeprefix("--") for part in SERVICES["postgres"]["command"] if part.startswith("--")]
    assert dict(option.split("=", 1) for option in options) == settings
