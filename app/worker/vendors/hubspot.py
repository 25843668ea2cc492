"""HubSpot: contacts. An address is unique there.
With a custom unique property, a repeated call has no effect.

Source: developers.hubspot.com, CRM API, contacts.
"""

import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from app.worker.calls import Answer, Before, Calls
from app.worker.vendors import (
    Account,
    Blocked,
    Contact,
    NotMade,
    OutcomeUnknown,
    Record,
    Refused,
    Sent,
    Setting,
    Unauthorized,
    Vendor,
    typed,
)

_CONFLICT = (207, 400, 409)  # the statuses of an address that a contact has already


def path_prefix(text: str) -> str:
    """Raises ValueError."""
    if not re.fullmatch(r"(/[a-z0-9-]+)+", prefix := text.strip().rstrip("/")):
        raise ValueError("it must be a path such as /crm/objects/2026-03")
    return prefix


def unique_property(text: str) -> str:
    """Raises ValueError."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,99}", name := text.strip()):
        raise ValueError("it must be a property's internal name, such as leads_api_id")
    return name


def utc_offset(text: str) -> str:
    """Raises ValueError."""
    if not re.fullmatch(r"[+-](0[0-9]|1[0-4]):[0-5][0-9]", offset := text.strip()):
        raise ValueError("it must be an offset from UTC such as -05:00")
    return offset


SETTINGS = {
    "unique_property": Setting(
        "A contact property with unique values that holds our lead's id, such as leads_api_id.", False, unique_property
    ),
    "path_prefix": Setting("The objects' path, if not /crm/v3/objects.", False, path_prefix),
    "utc_offset": Setting(
        "The account's offset from UTC, such as -05:00, if HubSpot doesn't tell it.", False, utc_offset
    ),
    "base_url": Setting("The API's address, if not https://api.hubapi.com.", False, typed.base),
}


def of(client: httpx.AsyncClient, settings: Mapping[str, Any], credential: str, before: Before) -> Vendor:
    """The account of the private app's access token."""
    base_url = settings.get("base_url", "https://api.hubapi.com")
    headers = {"authorization": f"Bearer {credential}"}

    def wait_in(answer: Answer) -> float | None:
        match answer.json():
            case {"policyName": "DAILY"}:
                return seconds_until_tomorrow(settings.get("utc_offset", "+00:00"), time.time())
        return None

    return _HubSpot(
        Calls("HubSpot", base_url, credential, headers, client, before, _is_error, wait_in),
        settings.get("path_prefix", "/crm/v3/objects") + "/contacts",
        settings.get("unique_property"),
    )


def seconds_until_tomorrow(offset: str, now: float) -> float:
    """The seconds until the account's daily limit is renewed, which happens at its midnight.

    65 minutes later, because clocks differ, and the offset may have been read before a change to or
    from summer time. A call that comes too early would wait for another day.
    """
    hours, minutes = int(offset[1:3]), int(offset[4:])
    seconds = (hours * 60 + minutes) * 60 * (-1 if offset[0] == "-" else 1)
    return 86_400 - (now + seconds - 3_900) % 86_400


@dataclass(frozen=True)
class _HubSpot:
    calls: Calls
    path: str
    unique_property: str | None

    @property
    def creates_once(self) -> bool:
        return self.unique_property is not None

    async def verify(self) -> Account:
        await self._get(self.path, {"limit": 1})
        try:
            details = await self._get("/account-info/v3/details", {})
        except (Unauthorized, Blocked):  # the token doesn't permit this call, which isn't needed otherwise
            details = {}
        name, settings = None, {}
        if (portal := details.get("portalId")) is not None:
            name = f"portal {portal}"
        with suppress(ValueError, AttributeError):
            settings["utc_offset"] = utc_offset(details.get("utcOffset"))  # type: ignore[arg-type]
        return Account(name, await self._faults(), settings)

    async def find_by_email(self, email: str) -> list[Record]:
        params = {"idProperty": "email", "properties": self._properties}
        answer = await self.calls.request("GET", f"{self.path}/{quote(email, safe='')}", params=params)
        return [] if answer.status == 404 else [self._record(_object(answer))]

    async def find_by_name(self, display_name: str) -> None:
        """Not possible: the search is delayed and matches words."""

    async def create(self, contact: Contact, display_name: str) -> Record:
        first, _, last = (contact.name or "").rpartition(" ")
        # Without a name or an address, the display name identifies the contact.
        properties = {
            "email": contact.email,
            "firstname": (first or last).strip() or (None if contact.email else display_name),
            "lastname": last if first else None,
            "company": contact.company,
            "phone": contact.phone,
            "lifecyclestage": "lead",
        }
        body: dict[str, Any] = {"properties": {name: value for name, value in properties.items() if value}}
        path = self.path
        if self.unique_property:
            path += "/batch/upsert"
            body["properties"][self.unique_property] = contact.lead_id
            body = {"inputs": [{"id": contact.lead_id, "idProperty": self.unique_property, **body}]}
        answer = await self.calls.request("POST", path, json=body, makes=Sent(contact.email, display_name))
        match answer.json():
            case {"id": str(id)} | {"results": [{"id": str(id), "new": True}]} if answer.status < 300:
                return Record(id, contact.email, is_new=True)
            case {"results": [{"id": str(id)}]} if answer.status < 300:
                return Record(id, contact.email)
            case {"message": str(text)} | {"errors": [{"message": str(text)}, *_]} if answer.status in _CONFLICT:
                # The whole message must match: a lead's field could contain this sentence inside
                # another message.
                if match := re.fullmatch(r"Contact already exists\. Existing ID: ([0-9]{1,20})\.?", text.strip()):
                    return Record(match[1])
                raise Refused(str(answer), answer.status)
        if answer.status >= 400:
            raise Refused(str(answer), answer.status)
        raise OutcomeUnknown(f"HubSpot answered {answer.status} without an id", answer.status)

    async def records(self) -> AsyncIterator[Record]:
        params: dict[str, str | int] = {"limit": 100, "properties": self._properties}
        while True:
            page = await self._get(self.path, params)
            if not isinstance(results := page.get("results"), list):
                raise NotMade("HubSpot answered 200 with something that isn't contacts", 200)
            for result in results:
                yield self._record(result)
            match page:
                case {"paging": {"next": {"after": str(after)}}}:
                    params["after"] = after
                case _:
                    return

    @property
    def _properties(self) -> str:
        return ",".join(filter(None, ("email", "firstname", "lastname", self.unique_property)))

    async def _get(self, path: str, params: Mapping[str, str | int]) -> dict[str, Any]:
        return _object(await self.calls.request("GET", path, params=params))

    async def _faults(self) -> tuple[str, ...]:
        if not (name := self.unique_property):
            return ()
        answer = await self.calls.request("GET", f"/crm/v3/properties/contacts/{name}")
        if answer.status == 404:
            return (f"unique_property is {name}, which is no property of the account's contacts.",)
        if _object(answer).get("hasUniqueValue") is not True:
            return (f"unique_property is {name}, which doesn't have unique values in the account.",)
        return ()

    def _record(self, contact: Any) -> Record:
        match contact:
            case {"id": str(id), "properties": dict(properties)}:
                texts = {name: value for name, value in properties.items() if isinstance(value, str)}
                names = (texts.get("firstname"), texts.get("lastname"))
                external_id = texts.get(self.unique_property) if self.unique_property else None
                return Record(id, texts.get("email"), " ".join(filter(None, names)) or None, external_id)
        raise NotMade("HubSpot answered with something that isn't a contact", 200)


def _is_error(body: Any) -> bool:
    """Whether it is an error in HubSpot's format, which a firewall in front of it doesn't use."""
    match body:
        case {"status": "error", "message": str()}:
            return True
    return False


def _object(answer: Answer) -> dict[str, Any]:
    if answer.status >= 400:
        raise Refused(str(answer), answer.status)
    if not isinstance(body := answer.json(), dict):
        raise NotMade(f"HubSpot answered {answer.status} with something that isn't an object", answer.status)
    return body
