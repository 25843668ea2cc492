"""What JSON Schema can't say of a request, told to schemathesis, which loads this (tests/support/proving.py).

Each has its reason. What the reference can say belongs into it, and what is refused wrongly is the server's to mend.
"""

import json
import os
import re
import uuid
from decimal import Decimal
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, HookContext
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.openapi.checks import RejectedPositiveData

KNOWN = json.loads(os.environ["PROOF_KNOWN"])
"""What the database has: leads, events, and the organization's stages."""

_MADE_UP = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-(?!7)[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_CURSOR = re.compile(r"[A-Za-z0-9_-]{1,200}")
_ITEM = re.compile(r"[^,\0]+")


# The coverage phase makes a header of letters and digits alone, whatever its pattern, unless a format says how. And of
# a made-up tag comes 412, and nothing is tried.
schemathesis.openapi.format("entity-tags", st.sampled_from(["*", "*", "*", '"1.11"', 'W/"1.11", "2"']))


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: dict[str, Any]) -> None:
    """Names the format."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "If-Match":
                    parameter["schema"]["format"] = "entity-tags"
                    parameter.pop("examples", None)


def _pick(words: list[str], text: str) -> str:
    """One of the words, always the same for a text."""
    return words[sum(text.encode("utf-8", "replace")) % len(words)]


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shortened(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner) for inner in value]
    is_long = isinstance(value, int | float) and len(format(Decimal(repr(value * 1)), "f")) > 40
    return 4.2 if is_long else value


@schemathesis.hook
def map_query(context: HookContext, query: dict[str, Any]) -> dict[str, Any]:
    """The same for what is right in a query. Later it is texts, which are judged anew."""
    # A cursor is opaque, and made up it is none: those of the links come after this.
    if _CURSOR.fullmatch(str((query or {}).get("cursor", ""))):
        query = {name: value for name, value in query.items() if name != "cursor"}
    stages = (query or {}).get("pipeline_stage")
    if isinstance(stages, list) and all(isinstance(stage, str) and _ITEM.fullmatch(stage) for stage in stages):
        query = {**query, "pipeline_stage": [_pick(KNOWN["stages"], stage) for stage in stages]}
    return query


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Makes a request that is right by its form right by what there is."""
    if case.meta is None:
        return
    # Of an id that was made up there is no record: most become one that there is. Others stay: 404 is an answer too.
    id = case.path_parameters.get("id")
    if isinstance(id, str) and _MADE_UP.fullmatch(id) and int(id[-1], 16) > 1:
        case.path_parameters["id"] = _pick(KNOWN["events" if case.path.startswith("/audit-log") else "leads"], id)
    if case.meta.generation.mode.is_negative:
        return
    # A number of a signal's has up to 40 digits, written out: bounds can't say it of those behind the point.
    case.body = _shortened(case.body)
    # A stage is one of the organization's, and a document for all of them can't list them.
    stage = case.body.get("pipeline_stage") if isinstance(case.body, dict) else None
    if isinstance(case.body, dict) and isinstance(stage, str):
        case.body["pipeline_stage"] = _pick(KNOWN["stages"], stage)
    # Under a key that was used a repeat does nothing, and another request is refused.
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = uuid.uuid4().hex


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Whether a failure is one: a valid request may be refused for what there is."""
    if not isinstance(failure, RejectedPositiveData) or response.status_code not in (400, 422):
        return True
    codes = {error["code"] for error in response.json()["errors"]}
    if case.method == "GET":
        # The coverage phase asks no hook for a query.
        return not codes <= {"unknown_stage", "invalid_cursor"}
    # Whether a change leaves an address, or a name and a company; whether there is what the CRM needs.
    return codes != {"contact_required" if case.method == "PATCH" else "required_by_crm"}
