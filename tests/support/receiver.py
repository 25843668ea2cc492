"""A receiver of OpenTelemetry's spans, on this machine."""

import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.pushing import wait_for


@dataclass
class Receiver:
    """A receiver of OTLP over HTTP."""

    url: str
    bodies: list[bytes] = field(default_factory=list)

    def spans(self) -> list[Span]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [s for r in requests for rs in r.resource_spans for scope in rs.scope_spans for s in scope.spans]

    def resources(self) -> list[dict[str, Any]]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [attributes(rs.resource) for r in requests for rs in r.resource_spans]

    def of_request(self, response: httpx.Response) -> tuple[Span, list[Span]]:
        """Returns the span of the request, and its children."""
        id = response.headers["x-request-id"]

        def find() -> Span | None:
            return next((s for s in self.spans() if attributes(s).get("leads.request_id") == id), None)

        span = wait_for(find)
        assert span is not None
        # The children are exported in the same batch, or before.
        return span, [other for other in self.spans() if other.parent_span_id == span.span_id]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            assert self.headers["content-type"] == "application/x-protobuf"
            bodies.append(body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Receiver(f"http://127.0.0.1:{server.server_address[1]}", bodies)
        server.shutdown()
        thread.join()


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}
