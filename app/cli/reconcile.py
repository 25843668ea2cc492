"""``leads crm reconcile``: the vendor's records beside our pushes, and what doesn't agree."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg.rows import DictRow
from rich.console import Console
from rich.progress import SpinnerColumn, TextColumn

from app.cli.output import progress, rows
from app.worker.vendors import Record, Vendor


async def compare(vendor: Vendor, organization: UUID, syncs: Callable[[], list[DictRow]]) -> list[dict[str, Any]]:
    """Reads all records, then our pushes, and gives what doesn't agree. Raises CallFailed."""
    # A push that ends meanwhile: its record may be new to the one side, and must not be missed on the other.
    began = datetime.now(UTC)
    records = []
    columns = SpinnerColumn(), TextColumn("{task.description} {task.completed:.0f}")
    with progress(*columns) as bar:
        task = bar.add_task("Reading the vendor's records:", total=None)
        async for record in vendor.records():
            records.append(record)
            bar.advance(task)
    return list(_findings(records, organization, syncs(), began))


def _findings(
    records: Sequence[Record], organization: UUID, syncs: Sequence[DictRow], began: datetime
) -> Iterator[dict[str, Any]]:
    by_id = {record.id: record for record in records}
    by_lead: dict[str, list[str]] = defaultdict(list)
    by_email: dict[str, list[str]] = defaultdict(list)
    for record in records:
        if record.external_id:
            by_lead[record.external_id].append(record.id)
        if record.email:
            by_email[record.email.lower()].append(record.id)

    for sync in syncs:
        lead_id, status = str(sync["lead_id"]), sync["status"]
        retry = f"leads crm retry {lead_id} --organization {organization}"
        own, same = by_lead[lead_id], by_email[(sync["email"] or "").lower()]
        if len(own) > 1:
            yield _finding(sync, "two_records", own, "The vendor has several records of the lead. Merge them there.")
        elif len(same) > 1:
            yield _finding(
                sync,
                "same_address",
                same,
                "Several records have the lead's address. Are they one person's?",
            )
        if status == "ok" and sync["external_id"] not in by_id and sync["last_synced_at"] < began:
            yield _finding(sync, "missing", [sync["external_id"]], "The lead's record is gone at the vendor.")
        elif status == "ok" and own and sync["external_id"] not in own:
            yield _finding(sync, "other_record", own, f"The lead is linked to {sync['external_id']}; there is another.")
        elif status == "failed" and (found := own or same):
            yield _finding(
                sync, "found", found, f"The push failed, and this may be its record: {retry} --link {found[0]}"
            )
        elif status == "failed" and sync["error_code"] == "outcome_unknown":
            yield _finding(sync, "not_found", [], f"Look for the name; if it isn't there: {retry}")


def _finding(sync: DictRow, finding: str, external_ids: list[str], remedy: str) -> dict[str, Any]:
    return {"lead_id": sync["lead_id"], "finding": finding, "external_ids": external_ids, "remedy": remedy}


def report(findings: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Prints the findings."""
    if findings or as_json:
        rows(findings, ("lead_id", "finding", "external_ids", "remedy"), as_json)
    else:
        Console().print("Nothing found: each push that is through has its record, and one alone.")
