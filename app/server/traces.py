"""The spans of requests: one for each request, and one for each of its statements.

The attributes are those of OpenTelemetry's conventions for HTTP and databases, except url.path, which
may contain a client's own reference of a lead. No attribute has a query, a key, a value of a body or a
parameter of a statement.
"""

import json
import time
from dataclasses import dataclass
from http import HTTPStatus

from app.server.request import Request
from app.spans import Attributes, Span, SpanKind, Spans, end, trace_id_of

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE")


@dataclass(frozen=True)
class Traces:
    """Where the spans of requests go."""

    spans: Spans
    prefix: str
    """The part of each path that the table of routes leaves out."""

    def begin(self, request: Request) -> None:
        """Begins the request's span. If it is sampled, its trace is also in the log and the audit
        row, although the request itself may have no trace id.
        """
        headers = {}
        if request.trace_id is not None:
            headers = {
                name: request.headers[name.encode()].decode("latin-1")
                for name in ("traceparent", "tracestate")
                if name.encode() in request.headers
            }
        method = request.method if request.method in METHODS else "_OTHER"
        attributes = {"http.request.method": method, "url.scheme": "http"}
        span = self.spans.of_request(method, headers, attributes)
        if span.is_recording():
            request.span = span
            request.timing.runs = []
            request.trace(trace_id_of(span).encode())

    def end(self, request: Request, status: int, caller: str) -> None:
        """Ends the request's span. caller: the members of its line in the log."""
        span = request.span
        if not isinstance(span, Span):
            return
        attributes: dict[str, str | int | float] = {
            "http.response.status_code": status,
            "leads.request_id": request.id.decode(),
        }
        attributes |= {f"leads.{name}": value for name, value in json.loads(f"{{{caller}}}").items() if value}
        if request.route is not None:
            prefix = self.prefix if request.path.startswith(self.prefix + "/") else ""
            attributes["http.route"] = prefix + request.route.path
            span.update_name(f"{request.method} {prefix}{request.route.path}")
        if request.timing.wait:
            attributes["leads.wait_ms"] = round(request.timing.wait * 1000, 2)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            attributes["error.type"] = str(status)
        zero = time.time_ns() - time.monotonic_ns()
        for function, started, ended, sqlstate in request.timing.runs or ():
            times = zero + int(started * 1e9), zero + int(ended * 1e9)
            self.spans.add_child(span, f"SELECT {function}", SpanKind.CLIENT, *times, _of_statement(function, sqlstate))
        end(span, attributes)


def _of_statement(function: str, sqlstate: str) -> Attributes:
    attributes = {
        "db.system.name": "postgresql",
        "db.operation.name": "SELECT",
        "db.stored_procedure.name": function,
        "db.query.summary": f"SELECT {function}",
    }
    if sqlstate:
        attributes["db.response.status_code"] = sqlstate
        # What our functions raise is an answer.
        if not sqlstate.startswith("PT"):
            attributes["error.type"] = sqlstate
    return attributes
