"""Shared by the tests of the CRM: a connected organization, its leads, and worker processes."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.settings import ROOT
from app.worker import loop
from app.worker.totals import Totals
from app.worker.vault import Vault, new_key
from tests.support.database import Database, Organization, make_organization
from tests.support.process import Server
from tests.support.simulator import KEY, Simulator, running

CRM_KEY = new_key()
ENVIRON = {"LEADS_CRM_KEY": CRM_KEY, "LEADS_ALLOW_LOOPBACK_VENDORS": "1"}


@dataclass(frozen=True)
class Worker:
    """A worker process."""

    process: subprocess.Popen[bytes]
    log: Path

    def stop(self) -> int:
        """Stops the worker with SIGTERM, and returns its exit code."""
        self.process.terminate()
        return self.process.wait(120)


def connect(
    database: Database, organization: Organization, simulator: Simulator, vendor: str = "jobnimbus", **settings: Any
) -> None:
    """Connects the organization with the command line and the simulator's key."""
    base = {
        "jobnimbus": {
            "record_type_name": "Customer",
            "status_name": "Lead",
            "source_names": "google_ads=Google Ads",
            "base_url": f"{simulator.url}/api1",
        },
        "hubspot": {"base_url": simulator.url},
        "webhook": {"url": f"{simulator.url}/hook"},
    }[vendor]
    options = [part for name, value in {**base, **settings}.items() for part in ("--set", f"{name}={value}")]
    process = leads_crm(
        database,
        *("connect", vendor, "--organization", organization.id, "--api-key-file", "-", *options),
        input=simulator.secret if vendor == "webhook" else KEY,
    )
    assert process.returncode == 0, process.stderr


def leads_crm(database: Database, *arguments: str, input: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs ``leads crm``."""
    return subprocess.run(
        [sys.executable, "-m", "app", "crm", *arguments],
        cwd=ROOT,
        env={**os.environ, "LEADS_OPERATOR_URL": database.url("leads_operator"), **ENVIRON, **environ},
        input=input,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def start_worker(database: Database, log: Path, **environ: str) -> Worker:
    """Starts a worker process."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "worker"],
            cwd=ROOT,
            env={**os.environ, "LEADS_WORKER_URL": database.url("leads_worker"), **ENVIRON, **environ},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return Worker(process, log)


@contextmanager
def working(database: Database, folder: Path, **environ: str) -> Iterator[Worker]:
    """Runs a worker during the block."""
    worker = start_worker(database, folder / "worker.log", **environ)
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            worker.stop()
    # An interrupted attempt is retried, so that a test would still pass, but later.
    assert '"level":"error"' not in worker.log.read_text()


@contextmanager
def at_work(database: Database, vault: Vault, *, allow_loopback: bool = False) -> Iterator[Totals]:
    """Runs a worker in a thread during the block, so that a test can patch it."""
    totals, stop, started = Totals(), threading.Event(), threading.Event()
    failed: list[BaseException] = []

    async def run() -> None:
        ended = asyncio.Event()
        url = database.url("leads_worker")
        work = asyncio.create_task(loop.work(url, vault, allow_loopback=allow_loopback, stop=ended, totals=totals))
        started.set()
        await asyncio.to_thread(stop.wait)
        ended.set()
        await work

    def target() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    started.wait()
    try:
        yield totals
    finally:
        stop.set()
        thread.join()
    assert not failed


def live_organization(database: Database, name: str = "Acme Restoration") -> Organization:
    """Creates an organization whose pushes are not simulated."""
    return make_organization(database, name, environment="live")


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:
    """Calls the function until its result is true, and returns the result."""
    end = time.monotonic() + seconds
    while True:
        result = what()
        if result:
            return result
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


# Fixtures and short functions for the tests


@pytest.fixture
def vendor() -> Iterator[Simulator]:
    """A simulated CRM whose search shows a record at once."""
    with running() as started:
        yield started


@pytest.fixture
def organization(database: Database, vendor: Simulator) -> Organization:
    """A live organization that is connected to the simulated JobNimbus."""
    created = live_organization(database)
    connect(database, created, vendor, settle_seconds=1)
    vendor.requests.clear()
    return created


@pytest.fixture(scope="module")
def worker(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A worker on the module's database."""
    with working(database, tmp_path_factory.mktemp("worker")) as started:
        yield started


@pytest.fixture
def api(server: Server, organization: Organization) -> Iterator[httpx.Client]:
    """A client of the API, with a key of scope write."""
    with server.client(organization.keys["write"]) as client:
        yield client


def new_lead(api: httpx.Client, **fields: Any) -> str:
    """Creates a lead, and returns its id."""
    body = {"name": "Ada Abbott", "email": "ada.abbott@example.com"} | fields
    id: str = api.post("/leads", json=body).json()["id"]
    return id


def push(api: httpx.Client, lead: str, **headers: str) -> httpx.Response:
    """Requests the push."""
    return api.post(f"/leads/{lead}/push-to-crm", headers=headers)


def state(api: httpx.Client, lead: str) -> Any:
    """Returns the state of the push, or None if the lead was never pushed."""
    return api.get(f"/leads/{lead}/crm-sync").json()["crm_sync"]


def ends(api: httpx.Client, lead: str) -> Any:
    """Waits until the push has ended, and returns its state."""
    return wait_for(lambda: (s := state(api, lead)) and s["status"] not in ("pending", "in_progress") and s)


def actions(api: httpx.Client, lead: str) -> list[str]:
    """Returns the actions in the audit log of the lead, the oldest first."""
    return [event["action"] for event in reversed(api.get(f"/audit-log?lead_id={lead}").json()["data"])]
