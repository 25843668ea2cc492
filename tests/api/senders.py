"""A sample of what each sender of intake.preset sends, in its documented shape, with invented values.

Each sample says which lead it becomes.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

SECRET = "a secret of the sender"
Headers = dict[str, str]


def _unsigned(_: bytes, __: str) -> Headers:
    return {}


def typeform_signature(body: bytes, secret: str) -> Headers:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {"Typeform-Signature": "sha256=" + base64.b64encode(digest).decode()}


def calendly_signature(body: bytes, secret: str, at: float | None = None) -> Headers:
    seconds = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Calendly-Webhook-Signature": f"t={seconds},v1={digest}"}


def webflow_signature(body: bytes, secret: str, at: float | None = None) -> Headers:
    milliseconds = int((time.time() if at is None else at) * 1000)
    digest = hmac.new(secret.encode(), f"{milliseconds}:".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Webflow-Timestamp": str(milliseconds), "X-Webflow-Signature": digest}


@dataclass(frozen=True)
class Sample:
    """What a sender sends, and the lead that it becomes."""

    body: bytes
    media_type: str
    lead: dict[str, Any]
    details: dict[str, Any]
    phone: str | None = None
    sign: Callable[[bytes, str], Headers] = _unsigned
    """Returns the headers that prove the sender."""
    is_signed: bool = False
    repeats: bool = True
    """Whether the sender gives an id by which a repeat is recognized."""
    headers: Headers = field(default_factory=dict)


JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _multipart(fields: dict[str, str], boundary: str = "x-boundary") -> tuple[bytes, str]:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return ("".join(parts) + f"--{boundary}--\r\n").encode(), f"multipart/form-data; boundary={boundary}"


_JOTFORM, _JOTFORM_TYPE = _multipart(
    {
        "formID": "220000000000001",
        "submissionID": "5300000000000000001",
        "webhookURL": "https://leads.example.com/in/token",
        "ip": "192.0.2.17",
        "formTitle": "Roof inspection",
        "pretty": "Name:Dana Whitfield, E-mail:dana.whitfield@example.com",
        "username": "acme",
        "rawRequest": json.dumps(
            {
                "slug": "submit/220000000000001",
                "q3_fullName": {"first": "Dana", "last": "Whitfield"},
                "q4_email": "dana.whitfield@example.com",
                "q5_phoneNumber": {"full": "(555) 010-0142"},
                "q6_roofAge": "12",
                "q7_services": ["Repair", "Inspection"],
                "q8_message": "Two tiles are loose.",
                "event_id": "1700000000000_220000000000001_abc",
                "timeToSubmit": "21",
                "jsExecutionTracker": "build-date",
                "path": "/submit/220000000000001",
            }
        ),
        "type": "WEB",
    }
)

SAMPLES = {
    "google_ads": Sample(
        _json(
            {
                "lead_id": "TeSter-123-ABCDEFGH",
                "user_column_data": [
                    {"column_name": "Full Name", "string_value": "Dana Whitfield", "column_id": "FULL_NAME"},
                    {"column_name": "User Phone", "string_value": "+15550100142", "column_id": "PHONE_NUMBER"},
                    {"column_name": "User Email", "string_value": "dana.whitfield@example.com", "column_id": "EMAIL"},
                    {"column_name": "Postal Code", "string_value": "94043", "column_id": "POSTAL_CODE"},
                    {"string_value": "This week", "column_id": "When do you need help?"},
                ],
                "api_version": "1.0",
                "form_id": 40000000001,
                "campaign_id": 123456,
                "google_key": SECRET,
                "is_test": True,
                "gcl_id": "abc",
                "adgroup_id": 20000000001,
                "creative_id": 30000000001,
            }
        ),
        JSON,
        {"name": "Dana Whitfield", "email": "dana.whitfield@example.com", "source": "google_ads"},
        {
            "postal_code": "94043",
            "when_do_you_need_help": "This week",
            "form_id": 40000000001,
            "campaign_id": 123456,
            "google_lead_id": "TeSter-123-ABCDEFGH",
            "is_test": True,
            "gcl_id": "abc",
            "adgroup_id": 20000000001,
            "creative_id": 30000000001,
        },
        phone="+15550100142",
        is_signed=True,
    ),
    "typeform": Sample(
        _json(
            {
                "event_id": "LtWXD3crgy",
                "event_type": "form_response",
                "form_response": {
                    "form_id": "lT4Z3j",
                    "token": "a3a12ec67a1365927098a606107fac15",
                    "landed_at": "2026-04-27T13:00:00Z",
                    "submitted_at": "2026-04-27T13:02:00Z",
                    "hidden": {"utm_campaign": "spring"},
                    "calculated": {"score": 9},
                    "variables": [{"key": "score", "type": "number", "number": 9}],
                    "definition": {
                        "id": "lT4Z3j",
                        "title": "Roof inspection",
                        "fields": [
                            {"id": "f1", "ref": "ref_first", "title": "First name", "type": "short_text"},
                            {"id": "f2", "ref": "ref_last", "title": "Last name", "type": "short_text"},
                            {"id": "f3", "ref": "ref_email", "title": "What's your e-mail?", "type": "email"},
                            {"id": "f4", "ref": "ref_phone", "title": "And your number?", "type": "phone_number"},
                            {"id": "f5", "ref": "ref_age", "title": "How old is the roof?", "type": "number"},
                            {"id": "f6", "ref": "ref_kind", "title": "What kind of roof?", "type": "multiple_choice"},
                            {"id": "f7", "ref": "ref_own", "title": "Do you own it?", "type": "yes_no"},
                            {"id": "f8", "ref": "ref_work", "title": "Which work?", "type": "multiple_choice"},
                        ],
                    },
                    "answers": [
                        {
                            "type": "text",
                            "text": "Dana",
                            "field": {"id": "f1", "type": "short_text", "ref": "ref_first"},
                        },
                        {
                            "type": "text",
                            "text": "Whitfield",
                            "field": {"id": "f2", "type": "short_text", "ref": "ref_last"},
                        },
                        {
                            "type": "email",
                            "email": "dana.whitfield@example.com",
                            "field": {"id": "f3", "type": "email", "ref": "ref_email"},
                        },
                        {
                            "type": "phone_number",
                            "phone_number": "+15550100142",
                            "field": {"id": "f4", "type": "phone_number", "ref": "ref_phone"},
                        },
                        {"type": "number", "number": 12, "field": {"id": "f5", "type": "number", "ref": "ref_age"}},
                        {
                            "type": "choice",
                            "choice": {"id": "c1", "label": "Slate"},
                            "field": {"id": "f6", "type": "multiple_choice", "ref": "ref_kind"},
                        },
                        {"type": "boolean", "boolean": True, "field": {"id": "f7", "type": "yes_no", "ref": "ref_own"}},
                        {
                            "type": "choices",
                            "choices": {"ids": ["c2", "c3"], "labels": ["Repair", "Inspection"]},
                            "field": {"id": "f8", "type": "multiple_choice", "ref": "ref_work"},
                        },
                    ],
                    "ending": {"id": "e1", "ref": "default_tys"},
                },
            }
        ),
        JSON,
        {"name": "Dana Whitfield", "email": "dana.whitfield@example.com", "source": "typeform"},
        {
            "how_old_is_the_roof": 12,
            "what_kind_of_roof": "Slate",
            "do_you_own_it": True,
            "which_work": "Repair, Inspection",
            "utm_campaign": "spring",
            "score": 9,
            "form_id": "lT4Z3j",
            "submitted_at": "2026-04-27T13:02:00Z",
        },
        phone="+15550100142",
        sign=typeform_signature,
        is_signed=True,
    ),
    "jotform": Sample(
        _JOTFORM,
        _JOTFORM_TYPE,
        {
            "name": "Dana Whitfield",
            "email": "dana.whitfield@example.com",
            "source": "jotform",
            "pain_points": "Two tiles are loose.",
        },
        {
            "q6_roofage": "12",
            "q7_services": "Repair, Inspection",
            "form_id": "220000000000001",
            "form_title": "Roof inspection",
        },
        phone="(555) 010-0142",
    ),
    "gravity_forms": Sample(
        _json(
            {
                "id": "317",
                "form_id": "2",
                "post_id": None,
                "date_created": "2026-04-27 13:02:00",
                "date_updated": "2026-04-27 13:02:00",
                "is_starred": "0",
                "is_read": "0",
                "ip": "192.0.2.17",
                "source_url": "https://www.example.com/contact/",
                "user_agent": "Mozilla/5.0",
                "currency": "USD",
                "payment_status": None,
                "payment_amount": None,
                "transaction_id": None,
                "is_fulfilled": None,
                "created_by": "1",
                "status": "active",
                "1.3": "Dana",
                "1.6": "Whitfield",
                "2": "dana.whitfield@example.com",
                "4": "Two tiles are loose.",
            }
        ),
        JSON,
        {"name": "Dana Whitfield", "email": "dana.whitfield@example.com", "source": "website"},
        {
            "field_4": "Two tiles are loose.",
            "form_id": "2",
            "date_created": "2026-04-27 13:02:00",
            "source_url": "https://www.example.com/contact/",
        },
    ),
    "elementor": Sample(
        urlencode(
            {
                "form[id]": "8a7b6c5",
                "form[name]": "Contact",
                **{
                    f"fields[{id}][{key}]": value
                    for id, type, title, text in (
                        ("name", "text", "Name", "Dana Whitfield"),
                        ("email", "email", "E-mail", "dana.whitfield@example.com"),
                        ("field_1a2b", "tel", "Phone", "(555) 010-0142"),
                        ("message", "textarea", "Message", "Two tiles are loose."),
                        ("field_3c4d", "select", "Roof", "Slate"),
                    )
                    for key, value in {
                        "id": id,
                        "type": type,
                        "title": title,
                        "value": text,
                        "raw_value": text,
                        "required": "0",
                    }.items()
                },
                "meta[date][title]": "Date",
                "meta[date][value]": "April 27, 2026",
                "meta[remote_ip][title]": "Remote IP",
                "meta[remote_ip][value]": "192.0.2.17",
            }
        ).encode(),
        FORM,
        {
            "name": "Dana Whitfield",
            "email": "dana.whitfield@example.com",
            "source": "website",
            "pain_points": "Two tiles are loose.",
        },
        {"roof": "Slate", "form_name": "Contact"},
        phone="(555) 010-0142",
        repeats=False,
    ),
    "webflow": Sample(
        _json(
            {
                "triggerType": "form_submission",
                "payload": {
                    "name": "Contact us",
                    "siteId": "65427cf400e02b306eaa049c",
                    "data": {
                        "First Name": "Dana",
                        "Last Name": "Whitfield",
                        "email": "dana.whitfield@example.com",
                        "Phone Number": 15550100142,
                        "Roof age": 12,
                    },
                    "schema": [{"fieldName": "First Name", "fieldType": "FormTextInput", "fieldElementId": "285042f7"}],
                    "submittedAt": "2026-04-27T13:02:00.000Z",
                    "id": "6321ca84df3949bfc6752327",
                    "formId": "65429eadebe8a9f3a30f62d0",
                    "formElementId": "4e038d2c-6a1e-4953-7be9-a59a2b453177",
                },
            }
        ),
        JSON,
        {"name": "Dana Whitfield", "email": "dana.whitfield@example.com", "source": "website"},
        {"roof_age": 12, "form_name": "Contact us", "submittedat": "2026-04-27T13:02:00.000Z"},
        phone="15550100142",
        sign=webflow_signature,
        is_signed=True,
    ),
    "calendly": Sample(
        _json(
            {
                "event": "invitee.created",
                "created_at": "2026-04-27T13:02:00.000000Z",
                "created_by": "https://api.example.com/users/AAAA",
                "payload": {
                    "cancel_url": "https://calendly.example.com/cancellations/AAAA",
                    "created_at": "2026-04-27T13:02:00.000000Z",
                    "email": "dana.whitfield@example.com",
                    "event": "https://api.example.com/scheduled_events/BBBB",
                    "name": "Dana Whitfield",
                    "first_name": None,
                    "last_name": None,
                    "new_invitee": None,
                    "old_invitee": None,
                    "questions_and_answers": [
                        {"answer": "Two tiles are loose.", "position": 0, "question": "What is it about?"},
                        {"answer": "(555) 010-0142", "position": 1, "question": "Phone number"},
                    ],
                    "reschedule_url": "https://calendly.example.com/reschedulings/AAAA",
                    "rescheduled": False,
                    "status": "active",
                    "text_reminder_number": None,
                    "timezone": "America/New_York",
                    "tracking": {"utm_campaign": "spring", "utm_source": None, "salesforce_uuid": None},
                    "updated_at": "2026-04-27T13:02:00.000000Z",
                    "uri": "https://api.example.com/scheduled_events/BBBB/invitees/AAAA",
                    "scheduled_event": {"name": "Inspection", "start_time": "2026-05-02T16:00:00.000000Z"},
                },
            }
        ),
        JSON,
        {"name": "Dana Whitfield", "email": "dana.whitfield@example.com", "source": "calendly"},
        {
            "what_is_it_about": "Two tiles are loose.",
            "starts_at": "2026-05-02T16:00:00.000000Z",
            "event_name": "Inspection",
            "timezone": "America/New_York",
            "utm_campaign": "spring",
            "calendly_uri": "https://api.example.com/scheduled_events/BBBB/invitees/AAAA",
        },
        phone="(555) 010-0142",
        sign=calendly_signature,
        is_signed=True,
    ),
    "meta": Sample(
        _json(
            {
                "leadgen_id": "1029384756",
                "created_time": "2026-04-27T13:02:00+0000",
                "form_id": "5647382910",
                "campaign_name": "Spring",
                "platform": "fb",
                "is_organic": "false",
                "full_name": "Dana Whitfield",
                "email": "dana.whitfield@example.com",
                "phone_number": "+15550100142",
                "how_old_is_your_roof?": "12 years",
            }
        ),
        JSON,
        {"name": "Dana Whitfield", "email": "dana.whitfield@example.com", "source": "facebook"},
        {
            "meta_lead_id": "1029384756",
            "created_time": "2026-04-27T13:02:00+0000",
            "form_id": "5647382910",
            "campaign_name": "Spring",
            "platform": "fb",
            "is_organic": "false",
            "how_old_is_your_roof": "12 years",
        },
        phone="+15550100142",
    ),
}
