"""Hooks that tell schemathesis what JSON Schema cannot express (tests/support/proving.py loads this
module).

Each hook has a reason. What the reference can express belongs there.
If the server refuses a valid request, fix the server.
"""

import json
import os
import re
import uuid
from decimal import Decimal
from typing import Any

import httpx
import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, HookContext
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.transport import Response
from schemathesis.openapi.checks import RejectedPositiveData

KNOWN = json.loads(os.environ["PROOF_KNOWN"])
"""Ids in the database, and the organization's stages."""
CLIENT = httpx.Client(base_url=os.environ["PROOF_URL"], headers={"Authorization": os.environ["PROOF_KEY"]}, timeout=60)

_MADE_UP = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-(?!7)[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_STORED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_CURSOR = re.compile(r"[A-Za-z0-9_-]{1,200}")
_KEY = re.compile(r"[\x20-\x7E]{1,255}")
_ITEM = re.compile(r"[^,\0]+")


# The coverage phase ignores the pattern of a header and generates letters and digits, unless the
# header has a format. With a generated tag, every request would be 412.
schemathesis.openapi.format("entity-tags", st.sampled_from(["*", "*", "*", '"1.11"', 'W/"1.11", "2"']))


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: dict[str, Any]) -> None:
    """Sets the format of If-Match, and removes media types whose form JSON Schema cannot express: CSV
    and lines of JSON.
    """
    uploads = raw_schema["paths"]["/leads/bulk"]["post"]["requestBody"]["content"]
    for name in [name for name in uploads if name != "application/json"]:
        del uploads[name]
    for item in raw_schema["paths"].values():
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "If-Match":
                    parameter["schema"]["format"] = "entity-tags"
                    parameter.pop("examples", None)


def _pick(words: list[str], text: str) -> str:
    """Returns one of the words, always the same one for a text."""
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
    """Changes a valid query so that it matches the database, before its values become text."""
    # A cursor is opaque, so a generated one is invalid. Cursors from links are set after this hook.
    if _CURSOR.fullmatch(str((query or {}).get("cursor", ""))):
        query = {name: value for name, value in query.items() if name != "cursor"}
    # The leads that changed have no other filters.
    if query and ("updated_since" in query or query.get("order") == "updated_at"):
        query = {name: value for name, value in query.items() if name in ("updated_since", "limit")}
    # A search has words, and few other filters.
    if query and isinstance(query.get("q"), str) and 1 <= len(query["q"]) <= 100:
        query = {name: value for name, value in query.items() if name not in ("email", "phone", "reference", "order")}
        query["q"] = _pick(["known", "no such words", "example@"], query["q"])
    stages = (query or {}).get("pipeline_stage")
    if isinstance(stages, list) and all(isinstance(stage, str) and _ITEM.fullmatch(stage) for stage in stages):
        query = {**query, "pipeline_stage": [_pick(KNOWN["stages"], stage) for stage in stages]}
    return query


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Changes a valid request so that it matches the database."""
    if case.meta is None:
        return
    # A generated id has no record. Most are replaced by existing ids. Some stay, to test 404.
    id = case.path_parameters.get("id")
    if isinstance(id, str) and _MADE_UP.fullmatch(id) and int(id[-1], 16) > 1:
        kinds = {"audit-log": "events", "webhooks": "webhooks"}
        id = _pick(KNOWN[kinds.get(case.path.split("/")[1], "leads")], id)
        case.path_parameters["id"] = id
    # Schemathesis also takes ids from responses. The known leads are for the other operations.
    if case.method == "DELETE" and case.path == "/webhooks/{id}":
        created = CLIENT.post("/webhooks", json={"url": "https://hooks.example.com"}).json()
        case.path_parameters["id"] = created.get("id", id)
    elif case.method == "DELETE" and case.path == "/leads/{id}" and id in KNOWN["leads"]:
        case.path_parameters["id"] = CLIENT.post("/leads", json={"email": "erased@example.com"}).json()["id"]
    if case.method in ("POST", "DELETE") and case.path.startswith("/keys"):
        # With 100 valid keys, none can be created. The key of the proof itself must stay valid.
        active = [key["id"] for key in CLIENT.get("/keys?limit=200").json()["data"] if key["state"] == "active"]
        for key_id in active if len(active) > 50 else ():
            if key_id not in KNOWN["keys"]:
                CLIENT.delete(f"/keys/{key_id}")
        # A key can be rotated once.
        if isinstance(id, str) and _STORED.fullmatch(id):
            case.path_parameters["id"] = CLIENT.post("/keys", json={"scope": "read"}).json()["id"]
    # With 20 webhooks, every request would be 409.
    if case.method == "POST" and case.path == "/webhooks":
        for webhook in CLIENT.get("/webhooks").json()["data"][10:]:
            CLIENT.delete(f"/webhooks/{webhook['id']}")
    # With a used key, a repeat does nothing, and another request is refused, valid or not.
    if _KEY.fullmatch(str(case.headers.get("Idempotency-Key", ""))):
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    if case.meta.generation.mode.is_negative:
        return
    # A number in a signal has up to 40 digits.
    # Bounds in JSON Schema cannot limit the digits after the point.
    case.body = _shortened(case.body)
    # A stage must be one of the organization's.
    # The reference is the same for all organizations and cannot list them.
    stage = case.body.get("pipeline_stage") if isinstance(case.body, dict) else None
    if isinstance(case.body, dict) and isinstance(stage, str):
        case.body["pipeline_stage"] = _pick(KNOWN["stages"], stage)
    # The reference in the path is the lead's.
    if case.method == "PUT" and isinstance(case.body, dict):
        case.body.pop("reference", None)
    # With a used reference, every request would be 409.
    if isinstance(case.body, dict) and isinstance(case.body.get("reference"), str):
        case.body["reference"] = uuid.uuid4().hex
    # A new key must expire in the future. 2096 is a leap year, too.
    expiry = case.body.get("expires_at") if isinstance(case.body, dict) else None
    if case.path == "/keys" and isinstance(case.body, dict) and isinstance(expiry, str):
        case.body["expires_at"] = "2096" + expiry[4:]
    # A constant must suit its field, and a secret needs a preset whose sender signs.
    # The host of a webhook is a public one.
    if isinstance(case.body, dict) and re.fullmatch("https://[!-~]+", str(case.body.get("url"))):
        case.body["url"] = f"https://{uuid.uuid4().hex}.example.com/"
    if case.path == "/forms" and isinstance(case.body, dict):
        if case.body.get("constants"):
            case.body["constants"] = {"details.campaign": "spring"}
        if case.body.get("preset") not in ("google_ads", "typeform", "calendly", "webflow"):
            case.body.pop("secret", None)


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Returns whether to report the failure.
    The state of the database can be the reason to refuse a valid request.
    """
    # Schemathesis takes the lack of a body for a fault, even if the body is optional.
    if isinstance(failure, AcceptedNegativeData) and case.operation.body and not response.request.body:
        return any(body.is_required for body in case.operation.body)
    # Schemathesis sends some of its valid requests with another key, or none.
    if isinstance(failure, RejectedPositiveData) and response.status_code == 401:
        return response.request.headers.get("Authorization") == os.environ["PROOF_KEY"]
    if not isinstance(failure, RejectedPositiveData) or response.status_code not in (400, 422):
        return True
    codes = {error["code"] for error in response.json()["errors"]}
    if case.method == "GET":
        # The coverage phase calls no hook for a query.
        return not codes <= {"unknown_stage", "invalid_cursor", "not_combinable", "blank", "too_many_words"}
    # A change must leave an address, or a name and a company.
    # A push needs the fields that the CRM requires.
    return codes != {"contact_required" if case.method in ("PATCH", "PUT") else "required_by_crm"}
