"""A router with PL/Proxy, and two cells, each on a PostgreSQL of its own."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.cli import migrate
from app.embedded import cluster
from bench.hosts import Host
from tests.support.database import announce_worker_key
from tests.support.moving import SETTINGS

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
"""Where Debian installs PostgreSQL 15. PL/Proxy of Debian 12 is for this version only."""


def missing() -> str | None:
    """What is not installed."""
    if not (PROGRAMS / "postgres").exists():
        return "There is no PostgreSQL 15. Debian: apt-get install postgresql-15"
    if not (PROGRAMS.parent / "lib/plproxy.so").exists():
        return "There is no PL/Proxy. Debian: apt-get install postgresql-15-plproxy"
    return None


needs_plproxy = pytest.mark.skipif(missing() is not None, reason=missing() or "")


@contextmanager
def three_hosts() -> Iterator[tuple[Host, Host, Host]]:
    """Servers for the router and for two cells, each with a migrated database. The first two have PostgreSQL 15."""
    folder = Path(tempfile.mkdtemp(prefix="leads-plproxy-"))
    folder.chmod(0o755)  # the account of PostgreSQL enters it
    hosts: list[Host] = []
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LEADS_PG_BIN", str(PROGRAMS))
            hosts += [Host(folder / name, SETTINGS) for name in ("router", "east")]
        hosts.append(Host(folder / "west", SETTINGS))
        router, east, west = hosts
        for host in (router, west):
            with pytest.MonkeyPatch.context() as patch:
                if host is router:
                    patch.setenv("LEADS_PG_BIN", str(PROGRAMS))
                host.create()
                host.start()
                cluster.create_database(host.server)
            migrate.apply(host.server.url("leads_migrator"))
            announce_worker_key(host.server.url("leads_worker"))
        router.end()
        # A copy, which saves the time of the migrations.
        shutil.copytree(router.data, east.data)
        for path in (east.data, *east.data.rglob("*")):
            east.own(path)
        router.start()
        east.start()
        yield router, east, west
    finally:
        for host in hosts:
            host.end()
        shutil.rmtree(folder)
