"""``leads crm reconcile``: compares the vendor's records with our pushes."""

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
    """Reads all records, then our pushes, and returns the differences. Raises CallFailed."""
    # A push that ends after this time may have a record that the vendor's list doesn't show yet.
    start = datetime.now(UTC)
    records = []
    columns = SpinnerColumn(), TextColumn("{task.description} {task.completed:.0f}")
    with progress(*columns) as bar:
        task = bar.add_task("Reading the vendor's records:", total=None)
        async for record in vendor.records():
            records.append(record)
            bar.advance(task)
    return list(_findings(records, organization, syncs(), start))


def _findings(
    records: Sequence[Record], organization: UUID, syncs: Sequence[DictRow], start: datetime
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
            yield _finding(sync, "two_records", own, "The vendor has several records of this lead. Merge them there.")
        elif len(same) > 1:
            yield _finding(
                sync,
                "same_address",
                same,
                "Several records have the lead's e-mail address. Check whether they are the same person.",
            )
        if status == "ok" and sync["external_id"] not in by_id and sync["last_synced_at"] < start:
            yield _finding(sync, "missing", [sync["external_id"]], "The vendor no longer has the lead's record.")
        elif status == "ok" and own and sync["external_id"] not in own:
            yield _finding(
                sync,
                "other_record",
                own,
                f"The lead is linked to {sync['external_id']}, but the vendor has another record of it.",
            )
        elif status == "failed" and (matches := own or same):
            yield _finding(
                sync,
                "found",
                matches,
                f"The push failed, but this may be its record. To link it: {retry} --link {matches[0]}",
            )
        elif status == "failed" and sync["error_code"] == "outcome_unknown":
            yield _finding(
                sync, "not_found", [], f"Search the vendor for the lead's name. If there is no record, run: {retry}"
            )


def _finding(sync: DictRow, finding: str, external_ids: list[str], remedy: str) -> dict[str, Any]:
    return {"lead_id": sync["lead_id"], "finding": finding, "external_ids": external_ids, "remedy": remedy}


def report(findings: Sequence[dict[str, Any]], as_json: bool) -> None:
    """Prints the findings."""
    if findings or as_json:
        rows(findings, ("lead_id", "finding", "external_ids", "remedy"), as_json)
    else:
        Console().print("No differences: every completed push has exactly one record.")
