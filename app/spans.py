"""Spans of OpenTelemetry. This module needs the extra ``otel``; app/tracing.py imports it.

The SDK reads the standard variables itself: the receiver, its headers, the sampler, the resource and
the sizes of batches. A thread exports the spans. While the receiver can't be reached, they are thrown
away, and a line of the log says so at most once a minute.
"""

import logging
import os
import re
import threading
import time
from collections.abc import Mapping
from contextvars import ContextVar

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app import log

__all__ = ["Span", "SpanKind", "Spans"]

Attributes = Mapping[str, str | int | float]

CLOSE_PATIENCE = 3.0
"""Seconds in which the last spans must be exported when the program ends."""
_QUIET = 60.0
"""Seconds between two lines of the log about the export."""

_trace_id: ContextVar[int | None] = ContextVar("trace_id", default=None)
"""The trace of the next span that has no parent. None: a new one."""


class _Ids(RandomIdGenerator):
    def generate_trace_id(self) -> int:
        """The trace id of a span without a parent."""
        return _trace_id.get() or super().generate_trace_id()


class _Handler(logging.Handler):
    """Writes what OpenTelemetry logs as lines of our log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._next = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line, unless there was one a moment ago."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _QUIET
            # The query of an address may contain a password.
            reason = re.sub(r"\?\S+", "?…", record.getMessage())[:500]
            log.write("warning", message="OpenTelemetry reports a fault.", reason=reason)


_handler = _Handler()


class Spans:
    """The spans of one part of the program."""

    def __init__(self, service: str) -> None:
        logger = logging.getLogger("opentelemetry")
        logger.addHandler(_handler)  # once, however often this is called
        logger.propagate = False
        is_named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        )
        resource = Resource.create({} if is_named else {"service.name": service})
        self._provider = TracerProvider(resource=resource, id_generator=_Ids(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("leads-api")

    def of_request(self, name: str, headers: Mapping[str, str], attributes: Attributes) -> Span:
        """Begins the span of a request. headers: traceparent and tracestate, if the request has them."""
        parent = TraceContextTextMapPropagator().extract(headers)
        return self._tracer.start_span(name, parent, SpanKind.SERVER, attributes)

    def add_root(self, name: str, trace_id: str | None, started: int, ended: int, attributes: Attributes) -> None:
        """Adds a span without a parent that has ended. trace_id: its trace; None: a new one. started,
        ended: nanoseconds since 1970.
        """
        token = _trace_id.set(int(trace_id, 16) if trace_id else None)
        try:
            context = trace.set_span_in_context(trace.INVALID_SPAN)
            self._tracer.start_span(name, context, attributes=attributes, start_time=started).end(ended)
        finally:
            _trace_id.reset(token)

    def add_child(
        self, parent: Span, name: str, kind: SpanKind, started: int, ended: int, attributes: Attributes
    ) -> None:
        """Adds a span that has ended. started, ended: nanoseconds since 1970. An attribute error.type
        makes it an error.
        """
        context = trace.set_span_in_context(parent)
        child = self._tracer.start_span(name, context, kind, attributes, start_time=started)
        if "error.type" in attributes:
            child.set_status(Status(StatusCode.ERROR))
        child.end(ended)

    def close(self) -> None:
        """Exports the last spans."""
        thread = threading.Thread(target=self._provider.shutdown, name="spans", daemon=True)
        thread.start()
        thread.join(CLOSE_PATIENCE)


def trace_id_of(span: Span) -> str:
    """The span's trace id, as 32 hexadecimal digits."""
    return trace.format_trace_id(span.get_span_context().trace_id)


def end(span: Span, attributes: Attributes) -> None:
    """Ends the span. An attribute error.type makes it an error."""
    for name, value in attributes.items():
        span.set_attribute(name, value)
    if "error.type" in attributes:
        span.set_status(Status(StatusCode.ERROR))
    span.end()
