"""Erasure removes all personal values from the database and its files,
and the audit log still verifies.
"""

import hashlib
import json
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.chain import seal, verdict
from tests.support.contract import check_problem
from tests.support.database import Database, Organization, make_organization
from tests.support.process import Leads, Server, leads_on, mistake, printed
from tests.support.pushing import wait_for
from tests.support.webhooks import lease, make_webhook, queue

ERASED = {"erased": True}
# PostgreSQL does not compress values this short, so that the tests can search for them in files.
CANARY = {
    field: f"{field}-zq7{number}xk"
    for number, field in enumerate(
        (
            "name",
            "company",
            "email",
            "industry",
            "size",
            "pain",
            "timeline",
            "budget",
            "reason",
            "value",
            "dedupe",
            "reference",
            "detail",
        )
    )
}
PERSON: dict[str, Any] = {
    "name": CANARY["name"],
    "company": CANARY["company"],
    "email": f"{CANARY['email']}@example.com",
    "source": "website",
    "industry": CANARY["industry"],
    "company_size": CANARY["size"],
    "pain_points": CANARY["pain"],
    "timeline": CANARY["timeline"],
    "budget_range": CANARY["budget"],
    "phone": "+1 (555) 917-2634",
    "reference": CANARY["reference"],
    "details": {"note": CANARY["detail"]},
}
PHONES = ("(555) 917-2634", "15559172634", "555 917 2635")
"""The person's phone numbers, as they were sent and as they are compared."""
OUTSIDE = ("external", "said", "sent", "shown", "answered")
"""Values in the outbox. The vendor's messages and ids are personal too."""


def new_person(database: Database, server: Server, organization: Organization) -> str:
    """Creates a lead with values in each table that stores personal data, and returns its id."""
    with server.client(organization.keys["write"]) as client:
        created = client.post("/leads", json=PERSON, headers={"Idempotency-Key": "made"})
        assert created.status_code == 201
        lead: str = created.json()["id"]
        signal = {"type": "storm_event", "value": {"note": CANARY["value"]}, "dedupe_key": CANARY["dedupe"]}
        assert (
            client.post(f"/leads/{lead}/signals", json=signal, headers={"Idempotency-Key": "seen"}).status_code == 201
        )
        changed = {"ai_reasoning": CANARY["reason"], "pipeline_stage": "contacted", "timeline": "soon"}
        assert client.patch(f"/leads/{lead}", json=changed).status_code == 200
        assert client.patch(f"/leads/{lead}/details", json={"phone": "555 917 2635"}).status_code == 200
        assert client.patch(f"/leads/{lead}/details", json={"phone": PERSON["phone"]}).status_code == 200
        assert client.post(f"/leads/{lead}/score").status_code == 200
    # The rows of two pushes, to two accounts.
    database.sql(
        """
        with sync as (
          insert into crm.sync (organization_id, lead_id, vendor, account, status, external_id, error_code, error,
            email_key, attempts, last_synced_at)
          select organization_id, id, 'hubspot', 'one', 'ok', 'external-zq7xk', null, null, email_key, 1,
            date_trunc('ms', now())
          from app.lead where id = %(lead)s
          union all
          select organization_id, id, 'hubspot', 'two', 'failed', null, 'rejected', 'said-zq7xk', email_key, 1, null
          from app.lead where id = %(lead)s
          returning organization_id, id, status
        )
        insert into crm.attempt (organization_id, sync_id, number, connection_revision, email, display_name, sent_at,
          outcome, message)
        select organization_id, id, 1, 1, 'sent-zq7xk@example.com', 'shown-zq7xk', date_trunc('ms', now()),
          case status when 'ok' then 'created' end, 'answered-zq7xk'
        from sync
        """.replace("%(lead)s", f"'{lead}'")
    )
    return lead


def tables_with(database: Database, *values: str, of: str = "") -> dict[str, set[str]]:
    """Returns the tables that contain each value, in any case.
    ``of`` selects an organization's rows.

    A partition is listed as the table that it belongs to.
    """
    tables_by_value: dict[str, set[str]] = {}
    with database.connect() as connection:
        tables = connection.execute(
            "select c.oid::regclass::text as name, coalesce(pg_partition_root(c.oid), c.oid)::regclass::text as root"
            " from pg_class as c where c.relkind in ('r', 'm', 'S')"
            " and c.relpersistence <> 't'"
        )
        for table in tables.fetchall():
            rows = connection.execute(f"select lower(t::text) as row from {table['name']} as t").fetchall()
            for value in values:
                if any(value.lower() in row["row"] and of in row["row"] for row in rows):
                    tables_by_value.setdefault(value, set()).add(table["root"])
    return tables_by_value


def left_in_files(database: Database, *values: str) -> dict[str, int]:
    """Runs VACUUM FULL and in_files when no transaction is left that is older than this call: VACUUM FULL keeps rows
    that one of them can still see, also one in a database of another test.

    It leaves out the catalogs that all databases share. Without a list of tables, VACUUM FULL would wait for
    every transaction on the server that has read pg_authid, and every new connection would wait for it.
    """
    [row] = database.sql("select pg_current_xact_id()::text as newest")
    older = "select pg_snapshot_xmin(pg_current_snapshot()) <= %s::xid8 as are_left"
    wait_for(lambda: not database.sql(older, row["newest"])[0]["are_left"], 600)
    end = time.monotonic() + 60
    while True:
        with database.connect() as connection:
            tables = connection.execute(
                "select string_agg(oid::regclass::text, ', ') as names from pg_class"
                " where relkind in ('r', 'm') and relpersistence <> 't' and not relisshared"
            ).fetchall()
            connection.execute(f"vacuum full {tables[0]['names']}".encode())
        files = in_files(database, *values)
        if not files or time.monotonic() > end:
            return files
        time.sleep(0.5)


def in_files(database: Database, *values: str) -> dict[str, int]:
    """Returns the number of files of the database that contain each value."""
    with database.connect() as connection:
        connection.execute("checkpoint")
        where = connection.execute(
            "select current_setting('data_directory') || '/base/' || oid as folder from pg_database"
            " where datname = current_database()"
        ).fetchall()[0]["folder"]
    contents = []
    for path in Path(where).iterdir():
        with suppress(FileNotFoundError):  # PostgreSQL has deleted or renamed it meanwhile
            contents.append(path.read_bytes().lower())
    counts = {value: sum(value.lower().encode() in content for content in contents) for value in values}
    return {value: count for value, count in counts.items() if count}


def erase(database: Database, organization: str, lead: str) -> dict[str, Any]:
    """Returns the row of admin.erase_lead."""
    return database.sql("select * from admin.erase_lead(%s, %s)", organization, lead, login="leads_operator")[0]


class TestALead:
    """leads erase --lead."""

    def test_no_personal_value_remains(
        self, new_database: Callable[..., Database], new_server: Callable[..., Server]
    ) -> None:
        database = new_database()
        server = new_server(database)
        organization, bystander = make_organization(database), make_organization(database, "Beacon Roofing")
        lead = new_person(database, server, organization)
        with server.client(organization.keys["write"]) as client:
            body = [{"reference": PERSON["reference"], "industry": PERSON["industry"]}]
            headers = {"Idempotency-Key": "uploaded"}
            uploaded = client.post("/leads/bulk?on_duplicate=update", json=body, headers=headers).json()
            assert uploaded["results"][0]["id"] == lead
        # A row of an import that someone has committed by hand.
        database.sql(
            "insert into admin.import_line (organization_id, file_digest, position, fields) values (%s, '', 1, %s)",
            organization.id,
            json.dumps(PERSON),
            login="leads_operator",
        )
        with server.client(bystander.keys["write"]) as client:
            kept_id = client.post("/leads", json={"email": "bystander-zq7xk@example.com"}).json()["id"]
        seal(database)
        assert tables_with(database, lead)[lead] >= {"app.idempotency_key", "audit.event"}
        database.sql("select * from admin.index_leads()", login="leads_worker")
        values = [*CANARY.values(), *PHONES, *(f"{name}-zq7xk" for name in OUTSIDE)]
        # Control: the search finds each value before the erasure.
        before = tables_with(database, *values)
        assert set(before) == set(values)
        assert {table for tables in before.values() for table in tables} >= {
            "app.lead", "app.lead_word", "audit.event", "app.idempotency_key", "scoring.signal", "scoring.score",
            "crm.sync", "crm.attempt", "admin.import_row",
        }  # fmt: skip
        assert set(in_files(database, *values)) == set(values)

        erasure = erase(database, organization.id, lead)
        assert erasure["wait_seconds"] == 0
        assert erasure["events"] >= 5
        assert tables_with(database, *values) == {}
        assert "app.idempotency_key" not in tables_with(database, lead)[lead]
        assert left_in_files(database, *values) == {}

        assert tables_with(database, "bystander-zq7xk") != {}
        assert set(in_files(database, "bystander-zq7xk")) == {"bystander-zq7xk"}
        with server.client(bystander.keys["read"]) as client:
            assert client.get(f"/leads/{kept_id}").status_code == 200
        seal(database)
        for each in (organization, bystander):
            result = verdict(database, each.id)
            assert (result["holds"], result["unsealed"]) == (True, 0), result

    def test_the_log_records_the_erasure(self, database: Database, server: Server) -> None:
        organization = make_organization(database)
        lead = new_person(database, server, organization)
        with server.client(organization.keys["read"]) as client:
            before = client.get("/audit-log", params={"lead_id": lead}).json()["data"]
            tags = {event["id"]: client.get(f"/audit-log/{event['id']}").headers["etag"] for event in before}
            erase(database, organization.id, lead)
            after = client.get("/audit-log", params={"lead_id": lead}).json()["data"]
            check_problem(client.get(f"/leads/{lead}"), 404, "not_found")
            for event in after[1:]:
                assert client.get(f"/audit-log/{event['id']}").headers["etag"] != tags[event["id"]]
        # There is one new event. The earlier ones are unchanged, except for their values.
        assert [event["id"] for event in after[1:]] == [event["id"] for event in before]
        event = after[0]
        assert (event["action"], event["source"]) == ("lead.erased", "system")
        assert list(event["payload"]) == ["lead_id", "diff", "erased", "key_id", "role"]
        assert event["payload"]["diff"] == {"pipeline_stage": {"from": "contacted", "to": None}}
        assert sorted(item["event_id"] for item in event["payload"]["erased"]) == sorted(
            event["id"] for event in before
        )
        assert (event["payload"]["key_id"], event["payload"]["role"]) == (None, "leads_operator")
        for old, new in zip(before, after[1:], strict=True):
            assert {**old, "payload": None} == {**new, "payload": None}
            assert list(old["payload"]) == list(new["payload"])
            for name, change in old["payload"].get("diff", {}).items():
                stays = name in ("lead_score", "pipeline_stage", "source") or name.endswith("_at")
                assert new["payload"]["diff"][name] == (change if stays else ERASED)
        created = after[-1]["payload"]
        assert created["diff"]["email"] == ERASED
        assert created["diff"]["source"] == {"from": None, "to": "website"}

    def test_the_response_of_a_running_request_is_not_stored(self, database: Database, server: Server) -> None:
        """A repeated signal adds no row, so it used to wait for no lock."""
        organization = make_organization(database)
        lead = new_person(database, server, organization)
        body = json.dumps({"type": "storm_event", "value": "late-zq7xk", "dedupe_key": CANARY["dedupe"]})
        done: list[dict[str, Any]] = []
        with psycopg.connect(database.url("leads_api")) as slow:
            proof = hashlib.sha256(organization.keys["write"].encode()).hexdigest()
            slow.execute("select auth.enter(%s, 'late', 'write', false)", (proof,))
            slow.execute("select api.create_signals(%s, %s, 'late')", (lead, body))
            eraser = threading.Thread(target=lambda: done.append(erase(database, organization.id, lead)))
            eraser.start()
            time.sleep(0.5)
            assert done == []
            slow.commit()
        eraser.join()
        assert done[0]["rows_gone"] > 0
        assert (
            database.sql(
                "select from app.idempotency_key where organization_id = %s and strpos(body, %s) > 0",
                organization.id,
                lead,
            )
            == []
        )

    def test_a_signal_that_waits_for_the_erasure_gets_404(self, database: Database, server: Server) -> None:
        organization = make_organization(database)
        lead = new_person(database, server, organization)
        answers = []

        def add() -> None:
            with server.client(organization.keys["write"]) as client:
                answers.append(client.post(f"/leads/{lead}/signals", json={"type": "storm_event"}))

        with psycopg.connect(database.url("leads_operator")) as slow:
            slow.execute("select * from admin.erase_lead(%s, %s)", (organization.id, lead))
            adder = threading.Thread(target=add)
            adder.start()
            time.sleep(0.5)
            assert answers == []
            slow.commit()
        adder.join()
        check_problem(answers[0], 404, "not_found")

    def test_it_lists_a_webhook_that_is_just_sent_values(self, database: Database, server: Server) -> None:
        organization = make_organization(database, "Live Roofing", "live")
        webhook = make_webhook(database, organization, include="values", actions=["lead.created"])
        lead = new_person(database, server, organization)
        queue(database)
        done: list[dict[str, Any]] = []
        with psycopg.connect(database.url("leads_worker")) as slow:
            rows = slow.execute("select body from webhook.lease_deliveries(%s, 64)", ([organization.id],)).fetchall()
            assert [CANARY["name"] in row[0] for row in rows] == [True]
            eraser = threading.Thread(target=lambda: done.append(erase(database, organization.id, lead)))
            eraser.start()
            time.sleep(0.5)
            assert done == []
            slow.commit()
        eraser.join()
        assert [row["id"] for row in done[0]["webhooks"]] == [webhook]

    def test_a_webhook_is_sent_nothing_while_a_lead_is_erased(self, database: Database, server: Server) -> None:
        organization = make_organization(database, "Live Roofing", "live")
        make_webhook(database, organization, include="values", actions=["lead.created"])
        lead = new_person(database, server, organization)
        database.sql("delete from app.lead where id = %s", lead)  # no row of the lead is left that could be locked
        queue(database)
        with psycopg.connect(database.url("leads_operator")) as slow:
            slow.execute("select * from admin.erase_lead(%s, %s)", (organization.id, lead))
            assert lease(database, organization) == []
            slow.commit()
        [delivery] = lease(database, organization)
        assert CANARY["name"] not in delivery["body"]
        assert database.sql("select * from webhook.recipient where lead_id = %s", lead) == []

    def test_a_repeated_erasure_does_nothing(self, database: Database, server: Server) -> None:
        organization = make_organization(database)
        lead = new_person(database, server, organization)
        assert erase(database, organization.id, lead)["rows_gone"] > 0
        count = "select count(*) as n from audit.event where lead_id = %s"
        events = database.sql(count, lead)[0]["n"]
        again = erase(database, organization.id, lead)
        assert (again["rows_gone"], again["events"]) == (0, 0)
        assert database.sql(count, lead)[0]["n"] == events

    def test_a_deleted_lead_can_be_erased(self, database: Database, server: Server) -> None:
        organization = make_organization(database)
        lead = new_person(database, server, organization)
        database.sql("delete from app.lead where id = %s", lead)
        assert set(tables_with(database, *CANARY.values(), of=organization.id)) == set(CANARY.values())
        assert erase(database, organization.id, lead)["events"] > 5
        assert tables_with(database, *CANARY.values(), of=organization.id) == {}
        erased = database.sql("select payload from audit.event where lead_id = %s and action = 'lead.erased'", lead)
        assert erased[0]["payload"]["diff"] == {}
        seal(database)
        assert verdict(database, organization.id)["holds"]

    def test_a_repeat_of_the_request_that_created_it_is_409(self, database: Database, server: Server) -> None:
        organization = make_organization(database)
        lead = new_person(database, server, organization)
        with server.client(organization.keys["write"]) as client:
            answer = client.post(
                "/leads", json={"email": "bob@example.com"}, headers={"Idempotency-Key": "other"}
            ).json()
            erase(database, organization.id, lead)
            for body in (PERSON, {"email": "carol@example.com"}):
                check_problem(client.post("/leads", json=body, headers={"Idempotency-Key": "made"}), 409, "erased")
            again = client.post("/leads", json={"email": "bob@example.com"}, headers={"Idempotency-Key": "other"})
            assert (again.status_code, again.json()["id"]) == (201, answer["id"])
            # After 24 hours, the key can be used again.
            database.sql("update app.idempotency_key set created_at = created_at - interval '25 hours'")
            assert client.post("/leads", json=PERSON, headers={"Idempotency-Key": "made"}).status_code == 201

    def test_erasure_waits_for_a_running_update(self, database: Database, server: Server) -> None:
        organization = make_organization(database)
        lead = new_person(database, server, organization)
        with database.connect() as writer:
            with writer.transaction():
                writer.execute("update app.lead set timeline = 'late-zq7xk' where id = %s", (lead,))
                erasing = threading.Thread(target=erase, args=(database, organization.id, lead))
                erasing.start()
                time.sleep(0.3)
                assert erasing.is_alive()
            erasing.join()
        assert tables_with(database, "late-zq7xk", *CANARY.values(), of=organization.id) == {}

    def test_erasure_waits_for_a_running_push(self, database: Database, server: Server) -> None:
        organization = make_organization(database)
        lead = new_person(database, server, organization)
        database.sql(
            "insert into crm.sync (organization_id, lead_id, vendor, account, status, run_at, attempts) "
            "values (%s, %s, 'hubspot', 'three', 'in_progress', date_trunc('ms', now()) + interval '60 seconds', 1)",
            organization.id,
            lead,
        )
        waits = erase(database, organization.id, lead)
        assert 0 < waits["wait_seconds"] <= 60
        assert waits["rows_gone"] == 0
        assert set(tables_with(database, *CANARY.values(), of=organization.id)) == set(CANARY.values())
        database.sql("update crm.sync set run_at = run_at - interval '60 seconds' where run_at is not null")
        assert erase(database, organization.id, lead)["rows_gone"] > 0

    def test_analysts_see_that_the_lead_left_its_stage(self, database: Database, server: Server) -> None:
        organization = make_organization(database)
        lead = new_person(database, server, organization)
        erase(database, organization.id, lead)
        stays = database.sql(
            "select stage_left, stage_entered from audit.event where lead_id = %s"
            " and (stage_left is not null or stage_entered is not null) order by id",
            lead,
        )
        moves = [(row["stage_left"], row["stage_entered"]) for row in stays]
        assert moves == [(None, "new"), ("new", "contacted"), ("contacted", None)]


class TestTheGuard:
    """The trigger accepts only an erasure, and verification detects an erasure that no event
    records.
    """

    @pytest.mark.parametrize(
        "change",
        [
            "payload = '{}', salt = null",
            "salt = null",
            "payload = audit.erased_payload(payload)",
            "payload = audit.erased_payload(payload), salt = decode(repeat('00', 16), 'hex')",
            "payload = (audit.erased_payload(payload)::text || ' ')::json, salt = null",
        ],
    )
    def test_any_other_change_is_refused(self, database: Database, server: Server, change: str) -> None:
        organization = make_organization(database)
        new_person(database, server, organization)
        with pytest.raises(psycopg.Error) as raised:
            database.sql(
                f"set role leads_eraser; update audit.event set {change} where organization_id = '{organization.id}'"
            )
        assert raised.value.sqlstate == "PT409"

    @pytest.mark.parametrize(
        "statement",
        [
            "update audit.event set action = 'x'",
            "truncate audit.event",
            "update audit.seal set position = 1",
            "truncate audit.seal",
        ],
    )
    def test_the_eraser_has_no_other_privilege(self, database: Database, statement: str) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.sql(f"set role leads_eraser; {statement}")

    @pytest.mark.parametrize("table", ["audit.event", "audit.seal"])
    def test_the_eraser_deletes_only_what_another_cell_has(
        self, database: Database, server: Server, table: str
    ) -> None:
        organization = make_organization(database)
        new_person(database, server, organization)
        seal(database)
        with pytest.raises(psycopg.Error, match="refused") as raised:
            database.sql(f"set role leads_eraser; delete from {table} where organization_id = '{organization.id}'")
        assert raised.value.sqlstate == "PT409"

    def test_an_erasure_without_an_event_is_detected(self, database: Database, server: Server) -> None:
        organization = make_organization(database)
        lead = new_person(database, server, organization)
        seal(database)
        database.sql(
            "set role leads_eraser; update audit.event set payload = audit.erased_payload(payload), salt = null"
            f" where organization_id = '{organization.id}' and lead_id = '{lead}'"
        )
        assert verdict(database, organization.id)["code"] == "payload_mismatch"
        # A later erasure has nothing left to list, so the log still fails.
        erase(database, organization.id, lead)
        seal(database)
        assert verdict(database, organization.id)["code"] == "payload_mismatch"

    def test_a_forged_erasure_with_another_payload_is_detected(self, database: Database, server: Server) -> None:
        organization = make_organization(database)
        lead = new_person(database, server, organization)
        seal(database)
        forged = '{"lead_id":"x","diff":{"email":{"from":null,"to":"evil@example.com"}}}'
        digest = hashlib.sha256(forged.encode()).hexdigest()
        database.sql(
            f"""
            alter table audit.event disable trigger user;
            update audit.event set payload = '{forged}', salt = null
            where lead_id = '{lead}' and action = 'lead.created';
            alter table audit.event enable trigger user;
            select audit.record_erasure(
              organization_id, lead_id, format('"erased":[{{"event_id":"%s","digest":"{digest}"}}]', id)
            )
            from audit.event where lead_id = '{lead}' and action = 'lead.created'
            """
        )
        seal(database)
        assert verdict(database, organization.id)["code"] == "payload_mismatch"

    def test_an_erasure_does_not_hide_an_earlier_change(self, database: Database, server: Server) -> None:
        organization = make_organization(database)
        lead = new_person(database, server, organization)
        seal(database)
        database.sql(
            "alter table audit.event disable trigger user; update audit.event"
            " set payload = replace(payload::text, 'website', 'referral')::json"
            f" where lead_id = '{lead}' and action = 'lead.created'; alter table audit.event enable trigger user;"
            " alter table audit.event enable always trigger _120_check_erasure"
        )
        assert verdict(database, organization.id)["code"] == "payload_mismatch"
        erase(database, organization.id, lead)
        seal(database)
        assert verdict(database, organization.id)["code"] == "payload_mismatch"
        assert tables_with(database, *CANARY.values(), of=organization.id) == {}

    def test_a_change_after_an_erasure_is_detected(self, database: Database, server: Server) -> None:
        organization = make_organization(database)
        lead = new_person(database, server, organization)
        erase(database, organization.id, lead)
        seal(database)
        assert verdict(database, organization.id)["holds"]
        database.sql(
            "alter table audit.event disable trigger user; update audit.event"
            " set payload = replace(payload::text, 'website', 'referral')::json"
            f" where lead_id = '{lead}' and action = 'lead.created'"
        )
        result = verdict(database, organization.id)
        assert (result["holds"], result["code"]) == (False, "payload_mismatch")
        database.sql(
            "update audit.event set payload = '{\"erased\":[]}',"
            " payload_digest = sha256(salt || '{\"erased\":[]}'::bytea)"
            f" where lead_id = '{lead}' and action = 'lead.erased'"
        )
        assert not verdict(database, organization.id)["holds"]


class TestAnOrganization:
    """leads erase --organization."""

    def test_only_the_remains_of_the_log_are_left(
        self, new_database: Callable[..., Database], new_server: Callable[..., Server]
    ) -> None:
        database = new_database()
        server = new_server(database)
        organization, bystander = make_organization(database, "Zq7 Gone Roofing"), make_organization(database, "Stays")
        lead = new_person(database, server, organization)
        deleted = database.sql(
            "insert into app.lead (organization_id, email) values (%s, 'deleted-zq7xk@example.com') returning id",
            organization.id,
        )[0]["id"]
        database.sql("delete from app.lead where id = %s", deleted)
        database.sql("select admin.add_stage(%s, 'stage-zq7xk')", organization.id, login="leads_operator")
        database.sql(
            "insert into auth.api_key (organization_id, name, scopes, digest)"
            " values (%s, 'key-zq7xk', '{read}', sha256('x'))",
            organization.id,
        )
        login = f"ann_zq7xk_{uuid.uuid4().hex[:8]}"
        verifier = "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy"
        database.sql(
            "select admin.create_analyst(%s, %s, %s)", login, organization.id, verifier, login="leads_migrator"
        )
        seal(database)
        values = [*CANARY.values(), "zq7 gone roofing", "deleted-zq7xk", "key-zq7xk", login]
        assert set(tables_with(database, *values)) == set(values)

        leads = leads_on(database)
        output = printed_all(leads("erase", "--organization", organization.id, "--yes"))
        assert "was erased: 2 leads" in output
        assert tables_with(database, *values) == {}
        assert left_in_files(database, *values) == {}

        rows = {
            table: database.sql(f"select from {table} where organization_id = %s", organization.id)
            for table in (
                "app.lead", "app.lead_word", "app.unindexed_lead",
                "app.pipeline_stage", "app.idempotency_key", "auth.analyst", "crm.sync",
                "crm.connection",
                "scoring.model", "scoring.signal", "scoring.score",
            )
        }  # fmt: skip
        assert not any(rows.values()), rows
        row = database.sql("select * from app.organization where organization_id = %s", organization.id)[0]
        assert row["name"] is None
        assert row["erased_at"] is not None
        keys = database.sql("select name, revoked_at from auth.api_key where organization_id = %s", organization.id)
        assert len(keys) == 4
        assert all(key["name"] is None and key["revoked_at"] for key in keys)
        with server.client(organization.keys["admin"]) as client:
            check_problem(client.get("/leads"), 401, "unauthorized")
        seal(database)
        for each in (organization, bystander):
            assert verdict(database, each.id)["holds"]
        actions = database.sql(
            "select action, count(*) as n from audit.event where organization_id = %s"
            " and action in ('lead.erased', 'organization.erased') group by 1 order by 1",
            organization.id,
        )
        assert [(row["action"], row["n"]) for row in actions] == [("lead.erased", 2), ("organization.erased", 1)]
        assert lead in {str(row["lead_id"]) for row in database.sql("select lead_id from audit.event")}

        # A repeat does nothing, and nothing can be created in the organization.
        again = leads("erase", "--organization", organization.id, "--yes")
        assert "was erased before. Nothing was left to erase" in printed_all(again)
        assert "was erased" in mistake(leads("keys", "create", "--organization", organization.id, "--scopes", "read"))
        listed = json.loads(printed(leads("organizations", "list", "--json")))
        assert [(row["name"], row["erased_at"] is not None) for row in listed] == [(None, True), ("Stays", False)]

    def test_an_interrupted_erasure_continues(self, database: Database) -> None:
        organization = make_organization(database)
        database.sql(
            "insert into app.lead (organization_id, email)"
            " select %s, 'resume-zq7xk@example.com' from generate_series(1, 25)",
            organization.id,
        )
        step = "select * from admin.erase_organization(%s, %s::uuid, 10)"
        first = database.sql(step, organization.id, None, login="leads_operator")[0]
        assert (first["leads"], first["is_done"]) == (10, False)
        # The first batch revokes the keys.
        assert database.sql(
            "select count(*) as n from auth.api_key where organization_id = %s and revoked_at is null", organization.id
        ) == [{"n": 0}]
        # The command was killed here. The next one starts from the beginning.
        leads, after = 0, None
        while True:
            part = database.sql(step, organization.id, after, login="leads_operator")[0]
            after, leads = part["last_lead_id"], leads + part["leads"]
            if part["is_done"]:
                break
        assert leads == 15
        assert tables_with(database, "resume-zq7xk") == {}
        seal(database)
        assert verdict(database, organization.id)["holds"]


class TestOnTheCommandLine:
    """leads erase."""

    def test_the_webhooks_that_received_values_are_listed(self, database: Database, leads: Leads) -> None:
        organization = make_organization(database, "Live Roofing", "live")
        webhook = make_webhook(database, organization, include="values", actions=["lead.created"])
        [row] = database.sql(
            "insert into app.lead (organization_id, email) values (%s, 'a@example.com') returning id", organization.id
        )
        queue(database)
        assert len(lease(database, organization)) == 1
        erased = leads("erase", "--lead", str(row["id"]), "--yes", "--json")
        assert f"hooks.example.com, webhook {webhook}: received values at 20" in erased.stderr
        assert [item["host"] for item in json.loads(erased.stdout)[0]["webhooks"]] == ["hooks.example.com"]

    def test_a_person_is_listed_confirmed_and_erased(self, database: Database, server: Server, leads: Leads) -> None:
        organization = make_organization(database)
        lead = new_person(database, server, organization)
        add = "insert into app.lead (organization_id, email) values (%s, %s) returning id"
        former = database.sql(add, organization.id, PERSON["email"].upper())[0]["id"]
        database.sql("update app.lead set email = 'new-name@example.com' where id = %s", former)
        deleted = database.sql(add, organization.id, PERSON["email"])[0]["id"]
        database.sql("delete from app.lead where id = %s", deleted)
        other_lead = database.sql(add, organization.id, "other@example.com")[0]["id"]
        command = ("erase", "--organization", organization.id, "--email", PERSON["email"])

        process = leads(*command)
        assert process.returncode == 130
        assert "This can't be undone." in process.stderr
        assert process.stderr.endswith("Nothing was erased. Use --yes to erase without a confirmation.\n")
        assert erasable(database, organization.id) == {lead, str(former), str(other_lead)}
        for words in (
            lead,
            f"{former} (new-name@example.com)",
            f"{deleted} (deleted before)",
            "the record external-zq7xk. Erase it there.",
        ):
            assert words in process.stdout
        assert "perhaps a record for sent-zq7xk@example.com" in process.stdout

        rows = json.loads(printed_all(leads(*command, "--yes", "--json")))
        assert {row["lead_id"] for row in rows} == {lead, str(former), str(deleted)}
        assert [copy["external_id"] for row in rows for copy in row["copies"]] == ["external-zq7xk", None]
        assert erasable(database, organization.id) == {str(other_lead)}
        assert tables_with(database, PERSON["email"], of=organization.id) == {}
        assert "no such lead" in mistake(leads(*command, "--yes"))

    def test_a_person_is_found_by_a_present_and_a_former_phone_number(
        self, database: Database, server: Server, leads: Leads
    ) -> None:
        organization = make_organization(database)
        printed(leads("organizations", "set", organization.id, "--country-code", "1"))
        lead = new_person(database, server, organization)
        add = (
            "insert into app.lead (organization_id, email, phone) values (%s, 'o@example.com', '55591726') returning id"
        )
        other = database.sql(add, organization.id)[0]["id"]
        for number in ("+15559172634", "555.917.2635"):
            process = leads("erase", "--organization", organization.id, "--phone", number)
            assert (process.returncode, lead in process.stdout, str(other) in process.stdout) == (130, True, False)
        printed_all(leads("erase", "--organization", organization.id, "--phone", "(555) 917-2634", "--yes"))
        assert erasable(database, organization.id) == {str(other)}
        assert "no such lead" in mistake(leads("erase", "--organization", organization.id, "--phone", "555 917 2634"))
        assert "need --organization" in mistake(leads("erase", "--phone", "555 917 2634"))
        both = ("--phone", "555 917 2634", "--email", "a@example.com")
        assert "either --email or --phone" in mistake(leads("erase", "--organization", organization.id, *both))
        assert "3 to 20 digits" in mistake(leads("erase", "--organization", organization.id, "--phone", "5"))

    def test_a_lead_is_erased_by_its_id(self, database: Database, server: Server, leads: Leads) -> None:
        organization = make_organization(database)
        lead = new_person(database, server, organization)
        output = printed(leads("erase", "--lead", lead, "--yes"))
        assert re.search(rf"{lead} was erased: \d+ rows, and the values in \d+ events\.", output)
        assert "Nothing was left to erase" in printed(leads("erase", "--lead", lead, "--yes"))

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((), "Nothing to erase."),
            (("--email", "ada@example.com"), "--email and --phone need --organization"),
            (("--lead", str(uuid.UUID(int=7)), "--yes"), "no such lead"),
            (("--organization", str(uuid.UUID(int=7)), "--yes"), "no organization"),
            (("--organization", str(uuid.UUID(int=7)), "--email", "a@example.com", "--yes"), "no organization"),
        ],
    )
    def test_a_mistake_is_reported(self, leads: Leads, arguments: tuple[str, ...], message: str) -> None:
        assert message in mistake(leads("erase", *arguments))


def erasable(database: Database, organization: str) -> set[str]:
    """Returns the ids of the organization's leads."""
    return {str(row["id"]) for row in database.sql("select id from app.lead where organization_id = %s", organization)}


def printed_all(process: subprocess.CompletedProcess[str]) -> str:
    """Returns the output of a successful command, ignoring its standard error."""
    assert process.returncode == 0, process.stderr
    return process.stdout
