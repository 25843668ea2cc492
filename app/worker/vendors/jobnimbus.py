"""JobNimbus: its api1. A repeated call creates a second record,
so a later attempt must look for the first one.

Source: the "JobNimbus Public API" (documenter.getpostman.com/view/3919598/S11PpG4x),
and public clients.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from app.worker.calls import Answer, Before, Calls
from app.worker.vendors import (
    Account,
    Contact,
    Duplicate,
    NotMade,
    OutcomeUnknown,
    Record,
    Refused,
    Sent,
    Setting,
    Vendor,
    typed,
)

_FIELDS = "jnid,display_name,email,external_id,date_created"
_OLDEST_FIRST = {"sort_field": "date_created", "sort_direction": "asc"}
_FOUND = 100  # records that a search returns: several may have the name, and any may be the lead's
_PAGE = 1000  # the maximum number of records on a page
_LONG = 1 << 20  # bytes of a page, and of the account's settings, which no push reads


def source_names(text: str) -> dict[str, str]:
    """Our sources' names in JobNimbus, from `a=Google Ads,b=Referral` or a JSON object.
    Raises ValueError.
    """
    try:
        if text.lstrip().startswith("{"):
            names = json.loads(text)
        else:
            names = dict(pair.split("=", 1) for pair in text.split(","))
        return {typed.text(ours): typed.text(theirs) for ours, theirs in names.items()}
    except (ValueError, AttributeError):
        raise ValueError("it must be pairs such as google_ads=Google Ads,referral=Referral, or a JSON object") from None


SETTINGS = {
    "record_type_name": Setting("The contact workflow of new records, such as Customer.", True, typed.text),
    "status_name": Setting("The status of that workflow that new records get, such as Lead.", True, typed.text),
    "source_names": Setting(
        "Lead sources by ours, such as google_ads=Google Ads,referral=Referral; others are left out.",
        False,
        source_names,
    ),
    "base_url": Setting("The API's address, if not https://app.jobnimbus.com/api1.", False, typed.base),
}


def of(client: httpx.AsyncClient, settings: Mapping[str, Any], credential: str, before: Before) -> Vendor:
    """The account of the API key."""
    base_url = settings.get("base_url", "https://app.jobnimbus.com/api1")
    headers = {"authorization": f"Bearer {credential}"}
    return _JobNimbus(Calls("JobNimbus", base_url, credential, headers, client, before, _is_error), settings)


@dataclass(frozen=True)
class _JobNimbus:
    calls: Calls
    settings: Mapping[str, Any]
    creates_once: bool = False

    async def verify(self) -> Account:
        answer = await self.calls.request("GET", "/account/settings", max_body=_LONG)
        if answer.status != 200:
            raise Refused(str(answer), answer.status)
        return Account(None, _faults(answer.json(), self.settings["record_type_name"], self.settings["status_name"]))

    async def find_by_email(self, email: str) -> list[Record]:
        # The search is case-sensitive.
        for spelling in dict.fromkeys((email, email.lower())):
            records = await self._find("email", spelling)
            if same := [record for record in records if (record.email or "").lower() == email.lower()]:
                return same
        return []

    async def find_by_name(self, display_name: str) -> list[Record]:
        records = await self._find("display_name", display_name)
        return [record for record in records if record.display_name == display_name]

    async def create(self, contact: Contact, display_name: str) -> Record:
        first, _, last = (contact.name or "").rpartition(" ")
        body = {
            "record_type_name": self.settings["record_type_name"],
            "status_name": self.settings["status_name"],
            "source_name": self.settings.get("source_names", {}).get(contact.source),
            "first_name": (first or last).strip(),
            "last_name": last if first else None,
            "display_name": display_name,
            "company": contact.company,
            "email": contact.email,
            "home_phone": contact.phone,
            "description": contact.description,
            "external_id": contact.lead_id,
        }
        answer = await self.calls.request(
            "POST",
            "/contacts",
            json={name: value for name, value in body.items() if value},
            makes=Sent(contact.email, display_name),
        )
        if answer.status == 400 and "duplicate contact exists" in answer.text.lower():
            raise Duplicate(str(answer), answer.status)
        if answer.status >= 400:
            raise Refused(str(answer), answer.status)
        try:
            return _record(answer.json(), is_new=True)
        except (KeyError, TypeError):
            raise OutcomeUnknown(f"{answer.vendor} answered {answer.status} without a jnid", answer.status) from None

    async def records(self) -> AsyncIterator[Record]:
        # No page can start after the 10,000th record.
        # Each one starts at the second at which the last one ended.
        since, offset, seen = 0, 0, set[str]()
        while True:
            created = {"range": {"date_created": {"gte": since}}}
            page = await self._search(created, {"size": _PAGE, "from": offset}, max_body=_LONG)
            for result in page:
                if (record := _record(result)).id not in seen:
                    seen.add(record.id)
                    yield record
            if len(page) < _PAGE:
                return
            if not isinstance(last := page[-1].get("date_created"), int):
                raise NotMade("JobNimbus answered with contacts without a date_created")
            since, offset = (last, 0) if last > since else (since, offset + _PAGE)

    async def _find(self, field: str, value: str) -> list[Record]:
        return [_record(result) for result in await self._search({"term": {field: value}}, {"size": _FOUND})]

    async def _search(
        self, condition: dict[str, Any], page: dict[str, int], *, max_body: int | None = None
    ) -> list[dict[str, Any]]:
        filter = json.dumps({"must": [condition]}, separators=(",", ":"), ensure_ascii=False)
        answer = await self.calls.request(
            "GET",
            "/contacts",
            params={"filter": filter, "fields": _FIELDS, **_OLDEST_FIRST, **page},
            max_body=max_body,
        )
        return _results(answer)


def _is_error(body: Any) -> bool:
    """Whether it may be an error of JobNimbus, whose format isn't documented: not a page, and not a text."""
    match body:
        case {"message": str()} | {"error": str()} | {"errorMessage": str()}:
            return True
    return False


def _results(answer: Answer) -> list[dict[str, Any]]:
    if answer.status >= 400:
        raise Refused(str(answer), answer.status)
    match answer.json():
        case {"count": int(), "results": list(results)} if all(_is_contact(result) for result in results):
            return results
    raise NotMade(f"{answer.vendor} answered {answer.status} with something that isn't contacts", answer.status)


def _is_contact(result: Any) -> bool:
    if not isinstance(result, dict) or not isinstance(result.get("jnid"), str) or not result["jnid"]:
        return False
    return all(isinstance(result.get(name), str | None) for name in ("email", "display_name", "external_id"))


def _record(contact: Any, *, is_new: bool = False) -> Record:
    """The parts of a contact that we use. Raises KeyError or TypeError if it has no jnid."""
    if not _is_contact(contact):
        raise KeyError("jnid")
    return Record(
        contact["jnid"], contact.get("email"), contact.get("display_name"), contact.get("external_id"), is_new
    )


def _faults(account: Any, record_type_name: str, status_name: str) -> tuple[str, ...]:
    """Errors in the settings, by the account's workflows.
    None, if the workflows have an unknown form.
    """
    try:
        workflows = {
            workflow["name"]: [status["name"] for status in workflow["status"]]
            for workflow in account["workflows"]
            if workflow.get("object_type", "contact") == "contact"
        }
    except (KeyError, TypeError, AttributeError):
        return ()
    if not workflows:
        return ()
    if record_type_name not in workflows:
        return (_unknown("record_type_name", record_type_name, "contact workflow", workflows),)
    if status_name not in (statuses := workflows[record_type_name]):
        return (_unknown("status_name", status_name, f"status of the workflow {record_type_name}", statuses),)
    return ()


def _unknown(setting: str, value: str, kind: str, known: Any) -> str:
    return f"{setting} is {value}, which is no {kind} of the account: it has {', '.join(map(str, known))}."
