"""A primary and its standby, which a module of tests shares."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli import migrate
from bench import hosts
from bench.hosts import Pair
from tests.support.database import Organization, announce_worker_key, make_organization
from tests.support.replicas import SETTINGS


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """A primary and its standby."""
    folder = Path(tempfile.mkdtemp(prefix="leads-hosts-"))
    folder.chmod(0o755)
    with hosts.running(folder, migrate.apply, SETTINGS) as pair:
        announce_worker_key(pair.primary.server.url("leads_worker"))
        yield pair
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def acme(pair: Pair) -> Organization:
    organization = make_organization(pair.primary.database)
    pair.wait_for_stream()
    return organization
