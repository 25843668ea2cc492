"""``leads crm``, and the worker of the embedded server, as an operator uses them."""

import json
import os
import subprocess
import sys

import httpx
import pytest

from app.settings import ROOT
from tests.support.database import Database, make_organization
from tests.support.process import mistake
from tests.support.pushing import connect, leads_crm, live_organization
from tests.support.simulator import KEY, Simulator, running

SETTINGS = ("--set", "record_type_name=Customer", "--set", "status_name=Lead")


def sets(vendor: Simulator) -> tuple[str, ...]:
    return (*SETTINGS, "--set", f"base_url={vendor.url}/api1")


@pytest.mark.parametrize(
    ("arguments", "input", "message"),
    [
        (("--set", "status_name=Lead", "--api-key-file", "-"), KEY, "JobNimbus needs record_type_name. Use --set"),
        (SETTINGS, "", "JobNimbus needs its API key. Use --api-key-file"),
        ((*SETTINGS, "--api-key-file", "-"), "two words", "has no valid API key"),
        (("--set", "colour=red"), "", "The settings are record_type_name"),
        (("--set", "settle_seconds=soon"), "", "settle_seconds is 'soon', but it must be"),
        (
            (*SETTINGS, "--set", "base_url=http://example.com/", "--api-key-file", "-"),
            KEY,
            "it must be an https address",
        ),
        ((*SETTINGS, "--set", "push_stage=gone", "--api-key-file", "-"), KEY, 'has no stage "gone"'),
        ((*SETTINGS, "--set", "status_name=Gone", "--api-key-file", "-"), KEY, "status_name is Gone"),
        ((*SETTINGS, "--api-key-file", "-"), "another-key", "401"),
    ],
)
def test_errors_in_a_connection_are_reported_and_nothing_is_stored(
    database: Database, arguments: tuple[str, ...], input: str, message: str
) -> None:
    organization = live_organization(database)
    with running() as vendor:
        where = () if any("base_url" in part for part in arguments) else ("--set", f"base_url={vendor.url}/api1")
        command = ("connect", "jobnimbus", "--organization", organization.id, *arguments, *where)
        assert message in mistake(leads_crm(database, *command, input=input))
    assert json.loads(leads_crm(database, "list", "--organization", organization.id, "--json").stdout) == []


def test_a_vendor_that_is_down_is_reported(database: Database) -> None:
    organization = live_organization(database)
    with running() as vendor:
        url = vendor.url
    command = ("connect", "jobnimbus", "--organization", organization.id, *SETTINGS, "--set", f"base_url={url}")
    message = mistake(leads_crm(database, *command, "--api-key-file", "-", input=KEY))
    assert "JobNimbus can't be reached" in message
    assert KEY not in message


def test_commands_without_a_connection_say_how_to_create_one(database: Database) -> None:
    organization = live_organization(database)
    for command in ("pause", "resume", "disconnect", "reconcile"):
        assert "leads crm connect" in mistake(leads_crm(database, command, "--organization", organization.id))


def test_a_connection_is_listed_paused_resumed_and_removed(database: Database) -> None:
    organization = live_organization(database)
    option = ("--organization", organization.id)
    with running() as vendor:
        connect(database, organization, vendor, push_stage="won", account="Main")

        def listed() -> list[dict[str, object]]:
            rows: list[dict[str, object]] = json.loads(leads_crm(database, "list", *option, "--json").stdout)
            return rows

        assert [(row["vendor"], row["account"], row["push_stage"]) for row in listed()] == [
            ("jobnimbus", "Main", "won")
        ]
        assert "credential" not in listed()[0]
        assert leads_crm(database, "pause", *option).returncode == 0
        assert listed()[0]["state"] == "paused"
        # After a change the account stays, if the vendor doesn't return one.
        connect(database, organization, vendor)
        assert (listed()[0]["state"], listed()[0]["account"], listed()[0]["push_stage"]) == ("active", "Main", "won")
        assert leads_crm(database, "disconnect", *option).returncode == 0
        assert listed() == []


def test_what_hubspot_tells_is_stored_unless_it_is_set(database: Database) -> None:
    organization = live_organization(database)
    with running() as vendor:
        vendor.utc_offset = "-04:00"
        for more, offset in (({}, "-04:00"), ({"utc_offset": "+01:00"}, "+01:00")):
            connect(database, organization, vendor, "hubspot", **more)
            listed = leads_crm(database, "list", "--organization", organization.id, "--json").stdout
            assert json.loads(listed)[0]["settings"] == {"base_url": vendor.url, "utc_offset": offset}


def test_reconcile_finds_differences(database: Database) -> None:
    organization = live_organization(database)
    option = ("--organization", organization.id)
    with running() as vendor:
        connect(database, organization, vendor)
        leads = database.sql(
            "insert into app.lead (organization_id, name, email, pipeline_stage) "
            "select %s, 'Lead ' || n, 'lead' || n || '@example.com', 'qualified' from generate_series(1, 4) as n "
            "returning id::text",
            organization.id,
        )
        gone, double, failed, fine = (lead["id"] for lead in leads)

        def made(lead: str, name: str, number: int) -> str:
            body = {"record_type_name": "Customer", "status_name": "Lead", "display_name": name, "external_id": lead}
            answer = httpx.post(
                f"{vendor.url}/api1/contacts",
                headers={"Authorization": f"Bearer {KEY}"},
                json=body | {"email": f"lead{number}@example.com"},
            )
            id: str = answer.json()["jnid"]
            return id

        ids = {double: made(double, "Lead 2", 2), failed: made(failed, "Lead 3", 3), fine: made(fine, "Lead 4", 4)}
        second = made(double, "Lead 2 (again)", 2)
        database.sql(
            "update crm.sync set status = 'ok', external_id = 'jn_gone', run_at = null, last_synced_at = now()"
        )
        database.sql("alter table crm.sync disable trigger _120_keep_outcome")
        for lead in (double, fine):
            database.sql("update crm.sync set external_id = %s where lead_id = %s", ids[lead], lead)
        database.sql(
            "update crm.sync set status = 'failed', external_id = null, last_synced_at = null, error_code = %s "
            "where lead_id = %s",
            "outcome_unknown",
            failed,
        )
        database.sql("alter table crm.sync enable trigger _120_keep_outcome")

        process = leads_crm(database, "reconcile", *option, "--json")
        assert process.returncode == 1
        findings = {row["lead_id"]: row for row in json.loads(process.stdout)}
        assert {lead: row["finding"] for lead, row in findings.items()} == {
            gone: "missing",
            double: "two_records",
            failed: "found",
        }
        assert set(findings[double]["external_ids"]) == {ids[double], second}
        # The remedy can be pasted.
        remedy = findings[failed]["remedy"].partition("leads crm ")[2].split()
        assert leads_crm(database, *remedy).returncode == 0
        assert len(json.loads(leads_crm(database, "reconcile", *option, "--json").stdout)) == 2


def test_a_webhook_and_a_test_organization_cant_be_compared(database: Database) -> None:
    organization, simulated = live_organization(database), make_organization(database)
    with running() as vendor:
        connect(database, organization, vendor, "webhook")
        connect(database, simulated, vendor)
    assert "webhook" in mistake(leads_crm(database, "reconcile", "--organization", organization.id))
    assert "simulated" in mistake(leads_crm(database, "reconcile", "--organization", simulated.id))


def test_a_worker_needs_its_address_its_key_and_a_schema(leads: object, database: Database) -> None:
    def worker(**environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "app", "worker"],
            cwd=ROOT,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert "LEADS_WORKER_URL is not set" in mistake(worker(DATABASE_URL=database.url("leads_api")))
    url = database.url("leads_worker")
    assert "LEADS_CRM_KEY is not set" in mistake(worker(LEADS_WORKER_URL=url))
    message = mistake(worker(LEADS_WORKER_URL=url, LEADS_CRM_KEY="half-a-key"))
    assert "LEADS_CRM_KEY can't be used: it must be keys of 32 bytes in base64" in message
    assert "half-a-key" not in message
