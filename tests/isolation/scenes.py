"""The calls of the attacker, and the rows of the victim.
Names in braces are those of ``World.names``.

Every function that the server, the worker or an operator may execute has a call, and every view of
``bi``: test_pins.py fails where one is missing.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """One statement of one login."""

    login: str
    statement: str

    @property
    def name(self) -> str:
        """The statement without the claim, for a report."""
        return re.sub(r"select \(r\)\.\w+.* from \(select (.*) as r from auth\.enter.*", r"\1", self.statement)


def request(scope: str, call: str, who: str = "o") -> Call:
    """A request to the server. who: ``o`` for the attacker's own key,
    ``v`` for the victim's key.
    """
    claim = f"auth.enter('{{{who}_{scope}}}', 'a-request', '{scope}', false)"
    return Call(
        "leads_api",
        f"select (r).status, (r).headers::text, (r).body from (select {call} as r from {claim} offset 0) as a",
    )


def operator(call: str) -> Call:
    return Call("leads_operator", f"select * from {call}")


def worker(call: str) -> Call:
    return Call("leads_worker", f"select * from {call}")


def _created(name: str, more: str = "", who: str = "v") -> Call:
    return request("write", f"""api.create_lead('{{"email": "{name}@one.example", "name": "{name}"{more}}}')""", who)


_QUALIFIED = ', "pipeline_stage": "qualified", "source": "web"'
_MODEL = '{"base": 0.5, "rescore_on_signal": true, "rules": [{"name": "hail", "signal": "hail", "label": "hail", "weight": 0.1}]}'

ARRANGED = (
    Call(
        "postgres",
        "insert into audit.retirement (year, archive_name, archive_digest, events) values (2000, 'a', sha256('a'), 1)",
    ),
    operator("""admin.connect_crm('{victim}', 'hubspot', 'account', '{}', '\\x00', 'k')"""),
    # A lead of each kind; the first word of the address is its name in the calls.
    _created("leased", _QUALIFIED),
    worker("crm.lease_syncs('{k}', 64)"),
    _created("called", _QUALIFIED),
    worker("crm.lease_syncs('{k}', 64)"),
    _created("rejected", _QUALIFIED),
    worker("crm.lease_syncs('{k}', 64)"),
    _created("unknown", _QUALIFIED),
    worker("crm.lease_syncs('{k}', 64)"),
    _created("pushed", _QUALIFIED),
    worker("crm.lease_syncs('{k}', 64)"),
    _created("due", _QUALIFIED),
    _created(
        "three",
        ', "company": "Three", "source": "web", "industry": "roofing", "phone": "020 7946 0018", "reference": "three",'
        ' "details": {"roof": "slate"}',
    ),
    _created("won", ', "pipeline_stage": "won", "lead_score": 80'),
    _created("lost", ', "pipeline_stage": "lost", "lead_score": 20'),
    _created("plain"),
    Call(
        "postgres",
        "select crm.begin_call(s.organization_id, s.id, s.attempts, 'Name', l.email) from crm.sync as s "
        "join app.lead as l on l.id = s.lead_id where split_part(l.email, '@', 1) in ('called', 'unknown', 'pushed')",
    ),
    Call(
        "postgres",
        "select crm.settle_attempt(s.organization_id, s.id, s.attempts, v.outcome, v.external_id) from crm.sync as s "
        "join app.lead as l on l.id = s.lead_id join (values ('rejected', 'refused', null), ('unknown', 'unknown', null), "
        "('pushed', 'created', '4711')) as v (name, outcome, external_id) on l.email = v.name || '@one.example'",
    ),
    operator(f"admin.edit_scoring_model('{{victim}}', '{_MODEL}')"),
    operator("admin.activate_scoring_model('{victim}')"),
    operator(f"admin.edit_scoring_model('{{victim}}', '{_MODEL.replace('0.5', '0.25')}')"),
    Call(
        "leads_operator",
        "select admin.load_signals('{victim}', jsonb_build_array(jsonb_build_object('lead_id', l.lead_id, 'type', 'hail', "
        "'dedupe_key', 'first', 'observed_at', now()))) from admin.leads_to_erase('{victim}', null, 'three@one.example') as l",
    ),
    Call(
        "postgres",
        "insert into app.idempotency_key (organization_id, key_digest, request_digest, status, headers, body, created_at) "
        "values ('{victim}', sha256('new'), sha256('{}'), 201, '{}', '{}', now()), "
        "('{victim}', sha256('old'), sha256('{}'), 201, '{}', '{}', now() - interval '2 days')",
    ),
    # A form with a known token, a submission of each kind, and a client that has used up its limit.
    Call(
        "postgres",
        "with key as (insert into auth.api_key (organization_id, scopes, digest) "
        "values ('{victim}', array['form'], sha256(decode('{v_form}', 'hex'))) returning organization_id, id) "
        "insert into intake.form (organization_id, key_id, source, on_duplicate, requests_per_minute) "
        "select organization_id, id, 'web', 'fill', 2 from key",
    ),
    Call(
        "postgres",
        "insert into intake.submission (organization_id, form_id, outcome, content, faults, created_at) "
        "select f.organization_id, f.id, 'kept', "
        """jsonb_build_object('body', jsonb_build_object('email', s.name || '@one.example')), '[{"code": "x"}]', """
        "now() - s.age from intake.form as f cross join (values ('three', interval '0'), ('nobody', interval '0'), "
        "('old', interval '31 days')) as s (name, age)",
    ),
    Call(
        "postgres",
        "insert into intake.submission (organization_id, form_id, outcome, lead_id, event_digest) "
        "select f.organization_id, f.id, 'created', l.id, sha256('event') from intake.form as f "
        "join app.lead as l on l.email = 'three@one.example'",
    ),
    Call(
        "postgres",
        "insert into intake.client (organization_id, form_id, address, free_at) "
        "select f.organization_id, f.id, a.address, now() + a.wait from intake.form as f cross join "
        "(values (inet '192.0.2.1', interval '1 hour'), ('192.0.2.2', '0')) as a (address, wait)",
    ),
    # A webhook with a delivery of each state.
    Call(
        "postgres",
        "insert into webhook.endpoint (organization_id, name, url, actions, include, position, secret, secret_key, created_at) "
        "values ('{victim}', 'hook', 'https://hook.one.example/', array['lead.created', 'lead.updated'], 'values', 0, 's', 'k', "
        "now() - interval '1 hour')",
    ),
    Call("leads_operator", "select * from admin.seal_events(null, 20)"),
    worker("admin.index_leads()"),
    worker("admin.count_stages()"),
    worker("webhook.queue_deliveries()"),
    worker("webhook.lease_deliveries('{k}', 4)"),
    Call(
        "postgres",
        "with first as (select d.id, row_number() over (order by d.position) as number from webhook.delivery as d "
        "where d.leased_until is not null) update webhook.delivery as d set leased_until = null, next_attempt_at = null, "
        "ended_at = now() - f.number * interval '12 days', message = f.number::text, "
        "state = (array['delivered', 'failed', 'skipped'])[f.number] from first as f where d.id = f.id and f.number < 4",
    ),
    Call(
        "postgres",
        "insert into webhook.delivery (organization_id, endpoint_id, action, next_attempt_at) "
        "select organization_id, id, 'webhook.test', now() from webhook.endpoint",
    ),
)

# The attacker's copy of the form has a token of its own, with the id of the victim's key. Another form has an id that only
# the attacker has, because operators name a form by its id.
OWN_ROWS = (
    "insert into auth.api_key (organization_id, id, scopes, digest) select '{own}', f.key_id, array['form'], "
    "sha256(decode('{o_form}', 'hex')) from intake.form as f where f.organization_id = '{victim}'",
    "with key as (insert into auth.api_key (organization_id, scopes, digest) "
    "values ('{own}', array['form'], sha256('own form')) returning organization_id, id) "
    "insert into intake.form (organization_id, id, key_id, source) "
    "select organization_id, '{own_form}', id, 'web' from key",
    "insert into intake.submission (organization_id, form_id, outcome, content, faults) "
    """select '{own}', '{own_form}', 'kept', '{"body": {"email": "one@canary.example"}}', '[{"code": "x"}]'""",
    # A webhook with an id that only the attacker has, for the same reason, and with a delivery that waits.
    "insert into webhook.endpoint (organization_id, id, url, position, secret, secret_key) "
    "values ('{own}', '{own_webhook}', 'https://own.example/', 0, 's', 'k')",
    "insert into webhook.delivery (organization_id, id, endpoint_id, event_id, event_created_at, position, action, "
    "next_attempt_at) select '{own}', '{own_webhook}', '{own_webhook}', '{event}', now(), 1, 'lead.created', '2100-01-01'",
)

# No running push ends while the scenes run.
STILL = (
    # One push has had many attempts. For the victim it must give up.
    "update crm.attempt set number = 30 where sync_id = '{sync_leased}'",
    "update crm.sync set attempts = 30, begun_after = 29 where id = '{sync_leased}'",
    "update crm.sync set run_at = '2100-01-01' where status = 'in_progress'",
    "update crm.sync set run_at = now() where status = 'pending'",
    "update webhook.delivery set leased_until = '2100-01-01', next_attempt_at = '2100-01-01' where leased_until is not null",
    "update app.lead set qualification_completed_at = created_at where pipeline_stage in ('won', 'lost')",
    "update crm.attempt set sent_at = '2100-01-01' where sent_at is not null and outcome is null",
)
# The chain of seals begins with the organization's id, so the attacker's chain is built again.
SEALS = (
    "delete from audit.seal where organization_id = '{own}'",
    "insert into audit.unsealed (organization_id, event_id) select organization_id, id from audit.event as e "
    "where organization_id = '{own}' on conflict do nothing",
    "select admin.seal_events('{victim}', 20)",
    "select admin.seal_events(null, 5)",
)
# Rows that only the victim has. They are newer, so that they come first in a list.
EXTRA = (
    # A key with the same id in both organizations. The victim has so many keys that it may create none, and one that
    # replaces a key with the id of the attacker's.
    "insert into auth.api_key (organization_id, id, name, scopes, digest) values "
    "('{victim}', '{shared_key}', 'canary', '{read,write,admin}', sha256('v')), "
    "('{own}', '{shared_key}', 'mine', '{read}', sha256('o'))",
    "insert into auth.api_key (organization_id, name, scopes, digest, rotated_from) "
    "values ('{victim}', 'canary', '{read}', sha256('r'), '{own_admin_key}')",
    "insert into auth.api_key (organization_id, name, scopes, digest) "
    "select '{victim}', 'canary', '{read}', sha256(n::text::bytea) from generate_series(1, 100) as n",
    "insert into auth.key_use (organization_id, key_id, last_used_at) values ('{victim}', '{shared_key}', now()), "
    "('{own}', '{shared_key}', '2020-01-01')",
    "insert into auth.cell (name) values ('cell')",
    "insert into auth.unannounced_key (organization_id, key_id) select organization_id, id from auth.api_key "
    "where organization_id = '{victim}' on conflict do nothing",
    "insert into auth.analyst (organization_id, role_oid, role_name) values ('{victim}', 1, 'canary')",
    "insert into app.lead (organization_id, email, name, pipeline_stage, source, lead_score, created_at, updated_at, "
    "qualification_completed_at) select '{victim}', e.name || '@canary.example', 'canary', s.stage, 'web', 99, "
    "now() + interval '1 minute', now() + interval '1 minute', now() from (values ('one'), ('two')) as e (name) "
    "cross join (values ('new'), ('won'), ('lost')) as s (stage)",
    "insert into scoring.signal (organization_id, lead_id, type, value, dedupe_key, created_at) select organization_id, id, "
    "'hail', 'true', 'canary', now() + interval '1 minute' from app.lead where organization_id = '{victim}'",
    "insert into scoring.score (organization_id, lead_id, kind, lead_score, ai_reasoning, base, contributions, model, "
    "model_version, created_at) select organization_id, id, 'scored', 99, 'canary', 0.9, '[]', 'default', 1, "
    "now() + interval '1 minute' from app.lead where organization_id = '{victim}'",
    "insert into app.pipeline_stage (organization_id, name, position) values ('{victim}', 'canary', 9)",
    "insert into audit.event (id, organization_id, action, source, lead_id, payload, salt, payload_digest, created_at) "
    "select n.new_id, n.organization_id, n.action, n.source, n.lead_id, n.payload, n.salt, n.payload_digest, "
    "app.id_time(n.new_id) from (select app.new_id() as new_id, e.* from audit.event as e "
    "where e.organization_id = '{victim}' offset 0) as n",
)
CANARY = (
    "update app.lead set pipeline_stage = 'canary' where organization_id = '{victim}' and name = 'three'",
    "update app.organization set name = 'canary', accepts_name_and_phone = true, country_code = '44', "
    "time_zone = 'Asia/Tokyo' where organization_id = '{victim}'",
    "update app.lead set name = 'canary', company = 'canary', industry = 'canary', pain_points = 'canary', "
    "lead_score = 99, revision = 7 where organization_id = '{victim}' and name <> 'plain'",
    "update app.lead set phone = '555 010 0111', phone_key = '5550100111', reference = 'canary', details = '{\"a\": \"canary\"}' "
    "where organization_id = '{victim}' and reference = 'three'",
    "update scoring.signal set value = '\"canary\"' where organization_id = '{victim}'",
    "update scoring.model set document = jsonb_set(document, '{base}', '0.9') where organization_id = '{victim}'",
    "update crm.connection set settings = '{\"x\": \"canary\"}', credential = 'canary', settle_seconds = 77, "
    "blocked_until = '2020-01-01' where organization_id = '{victim}'",
    "update crm.sync set begun_after = 0, begun_at = now() - interval '2 days' where organization_id = '{victim}'",
    "update crm.sync set error = 'canary' where organization_id = '{victim}' and status = 'failed'",
    "update crm.sync set external_id = 'canary' where organization_id = '{victim}' and external_id is not null",
    "update crm.attempt set display_name = 'canary' where organization_id = '{victim}' and display_name is not null",
    # An answer that is kept under one key and for one request, with each of the two organizations.
    "update app.idempotency_key set key_digest = sha256(convert_to('{own}' || 'key-1', 'UTF8')), "
    "request_digest = sha256('POST /leads/{lead_three}/score') where key_digest = sha256('new')",
    "update app.idempotency_key set body = 'canary' where organization_id = '{victim}'",
    "update app.idempotency_key set request_digest = sha256('canary') where organization_id = '{victim}'",
    "update intake.form set source = 'canary', preset = 'canary', honeypot = 'canary', on_duplicate = 'create', "
    "requests_per_minute = 6000, origins = array['https://canary.example'] where organization_id = '{victim}'",
    "update intake.submission set content = replace(content::text, 'one.example', 'canary.example')::jsonb, "
    """faults = '[{"code": "canary"}]' where organization_id = '{victim}' and content is not null""",
    "update intake.client set free_at = now() + interval '2 hours' where organization_id = '{victim}' and address = '192.0.2.2'",
    "update audit.event set payload = replace(payload::text, 'one.example', 'canary.example')::json "
    "where organization_id = '{victim}'",
    "update app.stage_stay set stage = 'canary', entered_at = '2020-01-01' where organization_id = '{victim}'",
    "update app.stage_day set stage = stage || '-canary', day = '2020-01-01' where organization_id = '{victim}'",
    "update app.stage_progress set counted_until = '2020-01-01' where organization_id = '{victim}'",
    "update webhook.endpoint set name = 'canary', url = 'https://canary.example', actions = array['canary'], include = 'ids', "
    "failures = 9, failing_since = '2020-01-01', secret = 'canary', secret_key = 'canary' where organization_id = '{victim}'",
    "update webhook.delivery set http_status = 599, message = 'canary', attempts = attempts + 7 where organization_id = '{victim}'",
    "update webhook.recipient set host = 'canary' where organization_id = '{victim}'",
    # No trigger has fired: the stored text of the copies and of the canaries is that of the victim's old rows.
    "update app.lead as l set item = row_to_json(app.lead_item(row(l.*)::app.lead_values))::text",
)


def _submitted(body: str, address: str = "192.0.2.9", origin: str = "https://one.example") -> Call:
    headers = f"""{{"origin": "{origin}"}}"""
    return request("form", f"api.submit_form('{body}', 'application/json', '{headers}', '{address}')")


def _lists() -> tuple[Call, ...]:
    """Lists, with each shape of filter."""
    leads = (
        "", "source => '{web}'", "pipeline_stage => '{qualified}'", "pipeline_stage => '{qualified}', source => '{web}'",
        "email => '{plain@one.example}'", "email => '{one@canary.example}'", "pipeline_stage => '{canary}'",
        "phone => '020 7946 0018'", "phone => '555 010 0111'", "reference => 'three'", "reference => 'canary'",
        "phone => '020 7946 0018', reference => 'three'", "phone => '+442079460018'",
        "q => 'one.ex'", "q => 'three'", "q => 'canary'", "q => 'web'", "q => 'plain', pipeline_stage => '{new}'",
        "q => 'e', source => '{web}'",
        "\"order\" => 'updated_at'", "\"order\" => 'updated_at', updated_since => now() - interval '1 day', \"limit\" => 3",
    )  # fmt: skip
    events = (
        "", "lead_id => '{lead_three}'", "action => '{lead.created}'", "source => '{api}'",
        "action => '{lead.created}', source => '{api}'",
    )  # fmt: skip
    exports = (
        "", "'csv'", "source => '{web}'", "pipeline_stage => '{qualified}'", "pipeline_stage => '{qualified}', source => '{web}'",
        "email => '{plain@one.example}'", "email => '{one@canary.example}'", "pipeline_stage => '{canary}'",
        "phone => '020 7946 0018'", "phone => '555 010 0111'", "reference => 'three'", "reference => 'canary'",
    )  # fmt: skip
    return (
        *(request("read", f"api.list_leads({filter})") for filter in leads),
        *(request("read", f"api.export_leads({filter})") for filter in exports),
        *(request("read", f"api.export_audit_events({filter})") for filter in (*events, "'csv'")),
        *(request("read", f"api.list_audit_events({filter})") for filter in events),
        *(
            request("read", f"api.list_{what}('{{lead_{lead}}}')")
            for what in ("signals", "scores")
            for lead in ("three", "won")
        ),
        request("admin", "api.list_crm_connections()"),
        request("admin", "api.list_forms()"),
        request("admin", "api.list_webhooks()"),
        request("admin", "api.get_webhook('{webhook}')"),
        request("admin", "api.list_keys()"),
    )


READ = (
    *_lists(),
    *(
        request("read", f"api.{function}('{{lead_{lead}}}')")
        for function in ("get_lead", "get_lead_details", "get_crm_sync")
        for lead in ("leased", "called", "rejected", "unknown", "pushed", "due", "three", "plain")
    ),
    *(
        request("write", f"api.get_push('{{lead_{lead}}}')")
        for lead in ("leased", "rejected", "pushed", "due", "plain")
    ),
    request("read", "api.get_audit_event('{event}')"),
    request("form", """api.preflight_form('{"origin": "https://canary.example"}')"""),
    request("read", "api.get_organization()"),
    Call("leads_api", "select auth.caller() from auth.enter('{o_read}', 'a-request', 'read', true)"),
    Call("leads_api", "select auth.record_key_uses('{{o_read}}', '{1}')"),
    Call("leads_api", "select auth.is_announced('{own}', '{shared_key}')"),
    request("read", "api.get_health()"),
    request("admin", "api.verify_audit_log()"),
    request("admin", "api.verify_audit_log(after => '3', \"limit\" => '5')"),
    request("admin", "api.verify_audit_log(head => '{their_head}')"),
    *(
        request("read", f"api.{function}('{{lead_theirs}}')")
        for function in ("get_lead", "get_lead_details", "list_signals", "list_scores")
    ),
    *(
        request("admin", f"api.get_lead_everything('{{lead_{lead}}}')")
        for lead in ("three", "rejected", "unknown", "pushed", "plain", "theirs")
    ),
)

WRITE = (
    _created("one", _QUALIFIED, "o"),
    _created("new", ', "pipeline_stage": "canary"', "o"),
    request("write", """api.create_lead('{"email": "again@one.example"}', 'key-2')""", "o"),
    request("write", """api.create_lead('{"email": "again@one.example"}', 'key-2')""", "o"),
    request("write", "api.score_lead('{lead_three}', 'key-1')"),
    request("write", "api.score_lead('{lead_three}')"),
    request("write", """api.create_signals('{lead_three}', '{"type": "hail", "dedupe_key": "first"}')"""),
    request("write", """api.create_signals('{lead_three}', '{"type": "hail", "dedupe_key": "canary"}')"""),
    request(
        "write", """api.create_signals('{lead_won}', '{"signals": [{"type": "hail"}, {"type": "wind"}]}', 'key-3')"""
    ),
    request("write", """api.create_signals('{lead_theirs}', '{"type": "hail"}')"""),
    *(request("write", f"api.{function}('{{lead_theirs}}')") for function in ("score_lead", "push_lead")),
    request("write", """api.update_lead('{lead_theirs}', '{"timeline": "soon"}')"""),
    request("admin", "api.delete_lead('{lead_theirs}')"),
    request("write", """api.update_lead('{lead_plain}', '{"timeline": "soon", "email": "one@canary.example"}')"""),
    request("write", """api.update_lead('{lead_plain}', '{"timeline": "now"}', '"2.{version}"')"""),
    request("write", """api.update_lead('{lead_plain}', '{"pipeline_stage": "qualified", "lead_score": 7}')"""),
    request("write", """api.update_lead('{lead_won}', '{"pipeline_stage": "canary"}')"""),
    request("write", """api.create_lead('{"name": "new", "phone": "020 7946 0099"}')"""),
    request(
        "write", """api.create_lead('{"email": "ref@one.example", "phone": "020 7946 0018", "reference": "canary"}')"""
    ),
    request("write", """api.create_lead('{"email": "ref@one.example", "reference": "three"}')"""),
    request("write", """api.update_lead_details('{lead_plain}', '{"phone": "020 7946 0018", "details": {"a": 1}}')"""),
    request("write", """api.update_lead_details('{lead_plain}', '{"reference": "canary2"}', null, 'key-4')"""),
    request("write", """api.update_lead_details('{lead_three}', '{"details": {"roof": null}}', '"7.{version}"')"""),
    request("write", """api.update_lead_details('{lead_theirs}', '{"phone": "020 7946 0018"}')"""),
    *(
        request(
            "write",
            f"""api.store_leads('[{{{{"email": "three@one.example", "reference": "three", "phone": "020 7946 0018"}}}},
              {{{{"email": "one@canary.example", "reference": "canary", "pipeline_stage": "qualified"}}}},
              {{{{"email": "bulk@one.example", "pipeline_stage": "canary"}}}},
              {{{{"name": "n", "phone": "020 7946 0099"}}}}]', 'application/json', '{rule}', '{key}', push => {push})""",
        )
        for rule, key, push in (
            ("error", "reference", "false"),
            ("skip", "email", "true"),
            ("update", "phone", "false"),
            ("update", "reference", "false"),
        )
    ),
    request(
        "write",
        """api.store_leads('[{"email": "key@one.example"}]', 'application/json', idempotency_key => 'key-5')""",
    ),
    request("write", """api.put_lead('three', '{"name": "put"}', '*')"""),
    request("write", """api.put_lead('canary', '{"email": "put@one.example"}', null, 'key-6')"""),
    request("write", """api.put_lead('canary9', '{"name": "put"}', '*')"""),
    *(
        request("write", f"api.push_lead('{{lead_{lead}}}')")
        for lead in ("rejected", "unknown", "pushed", "due", "won")
    ),
    *(
        _submitted(body)
        for body in (
            '{"email": "three@one.example", "company": "Filled", "phone": "020 7946 0018"}',
            '{"email": "one@canary.example", "company": "Filled"}',
            '{"phone": "555 010 0111", "name": "new", "company": "new"}',
            '{"email": "plain@one.example", "roof": "slate", "canary": "x"}',
            '{"name": "nobody"}',
        )
    ),
    _submitted('{"email": "plain@one.example"}', "192.0.2.1"),
    _submitted('{"email": "plain@one.example"}', "192.0.2.2"),
    _submitted('{"email": "plain@one.example"}', "192.0.2.3", "https://canary.example"),
    request("admin", """api.create_form('{"source": "canary", "constants": {"pipeline_stage": "canary"}}')"""),
    request("admin", """api.create_form('{"source": "web", "constants": {"pipeline_stage": "won"}}', 'key-7')"""),
    request("admin", """api.create_form('{"source": "web", "constants": {"pipeline_stage": "won"}}', 'key-8')"""),
    request("admin", """api.create_form('{"source": "web", "constants": {"pipeline_stage": "won"}}', 'key-8')"""),
    request("admin", """api.create_key('{"scope": "read"}', 'key-9')"""),
    request("admin", "api.delete_key('{own_admin_key}')"),
    request("admin", "api.rotate_key('{own_admin_key}', '{}', 'key-10')"),
    request("admin", "api.rotate_key('{shared_key}', '{}')"),
    request("admin", "api.delete_key('{shared_key}')"),
    *_lists(),
)

WORK = (
    worker("crm.begin_call('{own}', '{sync_leased}', 30, 'Mine', 'mine@one.example')"),
    worker("crm.begin_call('{own}', '{sync_called}', 1)"),
    worker("crm.trace_id('{own}', '{sync_called}')"),
    worker("crm.settle_attempt('{own}', '{sync_leased}', 30, 'unknown', null, 429, 'Later', 7)"),
    worker("crm.settle_attempt('{own}', '{sync_called}', 1, 'created', '42')"),
    request("write", "api.push_lead('{lead_rejected}')"),
    *_lists(),
    worker("admin.count_stages('{victim}', 3)"),
    worker("admin.count_stages('{victim}')"),
)

WEBHOOKS = (
    request("admin", """api.create_webhook('{"url": "https://one.example", "name": "new"}', 'x', 's', 'k', 'key-7')"""),
    request(
        "admin", """api.update_webhook('{webhook}', '{"name": "mine", "state": "disabled", "skip_missed": true}')"""
    ),
    request("admin", """api.update_webhook('{webhook}', '{"actions": null, "state": "enabled"}', '*')"""),
    request("admin", "api.rotate_webhook_secret('{webhook}', 'x', 'other', 'k')"),
    request("admin", "api.list_webhooks()"),
    request("admin", "api.delete_webhook('{webhook}')"),
    request("admin", "api.delete_webhook('{own_webhook}')"),
    request("admin", "api.list_webhooks()"),
)
DELIVERIES = (
    worker("webhook.settle_delivery('{own}', '{delivery_leased}', 1, 'failed', 500, 'mine', 7)"),
    worker("webhook.settle_delivery('{own}', '{delivery_leased}', 8, 'delivered')"),
    worker("webhook.keep_sealed_secret('{own}', '{webhook}', 's', 'other', 'k')"),
    # Of the victim's webhook, this worker has enough.
    worker("""webhook.lease_deliveries('{k}', 64, '{"{victim}": 64}')"""),
    worker("webhook.queue_deliveries('{victim}', 3)"),
    worker("webhook.queue_deliveries('{victim}')"),
    *(
        request("admin", f"api.list_webhook_deliveries('{{webhook}}'{filter})")
        for filter in ("", ", 'failed'", ', "limit" => 2')
    ),
    request("admin", "api.list_webhook_deliveries('{own_webhook}')"),
    request("admin", "api.redeliver_webhook('{webhook}', '{delivery_delivered}')"),
    request("admin", "api.redeliver_webhook('{own_webhook}', '{delivery_delivered}')"),
    request("admin", "api.test_webhook('{webhook}')"),
    operator("admin.webhook_deliveries('{own_webhook}')"),
    operator("admin.test_webhook('{own_webhook}')"),
    operator("admin.redeliver_webhook('{own_webhook}', '{own_webhook}')"),
    request("admin", "api.list_webhook_deliveries('{webhook}')"),
)
REFUSED = (
    worker("crm.settle_attempt('{own}', '{sync_called}', 1, 'refused', null, 400, 'No')"),
    worker("crm.settle_attempt('{own}', '{sync_leased}', 30, 'unauthorized', null, 401, 'Who?')"),
    request("admin", "api.list_crm_connections()"),
)

OPERATE = (
    *(
        operator(f"admin.{function}('{{own}}')")
        for function in (
            "organization",
            "known_organization",
            "stages",
            "keys",
            "analysts",
            "scoring_models",
            "backtest_leads",
            "crm_connections",
            "crm_queue",
            "crm_syncs",
            "export_leads",
            "export_audit_events",
            "chain_heads",
            "verify_chain",
        )
    ),
    operator("admin.leads_to_erase('{own}', '{lead_three}')"),
    operator("admin.leads_to_erase('{own}', null, 'three@one.example')"),
    operator("admin.leads_to_erase('{own}', null, 'three@canary.example')"),
    operator("admin.leads_to_erase('{own}', null, null, '020 7946 0018')"),
    operator("admin.leads_to_erase('{own}', null, null, '555 010 0111')"),
    operator("admin.export_leads('{own}', source => '{web}')"),
    operator("admin.export_audit_events('{own}', lead_id => '{lead_three}')"),
    operator("admin.set_organization('{own}', true, '1', 7, 'Europe/Berlin')"),
    operator("""admin.unlisted_erasures('{own}', '[{"event_id": "{lead_three}", "digest": "x"}]')"""),
    operator("""admin.payloads_about('{own}', array['{"diff": {"email": {"to": "three@one.example"}}}']::json[],
      'three@one.example', null)"""),
    operator("""admin.record_archive_erasure('{own}', '{lead_three}', 2000, sha256('new'),
      json_build_array(json_build_object('event_id', '00dc6acf-ac00-7000-8000-000000000000', 'digest', repeat('0', 64))))"""),
    worker("admin.count_stages('{victim}', 1)"),
    worker("admin.count_stages('{victim}')"),
    operator("admin.fill_phone_keys('{own}', null, 100)"),
    operator("admin.try_scoring_model('{own}', '{lead_three}')"),
    operator("admin.try_scoring_model('{own}', '{lead_three}', now())"),
    operator(f"admin.backtest_scoring_model('{{own}}', '{_MODEL}', array['{{lead_won}}', '{{lead_lost}}']::uuid[])"),
    operator(f"admin.backtest_scoring_model('{{own}}', '{_MODEL}')"),
    operator(f"admin.check_scoring_model('{_MODEL}')"),
    operator(f"admin.edit_scoring_model('{{own}}', '{_MODEL.replace('0.5', '0.75')}')"),
    operator("admin.activate_scoring_model('{own}')"),
    operator("admin.activate_scoring_model('{own}', 1)"),
    operator(f"admin.edit_scoring_model('{{own}}', '{_MODEL}')"),
    operator("admin.add_stage('{own}', 'canary')"),
    operator("admin.add_stage('{own}', 'extra')"),
    operator("admin.remove_stage('{own}', 'canary')"),
    operator("admin.remove_stage('{own}', 'lost')"),
    operator("""admin.load_leads('{own}', '[{"email": "loaded@one.example", "lead_score": 1, "pipeline_stage": "new",
      "created_at": "2020-01-01Z", "updated_at": "2020-01-01Z"}]')"""),
    operator("admin.begin_import('{own}', sha256('file'))"),
    Call(
        "leads_operator",
        "insert into admin.import_line (organization_id, file_digest, position, fields) values "
        """('{own}', sha256('file'), 1, '{"email": "import@one.example", "reference": "canary"}'), """
        """('{own}', sha256('file'), 2, '{"reference": "three", "name": "import", "created_at": "2020-01-01"}')""",
    ),
    operator("admin.import_leads('{own}', sha256('file'), false, 'reference', 'update', false, true)"),
    operator("admin.begin_import('{own}', sha256('file'), true)"),
    operator("""admin.load_signals('{own}', '[{"lead_id": "{lead_three}", "type": "hail", "dedupe_key": "canary",
      "observed_at": "2020-01-01Z"}]')"""),
    operator("admin.change_crm_connection('{own}', 'pause')"),
    operator("admin.change_crm_connection('{own}', 'resume')"),
    operator("admin.retry_crm('{own}', '{lead_unknown}', 'theirs')"),
    operator("admin.retry_crm('{own}')"),
    operator("admin.retry_crm('{own}', '{lead_rejected}')"),
    operator("""admin.connect_crm('{own}', 'webhook', 'another', '{}', '\\x01', 'k', 'won')"""),
    operator("admin.change_crm_connection('{own}', 'disconnect')"),
    operator("admin.create_key('{own}', 'read', sha256('another key'))"),
    operator("admin.rotate_key('{own_key}', sha256('a third key'))"),
    operator("admin.good_key('{own_key}')"),
    operator("admin.revoke_key('{own_key}')"),
    operator("admin.keys('{own}')"),
    operator("admin.routed_credentials(null, 1000, array['{own}'::uuid])"),
    operator("admin.organization_of('{own}')"),
    operator("admin.is_announced('{own}')"),
    operator("admin.announce_keys(array['{own}'::uuid], array['{shared_key}'::uuid])"),
    operator("admin.new_key('{own}')"),
    operator("admin.forms('{own}')"),
    operator("admin.form_presets()"),
    operator("admin.form_submissions('{own}')"),
    operator("admin.form_submissions('{own}', '{form}')"),
    operator("admin.replay_submissions('{own_form}')"),
    operator("""admin.set_form('{own_form}', '{"source": "canary", "mapping": {"a": "name"}}')"""),
    operator("""admin.create_form('{own}', '{"source": "web"}')"""),
    operator("admin.revoke_form('{own_form}')"),
    operator("admin.webhooks('{own}')"),
    operator("""admin.create_webhook('{own}', '{"url": "https://one.example"}', 's', 'k')"""),
    operator("""admin.set_webhook('{own_webhook}', '{"name": "mine", "state": "disabled", "skip_missed": true}')"""),
    operator("""admin.set_webhook('{own_webhook}', '{"state": "enabled"}')"""),
    operator("admin.rotate_webhook_secret('{own_webhook}', 'other', 'k')"),
    operator("admin.delete_webhook('{own_webhook}')"),
    operator("admin.erase_submissions('{own}', 'three@canary.example', null)"),
    operator("admin.erase_submissions('{own}', 'three@one.example', '020 7946 0018')"),
)

ERASE_LEAD = (
    *(
        operator(f"admin.erase_lead('{{own}}', '{{lead_{lead}}}')")
        for lead in ("three", "rejected", "called", "unknown", "pushed")
    ),
    *(request("admin", f"api.delete_lead('{{lead_{lead}}}')") for lead in ("plain", "due", "leased", "won", "theirs")),
)
ERASE_ORGANIZATION = (
    worker("crm.settle_attempt('{own}', '{sync_called}', 1, 'created', '42')"),
    worker("crm.settle_attempt('{own}', '{sync_leased}', 30, 'refused')"),
    operator("admin.erase_organization('{own}')"),
    operator("admin.erase_organization('{own}')"),
    operator("admin.verify_chain('{own}')"),
)

_ABSENT = "00000000-0000-7000-8000-000000000001"
MOVE = (
    operator("admin.table_class()"),
    operator("admin.begin_move('{own}', 'second')"),
    operator("admin.drain('{own}')"),
    operator("admin.placement('{own}')"),
    operator("admin.unfinished('{own}')"),
    operator("admin.fence('{own}')"),
    request("read", "api.get_lead('{lead_plain}')"),
    operator("admin.erase_submissions('{own}', 'a@b.example', null)"),
    # As if the fence had been committed. The worker's leases have ended.
    Call("postgres", "update app.placement set changed_in = null"),
    Call(
        "postgres",
        "update crm.sync set run_at = '2000-01-01' where organization_id = '{own}' and status = 'in_progress'",
    ),
    Call(
        "postgres",
        "update webhook.delivery set leased_until = '2000-01-01', next_attempt_at = '2000-01-01' "
        "where organization_id = '{own}' and leased_until is not null",
    ),
    operator("admin.unfinished('{own}')"),
    operator("admin.owned_rows('{own}')"),
    operator("admin.give_up('{own}', 'second')"),
    operator("admin.bind_moved_analyst('nobody', '{own}')"),
    Call("leads_migrator", "select admin.delete_moved('{own}')"),
    Call("leads_migrator", "select admin.delete_moved('{own}')"),
    operator("admin.placement('{own}')"),
    operator(f"admin.prepare_arrival('{_ABSENT}', 'second', array[2026])"),
    operator(f"admin.take_over('{_ABSENT}', '[]')"),
    operator(f"admin.discard_arrival('{_ABSENT}')"),
)
ABORT_MOVE = (
    operator("admin.needed_keys('{own}')"),
    operator("admin.begin_move('{own}', 'second')"),
    operator("admin.fence('{own}')"),
    operator("admin.unfence('{own}')"),
    operator("admin.abort_move('{own}')"),
    operator("admin.take_over('{own}', '[]')"),
    request("read", "api.get_lead('{lead_plain}')"),
)

ANALYSE = (
    Call("leads_migrator", "select admin.create_analyst('{analyst}', '{own}', '{verifier}')"),
    *(
        Call("{analyst}", f"select * from bi.{view}")
        for view in (
            "leads",
            "lead_changes",
            "stage_history",
            "pipeline_daily",
            "source_performance",
            "source_daily",
            "score_calibration",
            "freshness",
            "signals",
            "scores",
            "crm_syncs",
        )
    ),
    operator("admin.analysts('{own}')"),
    Call("leads_migrator", "select admin.revoke_analyst('{analyst}')"),
    Call("leads_migrator", "select admin.disable_analyst('{analyst}')"),
)

SCENES = {
    "read": READ,
    "write": WRITE,
    "work": WORK,
    "webhooks": WEBHOOKS,
    "deliveries": DELIVERIES,
    "refused": REFUSED,
    "operate": OPERATE,
    "erase a lead": ERASE_LEAD,
    "erase an organization": ERASE_ORGANIZATION,
    "move": MOVE,
    "abort a move": ABORT_MOVE,
    "analyse": ANALYSE,
}
"""Calls by or for one organization. None may show or change anything of another organization."""

ACROSS = (
    operator("admin.organizations()"),
    operator("admin.cell()"),
    operator("admin.set_cell('cell')"),
    operator("admin.set_cell(null)"),
    operator("admin.unannounced_keys()"),
    operator("admin.keys()"),
    operator("admin.forms()"),
    operator("admin.webhooks()"),
    operator("admin.analysts()"),
    operator("admin.crm_connections()"),
    operator("admin.crm_queue()"),
    operator("admin.chain_heads()"),
    operator("admin.moves()"),
    operator("admin.leads_to_erase(null, '{lead_three}')"),
    operator("admin.create_organization('Another', 'test')"),
    worker("crm.seconds_until_due('{k}')"),
    worker("crm.connections_without_key('{k}')"),
    worker("crm.connections_without_key('{}')"),
    worker("crm.lease_syncs('{k}', 64)"),
    worker("webhook.endpoints_without_key('{k}')"),
    worker("webhook.secrets_to_seal('{k}')"),
    worker("webhook.delete_expired_secrets()"),
    worker("webhook.endpoints_without_key('{}')"),
    worker("webhook.seconds_until_due('{k}')"),
    worker("webhook.lease_deliveries('{k}', 64)"),
    worker("webhook.queue_deliveries()"),
    worker("webhook.settle_delivery('{victim}', '{delivery_leased}', 1, 'gone', 410)"),
    worker("webhook.delete_old_deliveries(100)"),
    worker("admin.delete_expired_answers(100)"),
    worker("admin.delete_old_submissions(100)"),
    worker("admin.index_leads(null, 3)"),
    worker("admin.queue_seals()"),
    worker("admin.queued_organizations('sealer')"),
    worker("admin.queued_organizations('indexer')"),
    worker("admin.queued_organizations('counter')"),
    worker("admin.queued_organizations('queuer')"),
    worker("admin.count_stages(null, 3)"),
    worker("admin.seal_events(null, 3)"),
    worker("admin.service_figures()"),
    worker("admin.seal_events('{victim}')"),
    operator("admin.verify_chain('{own}')"),
    operator("admin.retired_parts(2000)"),
)
"""Calls that work on all organizations, by design."""

ALL_SCENES = {**SCENES, "across": ACROSS}

# What reads and writes no organization's rows:
# the reference, the routes, checks of the database and the session.
PLAIN = {
    "admin.create_audit_partitions",
    "admin.erased_payloads",
    "admin.findings",
    "admin.retired_years",
    "admin.missing_keys",
    "admin.sealing_key",
    "api.input_faults",
    "api.is_change_cursor",
    "api.is_cursor",
    "api.is_export_cursor",
    "api.openapi",
    "api.problems",
    "api.read_instant",
    "api.routes",
    "api.schema_version",
    "api.sealing_key",
    "api.session_faults",
    "auth.current_position",
    "auth.position_states",
    "webhook.announce_keys",
}
