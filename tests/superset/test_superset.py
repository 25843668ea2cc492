"""A real Superset on an analyst's login: data sets, charts, and the dashboard in docs/examples.

make test-superset installs Superset into an environment of its own. Without it these tests are
skipped. SUPERSET_PICTURE names a file for the picture of the dashboard.
"""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from app.cli import demo
from app.settings import ROOT
from tests.support.process import free_port, leads_in, printed
from tools import browser

PROGRAMS = ROOT / ".venv" / "superset" / "bin"
EXAMPLE = ROOT / "docs" / "examples" / "superset"
CHARTS = {
    "leads": "pipeline_stage",
    "stage_history": "stage",
    "pipeline_daily": "stage",
    "source_performance": "source",
    "score_calibration": "score_from",
    "lead_changes": "field",
}
"""The six data sets that the first test makes, each with a column to group by."""

CONFIGURATION = """
SECRET_KEY = "for this test only, and longer than 42 characters"
SQLALCHEMY_DATABASE_URI = "sqlite:///{folder}/superset.db"
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
"""

pytestmark = pytest.mark.skipif(not PROGRAMS.is_dir(), reason="Superset is not installed: make test-superset.")


@contextmanager
def program(*command: str | Path, log: Path, ready: str, environ: dict[str, str]) -> Iterator[None]:
    """Runs a server for the block, as soon as its address answers."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=output, stderr=output)
    try:
        for _ in range(1200):
            assert process.poll() is None, log.read_text(errors="replace")
            with suppress(httpx.HTTPError):
                if httpx.get(ready, timeout=60).is_success:
                    break
            time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="leads-superset-"))
    path.chmod(0o755)  # PostgreSQL's user must pass
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """The address of an analyst of the demo."""
    environ = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    environ["LEADS_DATA_DIR"] = str(folder / "data")
    port = free_port()
    command = (sys.executable, "-m", "app", "serve", f"--port={port}", f"--bi-port={free_port()}")
    with program(*command, log=folder / "serve", ready=f"http://127.0.0.1:{port}/readyz", environ=environ):
        leads = leads_in(environ)
        organizations = json.loads(printed(leads("organizations", "list", "--json")))
        demo_id = next(row["id"] for row in organizations if row["name"] == demo.ORGANIZATION)
        address = printed(leads("bi", "create", "ann", "--organization", demo_id))
        counted = "select complete_until > (select max(changed_at) from bi.lead_changes) from bi.freshness"
        with psycopg.connect(address, autocommit=True) as connection:
            for _ in range(600):  # the worker adds the demo's stages to the figures
                if connection.execute(counted).fetchone() == (True,):
                    break
                time.sleep(0.1)
        yield address


@dataclass(frozen=True)
class Superset:
    """A running Superset, and a client of its API."""

    base: str
    client: httpx.Client

    def post(self, path: str, **body: object) -> dict[str, Any]:
        """The answer to a request that succeeds."""
        answer = self.client.post(f"/api/v1/{path}", json=body)
        assert answer.is_success, answer.text
        result: dict[str, Any] = answer.json()
        return result

    def get(self, path: str, **parameters: str) -> Any:
        """The result of a request that succeeds."""
        answer = self.client.get(f"/api/v1/{path}", params=parameters)
        assert answer.is_success, answer.text
        return answer.json()["result"]


@pytest.fixture(scope="module")
def superset(folder: Path) -> Iterator[Superset]:
    (folder / "superset_config.py").write_text(CONFIGURATION.format(folder=folder))
    environ = {
        **os.environ,
        "SUPERSET_CONFIG_PATH": str(folder / "superset_config.py"),
        "FLASK_APP": "superset",
        "SCARF_ANALYTICS": "false",
    }
    admin = "--username=admin --password=admin --firstname=A --lastname=B --email=a@example.com".split()
    for command in (("db", "upgrade"), ("fab", "create-admin", *admin), ("init",)):
        result = subprocess.run(
            [PROGRAMS / "superset", *command], env=environ, capture_output=True, text=True, timeout=600, check=False
        )
        assert result.returncode == 0, result.stderr
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    # As many threads as the dashboard has charts.
    server = (
        PROGRAMS / "gunicorn",
        "--worker-class=gthread",
        "--threads=16",
        "--timeout=300",
        f"--bind=127.0.0.1:{port}",
    )
    with (
        program(*server, "superset.app:create_app()", log=folder / "log", ready=f"{base}/health", environ=environ),
        httpx.Client(base_url=base, timeout=300, verify=False) as client,
    ):
        login = {"username": "admin", "password": "admin", "provider": "db", "refresh": True}
        token = client.post("/api/v1/security/login", json=login).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield Superset(base, client)


@pytest.fixture(scope="module")
def database(superset: Superset, url: str) -> int:
    """The analyst's connection in Superset."""
    return int(superset.post("database/", database_name="Analyst", sqlalchemy_uri=url)["id"])


def test_the_schema_bi_lists_the_views(superset: Superset, database: int, url: str) -> None:
    assert {"bi", "app", "auth"} <= set(superset.get(f"database/{database}/schemas/"))
    listed = superset.get(f"database/{database}/tables/", q="(schema_name:bi)")
    with psycopg.connect(url) as connection:
        query = "select relname::text from pg_class where relnamespace = 'bi'::regnamespace and relkind = 'v'"
        assert {(table["value"],) for table in listed} == set(connection.execute(query.encode()).fetchall())


def test_six_data_sets_answer_twelve_charts_at_once(superset: Superset, database: int, url: str) -> None:
    bodies, expected, made = [], [], []
    with psycopg.connect(url) as connection:
        for view, column in CHARTS.items():
            dataset = superset.post("dataset/", database=database, schema="bi", table_name=view)
            metric = {"expressionType": "SQL", "sqlExpression": "count(*)", "label": "rows"}
            params = {"datasource": f"{dataset['id']}__table", "viz_type": "table", "groupby": [column]}
            source = {"datasource_id": dataset["id"], "datasource_type": "table"}
            chart = superset.post("chart/", slice_name=view, viz_type="table", params=json.dumps(params), **source)
            made += [f"chart/{chart['id']}", f"dataset/{dataset['id']}"]
            for columns in ([], [column]):
                query = {"columns": columns, "metrics": [metric], "row_limit": 1000}
                bodies.append({"datasource": {"id": dataset["id"], "type": "table"}, "queries": [query], "force": True})
                groups = f"group by {column}" if columns else ""
                answer = connection.execute(f"select count(*) from bi.{view} {groups}".encode())
                expected.append(sorted(row[0] for row in answer.fetchall()))
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda body: superset.client.post("/api/v1/chart/data", json=body), bodies))
    assert [answer.status_code for answer in answers] == [200] * 12, [answer.text for answer in answers]
    results = [answer.json()["result"][0] for answer in answers]
    assert [sorted(row["rows"] for row in result["data"]) for result in results] == expected
    assert all(min(counts) > 0 for counts in expected)
    # In a Superset on SQLite, the name of a data set is unique, also if the databases differ.
    for path in made:
        assert superset.client.delete(f"/api/v1/{path}").is_success


def test_a_table_of_another_schema_cannot_be_read(superset: Superset, database: int) -> None:
    query = {"database_id": database, "sql": "select * from app.lead", "schema": "bi", "runAsync": False}
    answer = superset.client.post("/api/v1/sqllab/execute/", json=query)
    assert answer.status_code >= 400
    assert "permission denied for schema app" in answer.text


def test_the_time_out_can_be_lifted_in_the_address(superset: Superset, url: str) -> None:
    longer = f"{url}?options=-c%20statement_timeout%3D10min"
    database = superset.post("database/", database_name="Longer", sqlalchemy_uri=longer)["id"]
    query = {"database_id": database, "sql": "show statement_timeout", "runAsync": False}
    assert superset.post("sqllab/execute/", **query)["data"] == [{"statement_timeout": "10min"}]


@pytest.fixture(scope="module")
def charts(superset: Superset, url: str) -> list[dict[str, Any]]:
    """The charts of the dashboard in docs/examples, which is imported as Superset's own form does."""
    files = io.BytesIO()
    with zipfile.ZipFile(files, "w") as archive:
        for path in sorted(EXAMPLE.rglob("*.yaml")):
            text = path.read_text(encoding="utf-8")
            if path.name == "Leads.yaml" and path.parent.name == "databases":
                # The page's command: the analyst's own line in place of the example's.
                text, count = re.subn(r"(?m)^sqlalchemy_uri: .*$", f"sqlalchemy_uri: {url}", text)
                assert count == 1
            archive.writestr(f"superset/{path.relative_to(EXAMPLE)}", text)
    answer = superset.client.post(
        "/api/v1/dashboard/import/", files={"formData": ("dashboard.zip", files.getvalue())}, data={"passwords": "{}"}
    )
    assert answer.is_success, answer.text
    result: list[dict[str, Any]] = superset.get("dashboard/leads/charts")
    return result


def test_the_example_names_only_columns_that_exist(url: str) -> None:
    with psycopg.connect(url) as connection:
        query = "select column_name::text from information_schema.columns where table_schema = 'bi' and table_name = %s"
        for path in (EXAMPLE / "datasets" / "Leads").glob("*.yaml"):
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
            names = {row[0] for row in connection.execute(query, [data["table_name"]]).fetchall()}
            assert {column["column_name"] for column in data["columns"]} <= names, path.name


@pytest.mark.skipif(not browser.is_here(), reason=browser.MISSING)
def test_every_chart_of_the_example_shows_something(superset: Superset, charts: list[dict[str, Any]]) -> None:
    names = {yaml.safe_load(path.read_text())["slice_name"] for path in (EXAMPLE / "charts").glob("*.yaml")}
    assert {chart["slice_name"] for chart in charts} == names
    with browser.running(1400, 900) as page:
        page.driver.get(f"{superset.base}/login/")
        for name, typed in (("username", "admin"), ("password", "admin\n")):
            fields = partial(page.driver.find_elements, "css selector", f"#{name}")
            browser.wait(fields, f"field {name}", 120)[0].send_keys(typed)
        browser.wait(lambda: "/login" not in page.driver.current_url, "page after the login", 120)
        page.driver.get(f"{superset.base}/superset/dashboard/leads/?standalone=2")
        height = browser.wait(
            lambda: page.script("return document.querySelector('.grid-content')?.scrollHeight"), "grid", 120
        )
        # All rows are within the window, because Superset loads a chart when it is seen.
        metrics = {"width": 1400, "height": int(height) + 60, "deviceScaleFactor": 1, "mobile": False}
        page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        shown = (
            "return [...document.querySelectorAll('.chart-slice')]"
            ".filter(chart => chart.querySelector('canvas, table, .header-line')).length"
        )
        browser.wait(lambda: page.script(shown) == len(names), f"{len(names)} charts", 300)
        browser.wait(lambda: page.script("return !document.querySelector('.loading')"), "end of the loading", 120)
        text = page.script("return document.body.innerText")
        assert "No results" not in text
        assert "error" not in text.lower()
        if picture := os.environ.get("SUPERSET_PICTURE"):
            time.sleep(3)  # the animation of the charts
            page.driver.save_screenshot(picture)
