"""Received webhooks. Needs the extra: pip install leads-client[webhooks]."""

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError


class InvalidSignatureError(ValueError):
    """The message is not from the Leads API, or is older than 5 minutes. Answer 401."""


@dataclass(frozen=True)
class Event:
    """A received event. id: the same when it is delivered again. type: such as lead.created."""

    id: str
    type: str
    timestamp: datetime.datetime
    data: dict[str, Any]


def verified_event(body: bytes, headers: Mapping[str, str], secret: str) -> Event:
    """Checks the signature (https://www.standardwebhooks.com) of a received body, byte for byte, and
    returns its event. Raises InvalidSignatureError.
    """
    try:
        Webhook(secret).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError) as error:
        raise InvalidSignatureError(str(error)) from None
    content = json.loads(body)
    id = next(value for name, value in headers.items() if name.lower() == "webhook-id")
    timestamp = datetime.datetime.fromisoformat(content["timestamp"])
    return Event(id, content["type"], timestamp, content["data"])
