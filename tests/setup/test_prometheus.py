"""Prometheus itself: the example of its configuration, the alerts and the dashboard, on a server and a
worker that run. They are in docs/examples.
"""

import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from app import embedded
from app.cli import migrate
from app.settings import ROOT
from tests.api.test_metrics import url_in
from tests.setup.test_embedded import folder_for_all
from tests.support.database import Database
from tests.support.process import free_port
from tests.support.pushing import connect, live_organization, start_worker, wait_for
from tests.support.simulator import running

EXAMPLES = ROOT / "docs" / "examples"
RULES = EXAMPLES / "prometheus" / "alerts.yml"

pytestmark = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="There is no Prometheus. Debian: apt-get install prometheus"
)


def promtool(*arguments: str | Path) -> None:
    process = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr


def test_the_configuration_and_the_alerts_are_valid() -> None:
    promtool("check", "config", EXAMPLES / "prometheus" / "prometheus.yml")
    promtool("check", "rules", RULES)


def test_each_alert_fires_when_it_should_and_only_then() -> None:
    tests = ROOT / "tests" / "setup" / "alerts_test.yml"
    promtool("test", "rules", tests)
    tested = set(re.findall(r"alertname: (\w+)", tests.read_text()))
    assert tested == {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}


def test_each_alert_is_documented() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    alerts = {rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}
    assert set(re.findall(r"^\| `(Leads\w+)` \|", page, re.MULTILINE)) == alerts


def in_seconds(rules: str) -> str:
    """Returns the rules with each minute replaced by a second: in durations such as 5m, and in factors
    such as ``* 60``. Nothing else is changed.
    """
    return re.sub(r"\* 60\b", "* 1", re.sub(r"\b(\d+)m\b", r"\1s", rules))


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus that runs."""

    url: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        response = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}).json()
        assert response["status"] == "success", response
        result: list[dict[str, Any]] = response["data"]["result"]
        return result

    def firing(self) -> set[str]:
        return {alert["metric"]["alertname"] for alert in self.query('ALERTS{alertstate="firing"}')}


def is_ready(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(url).status_code == 200
    return False


@contextmanager
def prometheus(folder: Path, *targets: str) -> Iterator[Prometheus]:
    """Runs Prometheus with the example's configuration, which differs only in intervals and targets."""
    configuration = yaml.safe_load((EXAMPLES / "prometheus" / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["scrape_configs"][0]["static_configs"][0]["targets"] = list(targets)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    (folder / "alerts.yml").write_text(in_seconds(RULES.read_text()))
    address = f"127.0.0.1:{free_port()}"
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'prometheus'}",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: is_ready(f"http://{address}/-/ready"), 60)
        yield Prometheus(f"http://{address}")
    finally:
        process.kill()
        process.wait()


@contextmanager
def own_database(folder: Path) -> Iterator[tuple[Database, int]]:
    """A migrated database on a PostgreSQL of its own, and the process that may be killed."""
    with embedded.running(folder, options={"fsync": "off"}) as server:
        migrate.apply(server.url("leads_migrator"))
        yield Database(server, "leads"), int((folder / "postgres" / "postmaster.pid").read_text().split()[0])


def test_prometheus_sees_a_failing_vendor_the_end_of_postgresql_and_the_end_of_the_worker(tmp_path: Path) -> None:
    with folder_for_all() as folder, own_database(folder / "own") as (database, postmaster), running() as vendor:
        organization = live_organization(database)
        log = tmp_path / "server.log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                [sys.executable, "-m", "app", "serve", "--port", "0"],
                cwd=ROOT,
                env={
                    **os.environ,
                    "DATABASE_URL": database.url("leads_api"),
                    "LEADS_METRICS": "127.0.0.1:0",
                    "LEADS_RATE_LIMIT": "60",
                    "LEADS_RATE_BURST": "30",
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        worker = start_worker(database, tmp_path / "worker.log", LEADS_METRICS="127.0.0.1:0", PYTHONUNBUFFERED="1")
        try:
            connect(database, organization, vendor)
            addresses = [url_in(log), url_in(worker.log)]
            targets = [httpx.URL(address).netloc.decode() for address in addresses]
            with prometheus(tmp_path, *targets) as prom:
                watch(prom, database, vendor, log, organization.keys, postmaster, worker.process)
        finally:
            for process in (server, worker.process):
                process.kill()
                process.wait()


def watch(
    prom: Prometheus, database: Database, vendor: Any, log: Path, keys: dict[str, str], postmaster: int, worker: Any
) -> None:
    base = wait_for(lambda: re.findall(r"(http://[^ ]+)/api/v1", log.read_text()))[0]
    wait_for(lambda: is_ready(f"{base}/readyz"))
    vendor.down()
    with httpx.Client(
        base_url=f"{base}/api/v1", headers={"Authorization": f"Bearer {keys['write']}"}, verify=False
    ) as client:
        for number in range(3):
            lead = {"name": "Ada", "email": f"ada{number}@example.com", "pipeline_stage": "qualified"}
            assert client.post("/leads", json=lead).status_code == 201
            time.sleep(1)  # so that the counters increase between two scrapes
        wait_for(lambda: {"LeadsPushesFail", "LeadsOutboxWaits"} <= prom.firing(), 60)
        client.get("/leads")
        over = {"Authorization": f"Bearer {keys['read']}"}
        wait_for(lambda: client.get("/leads", headers=over).status_code == 429)
        dashboard = json.loads((EXAMPLES / "grafana.json").read_text())
        queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        assert len(queries) > 20
        for query in queries:
            expression = query.replace("$__rate_interval", "60s")
            wait_for(functools.partial(prom.query, expression), 60)
    wait_for(lambda: not {"LeadsDatabaseDown", "LeadsWorkerStopped", "LeadsTargetDown"} & prom.firing(), 60)

    os.kill(postmaster, signal.SIGQUIT)
    wait_for(lambda: "LeadsDatabaseDown" in prom.firing(), 60)
    # What the worker had read has vanished, and its end is not reported instead.
    wait_for(lambda: prom.query("leads_database_up == 0") and not prom.query("leads_outbox_pushes"), 60)
    wait_for(lambda: "LeadsWorkerStopped" not in prom.firing(), 60)

    worker.kill()
    wait_for(lambda: {"LeadsWorkerStopped", "LeadsTargetDown"} <= prom.firing(), 60)
