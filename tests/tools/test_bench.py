"""The benchmark computes and parses correctly. No test asserts a speed."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from app.cli.output import Mistake
from app.server import loading, values
from app.server.postgres import Statement
from app.server.routes import Argument, Route, Table
from app.settings import ROOT
from bench import cpu, failover, figures, floor, isolation, load, measure, memory, pages, start
from bench.api import requests
from bench.effects import Effects
from bench.figures import BenchmarkError, Sample
from bench.measure import Plan
from bench.mixed import Attempt, Load, Write
from bench.operations import FILTER, OPERATIONS, PATCH, Call, Operation, Pair, call
from bench.rest import REST
from tests.support.database import Database

PAIR = Pair("lk_test_one", "0192f0c1-2345-7abc-8def-0123456789ab", "0192f0c1-2345-7abc-8def-ba9876543210")


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    pgbench = [Sample(1000, 1.0, 0.010, 0.090), Sample(1000, 1.0, 0.010, 0.050), Sample(1000, 1.0, 0.010, 0.170)]
    ours = [Sample(500, 1.0, 0.060, 0.040)] * 3  # 200 µs, 80 of them in PostgreSQL
    result = figures.ratio(pgbench, ours)
    assert (result.median, result.least, result.greatest) == pytest.approx((0.5, 0.3, 0.9))
    assert figures.ratio(pgbench, ours, lambda sample: sample.postgres_cpu).median == pytest.approx(90 / 80)


def test_cpu_and_rate_are_per_request() -> None:
    sample = Sample(requests=2000, seconds=4.0, front=0.1, postgres=0.3)
    assert (sample.cpu, sample.rate) == pytest.approx((200.0, 500.0))
    assert figures.microseconds([sample, sample]) == pytest.approx((50.0, 150.0))


def test_the_cost_of_connecting_is_subtracted() -> None:
    rest = figures.less(Sample(1004, 4.5, 0.12, 0.56), Sample(4, 0.5, 0.02, 0.06))
    assert (rest.requests, rest.seconds, rest.front, rest.postgres) == pytest.approx((1000, 4.0, 0.1, 0.5))


def test_a_second_start_must_take_less_than_a_second() -> None:
    verdicts = [start.timing([0.5, seconds, 2.0], start.START_GOAL)["is_reached"] for seconds in (0.9, 1.1)]
    assert verdicts == [True, False]


def test_the_counts_of_pgbench_are_read() -> None:
    text = (
        "pgbench (18.6)\nnumber of clients: 4\nnumber of transactions actually processed: 10422\n"
        "number of failed transactions: 3 (0.029%)\nlatency average = 0.76 ms\ntps = 5211.0 (without initial)\n"
    )
    assert floor.counts(text) == (10422, 3)
    with pytest.raises(BenchmarkError, match="no counts"):
        floor.counts("pgbench: error: connection failed")


def summary(**changed: int) -> dict[str, int]:
    return {
        "requests": 10, "microseconds": 2_000_000, "bytes": 6000, "p50": 1500, "p99": 2500, "refused": 0, "broken": 0,
        **changed,
    }  # fmt: skip


def test_the_summary_of_wrk_is_read() -> None:
    text = 'Running 1s test\n  {not ours\n\n{"requests": 7, "microseconds": 1000, "refused": 0, "broken": 0}\n'
    assert load.summary(text)["requests"] == 7
    with pytest.raises(BenchmarkError, match="no summary"):
        load.summary("unable to connect to 127.0.0.1:1 Connection refused")


def test_a_sample_of_wrk_counts_failures() -> None:
    sample = load.sample(summary(refused=2, broken=1), 0.5, 0.25, 600)
    assert (sample.requests, sample.rate, sample.p50, sample.p99, sample.failures) == (10, 5.0, 1.5, 2.5, 3)
    assert (sample.cpu, sample.postgres_cpu) == pytest.approx((75_000, 25_000))


@pytest.mark.parametrize(("changed", "message"), [({"requests": 0}, "no response"), ({"bytes": 3000}, "300 bytes")])
def test_errors_in_place_of_rows_are_refused(changed: dict[str, int], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        load.sample(summary(**changed), 0.5, 0.25, 600)


def test_a_script_sends_each_value_as_a_parameter() -> None:
    text = "select (a.r).status from (select api.f($5, $6) as r from auth.enter($1, $2, $3, $4) offset 0) as a"
    first_call = Call(text, ("d1g357", "rid", "write", "f", PAIR.lead, None))
    second_call = Call(text, ("d1g357", "rid", "write", "f", PAIR.lead, '{"a":1}'))
    script = floor.script([first_call, second_call], PAIR, turns=10, clients=4)
    statements = [line for line in script.text.splitlines() if line.endswith(";")]
    by_name = {"digest": "d1g357", "lead": PAIR.lead, **script.variables}
    for statement, expected in zip(statements, (first_call, second_call), strict=True):
        sent = statement.removesuffix(";")
        for number, value in enumerate(expected.values, start=1):
            name = next((name for name, known in by_name.items() if known == value), "nothing")
            text_before, sent = sent, sent.replace(f":{name}", f"${number}", 1)
            assert sent != text_before, (name, sent)
        assert sent == text
    # Variables from bench.pair must not be set beforehand. An undefined variable is NULL.
    assert not {"digest", "lead", "organization", "nothing"} & script.variables.keys()
    assert script.calls == 2


def test_a_script_may_have_the_organization_in_place_of_the_claim() -> None:
    script = floor.script([Call("select f($1, $2)", (PAIR.organization, PAIR.lead))], PAIR, turns=10, clients=1)
    assert "select f(:organization, :lead);" in script.text.splitlines()
    assert script.variables == {"turn": "0"}


@pytest.mark.parametrize(
    ("key", "verdict"),
    [
        (0.0318, "1.59 (0.64-3.18) times; goal at most 1.6, reached."),
        (0.0322, "1.61 (0.64-3.22) times; goal at most 1.6, missed."),
    ],
)
def test_isolation_may_cost_1_6_times_the_baseline_in_the_median(key: float, verdict: str) -> None:
    samples = {
        "none": [Sample(1000, 1.0, 0.0, 0.010)] * 3,
        "setting": [Sample(1000, 1.0, 0.0, 0.025)] * 3,
        "entered": [Sample(1000, 1.0, 0.0, 0.020), Sample(1000, 1.0, 0.0, 0.050), Sample(1000, 1.0, 0.0, 0.010)],
        "key": [Sample(1000, 1.0, 0.0, key)] * 3,
    }
    first, second = isolation.sentences(isolation.figures_of(samples))
    assert first.endswith(verdict)
    assert "policy on a plain setting (25 µs) 2.50 (2.50-2.50), a key check and no policy 2.00 (1.00-5.00)" in second


def test_the_baseline_of_the_isolation_fits_the_server(database: Database) -> None:
    assert isolation.calls(loading.load(database.url("leads_api")), PAIR).keys() == {
        "none",
        "setting",
        "entered",
        "key",
    }
    with psycopg.connect(database.url()) as superuser:
        superuser.execute("create schema bench")
        isolation.make(superuser)
        read = "select (bench.get_lead(%s, %s)).status, (bench.get_lead_by_setting(%s)).status"
        assert superuser.execute(read, [PAIR.organization, PAIR.lead, PAIR.lead]).fetchone() == (None, None)
        superuser.rollback()


def test_the_cost_of_a_page_is_compared_with_the_first_one_and_with_a_small_organization() -> None:
    def page(number: int, leads: int) -> pages.Page:
        return pages.Page("no filter", number, leads, Call("", ()))

    costs = {
        page(1, pages.SMALL): [80.0, 160.0, 80.0],
        page(1, pages.LARGE): [100.0, 200.0, 100.0],
        page(2, pages.LARGE): [105.0, 210.0, 400.0],
    }
    first, second = (pages.figures(page, costs) for page in [*costs][1:])
    assert (first["of_first"], first["of_small"]) == (1.0, 1.25)
    assert (second["us"], second["of_first"]) == (210.0, 1.05)
    _, line = pages.sentences({"pages": [first, second]})
    assert line == "  no filter: 100; page 2: 1.05. Page 1, divided by that of 10,000 leads: 1.25"


def test_a_script_does_not_give_a_pair_to_two_clients() -> None:
    script = floor.script([Call("select $1", ("d",))], PAIR, turns=10, clients=3)
    assert "\\set n :client_id * 33 + :turn / 10 % 33" in script.text


def test_a_call_is_what_the_server_sends() -> None:
    arguments = tuple(
        Argument(name, type, name == "id", None, values.reader(type))
        for name, type in (("id", "uuid"), ("body", "text"), ("if_match", "text"))
    )
    route = Route("PATCH", "/leads/{id}", b"write", False, arguments, Statement(b"s", b"select 1"))
    table = Table({}).with_route(route)
    made = call(PATCH, table, PAIR, PATCH.bodies[0])
    digest, _, *rest = made.values
    assert made.text == "select 1"
    assert digest == made.digest
    assert len(made.digest) == 64
    assert rest == ["write", "f", PAIR.lead, PATCH.bodies[0], None]


def test_a_call_has_the_filters_of_the_query() -> None:
    arguments = tuple(
        Argument(name, "text[]", False, None, values.reader("text[]")) for name in ("pipeline_stage", "source")
    )
    route = Route("GET", "/leads", b"read", True, arguments, Statement(b"s", b"select 1"))
    made = call(FILTER, Table({}).with_route(route), PAIR, "")
    assert made.values[2:] == ("read", "t", '{"new"}', '{"website"}')


def test_wrk_uses_all_pairs_before_the_next_body(tmp_path: Path) -> None:
    pairs = [Pair("k1", "l1", "o1"), Pair("k2", "l2", "o2")]
    operation = Operation("x", 1.0, "PATCH", "/leads/{lead}", (), ("A", "B"))
    load.write_requests(tmp_path / "requests", requests(REST, operation, pairs))
    lines = [line.split("\t") for line in (tmp_path / "requests").read_text().splitlines()]
    assert lines == [
        ["PATCH", f"/leads/l{n}", body, f"Authorization: Bearer k{n}", "Content-Type: application/json"]
        for body in "AB"
        for n in (1, 2)
    ]


def test_cpu_includes_descendants_and_ended_children(tmp_path: Path) -> None:
    def process(pid: int, parent: int, name: str, *times: int) -> None:
        (tmp_path / str(pid)).mkdir()
        before_times = " ".join(["S", str(parent), *["0"] * 9])
        (tmp_path / str(pid) / "stat").write_text(f"{pid} ({name}) {before_times} {' '.join(map(str, times))} 20 0 1\n")

    process(1, 0, "init", 1000, 1000, 1000, 1000)
    process(10, 1, "postgres", 1, 2, 30, 40)
    process(11, 10, "a (b) 9 S 1", 100, 200, 0, 0)
    process(12, 11, "grandchild", 1000, 2000, 0, 0)
    process(13, 1, "stranger", 5000, 5000, 0, 0)
    (tmp_path / "self").mkdir()
    assert cpu.seconds(10, tmp_path) * os.sysconf("SC_CLK_TCK") == pytest.approx(3373)
    with pytest.raises(FileNotFoundError):
        cpu.seconds(99, tmp_path)


def test_memory_includes_descendants(tmp_path: Path) -> None:
    for pid, parent, pss in ((10, 1, 1024), (11, 10, 2048), (12, 1, 9000)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (x) S {parent} {' '.join(['0'] * 20)}\n")
        (tmp_path / str(pid) / "smaps_rollup").write_text(f"00-ff ---p [rollup]\nRss: {2 * pss} kB\nPss: {pss} kB\n")
    assert memory.of(10, tmp_path) == [memory.Memory(rss=4, pss=2), memory.Memory(rss=2, pss=1)]


def test_a_round_measures_every_side_of_each_operation() -> None:
    measured: list[tuple[str, str]] = []

    def side(name: str) -> measure.Measure:
        def sample(operation: Operation) -> Sample:
            measured.append((operation.name, name))
            return Sample(len(measured), 1.0, 1.0, 1.0)

        return sample

    rounds: list[int] = []
    sides = {name: side(name) for name in ("a", "b", "c")}
    samples = measure.rounds(Plan(3, 1, 8), sides, lambda: rounds.append(len(measured)), lambda _: None)
    count = len(OPERATIONS)
    assert rounds == [0, 3 * count, 6 * count]
    assert [name for operation, name in measured if operation == "patch"] == [*"abcbcacab"]
    assert [len(samples[operation.name][name]) for operation in OPERATIONS for name in sides] == [3] * 3 * count
    assert samples["read one"]["b"][0].requests == 2


def test_a_missing_wrk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Mistake, match="apt install wrk"):
        load.program()
    ran = subprocess.run([sys.executable, "-m", "bench"], cwd=ROOT, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == "The benchmark needs wrk, which is not installed: apt install wrk\n"


@pytest.mark.parametrize(("name", "count"), [("asynchronous, behind", 0), ("synchronous, behind", 2)])
def test_a_failover_may_lose_acknowledged_writes_only_if_the_standby_is_asynchronous(name: str, count: int) -> None:
    write = Write("create", "mark", "lead", {})
    load = Load("", "", writes=[write], refused=["PATCH /leads/x: 404 not_found"])
    result = failover.Result(name, 0.0, 2.0, load, Effects(["create mark"], [], [], "", 1, 1), 0)
    assert len(result.faults()) == count
    doubled = failover.Result(name, 0.0, 2.0, load, Effects([], ["create mark"], [], "", 1, 1), 0)
    assert "An effect exists more than once: create mark." in doubled.faults()


def test_the_first_write_after_a_failover_was_sent_after_it() -> None:
    attempts = [
        Attempt("create", 201, "", 9.0, 1.5),
        Attempt("read", 200, "", 10.5, 0.1),
        Attempt("create", 503, "", 11.0, 0.5),
        Attempt("create", 201, "", 12.0, 0.5),
    ]
    result = failover.Result(
        "synchronous", 10.0, 12.0, Load("", "", attempts=attempts), Effects([], [], [], "", 0, 0), 0
    )
    assert result.first() == 2.5
