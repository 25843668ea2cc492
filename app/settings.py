"""The settings, read once from the environment.
A wrong value fails at start, with the variable's name.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent


class SettingsError(Exception):
    """A variable has a value that can't be used. The message names it and says what to do."""


@dataclass(frozen=True)
class Settings:
    """The settings of one process.

    The four addresses are libpq connection strings, one login each: the shim, the migrations, the
    operator's commands and the CRM worker. None: the embedded server's. An address's password may
    stand in a file, as containers get theirs, named by the variable that ends in PASSWORD_FILE
    instead of URL: DATABASE_PASSWORD_FILE for DATABASE_URL, LEADS_MIGRATE_PASSWORD_FILE for
    LEADS_MIGRATE_URL. It takes precedence over a password in the address.
    """

    host: str
    port: int
    bi_port: int | None
    """The TCP port of the embedded server on 127.0.0.1, for analysts. None: TCP is off."""
    workers: int
    data_dir: Path
    database_url: str | None
    replica_urls: tuple[str, ...]
    """The addresses of the replicas of DATABASE_URL, with its login. Empty: there are none."""
    replica_lag: int
    """Seconds by which a replica that answers may be behind the primary."""
    replica_admin_keys: bool
    """Whether reads with an admin key may go to a replica."""
    migrate_url: str | None
    operator_url: str | None
    worker_url: str | None
    router_url: str | None
    """The address of leads_router, whose password leads migrate --set-passwords sets. None: it stays as it is."""
    connections: int
    """Database connections of each server process, 1 to 100."""
    queue: int
    """Requests of each server process that may wait for a connection.
    Further ones are answered 503.
    """
    prepared_statements: bool
    """Whether connections prepare statements. Off for a pooler that shares sessions."""
    drain_seconds: int
    """Seconds for which the server still takes requests after SIGTERM, while /readyz is 503."""
    keep_alive_seconds: int
    """Seconds after which an idle connection of a client is closed."""
    server_timing: bool
    """Whether responses have the header Server-Timing."""
    cors_origins: tuple[str, ...]
    """Origins whose pages may call the API. Empty: CORS is off."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    """Proxies whose X-Forwarded-For tells the address of the client. Empty: none."""
    rate_limit: int | None
    """Requests per minute of each key and of each form. None: they are not limited."""
    rate_burst: int
    """Requests that a key or form may send at once, after a pause."""
    crm_key: str | None
    """The keys that encrypt the CRM credentials and open the secrets of webhooks (app/worker/vault.py).
    None: the embedded server's own key.
    """
    has_worker: bool
    """Whether serve also runs a CRM worker, if the server is embedded."""
    api_url: str
    """The address of the API's host, which leads mcp calls."""
    api_key: str | None
    """The key with which leads mcp calls the API. None: none is set."""
    cells_dir: Path
    """The folder with the directory of the cells (app/cells/files.py)."""
    cell: str | None
    """The cell in which the operator's commands work. None: the one that has the organization."""
    router_sockets: tuple[str, ...]
    """The routers whose map is kept: paths or host:port of sockets of HAProxy, or addresses of databases."""
    metrics: tuple[str, int] | None
    """The host and the port of the metrics. None: there are none."""
    allow_loopback_vendors: bool
    """Whether a vendor's address may be on this machine. For tests and sandboxes."""


def read(environ: Mapping[str, str] = os.environ) -> Settings:
    """Reads the environment. An empty value counts as unset. Raises SettingsError."""

    def value(name: str, default: T, parse: Callable[[str], T]) -> T:
        text = environ.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as error:
            raise SettingsError(f"{name} is {text!r}, but {error}. Correct it, or leave it out.") from None

    def address(name: str) -> str | None:
        url = value(name, None, str)
        file = name.removesuffix("URL") + "PASSWORD_FILE"
        password = value(file, None, _password)
        if url is None:
            if password is None:
                return None
            raise SettingsError(f"{file} is set, and {name} isn't: give it the address that the password is for.")
        try:
            return make_conninfo(url) if password is None else make_conninfo(url, password=password)
        except psycopg.ProgrammingError:
            raise SettingsError(f"{name} is not an address such as postgresql://leads_api@localhost/leads.") from None

    no_urls: tuple[str, ...] = ()
    replica_urls = value("DATABASE_REPLICA_URL", no_urls, _replicas)
    replica_password = value("DATABASE_REPLICA_PASSWORD_FILE", None, _password)
    if replica_password is not None:
        replica_urls = tuple(make_conninfo(address, password=replica_password) for address in replica_urls)

    rate_limit = value("LEADS_RATE_LIMIT", None, _whole(1, 1_000_000))
    rate_burst = value("LEADS_RATE_BURST", None, _whole(1, 1_000_000))
    if rate_limit is None and rate_burst is not None:
        raise SettingsError("LEADS_RATE_BURST is set, and LEADS_RATE_LIMIT isn't: set it to the requests per minute.")

    data_dir = value("LEADS_DATA_DIR", ROOT / ".data", _folder)
    return Settings(
        host=value("HOST", "127.0.0.1", str),
        port=value("PORT", 8000, _whole(0, 65535)),
        bi_port=value("BI_PORT", None, _whole(1, 65535)),
        workers=value("WORKERS", 1, _whole(1, 64)),
        data_dir=data_dir,
        database_url=address("DATABASE_URL"),
        replica_urls=replica_urls,
        replica_lag=value("LEADS_REPLICA_LAG", 5, _whole(1, 3600)),
        replica_admin_keys=value("LEADS_REPLICA_ADMIN_KEYS", True, _switch({"on": True, "off": False})),
        migrate_url=address("LEADS_MIGRATE_URL"),
        operator_url=address("LEADS_OPERATOR_URL"),
        worker_url=address("LEADS_WORKER_URL"),
        router_url=address("LEADS_ROUTER_URL"),
        connections=value("LEADS_CONNECTIONS", 8, _whole(1, 100)),
        queue=value("LEADS_QUEUE", 256, _whole(0, 10000)),
        prepared_statements=value("LEADS_PREPARED_STATEMENTS", True, _switch({"on": True, "off": False})),
        drain_seconds=value("LEADS_DRAIN_SECONDS", 0, _whole(0, 300)),
        keep_alive_seconds=value("LEADS_KEEP_ALIVE_SECONDS", 75, _whole(1, 3600)),
        server_timing=value("LEADS_SERVER_TIMING", True, _switch({"on": True, "off": False})),
        cors_origins=value("LEADS_CORS_ORIGINS", (), _origins),
        trusted_proxies=value("LEADS_TRUSTED_PROXIES", (), _networks),
        rate_limit=rate_limit,
        rate_burst=rate_burst or 2 * (rate_limit or 0),
        crm_key=value("LEADS_CRM_KEY", None, str) or value("LEADS_CRM_KEY_FILE", None, _password),
        has_worker=value("LEADS_WORKER", True, _switch({"on": True, "off": False})),
        api_url=value("LEADS_API_URL", "http://127.0.0.1:8000", _http_address),
        api_key=value("LEADS_API_KEY", None, str) or value("LEADS_API_KEY_FILE", None, _password),
        cells_dir=value("LEADS_CELLS_DIR", data_dir / "cells", _folder),
        cell=value("LEADS_CELL", None, str),
        router_sockets=value("LEADS_ROUTER_SOCKET", (), lambda text: tuple(text.split())),
        metrics=value("LEADS_METRICS", None, _host_and_port),
        allow_loopback_vendors=value("LEADS_ALLOW_LOOPBACK_VENDORS", False, _switch({"1": True, "0": False})),
    )


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"it must be a whole number from {low} to {high}")
        return int(text)

    return parse


def _switch(words: Mapping[str, bool]) -> Callable[[str], bool]:
    def parse(text: str) -> bool:
        if text not in words:
            raise ValueError(f"it must be {' or '.join(words)}")
        return words[text]

    return parse


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("it must be a host and a port, such as 127.0.0.1:9464")
    return host, int(port)


def _replicas(text: str) -> tuple[str, ...]:
    """The addresses of the replicas. One in the form of key words has blanks itself. Raises
    SettingsError, which shows no password.
    """
    parts = [line.split() if "://" in line.split("=")[0] else [line.strip()] for line in text.splitlines()]
    try:
        addresses = [conninfo_to_dict(part) for line in parts for part in line if part]
    except psycopg.ProgrammingError:
        raise SettingsError(
            "DATABASE_REPLICA_URL is not a list of addresses such as postgresql://leads_api@replica/leads, separated "
            "by blanks or lines."
        ) from None
    for address in addresses:
        if "," in f"{address.get('host', '')}{address.get('hostaddr', '')}{address.get('port', '')}":
            raise SettingsError(
                "DATABASE_REPLICA_URL has an address with several hosts. Write an address for each replica."
            )
    return tuple(make_conninfo("", **address) for address in addresses)


def _http_address(text: str) -> str:
    if not re.fullmatch(r"https?://[^/\s?#@]+(/[^\s?#]*)?", text):
        raise ValueError("it must be the address of an API server, such as https://leads.example.com")
    return text


def _password(text: str) -> str:
    try:
        password = Path(text).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"that file can't be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ValueError("that file isn't text") from None
    if not password:
        raise ValueError("that file is empty")
    return password


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(origin.strip() for origin in text.split(","))
    if not all(origin == "*" or origin.startswith(("http://", "https://")) for origin in origins):
        raise ValueError("it must be origins such as https://app.example.com, separated by commas, or *")
    return origins


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(","))
    except ValueError:
        raise ValueError(
            "it must be addresses or networks such as 10.0.0.0/8, separated by commas, without host bits"
        ) from None
