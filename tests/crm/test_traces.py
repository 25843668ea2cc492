"""The trace of a request reaches the worker's line and span of the push that it caused."""

from pathlib import Path
from typing import Any

import httpx

from tests.support.database import Database
from tests.support.process import logged
from tests.support.pushing import (  # noqa: F401
    api,
    ends,
    new_lead,
    organization,
    push,
    vendor,
    wait_for,
    working,
)
from tests.support.receiver import Receiver, attributes, receiver  # noqa: F401
from tests.support.simulator import Simulator

TRACES = ["4bf92f3577b34da6a3ce929d0e0e4736", "b" * 32]
PARENT = "00-{}-00f067aa0ba902b7-01"


def lines(log: Path) -> list[dict[str, Any]]:
    return [line for line in logged(log) if "outcome" in line]


def test_the_trace_reaches_the_line_and_the_span_of_the_attempt(
    api: httpx.Client, vendor: Simulator, database: Database, receiver: Receiver, tmp_path: Path
) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}
    with working(database, tmp_path, **environ) as worker:
        # A change that causes a push, a push by a request, and one without a trace.
        first = new_lead(api)
        headers = {"traceparent": PARENT.format(TRACES[0])}
        assert api.patch(f"/leads/{first}", json={"pipeline_stage": "qualified"}, headers=headers).status_code == 200
        assert ends(api, first)["status"] == "ok"
        second = new_lead(api, email="b@example.com")
        assert push(api, second, traceparent=PARENT.format(TRACES[1])).status_code == 200
        third = new_lead(api, email="c@example.com", pipeline_stage="qualified")
        assert ends(api, third)["status"] == "ok"
        made = wait_for(lambda: len(found := lines(worker.log)) == 3 and found)
        worker.stop()
    assert [line.get("trace_id") for line in made] == [*TRACES, None]
    assert list(made[0]) == "time level sync_id attempt vendor outcome sync ms trace_id".split()
    assert {line["outcome"] for line in made} == {"created"}
    spans = {attributes(span)["leads.sync_id"]: span for span in receiver.spans()}
    assert len(spans) == 3
    for line in made:
        span = spans[line["sync_id"]]
        assert (span.name, span.parent_span_id) == ("push jobnimbus", b"")
        assert span.end_time_unix_nano > span.start_time_unix_nano
        told = attributes(span)
        assert (told["leads.attempt"], told["leads.vendor"], told["leads.outcome"]) == (1, "jobnimbus", "created")
        assert set(told) == {f"leads.{name}" for name in ("organization_id", "sync_id", "attempt", "vendor", "outcome")}
    assert [spans[line["sync_id"]].trace_id.hex() for line in made[:2]] == TRACES
    assert spans[made[2]["sync_id"]].trace_id.hex() not in TRACES
    assert {resource["service.name"] for resource in receiver.resources()} == {"leads-worker"}
    # The vendor gets no trace.
    assert vendor.requests
    for request in vendor.requests:
        assert not {"traceparent", "tracestate"} & {name.lower() for name in request.headers}
    assert b"example.com" not in b"".join(receiver.bodies)
