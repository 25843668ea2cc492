-- The reference: what OpenAPI says of a route beside its function's signature and comment.
set local lock_timeout = '5s';
set local row_security = off;
set local role leads_owner;

create table api.tag (
  name text not null,
  position integer not null,
  description text not null,
  constraint tag_pkey primary key (name)
);

comment on table api.tag is 'The chapters of the reference, in their order.';
comment on column api.tag.name is 'The chapter''s title.';
comment on column api.tag.position is 'Where it stands; the first is 1.';
comment on column api.tag.description is 'What it is about, in Markdown.';

create table api.guide (
  position integer not null,
  title text not null,
  body text not null,
  constraint guide_pkey primary key (position)
);

comment on table api.guide is 'The text in front of the reference, a row for each section.';
comment on column api.guide.position is 'Where it stands; the first is 1.';
comment on column api.guide.title is 'The section''s title.';
comment on column api.guide.body is 'The section, in Markdown.';

create table api.parameter (
  name text not null,
  description text not null,
  example text,
  constraint parameter_pkey primary key (name)
);

comment on table api.parameter is 'What a parameter of a route means, wherever its name stands.';
comment on column api.parameter.name is 'The argument''s name.';
comment on column api.parameter.description is 'What it means, in Markdown.';
comment on column api.parameter.example is 'A value, as it stands in a request.';

create table api.shape (
  type text not null,
  relation text,
  never_null text[] not null default '{}',
  example json,
  constraint shape_pkey primary key (type),
  -- Before PostgreSQL 16 to_regclass raises of an odd name, and gives no null.
  constraint shape_names_a_relation check (relation ~ '^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$')
);

comment on table api.shape is 'What a type of schema api shows: a body, or a part of one.';
comment on column api.shape.type is 'The type, with its schema.';
comment on column api.shape.relation is
  'The table whose rows it shows: the constraints on a column of the same name hold for the field. Null: none.';
comment on column api.shape.never_null is 'Fields that are never null, where no column of the table says so.';
comment on column api.shape.example is 'An example.';

-- The route table has some 20 rows.
alter table api.route
  add column tag text,
  add column position integer,
  add column request text,
  add column rule json,
  add column answer text,
  add column form text,
  add column statuses integer[],
  add column headers text[],
  add column examples json;

-- squawk-ignore constraint-missing-not-valid
alter table api.route add constraint route_form_is_known check (form in ('object', 'list', 'page', 'one_or_list'));
-- squawk-ignore constraint-missing-not-valid
alter table api.route add constraint route_shows_types_of_api check (
  request ~ '^api\.[a-z_][a-z0-9_]*$' and answer ~ '^api\.[a-z_][a-z0-9_]*$'
);
-- squawk-ignore constraint-missing-not-valid
alter table api.route add constraint route_rule_is_an_object check (json_typeof(rule) = 'object');
-- squawk-ignore constraint-missing-not-valid
alter table api.route add constraint route_succeeds_by_statuses_of_success check (
  200 <= all (statuses) and 299 >= all (statuses) and cardinality(statuses) > 0
);
-- squawk-ignore constraint-missing-not-valid
alter table api.route add constraint route_headers_are_names check (array_to_string(headers, ' ', '?') ~ '^[A-Za-z0-9-]+( [A-Za-z0-9-]+)*$');

comment on column api.route.tag is 'The chapter of the reference; null: its last, "Other".';
comment on column api.route.position is 'Where it stands in its chapter.';
comment on column api.route.request is 'The type of schema api that the body shows; null: it takes none, or any JSON.';
comment on column api.route.rule is
  'JSON Schema of the body, where it is more than its type: "$body" stands for that.';
comment on column api.route.answer is 'The type of schema api that the answer shows; null: any JSON.';
comment on column api.route.form is
  'How the answer shows it: object (also null), list ({"data": […]}), page (that, with next_cursor), or one_or_list: as the body was.';
comment on column api.route.statuses is 'The statuses of success; null: 200.';
comment on column api.route.headers is 'Headers that a success has, beside X-Request-Id.';
comment on column api.route.examples is
  'Examples by "request" and by status, where those of the types that it shows would mislead; null: they wouldn''t.';

-- The same as before, in one expression: the reference shows it.
create or replace function app.is_email(value text)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return
    char_length(value) <= 254
    and value collate "C" ~ '^[a-zA-Z0-9.!#$%&''*+/=?^_`{|}~-]{1,64}@[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+$';
end
$$;

-- The same as before, but for octets with a NUL, which no text takes: they are no cursor, and were a fault of the server's.
create or replace function api.is_cursor(value text)
returns boolean
language sql
immutable
parallel safe
begin atomic
  -- Each case is reached only where the ones before it found nothing: what passes the last one casts.
  select case
    when value is null then null
    when t.content is null or t.content !~ (
      '^\{"created_at":"(?!0000)\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z",'
      '"id":"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"\}$'
    ) then false
    else substr(t.content, 24, 2)::integer <= extract(
      day from make_date(substr(t.content, 16, 4)::integer, substr(t.content, 21, 2)::integer, 1) + interval '1 month -1 day'
    )
  end
  from (
    select case when position('\x00'::bytea in o.octets) = 0 then convert_from(o.octets, 'LATIN1') end as content
    from (
      select case
        when value collate "C" ~ '^[A-Za-z0-9_-]{1,200}$' and char_length(value) % 4 <> 1 then
          decode(translate(value, '-_', '+/') || repeat('=', (4 - char_length(value) % 4) % 4), 'base64')
      end as octets
    ) as o
  ) as t;
end;

-- What a client sends.
create type api.lead_input as (
  name text,
  company text,
  email text,
  source text,
  lead_score integer,
  pipeline_stage text,
  industry text,
  company_size text,
  pain_points text,
  timeline text,
  budget_range text,
  ai_reasoning text
);
create type api.signal_input as (
  type text,
  value json,
  observed_at timestamptz,
  dedupe_key text
);
comment on type api.lead_input is 'What a client says of a lead.';
comment on type api.signal_input is 'Something that was observed of a lead.';

comment on column api.lead_item.id is 'The lead''s id, a UUID of version 7.';
comment on column api.lead_item.organization_id is 'The organization''s id.';
comment on column api.lead_item.name is 'The person''s name.';
comment on column api.lead_item.company is 'The company''s name.';
comment on column api.lead_item.email is 'The e-mail address, as it was sent. Two leads may share one.';
comment on column api.lead_item.source is 'Where the lead came from: a machine name.';
comment on column api.lead_item.lead_score is 'How promising the lead is.';
comment on column api.lead_item.pipeline_stage is 'The stage that it stands in: one of the organization''s.';
comment on column api.lead_item.industry is 'The industry.';
comment on column api.lead_item.company_size is 'The company''s size, in words.';
comment on column api.lead_item.created_at is 'When the lead came in.';
comment on column api.lead_item.updated_at is 'When it was last changed.';

comment on column api.lead.id is 'The lead''s id, a UUID of version 7.';
comment on column api.lead.organization_id is 'The organization''s id.';
comment on column api.lead.name is 'The person''s name.';
comment on column api.lead.company is 'The company''s name.';
comment on column api.lead.email is 'The e-mail address, as it was sent. Two leads may share one.';
comment on column api.lead.source is 'Where the lead came from: a machine name.';
comment on column api.lead.lead_score is 'How promising the lead is.';
comment on column api.lead.pipeline_stage is 'The stage that it stands in: one of the organization''s.';
comment on column api.lead.industry is 'The industry.';
comment on column api.lead.company_size is 'The company''s size, in words.';
comment on column api.lead.pain_points is 'What troubles the lead.';
comment on column api.lead.timeline is 'When the lead wants to act, in words.';
comment on column api.lead.budget_range is 'What the lead wants to spend, in words.';
comment on column api.lead.ai_reasoning is 'Why the lead has its score, in words.';
comment on column api.lead.qualification_completed_at is
  'When the lead first reached the stage "qualified"; null: it has not.';
comment on column api.lead.created_at is 'When the lead came in.';
comment on column api.lead.updated_at is 'When it was last changed.';

comment on column api.lead_change.id is 'The lead''s id, a UUID of version 7.';
comment on column api.lead_change.organization_id is 'The organization''s id.';
comment on column api.lead_change.name is 'The person''s name.';
comment on column api.lead_change.company is 'The company''s name.';
comment on column api.lead_change.email is 'The e-mail address, as it was sent. Two leads may share one.';
comment on column api.lead_change.source is 'Where the lead came from: a machine name.';
comment on column api.lead_change.lead_score is 'How promising the lead is.';
comment on column api.lead_change.pipeline_stage is 'The stage that it stands in: one of the organization''s.';
comment on column api.lead_change.updated_at is 'When it was last changed.';

comment on column api.lead_input.name is 'The person''s name.';
comment on column api.lead_input.company is 'The company''s name.';
comment on column api.lead_input.email is 'The e-mail address, as it was sent. Two leads may share one.';
comment on column api.lead_input.source is 'Where the lead came from: a machine name.';
comment on column api.lead_input.lead_score is 'How promising the lead is.';
comment on column api.lead_input.pipeline_stage is 'The stage that it stands in: one of the organization''s.';
comment on column api.lead_input.industry is 'The industry.';
comment on column api.lead_input.company_size is 'The company''s size, in words.';
comment on column api.lead_input.pain_points is 'What troubles the lead.';
comment on column api.lead_input.timeline is 'When the lead wants to act, in words.';
comment on column api.lead_input.budget_range is 'What the lead wants to spend, in words.';
comment on column api.lead_input.ai_reasoning is 'Why the lead has its score, in words.';

comment on column api.audit_event.id is 'The event''s id, a UUID of version 7.';
comment on column api.audit_event.organization_id is 'The organization''s id.';
comment on column api.audit_event.action is 'What happened, such as lead.updated.';
comment on column api.audit_event.source is 'Where the change came from: over the API, in SQL, by a worker, or by the system.';
comment on column api.audit_event.correlation_id is
  'The X-Request-Id of the request that made the change; null outside requests.';
comment on column api.audit_event.payload is
  'What changed: for a lead, diff has {"from": …, "to": …} for each field; key_id is the key''s that made the change, or null, and then role is the login.';
comment on column api.audit_event.created_at is 'When the change was made.';

comment on column api.organization.id is 'The organization''s id.';
comment on column api.organization.name is 'Its name.';
comment on column api.organization.environment is 'live, or test: a test organization never calls outside.';
comment on column api.organization.pipeline_stages is 'The stages that a lead can stand in, in their order.';
comment on column api.organization.created_at is 'When it was made.';

comment on column api.health.status is 'ok.';
comment on column api.health.organization_id is 'The organization that the key belongs to.';
comment on column api.health.environment is 'live or test.';
comment on column api.health.scopes is 'What the key may: read, write, admin.';

comment on column api.signal.id is 'The signal''s id, a UUID of version 7.';
comment on column api.signal.organization_id is 'The organization''s id.';
comment on column api.signal.lead_id is 'The lead''s id.';
comment on column api.signal.type is 'What was observed: a machine name, such as storm_event.';
comment on column api.signal.value is 'What was seen: true when left out; false and null count nothing for the score.';
comment on column api.signal.observed_at is 'When it was observed: now when left out; it may lie in the past.';
comment on column api.signal.dedupe_key is
  'Makes a repeat harmless: a signal under a key that the lead has one of already adds nothing.';
comment on column api.signal.created_at is 'When it came in.';

comment on column api.signal_input.type is 'What was observed: a machine name, such as storm_event.';
comment on column api.signal_input.value is 'What was seen: true when left out; false and null count nothing for the score.';
comment on column api.signal_input.observed_at is 'When it was observed: now when left out; it may lie in the past.';
comment on column api.signal_input.dedupe_key is
  'Makes a repeat harmless: a signal under a key that the lead has one of already adds nothing.';

comment on column api.score.id is 'The entry''s id, a UUID of version 7.';
comment on column api.score.organization_id is 'The organization''s id.';
comment on column api.score.lead_id is 'The lead''s id.';
comment on column api.score.kind is 'scored: by a model; set: written to the lead.';
comment on column api.score.lead_score is 'The score.';
comment on column api.score.ai_reasoning is 'The reasons, in words.';
comment on column api.score.model is 'own or default; null: no model made it.';
comment on column api.score.model_version is 'The model''s version; null: no model made it.';
comment on column api.score.base is 'What the score begins at, from 0 to 1; null: no model made it.';
comment on column api.score.contributions is 'What was summed, strongest first; null: no model made it.';
comment on column api.score.created_at is 'When it was made.';

comment on column api.new_score.id is 'The lead''s id.';
comment on column api.new_score.lead_score is 'The new score.';
comment on column api.new_score.ai_reasoning is 'The reasons, with what each contributed, strongest first.';
comment on column api.new_score.scored_at is 'When it was made.';

comment on column api.crm_sync.vendor is 'The CRM.';
comment on column api.crm_sync.external_id is 'The record''s id there; null: there is none yet.';
comment on column api.crm_sync.status is 'pending, in_progress, ok, failed or skipped.';
comment on column api.crm_sync.last_synced_at is 'When the record was made or found; null: it has not been.';

comment on column api.lead_sync.id is 'The lead''s id.';
comment on column api.lead_sync.crm_sync is 'How the push stands; null: the lead was never pushed.';

comment on column api.crm_connection.id is 'The connection''s id.';
comment on column api.crm_connection.organization_id is 'The organization''s id.';
comment on column api.crm_connection.vendor is 'The CRM.';
comment on column api.crm_connection.account is 'Its account there.';
comment on column api.crm_connection.state is 'active or paused.';
comment on column api.crm_connection.fault is 'Why it is paused, where the vendor refused the credential; else null.';
comment on column api.crm_connection.push_stage is 'A lead that enters this stage is pushed by itself.';
comment on column api.crm_connection.settle_seconds is 'Seconds until the vendor''s look-up shows what it has made.';
comment on column api.crm_connection.settings is 'What else the vendor needs, by its adapter''s names.';
comment on column api.crm_connection.created_at is 'When it was made.';

comment on column api.answer.status is 'The HTTP status.';
comment on column api.answer.headers is 'Further headers, by name.';
comment on column api.answer.body is 'The body, JSON.';

reset role;

-- The functions, views, triggers, policies and grants: frozen copies of the files in sql/, as of this migration.
set local row_security = on;

do $$
begin
  execute format('grant leads_audit to %I', session_user);
end
$$;

-- Who owns functions in a schema creates them there, and only now: what runs as them later can't.
set local role leads_owner;
grant create on schema auth to leads_auth;
grant create on schema api to leads_exec;
grant create on schema admin to leads_jobs;
grant create on schema audit to leads_audit;
grant create on schema crm to leads_jobs;
reset role;

-- begin frozen sql/api/schema_version.sql
-- api.schema_version - the number of the newest migration.
set local role leads_exec;

create or replace function api.schema_version()
returns integer
language sql
immutable
parallel safe
begin atomic
  select 12;
end;

comment on function api.schema_version() is 'The number of the newest migration that this schema has.';

grant execute on function api.schema_version() to leads_owner, leads_jobs, leads_api;
-- end frozen sql/api/schema_version.sql

-- begin frozen sql/app/read_instant.sql
-- app.read_instant - an instant that a body gives as text.
set local role leads_owner;

create or replace function app.read_instant(value text)
returns timestamptz
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
declare
  v_instant timestamptz;
begin
  if
    read_instant.value collate "C"
    !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))?$'
  then
    return null;
  end if;
  -- PostgreSQL itself takes no offset of 16 hours or more, and RFC 3339 has those up to 23:59.
  v_instant := date_trunc(
    'milliseconds',
    regexp_replace(read_instant.value, '([Zz]|[+-][0-9]{2}:[0-9]{2})$', '')::timestamp at time zone 'UTC'
    - coalesce(substring(read_instant.value from '[+-][0-9]{2}:[0-9]{2}$')::interval, interval '0')
  );
  if v_instant >= '0001-01-01 00:00:00Z' and v_instant < '10000-01-01 00:00:00Z' then
    return v_instant;
  end if;
  return null;
exception
  -- A day that the calendar lacks.
  when datetime_field_overflow then
    return null;
end
$$;

comment on function app.read_instant(text) is
  'The instant that an ISO 8601 text gives: YYYY-MM-DD, which is midnight UTC, or date and time with Z or an offset; '
  'years 1 to 9999; in milliseconds, the rest cut off. Null where it is none.';

grant execute on function app.read_instant(text) to leads_exec;
-- end frozen sql/app/read_instant.sql

-- begin frozen sql/api/route.rows.sql
-- api.route - the routes.
set local role leads_owner;

delete from api.route;

insert into api.route (
  method, path, function, scope, tag, position, problems, request, answer, form, statuses, headers, rule, examples
)
values
  ('GET', '/leads', 'api.list_leads', 'read', 'Leads', 1,
    '{invalid_parameter,validation_failed}',
    null, 'api.lead_item', 'page', null, null, null, null),
  ('POST', '/leads', 'api.create_lead', 'write', 'Leads', 2,
    '{invalid_body,invalid_parameter,validation_failed,idempotency_key_reused,idempotency_in_progress,erased}',
    'api.lead_input', 'api.lead_item', 'object', '{201}', '{Location,ETag}', '{"allOf":["$body",{"anyOf":[{"required":["email"],"properties":{"email":{"type":"string"}}},'
      '{"required":["name","company"],"properties":{"name":{"type":"string"},"company":{"type":"string"}}}]}]}',
    '{"201": {"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "website", "lead_score": 0, "pipeline_stage": "new", "industry": "residential", "company_size": null, "created_at": "2026-04-27T13:22:05.114Z", "updated_at": "2026-04-27T13:22:05.114Z"}}'),
  ('GET', '/leads/{id}', 'api.get_lead', 'read', 'Leads', 3,
    '{invalid_parameter,not_found}',
    null, 'api.lead', 'object', null, '{ETag}', null, null),
  ('PATCH', '/leads/{id}', 'api.update_lead', 'write', 'Leads', 4,
    '{invalid_body,invalid_parameter,validation_failed,not_found,precondition_failed}',
    'api.lead_input', 'api.lead_change', 'object', null, '{ETag}', null,
    '{"request": {"pipeline_stage": "won", "lead_score": 92}}'),
  ('POST', '/leads/{id}/signals', 'api.create_signals', 'write', 'Scoring', 1,
    '{invalid_body,invalid_parameter,validation_failed,not_found,idempotency_key_reused,idempotency_in_progress,erased}',
    'api.signal_input', 'api.signal', 'one_or_list', '{201}', null, '{"oneOf":[{"allOf":["$body",{"required":["type"]}]},{"type":"object","required":["signals"],"properties":{"signals":'
      '{"type":"array","minItems":1,"maxItems":200,"items":{"allOf":["$body",{"required":["type"]}]}}},'
      '"additionalProperties":false}]}', null),
  ('GET', '/leads/{id}/signals', 'api.list_signals', 'read', 'Scoring', 2,
    '{invalid_parameter,not_found}',
    null, 'api.signal', 'page', null, null, null, null),
  ('POST', '/leads/{id}/score', 'api.score_lead', 'write', 'Scoring', 3,
    '{invalid_parameter,not_found,idempotency_key_reused,idempotency_in_progress,erased}',
    null, 'api.new_score', 'object', null, '{ETag}', null, null),
  ('GET', '/leads/{id}/scores', 'api.list_scores', 'read', 'Scoring', 4,
    '{invalid_parameter,not_found}',
    null, 'api.score', 'page', null, null, null, null),
  ('GET', '/leads/{id}/crm-sync', 'api.get_crm_sync', 'read', 'CRM', 2,
    '{invalid_parameter,not_found}',
    null, 'api.lead_sync', 'object', null, null, null, null),
  ('GET', '/crm-connections', 'api.list_crm_connections', 'admin', 'CRM', 3,
    '{invalid_parameter}',
    null, 'api.crm_connection', 'page', null, null, null, null),
  ('GET', '/audit-log', 'api.list_audit_events', 'read', 'Audit log', 1,
    '{invalid_parameter,validation_failed}',
    null, 'api.audit_event', 'page', null, null, null, null),
  ('GET', '/audit-log/{id}', 'api.get_audit_event', 'read', 'Audit log', 2,
    '{invalid_parameter,not_found}',
    null, 'api.audit_event', 'object', null, '{ETag}', null, null),
  ('GET', '/audit-log/verify', 'api.verify_audit_log', 'admin', 'Audit log', 3,
    '{invalid_parameter}',
    null, 'api.chain_verdict', 'object', null, null, null, null),
  ('GET', '/organizations/me', 'api.get_organization', 'read', 'Organization', 1,
    '{invalid_parameter}',
    null, 'api.organization', 'object', null, null, null, null),
  ('GET', '/health', 'api.get_health', 'read', 'Organization', 2,
    '{invalid_parameter}',
    null, 'api.health', 'object', null, null, null, null);

-- The worker makes the answer: who asks waits for it, without a connection.
insert into api.route (
  method, path, function, scope, tag, position, problems, request, answer, form, statuses, headers, rule, examples,
  wait_seconds, wait_function
)
values
  ('POST', '/leads/{id}/push-to-crm', 'api.push_lead', 'write', 'CRM', 1,
    '{invalid_parameter,validation_failed,not_found,idempotency_key_reused,idempotency_in_progress,erased,'
    'crm_not_configured,crm_outcome_unknown,crm_rejected,crm_unavailable}',
    null, 'api.lead_sync', 'object', '{200,202}', null, null,
    '{"202": {"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "crm_sync": {"vendor": "jobnimbus", "external_id": null, "status": "pending", "last_synced_at": null}}}',
    10, 'api.get_push');
-- end frozen sql/api/route.rows.sql

-- begin frozen sql/api/tag.rows.sql
-- api.tag - the chapters of the reference.
set local role leads_owner;

delete from api.tag;

insert into api.tag (name, position, description)
values
  ('Leads', 1, 'People and companies who asked for something. Every lead belongs to the organization of the key.'),
  ('Scoring', 2, 'What was observed of a lead, and the score that the organization''s model makes of it, with reasons.'),
  ('CRM', 3, 'The record of a lead in the organization''s CRM: made once and only once.'),
  ('Audit log', 4, 'Every change, who made it and from where; and the proof that nobody has changed the log.'),
  ('Organization', 5, 'Whose key this is.');
-- end frozen sql/api/tag.rows.sql

-- begin frozen sql/api/tag.grants.sql
-- api.tag - who may do what with the reference's table.
set local role leads_owner;

revoke all on api.tag from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on api.tag to leads_exec;
-- end frozen sql/api/tag.grants.sql

-- begin frozen sql/api/guide.rows.sql
-- api.guide - the text in front of the reference.
set local role leads_owner;

delete from api.guide;

insert into api.guide (position, title, body)
values
  (1, 'Keys',
$$Send a key with each request: `Authorization: Bearer lk_live_…`. A key belongs to one organization, and nothing of another can be
reached with it: somebody else's record is answered like one that never was, 404.

Its scope is `read`; `write`, which holds `read`; or `admin`, which holds `write`. A key is shown once, when it is made. Keep it on a
server, never in a page. `lk_test_…` is a test organization's: its pushes are simulated, and nothing goes out.

```sh
API=https://leads.example.com/api/v1  # this server's address
curl -H "Authorization: Bearer $KEY" "$API/health"
```$$),
  (2, 'Errors',
$$Errors are `application/problem+json` (RFC 9457). `code` is a stable word: switch on it. `detail` says what to do next. `errors` lists
everything that is wrong with the request, by field. `request_id` is the `X-Request-Id` that you sent, or one that was made. It is in the
server's log and in the audit log: quote it when you ask.

What is checked first: the path (404), the method (405), the key (401), its scope (403), the body's size (413), its type (415), the form
(400), `Idempotency-Key`, the fields (422), the record (404), `If-Match` (412).

After a 5xx a GET may be sent again, and so may a POST with its `Idempotency-Key`. Else look first whether the change was made, where `code`
is `outcome_unknown`. A 503 has `Retry-After`.$$),
  (3, 'Paging',
$$Lists are newest first. `limit` is 1 to 200, 50 when left out. Pass `next_cursor` on as `cursor` until it is null, or follow `Link`.
A walk gives every row that stood when it began exactly once, whatever comes in meanwhile.

Rows commit out of the order of `created_at`. Who polls with `start_at` overlaps by some minutes, and drops repeats by `id`. To follow
changes, poll the audit log.$$),
  (4, 'Idempotency',
$$A POST with an `Idempotency-Key` (1 to 255 printable characters: a form's id, say) can be repeated: for 24 hours the same key and request
give the first answer again, with `Idempotency-Replayed: true`. Another request under the key is 422. A repeat while the first runs
waits up to 5 seconds, then 409. Only what succeeded is kept.$$),
  (5, 'Concurrency',
$$`ETag` comes with a lead. Send it back as `If-Match` with a PATCH: the change is made only while nobody else has changed the lead, else 412. As
`If-None-Match` with a GET it gives 304 while nothing has changed.$$);
-- end frozen sql/api/guide.rows.sql

-- begin frozen sql/api/guide.grants.sql
-- api.guide - who may do what with the reference's table.
set local role leads_owner;

revoke all on api.guide from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on api.guide to leads_exec;
-- end frozen sql/api/guide.grants.sql

-- begin frozen sql/api/parameter.rows.sql
-- api.parameter - what parameters mean.
set local role leads_owner;

delete from api.parameter;

insert into api.parameter (name, description, example)
values
  ('id', 'The record''s id.', '9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18'),
  ('limit', 'How many there may be in the answer.', null),
  ('cursor', 'Where the page begins: `next_cursor` of the page before, as it is. Left out: the first page.',
    'eyJjcmVhdGVkX2F0IjoiMjAyNi0wNC0yN1QxMzoyMjowNS4xMTRaIiwiaWQiOiI5ZjFjOGEzMi00ZDY1LTRlMmItOGE5MS0zYzBlN2Q0YjJmMTgifQ'),
  ('pipeline_stage', 'Only leads that stand in one of these stages.', 'qualified,won'),
  ('source', 'Only what has one of these sources.', null),
  ('email', 'Only leads with one of these addresses; A-Z are taken as a-z.', 'sarah.mitchell@example.com'),
  ('start_at', 'Only what is this old or younger: a date (midnight UTC), or a time with `Z` or an offset. Inclusive.', null),
  ('end_at', 'Only what is older. Exclusive.', null),
  ('action', 'Only events with one of these actions.', 'lead.updated'),
  ('lead_id', 'Only events of this lead.', null),
  ('if_match', 'The change is made only while the record has one of these tags, as `ETag` gave them; else 412.', '"1.11"'),
  ('idempotency_key', 'Makes a repeat harmless: the same key and request give the first answer again, for 24 hours.', 'form-7731'),
  ('after', 'The position of the last seal verified: `next_after` of the part before.', null),
  ('head', 'A `head` that was kept: the chain must still hold it.', null);
-- end frozen sql/api/parameter.rows.sql

-- begin frozen sql/api/parameter.grants.sql
-- api.parameter - who may do what with the reference's table.
set local role leads_owner;

revoke all on api.parameter from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on api.parameter to leads_exec;
-- end frozen sql/api/parameter.grants.sql

-- begin frozen sql/api/shape.rows.sql
-- api.shape - what the types of schema api show.
set local role leads_owner;

delete from api.shape;

insert into api.shape (type, relation, never_null, example)
values
  ('api.lead_item', 'app.lead', '{}',
    '{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "google_ads", "lead_score": 87, "pipeline_stage": "qualified", "industry": null, "company_size": null, "created_at": "2026-04-27T13:22:05.114Z", "updated_at": "2026-04-27T13:22:09.218Z"}'),
  ('api.lead', 'app.lead', '{}',
    '{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "google_ads", "lead_score": 87, "pipeline_stage": "qualified", "industry": "residential", "company_size": null, "pain_points": "Recurring basement moisture after spring rain", "timeline": "this_week", "budget_range": null, "ai_reasoning": "High urgency: water damage signal, recent storm event, in-radius", "qualification_completed_at": "2026-04-27T13:22:09.218Z", "created_at": "2026-04-27T13:22:05.114Z", "updated_at": "2026-04-27T13:22:09.218Z"}'),
  ('api.lead_change', 'app.lead', '{}',
    '{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Sarah Mitchell", "company": null, "email": "sarah.mitchell@example.com", "source": "google_ads", "lead_score": 92, "pipeline_stage": "won", "updated_at": "2026-04-27T18:55:42.001Z"}'),
  ('api.lead_input', 'app.lead', '{}',
    '{"name": "Sarah Mitchell", "email": "sarah.mitchell@example.com", "source": "website", "industry": "residential", "pipeline_stage": "new"}'),
  ('api.signal', 'scoring.signal', '{}',
    '{"id": "01a15d1d-53d4-7897-a198-06530f93fb05", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "lead_id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "type": "storm_event", "value": {"miles": 4.2}, "observed_at": "2026-04-27T13:20:00.000Z", "dedupe_key": null, "created_at": "2026-04-27T13:22:06.030Z"}'),
  ('api.signal_input', 'scoring.signal', '{}', '{"type": "storm_event", "value": {"miles": 4.2}, "observed_at": "2026-04-27T13:20:00Z"}'),
  ('api.score', 'scoring.score', '{}',
    '{"id": "01a15d1f-77aa-7be0-9d1c-2f6a0b1c3d4e", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "lead_id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "kind": "set", "lead_score": 92, "ai_reasoning": null, "model": null, "model_version": null, "base": null, "contributions": null, "created_at": "2026-04-27T18:55:42.001Z"}'),
  ('api.new_score', null, '{id,lead_score,ai_reasoning,scored_at}',
    '{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "lead_score": 91, "ai_reasoning": "Recent storm event in service radius (+0.18); phone validated (+0.10); fast form completion (+0.08)", "scored_at": "2026-04-27T19:01:15.214Z"}'),
  ('api.crm_sync', 'crm.sync', '{}', null),
  ('api.lead_sync', null, '{id}',
    '{"id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "crm_sync": {"vendor": "jobnimbus", "external_id": "jn_117422", "status": "ok", "last_synced_at": "2026-04-27T19:03:42.118Z"}}'),
  ('api.crm_connection', 'crm.connection', '{}',
    '{"id": "01a15d20-0b2c-7d3e-8f4a-5b6c7d8e9fa0", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "vendor": "jobnimbus", "account": "default", "state": "active", "fault": null, "push_stage": "qualified", "settle_seconds": 60, "settings": {"record_type_name": "Customer", "status_name": "Lead"}, "created_at": "2026-04-20T09:00:00.000Z"}'),
  ('api.audit_event', 'audit.event', '{}',
    '{"id": "01a15d1e-0a5c-7c11-8a3c-5d1f1d6c2a91", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "action": "lead.updated", "source": "api", "correlation_id": "4f6c1c0e8d3b4a8c9a35c8f2b1d7e640", "payload": {"lead_id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18", "diff": {"pipeline_stage": {"from": "qualified", "to": "won"}, "lead_score": {"from": 87, "to": 92}}, "key_id": "3f0d5a52-3c7e-4d6f-9a64-7d1b0a2e4c11"}, "created_at": "2026-04-27T18:55:42.001Z"}'),
  ('api.chain_verdict', null, '{organization_id,holds,verified_from,verified_to,unsealed}',
    '{"organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "holds": true, "fault": null, "verified_from": 1, "verified_to": 583, "next_after": null, "head": "583:fcc5b98b28bdea1ea9f95e5f1a7f529ca275366987c4743222202462510eaf54", "unsealed": 0}'),
  ('api.chain_fault', null, '{code,detail}', null),
  ('api.organization', 'app.organization', '{id,name,pipeline_stages}',
    '{"id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "name": "Acme Restoration", "environment": "live", "pipeline_stages": ["new", "contacted", "qualified", "proposal", "won", "lost"], "created_at": "2026-04-20T09:00:00.000Z"}'),
  ('api.health', null, '{status,organization_id,environment,scopes}',
    '{"status": "ok", "organization_id": "8c2f0a14-0c8a-4a3a-9a4d-3e0f1d6c2a91", "environment": "live", "scopes": ["read", "write"]}');
-- end frozen sql/api/shape.rows.sql

-- begin frozen sql/api/shape.grants.sql
-- api.shape - who may do what with the reference's table.
set local role leads_owner;

revoke all on api.shape from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on api.shape to leads_exec;
-- end frozen sql/api/shape.grants.sql

-- begin frozen sql/api/expression.sql
-- api.expression - the regular expression that a check is made by, for the reference.
set local role leads_exec;

create or replace function api.expression(definition text)
returns text
language sql
immutable
parallel safe
begin atomic
  select replace((regexp_match(expression.definition, '~ ''((?:[^'']|'''')+)'''))[1], '''''', '''');
end;

comment on function api.expression(text) is
  'The first regular expression in a constraint''s definition, or in a function''s source; null: there is none.';
-- end frozen sql/api/expression.sql

-- begin frozen sql/api/schema_name.sql
-- api.schema_name - what the reference calls a type of schema api.
set local role leads_exec;

create or replace function api.schema_name(type text)
returns text
language sql
immutable
parallel safe
begin atomic
  select replace(initcap(replace(regexp_replace(schema_name.type, '^api\.', ''), '_', ' ')), ' ', '');
end;

comment on function api.schema_name(text) is 'LeadItem for lead_item, with or without its schema.';
-- end frozen sql/api/schema_name.sql

-- begin frozen sql/api/value_schema.sql
-- api.value_schema - the JSON Schema of one value: a field's, or a parameter's.
set local role leads_exec;

create or replace function api.value_schema(type oid, checks text[], is_nullable boolean, is_input boolean, more text)
returns text
language sql
stable
parallel safe
set search_path = pg_catalog, pg_temp
begin atomic
  with source as (
    select
      t.typname as name,
      format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null) as base,
      t.typtype = 'c' as is_composite,
      i.typname as item_name,
      i.typtype = 'c' as is_list_of_composites,
      array_to_string(value_schema.checks, ' ') as checks
    from pg_catalog.pg_type as t
    left join pg_catalog.pg_type as i on i.typarray = t.oid
    where t.oid = value_schema.type
  ),
  fact as (
    select
      s.*,
      (regexp_match(s.checks, 'app\.is_text\([^,]+, ([0-9]+)\)'))[1] as max_length,
      s.checks ~ 'app\.is_name\(' as is_name,
      s.checks ~ 'app\.is_email\(' as is_email,
      s.checks ~ 'scoring\.is_signal_value\(' as is_signal_value,
      (regexp_match(s.checks, '>= [('']*(-?[0-9]+(\.[0-9]+)?)'))[1] as minimum,
      (regexp_match(s.checks, '<= [('']*(-?[0-9]+(\.[0-9]+)?)'))[1] as maximum,
      (
        select json_agg(replace(v.word[1], '''''', ''''))::text
        from regexp_matches((regexp_match(s.checks, '= ANY \(ARRAY\[(.*?)\]\)'))[1], '''((?:[^'']|'''')*)''', 'g') as v (word)
      ) as words
    from source as s
  )
  select
    '{' || concat_ws(
      ',',
      case
        when f.is_composite then
          case
            when value_schema.is_nullable
              then format('"anyOf":[{"$ref":"#/components/schemas/%s"},{"type":"null"}]', api.schema_name(f.name))
            else format('"$ref":"#/components/schemas/%s"', api.schema_name(f.name))
          end
        when f.is_signal_value then
          '"anyOf":[{"type":["boolean","null","number"]},{"type":"string","maxLength":1000,"pattern":"^[^\\u0000]*$"},'
          '{"type":"object","maxProperties":32,"propertyNames":{"minLength":1,"maxLength":64,"pattern":"^[^\\u0000]*$"},'
          '"additionalProperties":{"anyOf":[{"type":["boolean","null","number"]},'
          '{"type":"string","maxLength":1000,"pattern":"^[^\\u0000]*$"}]}}]'
        when f.base in ('json', 'jsonb') then null
        when f.base = 'text[]' then
          k.type || ',"items":{' || concat_ws(
            ',', '"type":"string"', '"enum":' || f.words,
            -- A comma ends a value, however it is written.
            case when f.checks ~ 'cardinality' and f.words is null then '"pattern":"^[^,\\u0000]+$"' end
          ) || '}' || case when f.checks ~ 'cardinality' then ',"minItems":1,"maxItems":' || f.maximum else '' end
        when f.base = 'timestamp with time zone' then
          '"anyOf":[{"type":"string","format":"date-time"},{"type":"string","format":"date"}'
          || case when value_schema.is_nullable then ',{"type":"null"}' else '' end || ']'
        when f.is_list_of_composites then
          k.type || format(',"items":{"$ref":"#/components/schemas/%s"}', api.schema_name(f.item_name))
        else k.type
      end,
      case when f.base = 'uuid' then '"format":"uuid"' end,
      case when f.name = 'utc_time' then '"format":"date-time"' end,
      case
        when f.words is not null and f.base <> 'text[]'
        then '"enum":' || case when value_schema.is_nullable then regexp_replace(f.words, '\]$', ', null]') else f.words end
      end,
      case when f.max_length is not null then '"minLength":1,"maxLength":' || f.max_length end,
      -- Not format: email, which refuses some of what the pattern takes (a dot in front, two dots in a row).
      case when f.is_email then '"maxLength":254' end,
      case
        when f.is_name then '"pattern":' || to_json(api.expression(
          (select p.prosrc from pg_catalog.pg_proc as p where p.oid = 'app.is_name(text)'::regprocedure)
        ))
        when f.is_email then '"pattern":' || to_json(api.expression(
          (select p.prosrc from pg_catalog.pg_proc as p where p.oid = 'app.is_email(text)'::regprocedure)
        ))
        when f.max_length is not null and value_schema.is_input then
          -- White space at its ends is taken off, and something must be left; PostgreSQL keeps no NUL.
          '"pattern":' || to_json(
            '^[^\u0000]*[^\u0000\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\u0000]*$'::text
          )
        when f.checks ~ 'is_cursor\(' then '"pattern":' || to_json('^[A-Za-z0-9_-]{1,200}$'::text)
        when f.base = 'text' and f.checks ~ ' ~ ' then '"pattern":' || to_json(api.expression(f.checks))
      end,
      case when k.type ~ 'integer|number' then '"minimum":' || f.minimum end,
      case when k.type ~ 'integer|number' then '"maximum":' || f.maximum end,
      value_schema.more
    ) || '}'
  from fact as f
  cross join lateral (
    select '"type":' || case when value_schema.is_nullable then format('["%s","null"]', n.name) else format('"%s"', n.name) end as type
    from (
      select case
        when f.base in ('smallint', 'integer', 'bigint') then 'integer'
        when f.base in ('numeric', 'real', 'double precision') then 'number'
        when f.base = 'boolean' then 'boolean'
        when f.base like '%[]' then 'array'
        else 'string'
      end as name
    ) as n
  ) as k;
end;

comment on function api.value_schema(oid, text[], boolean, boolean, text) is
$$JSON Schema (2020-12, as OpenAPI 3.1 has it), as text.

type: the value's, a domain too. checks: the constraints on it, as pg_get_constraintdef gives them. is_input: whether a client sends it. more: further members, as
JSON text without braces; null: none.$$;
-- end frozen sql/api/value_schema.sql

-- begin frozen sql/api/type_schema.sql
-- api.type_schema - the JSON Schema of a type of schema api: of a body, or of a part of one.
set local role leads_exec;

create or replace function api.type_schema(type text)
returns text
language sql
stable
parallel safe
set search_path = pg_catalog, pg_temp
begin atomic
  with shape as (
    select t.oid, t.typrelid, s.relation, coalesce(s.never_null, '{}') as never_null, s.example, t.typname like '%\_input' as is_input
    from pg_catalog.pg_type as t
    left join api.shape as s on s.type = type_schema.type
    where t.oid = to_regtype(type_schema.type)
  ),
  field as (
    select
      a.attname as name,
      a.attnum as position,
      api.value_schema(
        a.atttypid,
        array(
          select pg_get_constraintdef(k.oid)
          from pg_catalog.pg_constraint as k
          where k.conrelid = c.attrelid and k.contype = 'c' and k.conkey = array[c.attnum]
          order by k.conname
        )
        -- A foreign key to a name is one.
        || array(
          select 'app.is_name('
          from pg_catalog.pg_constraint as k
          where
            k.conrelid = c.attrelid
            and k.contype = 'f'
            and c.attnum = any (k.conkey)
            and c.attname <> 'organization_id'
            and c.atttypid = 'text'::regtype
        ),
        not (coalesce(c.attnotnull, false) or a.attname = any (s.never_null)),
        s.is_input,
        '"description":' || to_json(col_description(a.attrelid, a.attnum))
      ) as schema
    from shape as s
    join pg_catalog.pg_attribute as a on a.attrelid = s.typrelid and a.attnum > 0 and not a.attisdropped
    left join pg_catalog.pg_attribute as c
      on c.attrelid = to_regclass(s.relation) and c.attname = a.attname and not c.attisdropped
  )
  select
    '{' || concat_ws(
      ',',
      '"type":"object"',
      '"description":' || to_json(obj_description(s.oid, 'pg_type')),
      -- What a client sends it may leave out; what it gets has every field.
      case when not s.is_input then '"required":' || (select json_agg(f.name order by f.position) from field as f) end,
      '"properties":{'
      || (select string_agg(to_json(f.name) || ':' || f.schema, ',' order by f.position) from field as f) || '}',
      '"additionalProperties":false',
      '"examples":[' || s.example || ']'
    ) || '}'
  from shape as s;
end;

comment on function api.type_schema(text) is
  'JSON Schema (2020-12), as text, of a composite type: its attributes with their comments, and with the constraints on the '
  'columns that api.shape says it shows. Null: there is no such type.';
-- end frozen sql/api/type_schema.sql

-- begin frozen sql/api/openapi.sql
-- api.openapi - the reference of the API: OpenAPI 3.1, out of the catalogue.
set local role leads_exec;

create or replace function api.openapi()
returns text
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set jit = off
begin atomic
  with recursive operation as (
    select
      r.method, r.path, r.scope, r.rule, r.form, r.headers, r.examples, f.oid as function,
      -- A composite type that isn't there is any JSON; leads doctor names it.
      case when to_regclass(r.request) is not null then r.request end as request,
      case when to_regclass(r.answer) is not null then r.answer end as answer,
      coalesce(r.tag, 'Other') as tag,
      coalesce(t.position, 1000) as tag_position,
      coalesce(r.position, 1000) as position,
      coalesce(r.statuses, '{200}') as statuses,
      -- An id is one operation's: the second route of a function has a number.
      f.proname || coalesce('_' || nullif(row_number() over (partition by f.proname order by r.path, r.method), 1), '') as id,
      f.proargnames[:f.pronargs] as arguments,
      split_part(obj_description(f.oid, 'pg_proc'), E'\n', 1) as summary,
      nullif(btrim(regexp_replace(obj_description(f.oid, 'pg_proc'), '^[^\n]*\n*', ''), E'\n '), '') as description,
      r.problems
      || array['unauthorized', 'internal', 'unavailable']
      || case when r.scope is not null then array['insufficient_scope'] end
      || case when r.method <> 'GET' then array['outcome_unknown'] end
      || case when 'body' = any (f.proargnames) then array['payload_too_large', 'unsupported_media_type'] end as problems
    from api.route as r
    join pg_catalog.pg_proc as f
      on f.oid = case when r.function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$' then to_regproc(r.function) end
      and f.prorettype = 'api.answer'::regtype
      and has_function_privilege(session_user, f.oid, 'execute')
    left join api.tag as t on t.name = r.tag
  ),
  argument as (
    select
      o.method, o.path, a.position, a.name, a.type,
      api.default_text(o.function, a.position::integer) as default_text,
      a.position > p.pronargs - p.pronargdefaults as is_optional,
      coalesce(d.description, obj_description(a.type, 'pg_type')) as description,
      d.example,
      case
        when strpos(o.path, '{' || a.name || '}') > 0 then 'path'
        when a.name in ('if_match', 'idempotency_key') then 'header'
        else 'query'
      end as place,
      format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null) as base,
      array(
        select pg_get_constraintdef(k.oid) from pg_catalog.pg_constraint as k where k.contypid = a.type order by k.conname
      )
      -- The words that a column of the same name is limited to.
      || array(
        select pg_get_constraintdef(k.oid)
        from api.shape as s
        join pg_catalog.pg_attribute as c on c.attrelid = to_regclass(s.relation) and c.attname = a.name
        join pg_catalog.pg_constraint as k
          on k.conrelid = c.attrelid and k.contype = 'c' and k.conkey = array[c.attnum]
        where s.type = o.answer and pg_get_constraintdef(k.oid) like '%= ANY (ARRAY[%'
        order by k.conname
      ) as checks
    from operation as o
    join pg_catalog.pg_proc as p on p.oid = o.function
    cross join lateral unnest(p.proargtypes::oid[], p.proargnames[:p.pronargs]) with ordinality as a (type, name, position)
    join pg_catalog.pg_type as t on t.oid = a.type
    left join api.parameter as d on d.name = a.name
    where a.name not in ('body', 'idempotency_wait')
  ),
  parameter as (
    select
      a.method, a.path,
      '{' || concat_ws(
        ',',
        '"name":' || to_json(case a.name when 'if_match' then 'If-Match' when 'idempotency_key' then 'Idempotency-Key' else a.name end),
        format('"in":"%s"', a.place),
        case when a.place = 'path' or not a.is_optional then '"required":true' end,
        '"description":' || to_json(a.description),
        case when a.base = 'text[]' then '"style":"form","explode":false' end,
        '"schema":' || api.value_schema(
          a.type,
          a.checks,
          false,
          true,
          '"default":' || case when a.base in ('integer', 'boolean') then a.default_text else to_json(a.default_text)::text end
        ),
        -- x-disabled: the page's try-it shows it, and doesn't send it by itself
        '"examples":{"default":{"value":' || case
          when a.base = 'text[]' then to_json(string_to_array(a.example, ','))::text
          when a.base = 'integer' and a.example ~ '^-?(0|[1-9][0-9]*)$' then a.example
          when a.base = 'boolean' and a.example in ('true', 'false') then a.example
          else to_json(a.example)::text
        end || case when a.is_optional then ',"x-disabled":true' else '' end || '}}'
      ) || '}' as text,
      a.position
    from argument as a
    union all
    select
      o.method, o.path,
      '{"name":"If-None-Match","in":"header","description":'
      || to_json('The ETag of what you have: 304, without a body, while it still is so.'::text)
      || ',"schema":{"type":"string"}}',
      1000
    from operation as o
    where o.method = 'GET' and 'ETag' = any (o.headers)
  ),
  known_header (name, description) as (
    values
      ('X-Request-Id', 'Yours, or one that was made: it is in the audit log and in the server''s log too.'),
      ('ETag', 'The entity tag (RFC 9110, section 8.8.3): another one once it has changed.'),
      ('Location', 'Where the new record is.'),
      ('Link', 'The address of the next page, rel="next" (RFC 8288); none: this is the last.'),
      ('Retry-After', 'Seconds until it is worth asking again.'),
      ('Idempotency-Replayed', 'true: this is the first answer again.'),
      ('WWW-Authenticate', 'Bearer.')
  ),
  header as (
    select coalesce(k.name, h.name) as name, k.description
    from known_header as k
    full join (
      select distinct n.name from operation as o cross join lateral unnest(o.headers) as n (name)
    ) as h on h.name = k.name
  ),
  success as (
    select
      o.method, o.path, s.status::text as status,
      '{' || concat_ws(
        ',',
        '"description":' || to_json(case s.status when 201 then 'Created.' when 202 then 'Under way.' else 'OK.' end),
        '"headers":{' || (
          select string_agg(to_json(h.name) || format(':{"$ref":"#/components/headers/%s"}', h.name), ',' order by h.number)
          from unnest(
            array['X-Request-Id']
            || case when s.status <> 202 then o.headers end
            || case when s.status = 202 then array['Retry-After'] end
            || case when o.form = 'page' and 'cursor' = any (o.arguments) then array['Link'] end
            || case when 'idempotency_key' = any (o.arguments) and s.status <> 202 then array['Idempotency-Replayed'] end
          ) with ordinality as h (name, number)
        ) || '}',
        '"content":{"application/json":{"schema":' || case coalesce(o.form, 'object')
          when 'object' then e.one
          when 'list' then e.list
          when 'page' then
            '{"type":"object","required":["data","next_cursor"],"properties":{"data":{"type":"array","items":' || e.one
            || '},"next_cursor":{"type":["string","null"],"description":'
            || to_json('The cursor of the next page; null: this is the last.'::text) || '}},"additionalProperties":false}'
          else format('{"anyOf":[%s,%s]}', e.one, e.list)
        end || coalesce(
          ',"example":' || coalesce(
            (o.examples -> s.status::text)::text,
            case o.form
              -- Of two there is a next page, with its cursor; what takes no cursor has one page.
              when 'page' then
                (app.page_answer(array_fill(e.example::text, array[case when 'cursor' = any (o.arguments) then 2 else 1 end]), 1)).body
              when 'list' then '{"data":[' || e.example || ']}'
              else e.example::text
            end
          ),
          ''
        ) || '}}',
        '"links":{' || (
          select string_agg(l.text, ',' order by l.name)
          from (
            select
              n.id as name,
              format(
                '"%s":{"operationId":"%s","parameters":{"id":"$response.body#/id"}}', n.id, n.id
              ) as text
            from operation as n
            where s.status = 201 and e.has_id and starts_with(n.path, o.path || '/{id}')
            union all
            select
              'next_page', format('"next_page":{"operationId":"%s","parameters":{"cursor":"$response.body#/next_cursor"}}', o.id)
            where o.form = 'page' and 'cursor' = any (o.arguments)
          ) as l
        ) || '}'
      ) || '}' as text
    from operation as o
    cross join lateral unnest(o.statuses) as s (status)
    cross join lateral (
      select
        r.one,
        '{"type":"object","required":["data"],"properties":{"data":{"type":"array","items":' || r.one
        || '}},"additionalProperties":false}' as list,
        r.has_id,
        r.example
      from (
        select
          (select s.example from api.shape as s where s.type = o.answer) as example,
          coalesce('{"$ref":"#/components/schemas/' || api.schema_name(o.answer) || '"}', '{}') as one,
          exists (
            select
            from pg_catalog.pg_type as t
            join pg_catalog.pg_attribute as a on a.attrelid = t.typrelid and a.attname = 'id'
            where t.oid = to_regtype(o.answer) and coalesce(o.form, 'object') = 'object'
          ) as has_id
      ) as r
    ) as e
    union all
    select
      o.method, o.path, '304',
      '{"description":"It is as If-None-Match says: there is no body.","headers":{"ETag":{"$ref":"#/components/headers/ETag"}}}'
    from operation as o
    where o.method = 'GET' and 'ETag' = any (o.headers)
  ),
  failure as (
    select
      o.method, o.path, p.status::text as status,
      '{' || concat_ws(
        ',',
        '"description":' || to_json(string_agg(format('`%s`: %s', p.code, p.detail), E'\n\n' order by p.code)),
        '"headers":{"X-Request-Id":{"$ref":"#/components/headers/X-Request-Id"}' || case p.status
          when 401 then ',"WWW-Authenticate":{"$ref":"#/components/headers/WWW-Authenticate"}'
          when 503 then ',"Retry-After":{"$ref":"#/components/headers/Retry-After"}'
          else ''
        end || '}',
        '"content":{"application/problem+json":{"schema":{"allOf":[{"$ref":"#/components/schemas/Problem"},'
        || '{"type":"object","properties":{"code":{"enum":' || json_agg(p.code order by p.code) || '}}}]},"examples":{'
        || string_agg(
          to_json(p.code) || ':{"value":' || json_build_object(
            'type', '/docs#' || p.code,
            'title', p.title,
            'status', p.status,
            'detail', p.detail,
            'code', p.code,
            'errors', e.errors,
            'request_id', '4f6c1c0e8d3b4a8c9a35c8f2b1d7e640'
          ) || '}',
          ',' order by p.code
        ) || '}}}'
      ) || '}' as text
    from operation as o
    join api.problem as p on p.code = any (o.problems) and p.raised_by = p.code
    -- What may be wrong with something that this route takes.
    cross join lateral (
      select coalesce(
        json_agg(json_build_object('field', f.field, 'code', f.field_code, 'detail', f.detail)), '[]'
      ) as errors
      from (
        select x.field, x.field_code, x.detail
        from api.problem as x
        left join pg_catalog.pg_attribute as a
          on a.attrelid = to_regclass(o.request) and a.attnum > 0 and a.attname = x.field
        where
          x.code = p.code
          and case p.status when 422 then a.attnum is not null else x.field = any (o.arguments) end
        order by a.attnum, x.raised_by
        limit 1
      ) as f
    ) as e
    group by o.method, o.path, p.status
  ),
  response as (
    select a.method, a.path, '{' || string_agg(to_json(a.status) || ':' || a.text, ',' order by a.status) || '}' as text
    from (select * from success union all select * from failure) as a
    group by a.method, a.path
  ),
  item as (
    select
      o.path,
      min(o.tag_position) over by_path as tag_position,
      min(o.position) over by_path as position,
      o.position as own_position,
      format('"%s":{', lower(o.method)) || concat_ws(
        ',',
        format('"operationId":"%s"', o.id),
        '"tags":' || json_build_array(o.tag),
        '"summary":' || to_json(rtrim(o.summary, '.')),
        '"description":' || to_json(concat_ws(
          E'\n\n', o.description, 'Scope: ' || coalesce(format('`%s`', o.scope), 'none; no key is asked for') || '.'
        )),
        '"security":[' || coalesce(format('{"key":["%s"]}', o.scope), '') || ']',
        (
          select '"parameters":[' || string_agg(p.text, ',' order by p.position) || ']'
          from parameter as p
          where p.method = o.method and p.path = o.path
        ),
        case when 'body' = any (o.arguments) then
          '"requestBody":{"required":true,"content":{' || (
            select string_agg(
              to_json(m.type) || ':{"schema":' || case
                when o.request is null then '{"type":"object"}'
                when o.rule is null then format('{"$ref":"#/components/schemas/%s"}', api.schema_name(o.request))
                else replace(
                  o.rule::text, '"$body"', format('{"$ref":"#/components/schemas/%s"}', api.schema_name(o.request))
                )
              end || coalesce(
                ',"example":' || coalesce(
                  (o.examples -> 'request')::text, (select s.example::text from api.shape as s where s.type = o.request)
                ),
                ''
              ) || '}',
              ','
            )
            from unnest(
              array['application/json'] || case when o.method = 'PATCH' then array['application/merge-patch+json'] end
            ) as m (type)
          ) || '}}'
        end,
        '"responses":' || r.text
      ) || '}' as text
    from operation as o
    join response as r on r.method = o.method and r.path = o.path
    window by_path as (partition by o.path)
  ),
  path as (
    select
      i.tag_position, i.position, i.path,
      to_json(i.path) || ':{' || string_agg(i.text, ',' order by i.own_position) || '}' as text
    from item as i
    group by i.tag_position, i.position, i.path
  ),
  -- The types that a body shows, and those inside them.
  used as (
    select t.oid, t.typrelid
    from operation as o
    join pg_catalog.pg_type as t on t.oid in (to_regtype(o.answer), to_regtype(o.request))
    union
    select i.oid, i.typrelid
    from used as u
    join pg_catalog.pg_attribute as a on a.attrelid = u.typrelid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type as i on a.atttypid in (i.oid, i.typarray) and i.typtype = 'c'
  )
  select
    '{"openapi":"3.1.0","info":' || json_build_object(
      'title', 'Leads API',
      'summary', 'Inbound leads of an organization: kept, scored with reasons, pushed to its CRM once and only once, and audited.',
      'version', '1.' || api.schema_version(),
      'description', concat_ws(
        E'\n\n',
        (select string_agg(format(E'## %s\n\n%s', g.title, g.body), E'\n\n' order by g.position) from api.guide as g),
        '## Error codes',
        -- What a problem's type names is a row of this table.
        (
          select E'| code | status | what to do |\n| --- | --- | --- |\n'
            || string_agg(format('| `%s` | %s | %s |', e.code, e.status, e.detail), E'\n' order by e.status, e.code)
          from api.problem as e
          where e.raised_by = e.code
        )
      )
    )
    || ',"servers":[{"url":"/api/v1"}],"tags":' || coalesce(
      (select json_agg(json_build_object('name', t.name, 'description', t.description) order by t.position) from api.tag as t), '[]'
    )
    || ',"paths":{' || coalesce(
      (select string_agg(p.text, ',' order by p.tag_position, p.position, p.path) from path as p), ''
    )
    || '},"components":{"securitySchemes":{"key":{"type":"http","scheme":"bearer","bearerFormat":"lk_…","description":'
    || to_json('A key of one organization. Its scope is read; write, which holds read; or admin, which holds write.'::text)
    || '}},"headers":{'
    || (
      select string_agg(
        to_json(h.name) || ':{' || concat_ws(',', '"description":' || to_json(h.description), '"schema":{"type":"string"}') || '}',
        ',' order by h.name
      )
      from header as h
    )
    || '},"schemas":{'
    || concat_ws(
      ',',
      (
        select string_agg(to_json(api.schema_name(n.name)) || ':' || api.type_schema(n.name), ',' order by n.name)
        from used as u
        cross join lateral (select u.oid::regtype::text) as n (name)
      ),
      '"Problem":' || json_build_object(
        'type', 'object',
        'description', 'An error (RFC 9457).',
        'required', '["type","title","status","detail","code","errors","request_id"]'::json,
        'properties', json_build_object(
          'type', '{"type":"string","description":"What the reference says of it."}'::json,
          'title', '{"type":"string","description":"It, in a few words."}'::json,
          'status', '{"type":"integer","description":"The HTTP status."}'::json,
          'detail', '{"type":"string","description":"What to do next."}'::json,
          'code', '{"type":"string","description":"It, as a stable word."}'::json,
          'errors', json_build_object(
            'type', 'array',
            'description', 'All that is wrong with the request.',
            'items', json_build_object(
              'type', 'object',
              'required', '["field","code","detail"]'::json,
              'properties', json_build_object(
                'field', '{"type":"string","description":"The field, parameter or header."}'::json,
                'code', '{"type":"string","description":"What is wrong with it, as a stable word."}'::json,
                'detail', '{"type":"string","description":"What it must be."}'::json
              ),
              'additionalProperties', false
            )
          ),
          'request_id', '{"type":"string","description":"X-Request-Id."}'::json
        ),
        'additionalProperties', false
      )
    )
    || '}}}';
end;

comment on function api.openapi() is
$$The reference, JSON as text (https://spec.openapis.org/oas/v3.1.0): made of the route table, of the functions' signatures and
comments, and of the constraints on what they take and show. A route that the login may not execute isn't in it.$$;

grant execute on function api.openapi() to leads_api;
-- end frozen sql/api/openapi.sql

-- begin frozen sql/admin/api_findings.sql
-- admin.api_findings - what is wrong with the API's version and routes.
set local role leads_jobs;

create or replace function admin.api_findings(release integer)
returns table (subject text, finding text, remedy text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
begin atomic
  with route as (
    select
      r.method, r.path, r.function, r.request, r.answer,
      format('route %s %s', r.method, r.path) as subject,
      format('delete from api.route where method = %L and path = %L; notify leads_routes;', r.method, r.path) as removal,
      f.oid::regprocedure as name, f.oid, f.provolatile as volatility, f.prorettype as returned
    from api.route as r
    left join pg_catalog.pg_proc as f
      -- A name of three parts, and before PostgreSQL 16 any odd one, is an error, not null.
      on f.oid = case when r.function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$' then to_regproc(r.function) end
  )
  select
    'version',
    format('The schema is at version %s, and this release needs %s.', api.schema_version(), api_findings.release),
    'leads migrate'
  where api.schema_version() < api_findings.release
  union all
  select
    'version',
    format('The schema is at version %s, and this release goes up to %s.', api.schema_version(), api_findings.release),
    'Install the release that the schema was migrated by.'
  where api.schema_version() > api_findings.release
  union all
  select r.subject, format('There is no function %s, or there are several.', r.function), r.removal
  from route as r
  where r.oid is null
  union all
  select r.subject, format('%s doesn''t return api.answer.', r.name), r.removal
  from route as r
  where r.returned <> 'api.answer'::regtype
  union all
  select
    r.subject,
    format('There is no composite type %s: the reference shows any JSON.', t.name),
    format('update api.route set %I = null where method = %L and path = %L; notify leads_routes;', t.field, r.method, r.path)
  from route as r
  cross join lateral (values ('request', r.request), ('answer', r.answer)) as t (field, name)
  where t.name is not null and to_regclass(t.name) is null
  union all
  select
    'function ' || r.name,
    format('It is VOLATILE, and GET %s calls it: a GET must not write.', r.path),
    format('alter function %s stable;', r.name)
  from route as r
  where r.method = 'GET' and r.volatility = 'v'
  union all
  select
    format('grant execute on routine %s to leads_api', r.name),
    format('It is missing, and %s %s needs it.', r.method, r.path),
    format('grant execute on routine %s to leads_api;', r.name)
  from route as r
  join pg_catalog.pg_roles as l on l.rolname = 'leads_api'
  where not has_function_privilege(l.oid, r.oid, 'execute');
end;

comment on function admin.api_findings(integer) is
$$Findings of the groups version and routes, as admin.findings() gives them.

release: the number of the newest migration that the asking program has; null: no question.$$;
-- end frozen sql/admin/api_findings.sql

set local role leads_owner;
revoke create on schema auth from leads_auth;
revoke create on schema api from leads_exec;
revoke create on schema admin from leads_jobs;
revoke create on schema audit from leads_audit;
revoke create on schema crm from leads_jobs;
reset role;

do $$
begin
  execute format('revoke leads_audit from %I', session_user);
end
$$;
