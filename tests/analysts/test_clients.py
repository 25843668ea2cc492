"""The clients in docs/bi.md, each run as the page prints it, on an analyst's login over TCP.

make test-bi-clients installs the Python packages that clients.lock lists. Without them these tests
are skipped.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from os import environ
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from app import embedded
from app.cli import migrate
from app.settings import ROOT
from tests.analysts.test_bi import command
from tests.support.database import Database
from tests.support.figures import count_stages
from tests.support.process import free_port, printed

PYTHON = ROOT / ".venv" / "clients" / "bin" / "python"
PAGE = (ROOT / "docs" / "bi.md").read_text(encoding="utf-8")
JAR = Path("/usr/share/java/postgresql.jar")
LONGER = "?options=-c%20statement_timeout%3D10min"

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="The clients are not installed: make test-bi-clients.")


def blocks(section: str, language: str) -> list[str]:
    """The blocks of code in a section of docs/bi.md."""
    text = re.split(r"\n##", PAGE.partition(f"\n### {section}\n")[2], maxsplit=1)[0]
    found = re.findall(rf"^```{language}\n(.+?)^```", text, re.DOTALL | re.MULTILINE)
    assert found, (section, language)
    return found


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of an analyst whose organization has three leads, with numbers, times and details."""
    folder = Path(tempfile.mkdtemp(prefix="leads-clients-", dir="/tmp"))
    folder.chmod(0o755)
    with embedded.running(folder / "data", tcp_port=free_port(), options={"fsync": "off"}) as server:
        migrate.apply(server.url("leads_migrator"))
        leads = command(folder / "data")
        acme, other = (printed(leads("organizations", "create", name)) for name in ("Acme", "Bolt"))
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            insert = """
            insert into app.lead (organization_id, email, name, source, lead_score, created_at, details)
            select %s, 'a@example.com', 'Ada', 'website', 70, '2026-04-27T13:22:05.114Z', '{"roof_age": 12}'
            from generate_series(1, %s)
            """
            connection.execute(insert, (acme, 3))
            connection.execute(insert, (other, 5))
        count_stages(Database(server, "leads"))
        yield printed(leads("bi", "create", "ann", "--organization", acme))
    shutil.rmtree(folder)


def run(code: str, url: str, *, program: Path | str = PYTHON, folder: Path | None = None, **more: str) -> str:
    """Runs a program in the clients' environment, with the address in URL; returns what it prints."""
    result = subprocess.run(
        [program, "-"],
        input=code,
        cwd=folder,
        env={**environ, "URL": url, "TZ": "UTC", **more},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_pandas(url: str) -> None:
    code = blocks("pandas", "python")[0].replace("now() - interval '90 days'", "'2026-01-01'")
    code += (
        "print(len(leads), leads.created_at.dtype, leads.created_at[0], sources.lead_count[0], sources.win_rate.dtype)"
    )
    assert run(code, url) == "3 datetime64[us, UTC] 2026-04-27 13:22:05.114000+00:00 3 float64"
    timeout = "print(pd.read_sql('show statement_timeout', engine).iloc[0, 0])"
    assert run(f"{code}\n{timeout}", url + LONGER).endswith("10min")


def test_polars(url: str) -> None:
    code = blocks("polars", "python")[0]
    code += """
print(len(history), len(leads), leads["created_at"][0], *(history.schema[name] for name in ("entered_at", "hours")))
print(history.schema["lead_id"], leads.schema["id"], leads["details"][0])
for engine in ("adbc", "connectorx"):
    query = "select current_setting('statement_timeout') as t, id::text from leads limit 1"
    print(*pl.read_database_uri(query, os.environ["URL"], engine=engine)["t"])
"""
    assert run(code, url + LONGER).splitlines() == [
        "3 3 2026-04-27 13:22:05.114000+00:00 Datetime(time_unit='us', time_zone='UTC') Float64",
        'Binary String {"roof_age":12}',
        "10min",
        "10min",
    ]


@pytest.fixture(scope="module")
def home(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with DuckDB's extension, which the page's command has installed there."""
    path = tmp_path_factory.mktemp("home")
    run(blocks("DuckDB", "python")[0], url, HOME=str(path))
    return path


def test_duckdb(url: str, home: Path) -> None:
    sql = blocks("DuckDB", "sql")[0].replace("install postgres;\n", "")
    sql = re.sub(r"'postgresql://[^']+'", f"'{url}{LONGER}'", sql)
    code = f"""
import duckdb
con = duckdb.connect()
print(con.execute({sql!r}).fetchall())
print(con.execute("select count(*), min(created_at) from leads").fetchall())
timeout = "select current_setting('statement_timeout') as t"
print(con.execute("select * from postgres_query('live', ?)", [timeout]).fetchall())
"""
    counted, copied, timeout = run(code, url, HOME=str(home)).splitlines()
    assert counted == "[('new', 3)]"
    assert copied.startswith("[(3, datetime.datetime(2026, 4, 27, 13, 22, 5, 114000, tzinfo=<UTC>)")
    assert timeout == "[('10min',)]"


def test_dbt(url: str, home: Path, tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: leads\nprofile: leads\nversion: '1.0'\nconfig-version: 2\n")
    (tmp_path / "models").mkdir()
    for block in blocks("dbt", "yaml") + blocks("dbt", "sql"):
        name = block.splitlines()[0].lstrip("#- ")
        (tmp_path / name).write_text(block)
    code = """
from dbt.cli.main import dbtRunner
result = dbtRunner().invoke(["run", "--profiles-dir", ".", "--quiet"])
assert result.success, result
import duckdb
print(duckdb.connect("leads.duckdb").execute("select week::date, source, leads from leads_by_week").fetchall())
"""
    printed_rows = run(code, url + LONGER, folder=tmp_path, HOME=str(home), DBT_SEND_ANONYMOUS_USAGE_STATS="false")
    assert printed_rows.splitlines()[-1] == "[(datetime.date(2026, 4, 27), 'website', 3)]"


def test_dbt_postgres_cannot_write(url: str) -> None:
    """Why the page has no section for it."""
    code = """
import os, psycopg
with psycopg.connect(os.environ["URL"], autocommit=True) as connection:
    connection.execute("set default_transaction_read_only = off")
    for statement in ("create schema dbt", "create table bi.a (a int)", "create temp table a (a int)"):
        try:
            connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege as error:
            print(error.diag.sqlstate)
"""
    assert run(code, url).splitlines() == ["42501"] * 3


def test_r(url: str) -> None:
    program = shutil.which("R")
    installed = program and subprocess.run(["Rscript", "-e", "library(RPostgreSQL)"], capture_output=True, check=False)
    if not installed or installed.returncode:
        pytest.skip("R or its driver is not installed (Debian: apt install r-base-core r-cran-rpostgresql)")
    code = blocks("R", "r")[0]
    code += """
options(digits.secs = 3)
cat(nrow(leads), class(leads$created_at)[1], class(daily$day), class(leads$lead_score), nchar(leads$id[1]), "\\n")
cat(format(leads$created_at[1], tz = "UTC"), "\\n")
longer <- dbConnect(PostgreSQL(), user = u[2], password = u[3], host = u[4], port = u[5], dbname = u[6],
  options = "-c statement_timeout=10min")
cat(dbGetQuery(longer, "show statement_timeout")[1, 1], "\\n")
"""
    result = subprocess.run(
        ["Rscript", "-e", code],
        env={**environ, "URL": url},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "unrecognized" not in result.stderr
    assert [line.strip() for line in result.stdout.splitlines()] == [
        "3 POSIXct Date integer 36",
        "2026-04-27 13:22:05.114",
        "10min",
    ]


def test_odbc(url: str) -> None:
    if "PostgreSQL Unicode" not in run(
        "import pyodbc; print(pyodbc.drivers())" if shutil.which("odbcinst") else "print()", url
    ):
        pytest.skip("The driver is not installed (Debian: apt install odbc-postgresql unixodbc)")
    code = blocks("ODBC", "python")[0]
    code += """
print(len(rows), rows[0])
print(len(con.cursor().tables(schema="bi").fetchall()))
print({row.table_schem for row in con.cursor().tables().fetchall()} >= {"app", "auth", "bi", "crm"})
print(con.execute("select is_erased from bi.lead_changes limit 1").fetchone()[0])
longer = pyodbc.connect(
    "Driver={PostgreSQL Unicode};Database=leads;ConnSettings=set statement_timeout%3d'10min';"
    f"Server={url.hostname};Port={url.port};UID={url.username};PWD={url.password}"
)
print(longer.execute("show statement_timeout").fetchone()[0])
"""
    assert run(code, url).splitlines() == [
        "3 ('Ada', 70, datetime.datetime(2026, 4, 27, 13, 22, 5, 114000))",
        str(views(url)),
        "True",
        "False",
        "10min",
    ]


def views(url: str) -> int:
    """The number of views in schema bi."""
    query = "select count(*) from pg_class where relnamespace = 'bi'::regnamespace and relkind = 'v'"
    code = f"import os, psycopg; print(psycopg.connect(os.environ['URL']).execute({query!r}).fetchone()[0])"
    return int(run(code, url))


def test_jdbc(url: str) -> None:
    if not shutil.which("java") or not JAR.exists():
        pytest.skip(
            "Java or the driver is not installed (Debian: apt install default-jre-headless libpostgresql-jdbc-java)"
        )
    code = blocks("JDBC", "python")[0]
    code += f"""
print(len(rows), rows[0][1:], len(rows[0][0]))
def tables(schema):
    result, names = con.jconn.getMetaData().getTables(None, schema, None, ["TABLE", "VIEW"]), set()
    while result.next():
        names.add(str(result.getString(2)))
    return names
print(tables("bi"), tables(None) >= {{"app", "auth", "bi", "crm"}})
longer = jaydebeapi.connect(
    "org.postgresql.Driver",
    f"jdbc:postgresql://{{url.hostname}}:{{url.port}}/leads{LONGER}",
    [url.username, url.password],
    "/usr/share/java/postgresql.jar",
)
cursor = longer.cursor()
cursor.execute("show statement_timeout")
print(cursor.fetchone()[0])
"""
    assert run(code, url).splitlines() == [
        "3 ('Ada', '2026-04-27 13:22:05.114000') 36",
        "{'bi'} True",
        "10min",
    ]


def test_the_listed_tables_cannot_be_read(url: str) -> None:
    code = """
import os, psycopg
with psycopg.connect(os.environ["URL"], autocommit=True) as connection:
    for table in ("app.lead", "audit.event", "auth.api_key"):
        try:
            connection.execute(f"select * from {table}")
        except psycopg.errors.InsufficientPrivilege as error:
            print(error.diag.message_primary)
"""
    assert urlsplit(url).username == "ann"
    assert run(code, url).splitlines() == [f"permission denied for schema {name}" for name in ("app", "audit", "auth")]
