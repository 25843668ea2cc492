"""Compares what a mixed load was told with what the database, the audit log and the CRM have."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bench.figures import BenchmarkError
from bench.mixed import Load
from tests.support.chain import seal, verdict
from tests.support.database import Database

_LEADS = "select id::text, name, company from app.lead where organization_id = %s"
_SIGNALS = (
    "select id::text, lead_id::text as lead, value #>> '{}' as mark from scoring.signal where organization_id = %s"
)
_EVENTS = (
    "select action, lead_id::text as lead, count(*) as n from audit.event where organization_id = %s group by 1, 2"
)
_SYNCS = "select lead_id::text as lead, status, external_id from crm.sync where organization_id = %s"
_OPEN = "select 1 from crm.sync where organization_id = %s and status in ('pending', 'in_progress') limit 1"


@dataclass(frozen=True)
class Effects:
    """lost: acknowledged writes without their effect. doubled: effects that exist more than once.
    audit: changes whose rows in the audit log are missing, or rows without a change. chain: why the
    audit chain doesn't verify. rows: of the audit log, about leads.
    """

    lost: list[str]
    doubled: list[str]
    audit: list[str]
    chain: str
    changes: int
    rows: int


def wait_for_pushes(database: Database, organization: str, seconds: float = 120) -> None:
    """Waits until no push is open. Raises BenchmarkError."""
    end = time.monotonic() + seconds
    while database.sql(_OPEN, organization):
        if time.monotonic() > end:
            raise BenchmarkError(f"Some pushes were not completed within {seconds:.0f} s.")
        time.sleep(0.2)


def read(database: Database, organization: str, load: Load, records: Iterable[dict[str, Any]]) -> Effects:
    """Compares, and seals the audit log. records: those of the CRM."""
    leads = {row["id"]: row for row in database.sql(_LEADS, organization)}
    signals = {row["id"]: row for row in database.sql(_SIGNALS, organization)}
    syncs = {row["lead"]: row for row in database.sql(_SYNCS, organization)}
    records_of = Counter(str(record["external_id"]) for record in records if record["external_id"] in leads)

    lost = []
    for write in load.writes:
        match write.kind:
            case "create":
                is_there = leads.get(write.lead, {}).get("name") == write.mark
            case "signal":
                row = signals.get(write.answer["id"], {})
                is_there = (row.get("lead"), row.get("mark")) == (write.lead, write.mark)
            case "patch":
                is_there = leads.get(write.lead, {}).get("company") == write.mark
            case _:
                row = syncs.get(write.lead, {})
                told = write.answer["crm_sync"]["external_id"]
                is_there = (
                    row.get("status") == "ok" and told in (None, row["external_id"]) and records_of[write.lead] >= 1
                )
        if not is_there:
            lost.append(f"{write.kind} {write.mark}")

    events: Counter[tuple[str, str]] = Counter()
    for row in database.sql(_EVENTS, organization):
        if row["lead"]:
            events[row["action"], row["lead"]] = row["n"]
    effects: Counter[str] = Counter()
    effects.update(f"create {row['name']}" for row in leads.values())
    effects.update(f"signal {row['mark']}" for row in signals.values())
    effects.update({f"record {lead}": count for lead, count in records_of.items()})
    effects.update({f"patch {lead}": count for (action, lead), count in events.items() if action == "lead.updated"})
    doubled = [effect for effect, count in effects.items() if count > 1]

    changes: Counter[tuple[str, str]] = Counter()
    changes.update(("lead.created", lead) for lead in leads)
    changes.update(("lead.updated", lead) for lead, row in leads.items() if row["company"])
    changes.update(("signal.created", row["lead"]) for row in signals.values())
    changes.update(("lead.crm_push_requested", lead) for lead in syncs)
    changes.update(("lead.crm_pushed", lead) for lead, row in syncs.items() if row["status"] == "ok")
    audit = [f"{action} of {lead}: no event" for action, lead in (changes - events).elements()]
    audit += [f"{action} of {lead}: an event without a change" for action, lead in (events - changes).elements()]

    seal(database)
    row = verdict(database, organization)
    is_complete = row["holds"] and not row["unsealed"]
    chain = "" if is_complete else f"{row['code'] or 'unsealed'}: {row['detail'] or row['unsealed']}"
    return Effects(lost, doubled, audit, chain, changes.total(), events.total())


def faults(found: Effects, load: Load) -> list[str]:
    """The wrong effects, the answers of 500 and the requests without success, as sentences."""
    sentences = [f"An acknowledged write is lost: {write}." for write in found.lost]
    sentences += [f"An effect exists more than once: {effect}." for effect in found.doubled]
    sentences += [f"The audit log and the changes differ: {difference}." for difference in found.audit]
    if found.chain:
        sentences.append(f"The audit chain doesn't verify: {found.chain}.")
    if load.statuses[500]:
        sentences.append(f"{load.statuses[500]} answers were 500.")
    sentences += [f"A request was refused: {request}." for request in load.refused]
    sentences += [f"A request did not succeed in the end: {request}." for request in load.unfinished]
    return sentences
