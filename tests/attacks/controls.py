"""Designs that leak, attacked by the same runner. They prove that the suite can find a leak."""

from tests.attacks.harness import VICTIMS, Attack

NAIVE = """
create schema naive;
create table naive.lead (organization_id uuid, email text, pipeline_stage text, pain_points text);
insert into naive.lead select organization_id, email, pipeline_stage, pain_points from app.lead;
create table naive.event (organization_id uuid, payload text);
insert into naive.event select organization_id, payload::text from audit.event;
alter table naive.lead enable row level security;
alter table naive.event enable row level security;
create policy lead_all on naive.lead using (organization_id = current_setting('app.tenant')::uuid);
create policy event_all on naive.event using (organization_id = current_setting('app.tenant')::uuid);
create table naive.webhook (id uuid, organization_id uuid, url text, secret bytea);
insert into naive.webhook select id, organization_id, url, secret from webhook.endpoint;
alter table naive.webhook enable row level security;
create policy webhook_all on naive.webhook using (organization_id = current_setting('app.tenant')::uuid);
create function naive.get_webhook(uuid) returns text language sql security definer
  as $$ select url from naive.webhook where id = $1 $$;
create table naive.answer (idempotency_key text, body text);
insert into naive.answer select 'shown', format('{"secret": "%s"}', encode(secret, 'escape')) from webhook.endpoint
  order by position, id desc;
create function naive.repeat(text) returns setof text language sql security definer
  as $$ select body from naive.answer where idempotency_key = $1 $$;
create table naive.bucket (organization_id uuid, full_at timestamptz);
insert into naive.bucket select u.organization_id, u.last_used_at from auth.key_use as u;
create function naive.is_limited(uuid) returns setof timestamptz language sql security definer
  as $$ select distinct full_at from naive.bucket where organization_id = $1 $$;
create view naive.leads as select * from naive.lead where organization_id = current_setting('app.tenant')::uuid;
grant usage on schema naive to {login};
grant select on all tables in schema naive to {login};
analyze naive.lead;
analyze naive.event;
"""
"""The naive design: the tenant is a setting, which every SQL session can change;
the view runs as its owner.
"""

_SET = "set app.tenant = '{own}'"

NAIVE_ATTACKS = tuple(
    Attack(f"naive: {name}", (_SET, *statements))
    for name, statements in {
        "set": ("set app.tenant = '{other}'", "select email from naive.lead"),
        "set local": ("begin", "set local app.tenant = '{other}'", "select email from naive.lead"),
        "set_config": ("select set_config('app.tenant', '{other}', false)", "select email from naive.lead"),
        "inside the statement": (
            "select l.email from (select set_config('app.tenant', '{other}', true) offset 0) as s, naive.lead as l",
        ),
        "of the audit log": ("set app.tenant = '{other}'", "select payload from naive.event"),
        "copy": ("set app.tenant = '{other}'", "copy (select email from naive.lead) to stdout"),
        "query_to_xml": (
            "set app.tenant = '{other}'",
            "select query_to_xml('select email from naive.lead', true, true, '')",
        ),
        "the view": ("set app.tenant = '{other}'", "select email from naive.leads"),
        "ts_stat": (
            "set app.tenant = '{other}'",
            "select word from ts_stat('select to_tsvector(''simple'', email) from naive.lead')",
        ),
        "a cast error": ("set app.tenant = '{other}'", "select email::integer from naive.lead"),
        "a cursor": (
            "set app.tenant = '{other}'",
            "declare c cursor with hold for select email from naive.lead",
            "fetch all c",
        ),
        "a do block": (
            "set app.tenant = '{other}'",
            "do $$ declare r record; begin for r in select * from naive.lead loop raise notice '%', r.email; end loop; end $$",
        ),
        "of webhooks": ("set app.tenant = '{other}'", "select url, encode(secret, 'escape') from naive.webhook"),
        "a webhook by its id alone": ("select naive.get_webhook('{other_webhook}')",),
        "a kept answer with a secret": ("select naive.repeat('shown')",),
        "the limit of another": ("select naive.is_limited('{other}')",),
        "how many": ("set app.tenant = '{other}'", "select count(*) from naive.lead"),
    }.items()
)

SUPERUSER_ATTACKS = tuple(
    Attack(f"superuser: {statement}", (statement,))
    for statement in (
        "select email from app.lead",
        "table bi.leads",
        "select payload from audit.event",
        "copy app.lead to stdout",
        "copy (table crm.sync) to stdout",
        "select query_to_xml('table app.lead', true, true, '')",
        "select schema_to_xml('crm', true, false, '')",
        "select encode(digest, 'hex') from auth.api_key",
        "select credential from crm.connection",
        "select body from app.idempotency_key",
        "select * from ts_stat('select to_tsvector(''simple'', email) from app.lead')",
        "select query from pg_stat_activity",
        "select name from app.organization",
        "select name from app.pipeline_stage",
        "select email::integer from app.lead where email like 'canary%'",
        "select get_raw_page('app.lead', 0)",
    )
)

# A session of the API server that several tenants share. The server calls prepared statements by
# name (app/server/postgres.py), and an attacker with SQL on a pooled session can give the name to
# another statement. The leak is real if the attacker has the password of leads_api, which no client
# of the HTTP API has. Unnamed statements, which cannot be replaced, are attacked in shim.py.
SHARED_SESSION_ATTACKS = (
    Attack(
        "shared session: a replaced prepared statement",
        (
            "prepare request(text) as select (api.get_health()).body from auth.enter($1, 'r', 'read', false)",
            "deallocate request",
            "prepare request(text) as select set_config('mallory.seen', $1, false) || (api.get_organization()).body "
            "from auth.enter($1, 'r', 'read', false)",
            VICTIMS + "execute request('{secret}')",
            "select (api.list_leads()).body from auth.enter(current_setting('mallory.seen'), 'r', 'read', true)",
        ),
    ),
    Attack(
        "shared session: a replaced prepared statement that keeps the claim",
        (
            "prepare request(text) as select set_config('leads.key_digest', $1, false)",
            VICTIMS + "execute request('{secret}')",
            "select (api.list_leads()).body from auth.enter(current_setting('leads.key_digest'), 'r', 'read', true)",
        ),
    ),
)
