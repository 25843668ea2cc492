"""The operator's login reads no lead's values without an event in the organization's log.

The calls are made by the login itself. A function that it may execute is either here, with a call
that leaves an event, or in a reviewed list.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from tests.support.database import Database, make_organization

NAME, ADDRESS, WORDS = "Ada Secret", "ada@secret.example", "owes the Secret Bank"
MODEL = json.dumps(
    {
        "base": 0.1,
        "rescore_on_signal": True,
        "rules": [
            {
                "name": "probe",
                "field": "pain_points",
                "operator": "equals",
                "value": WORDS,
                "label": "x",
                "weight": 0.5,
            }
        ],
    }
)

READS = {
    "leads_to_erase by id": "admin.leads_to_erase('{organization}', '{ada}')",
    "leads_to_erase by id, in any organization": "admin.leads_to_erase(null, '{ada}')",
    "leads_to_erase by address": "admin.leads_to_erase('{organization}', null, 'ADA@secret.example')",
    "leads_to_erase of a deleted lead": "admin.leads_to_erase('{organization}', null, 'gone@secret.example')",
    "leads_to_erase by phone": "admin.leads_to_erase('{organization}', null, null, '+1 555 010 0188')",
    "leads_to_erase of nobody": "admin.leads_to_erase('{organization}', null, 'nobody@secret.example')",
    "try_scoring_model": "admin.try_scoring_model('{organization}', '{ada}')",
    "try_scoring_model with a rule": "admin.try_scoring_model('{organization}', '{ada}', null, '{model}')",
    "backtest_leads": "admin.backtest_leads('{organization}')",
    "backtest_scoring_model": "admin.backtest_scoring_model('{organization}', '{model}')",
    "backtest_scoring_model of a lead": "admin.backtest_scoring_model('{organization}', '{model}', '{{{ada}}}')",
    "backtest_scoring_model of no lead": "admin.backtest_scoring_model('{organization}', '{model}', '{{}}')",
    "form_submissions": "admin.form_submissions('{organization}')",
    "erase_submissions of nobody": "admin.erase_submissions('{organization}', 'nobody@secret.example', null)",
    "crm_syncs": "admin.crm_syncs('{organization}')",
    "crm_queue": "admin.crm_queue('{organization}')",
    "crm_queue of all": "admin.crm_queue()",
    "export_leads": "admin.export_leads('{organization}')",
    "export_leads of nobody": "admin.export_leads('{organization}', email => '{{nobody@secret.example}}')",
    "export_audit_events": "admin.export_audit_events('{organization}', lead_id => '{ada}')",
    "load_signals that exist": 'admin.load_signals(\'{organization}\', \'[{{"lead_id": "{ada}", "type": "x", '
    '"dedupe_key": "kept", "observed_at": "2026-01-01Z"}}]\')',
}
"""Calls that read the lead's values, or answer a question about them."""

REVIEWED = {
    # They change a lead, or create one. The change has its own event.
    "admin.erase_lead",
    "admin.erase_organization",
    # It changes a column of leads by which they are found, and returns their number and an id.
    "admin.fill_phone_keys",
    "admin.load_leads",
    # They return the positions of rows, and what is wrong with their fields. The second one writes an
    # event if a row finds a lead (tests/cli/test_import.py).
    "admin.begin_import",
    "admin.import_leads",
    # It makes leads of what forms have kept, and returns their ids and the codes of faults.
    "admin.replay_submissions",
    # They change or read webhooks and their deliveries, which have no value of a lead.
    "admin.create_webhook",
    "admin.delete_webhook",
    "admin.redeliver_webhook",
    "admin.rotate_webhook_secret",
    "admin.sealing_key",
    "admin.set_webhook",
    "admin.test_webhook",
    "admin.webhook_deliveries",
    "admin.webhooks",
    # They change or read the organization, its forms, keys, stages, models, analysts or connection.
    "admin.activate_scoring_model",
    "admin.add_stage",
    "admin.analysts",
    "admin.announce_keys",
    "admin.cell",
    "admin.is_announced",
    "admin.organization_of",
    "admin.routed_credentials",
    "admin.set_cell",
    "admin.unannounced_keys",
    "admin.change_crm_connection",
    "admin.connect_crm",
    "admin.create_key",
    "admin.create_organization",
    "admin.crm_connections",
    "admin.create_form",
    "admin.edit_scoring_model",
    "admin.form_presets",
    "admin.forms",
    "admin.revoke_form",
    "admin.set_form",
    "admin.good_key",
    "admin.new_key",
    "admin.keys",
    "admin.known_organization",
    "admin.organization",
    "admin.organizations",
    "admin.revoke_key",
    "admin.rotate_key",
    "admin.scoring_models",
    "admin.set_organization",
    "admin.stages",
    # They move an organization to another cell. What admin.owned_rows returns has no value of a lead,
    # and no secret that is not sealed.
    "admin.abort_move",
    "admin.begin_move",
    "admin.bind_moved_analyst",
    "admin.discard_arrival",
    "admin.drain",
    "admin.fence",
    "admin.give_up",
    "admin.missing_keys",
    "admin.moves",
    "admin.needed_keys",
    "admin.owned_rows",
    "admin.placement",
    "admin.prepare_arrival",
    "admin.table_class",
    "admin.take_over",
    "admin.unfence",
    "admin.unfinished",
    # Its error says whether any lead is in a stage, and nothing about one lead.
    "admin.remove_stage",
    # It starts a push again, which has its own event. The error says that a lead has no such push.
    "admin.retry_crm",
    # They read no organization's rows, or count them.
    "admin.check_scoring_model",
    "admin.create_audit_partitions",
    "admin.findings",
    # They compute hashes of events, and answer with positions, ids and hashes.
    "admin.chain_heads",
    "admin.seal_events",
    "admin.verify_chain",
    "admin.retired_parts",
    "admin.unlisted_erasures",
    # They read no lead: the payloads come from the caller, who has the archive.
    "admin.erased_payloads",
    "admin.payloads_about",
    "admin.record_archive_erasure",
    "admin.retired_years",
}
"""The other functions that the login may execute. They return no value of a lead, and take no
condition on one.
"""

EXECUTABLE = """
select distinct p.pronamespace::regnamespace || '.' || p.proname as name
from pg_proc as p
join pg_namespace as n on n.oid = p.pronamespace
where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  and has_schema_privilege('leads_operator', n.oid, 'usage')
  and has_function_privilege('leads_operator', p.oid, 'execute')
"""


@dataclass
class World:
    """An organization with a lead, in a database."""

    database: Database
    names: dict[str, str]
    seen: set[str] = field(default_factory=set)

    def events(self) -> list[dict[str, Any]]:
        """The events of reads since the last call."""
        rows = self.database.sql(
            "select id::text, organization_id::text, lead_id::text, source, payload::text "
            "from audit.event where action = 'lead.read' order by id"
        )
        new = [row for row in rows if row["id"] not in self.seen]
        self.seen |= {row["id"] for row in rows}
        return new


@pytest.fixture(scope="module")
def world(new_database: Callable[..., Database]) -> World:
    database = new_database()
    organization = make_organization(database, environment="live").id

    def lead(address: str, name: str, stage: str = "new") -> str:
        [row] = database.sql(
            "insert into app.lead (organization_id, email, name, pain_points, pipeline_stage, phone) "
            "values (%s, %s, %s, %s, %s, %s) returning id::text",
            *(organization, address, name, WORDS, stage, "+15550100188" if name == NAME else None),
        )
        return str(row["id"])

    ada = lead(ADDRESS, NAME, "qualified")
    database.sql("update app.lead set pipeline_stage = 'won' where id = %s", ada)
    gone = lead("gone@secret.example", "Gone Secret")
    database.sql("delete from app.lead where id = %s", gone)
    database.sql(
        "insert into scoring.signal (organization_id, lead_id, type, value, dedupe_key) "
        "values (%s, %s, 'x', 'true', 'kept')",
        *(organization, ada),
    )
    database.sql(
        "select admin.connect_crm(%s, 'hubspot', 'account', '{}', '\\x00', 'k')", organization, login="leads_operator"
    )
    database.sql(
        "insert into crm.sync (organization_id, lead_id, vendor, account, status, error_code, error) "
        "values (%s, %s, 'hubspot', 'account', 'failed', 'rejected', %s)",
        *(organization, ada, f"{ADDRESS} is refused"),
    )
    [form] = database.sql("select id from admin.create_form(%s, '{}')", organization, login="leads_operator")
    database.sql(
        "insert into intake.submission (organization_id, form_id, outcome, lead_id, content, faults) "
        "values (%s, %s, 'created', %s, %s, '[]')",
        *(organization, form["id"], ada, json.dumps({"body": {"email": ADDRESS}})),
    )
    return World(database, {"organization": organization, "ada": ada, "model": MODEL})


def test_each_function_that_the_operator_may_execute_is_reviewed(world: World) -> None:
    executable = {row["name"] for row in world.database.sql(EXECUTABLE)}
    recorded = {call.partition("(")[0] for call in READS.values()}
    assert executable == recorded | REVIEWED
    assert not recorded & REVIEWED


@pytest.mark.parametrize("read", READS)
def test_a_read_leaves_an_event_without_a_value(world: World, read: str) -> None:
    call = READS[read].format(**world.names)
    world.events()
    world.database.sql(f"select * from {call}", login="leads_operator")
    [event] = world.events()
    assert (event["organization_id"], event["source"]) == (world.names["organization"], "system")
    payload = json.loads(event["payload"])
    assert payload["function"] == call.partition("(")[0]
    assert payload["role"] == "leads_operator"
    assert payload.get("lead_id") == event["lead_id"]
    assert (event["lead_id"] is not None) == (payload["leads"] == 1)
    assert payload["leads"] == (0 if "nobody" in read or "of no lead" in read else 1)
    assert "secret" not in event["payload"].lower()


def test_a_preview_of_an_erasure_leaves_an_event_for_each_lead(world: World) -> None:
    organization = world.names["organization"]
    world.database.sql(
        "insert into app.lead (organization_id, email, pipeline_stage) "
        "select %s, 'twin@secret.example', 'new' from generate_series(1, 2)",
        organization,
    )
    world.events()
    found = world.database.sql(
        "select lead_id::text from admin.leads_to_erase(%s, null, 'twin@secret.example')",
        organization,
        login="leads_operator",
    )
    assert sorted(event["lead_id"] for event in world.events()) == sorted(row["lead_id"] for row in found)
    assert len(found) == 2


def test_an_address_is_looked_for_in_one_organization_only(world: World) -> None:
    """Otherwise the answer that nobody has it would be about every organization."""
    found = world.database.sql("select * from admin.leads_to_erase(null, null, %s)", ADDRESS, login="leads_operator")
    assert found == []


def test_a_new_signal_is_no_read(world: World) -> None:
    signals = json.dumps(
        [{"lead_id": world.names["ada"], "type": "x", "dedupe_key": "new", "observed_at": "2026-01-01Z"}]
    )
    world.events()
    world.database.sql(
        "select admin.load_signals(%s, %s)", world.names["organization"], signals, login="leads_operator"
    )
    assert world.events() == []


@pytest.mark.parametrize("read", [*READS, "erase_lead"])
def test_a_read_that_is_rolled_back_stays_in_the_servers_log(world: World, read: str) -> None:
    # An erasure returns what a call to the CRM has sent.
    calls = READS | {"erase_lead": "admin.erase_lead('{organization}', '{ada}')"}
    lines: list[str | None] = []
    world.events()
    with world.database.connect("leads_operator") as connection:
        connection.execute("set client_min_messages = log")
        connection.add_notice_handler(lambda notice: lines.append(notice.message_primary))
        with connection.transaction(force_rollback=True):
            connection.execute(f"select * from {calls[read].format(**world.names)}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("set log_min_messages = panic")
    assert world.events() == []
    [line] = [line for line in lines if line and line.startswith("lead.")]
    assert world.names["organization"] in line
    assert "secret" not in line.lower()
