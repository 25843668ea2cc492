"""The export of traces to OpenTelemetry. Its packages are imported only if OpenTelemetry's own variables
(https://opentelemetry.io/docs/specs/otel/protocol/exporter/) name a receiver.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from app import log

if TYPE_CHECKING:
    from app.spans import Spans

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"


def start(service: str, environ: Mapping[str, str] = os.environ) -> "Spans | None":
    """The exporter of this process. None: no receiver is named, or the packages are missing.
    service: the name of the service, unless OTEL_SERVICE_NAME is set.
    """
    endpoint = next((name for name in _ENDPOINTS if environ.get(name, "").strip()), None)
    is_off = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if endpoint is None or is_off or environ.get("OTEL_TRACES_EXPORTER", "").strip() not in ("", "otlp"):
        return None
    for name in _PROTOCOLS:
        if environ.get(name, "").strip() not in ("", _PROTOCOL):
            log.write(
                "warning", message=f"No traces are exported: {name} must be {_PROTOCOL}. Correct it, or unset it."
            )
            return None
    try:
        from app.spans import Spans
    except ModuleNotFoundError as error:
        log.write(
            "warning",
            message=f"No traces are exported: {endpoint} is set, and the package {error.name} is missing. Install "
            "leads-api[otel], or unset the variable.",
        )
        return None
    return Spans(service)
