"""A webhook: posts each lead to an address, with a signature (Standard Webhooks 1.0.0).

The receiver recognizes a repeated call by its webhook-id, which stays the same. The body has it, too.
"""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from standardwebhooks import Webhook

from app.worker.calls import Before, Calls
from app.worker.vendors import (
    Account,
    Contact,
    NotYet,
    Record,
    Redirected,
    Refused,
    Sent,
    Setting,
    Unclear,
    Vendor,
    typed,
)

_AFTER_THE_WORK = (302, 303)
"""Redirects that a receiver may send after it has processed a POST.
The client is to GET the result there.
"""

_MESSAGE = 1 << 14  # bytes of a response's body: only an error message is read from it

SETTINGS = {"url": Setting("The https address that leads are posted to.", True, typed.address)}


def signing_secret(text: str) -> str:
    """`whsec_` and 24 to 64 bytes in base64. Raises ValueError."""
    stem, prefix, encoded = (text := text.strip()).partition("whsec_")
    try:
        size = len(base64.b64decode(encoded, validate=True))
    except ValueError:
        size = 0
    if stem or not prefix or not 24 <= size <= 64:
        raise ValueError("it must be whsec_ and 24 to 64 bytes in base64")
    return text


def of(client: httpx.AsyncClient, settings: Mapping[str, Any], credential: str, before: Before) -> Vendor:
    """The receiver at the address, which has the signing secret."""
    calls = Calls("The webhook", settings["url"], credential, {}, client, before, max_body=_MESSAGE, may_cut=True)
    return _Webhook(calls, Webhook(credential))


@dataclass(frozen=True)
class _Webhook:
    calls: Calls
    signer: Webhook
    creates_once: bool = True

    async def verify(self) -> Account:
        """Returns the address only: a receiver has no call that checks it."""
        url = httpx.URL(self.calls.base_url)
        # Two addresses of one host are two receivers.
        # The query is left out, because it may be a secret.
        return Account((url.netloc.decode() + url.path.rstrip("/"))[:255])

    async def find_by_email(self, email: str) -> list[Record]:
        return []

    async def find_by_name(self, display_name: str) -> None:
        """Not possible: a receiver has no search."""

    async def create(self, contact: Contact, display_name: str) -> Record:
        id, now = f"msg_{contact.sync_id}", datetime.now(UTC)
        at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        # The id is in the body, too, because not every receiver can read headers.
        body = {"id": id, "type": "lead.pushed", "timestamp": at, "data": contact.lead}
        content = json.dumps(body, separators=(",", ":"))
        try:
            answer = await self.calls.request(
                "POST",
                "",
                content=content.encode(),
                headers={
                    "content-type": "application/json",
                    "webhook-id": id,
                    "webhook-timestamp": str(int(now.timestamp())),
                    "webhook-signature": self.signer.sign(id, now, content),
                },
                makes=Sent(contact.email, display_name),
            )
        except Redirected as error:
            if error.status in _AFTER_THE_WORK:
                raise Unclear(f"{error}: it may have the lead. Use the final address", error.status) from None
            if error.status != 307:
                raise Refused(f"{error}. Use the final address", error.status) from None
            raise
        if answer.status == 404 or (answer.status == 400 and "queue is full" in answer.text.lower()):
            raise NotYet(str(answer), answer.status)
        if answer.status >= 400:
            raise Refused(str(answer), answer.status)
        return Record(id, is_new=True)

    def records(self) -> AsyncIterator[Record]:
        raise NotImplementedError("a webhook's receiver can't be asked what it has")
