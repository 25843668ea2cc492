-- The API: routes, errors, the reference's texts, and the types of arguments and answers.
--
-- Locks: none that matter; every object is new.
-- Duration: no rows exist yet.
-- Phase: baseline
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create table api.problem (
  raised_by text not null,
  status integer not null,
  code text not null,
  title text not null,
  detail text not null,
  field text,
  field_code text,
  constraint problem_pkey primary key (raised_by),
  constraint problem_status_is_an_error check (status between 400 and 599),
  constraint problem_code_is_name check (app.is_name(code)),
  constraint problem_field_has_a_code check ((field is null) = (field_code is null))
);

comment on table api.problem is 'How an error is answered (RFC 9457): one row for each code word, SQLSTATE and constraint.';
comment on column api.problem.raised_by is 'The word that a function or the shim raises, a SQLSTATE, or the name of a constraint.';
comment on column api.problem.status is 'The HTTP status.';
comment on column api.problem.code is 'The member code of the answer.';
comment on column api.problem.title is 'The member title of the answer.';
comment on column api.problem.detail is 'The member detail, where the error brings none; of a field''s error, its detail.';
comment on column api.problem.field is 'The field that a constraint is about.';
comment on column api.problem.field_code is 'The code in that field''s entry in errors.';

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

create table api.route (
  method text not null,
  path text not null,
  function text not null,
  scope text,
  problems text[] not null default '{}',
  wait_seconds integer,
  wait_function text,
  tag text,
  position integer,
  request text,
  rule json,
  answer text,
  form text,
  statuses integer[],
  headers text[],
  examples json,
  constraint route_pkey primary key (method, path),
  constraint route_method_is_known check (method in ('GET', 'POST', 'PUT', 'PATCH', 'DELETE')),
  constraint route_path_is_absolute check (path ~ '^(/[^/?#]+)+$'),
  constraint route_scope_is_known check (scope in ('read', 'write', 'admin')),
  constraint route_waits_for_at_most_a_minute check (wait_seconds between 1 and 60),
  constraint route_waits_by_a_function check ((wait_seconds is null) = (wait_function is null)),
  constraint route_form_is_known check (form in ('object', 'list', 'page', 'one_or_list')),
  constraint route_shows_types_of_api check (
    request ~ '^api\.[a-z_][a-z0-9_]*$' and answer ~ '^api\.[a-z_][a-z0-9_]*$'
  ),
  constraint route_rule_is_an_object check (json_typeof(rule) = 'object'),
  constraint route_succeeds_by_statuses_of_success check (
    200 <= all (statuses) and 299 >= all (statuses) and cardinality(statuses) > 0
  ),
  constraint route_headers_are_names check (array_to_string(headers, ' ', '?') ~ '^[A-Za-z0-9-]+( [A-Za-z0-9-]+)*$')
);

comment on table api.route is
  'The routes. A running server takes up a change on NOTIFY leads_routes. Path parameters stand in braces, with the name '
  'of the function''s argument.';
comment on column api.route.method is 'The HTTP method; HEAD is answered wherever GET is.';
comment on column api.route.path is 'The path below /api/v1, such as /leads/{id}.';
comment on column api.route.function is 'The function that answers, with its schema; it returns api.answer.';
comment on column api.route.scope is 'The scope that the key needs; null: no key is asked for.';
comment on column api.route.problems is 'The codes of the errors that this route can give, beside those that every route can.';
comment on column api.route.wait_seconds is
  'An answer that another transaction makes: how long a 202 waits for it, without a connection. One whose Retry-After is '
  'longer than what is left doesn''t wait.';
comment on column api.route.wait_function is
  'The function that is asked for it: it only reads, and takes its arguments by name out of the route''s.';
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

create function api.is_cursor(value text)
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

comment on function api.is_cursor(text) is
  'Whether the value is a cursor: unpadded base64url (RFC 4648, section 5) of compact JSON with created_at and id.';

create domain api.page_size as integer
  constraint page_size_within_1_and_200 check (value between 1 and 200);
comment on domain api.page_size is 'How many rows a page has at the most.';

create domain api.cursor as text
  constraint cursor_is_well_formed check (api.is_cursor(value));
comment on domain api.cursor is 'Where the page begins: the next_cursor of the page before. Opaque.';

create domain api.any_of as text[]
  constraint any_of_has_at_most_10_values check (cardinality(value) <= 10);
comment on domain api.any_of is 'Up to 10 values, separated by commas; any of them may match.';

create domain api.idempotency_key as text
  constraint idempotency_key_is_1_to_255_printable_characters check (value collate "C" ~ '^[\x20-\x7E]{1,255}$');
comment on domain api.idempotency_key is
  'Makes a repeat of the request harmless: for 24 hours the same key and request give the first answer again.';

create domain api.entity_tags as text
  constraint entity_tags_are_well_formed
    check (value collate "C" ~ '^[ \t]*(\*|(W/)?"[^"]*"([ \t]*,[ \t]*(W/)?"[^"]*")*)[ \t]*$');
comment on domain api.entity_tags is
  'Entity tags as ETag gave them, in their quotes, separated by commas; or * (RFC 9110, section 13.1.1).';

create domain api.utc_time as text;
comment on domain api.utc_time is 'An instant, RFC 3339, in UTC with milliseconds: 2026-04-27T13:22:05.114Z.';

create domain api.seal_count as integer
  constraint seal_count_within_1_and_10000 check (value between 1 and 10000);
comment on domain api.seal_count is 'How many seals are verified at the most.';

create domain api.seal_position as text
  constraint seal_position_is_a_whole_number check (value collate "C" ~ '^[0-9]{1,18}$');
comment on domain api.seal_position is 'A seal''s position; 0 stands before the first.';

create domain api.chain_head as text
  constraint chain_head_is_position_and_hash check (value collate "C" ~ '^[1-9][0-9]{0,17}:[0-9a-f]{64}$');
comment on domain api.chain_head is 'A chain''s head as it was once: a position, a colon, and its hash in 64 hexadecimal digits.';

create type api.answer as (
  status integer,
  headers json,
  body text
);
comment on type api.answer is 'What a route''s function returns: the HTTP status, further headers by name, and the body, which is JSON.';

create type api.lead_item as (
  id uuid,
  organization_id uuid,
  name text,
  company text,
  email text,
  source text,
  lead_score integer,
  pipeline_stage text,
  industry text,
  company_size text,
  created_at api.utc_time,
  updated_at api.utc_time
);
comment on type api.lead_item is 'A lead as a list shows it.';

create type api.lead as (
  id uuid,
  organization_id uuid,
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
  ai_reasoning text,
  qualification_completed_at api.utc_time,
  created_at api.utc_time,
  updated_at api.utc_time
);
comment on type api.lead is 'A lead, whole.';

create type api.lead_change as (
  id uuid,
  organization_id uuid,
  name text,
  company text,
  email text,
  source text,
  lead_score integer,
  pipeline_stage text,
  updated_at api.utc_time
);
comment on type api.lead_change is 'A lead as the answer to its change shows it.';

create type api.audit_event as (
  id uuid,
  organization_id uuid,
  action text,
  source text,
  correlation_id text,
  payload json,
  created_at api.utc_time
);
comment on type api.audit_event is 'A row of the audit log.';

create type api.organization as (
  id uuid,
  name text,
  environment text,
  pipeline_stages text[],
  created_at api.utc_time
);
comment on type api.organization is 'An organization.';

create type api.health as (
  status text,
  organization_id uuid,
  environment text,
  scopes text[]
);
comment on type api.health is 'What a key is good for.';

create type api.signal as (
  id uuid,
  organization_id uuid,
  lead_id uuid,
  type text,
  value json,
  observed_at api.utc_time,
  dedupe_key text,
  created_at api.utc_time
);

create type api.score as (
  id uuid,
  organization_id uuid,
  lead_id uuid,
  kind text,
  lead_score integer,
  ai_reasoning text,
  model text,
  model_version integer,
  base numeric,
  contributions json,
  created_at api.utc_time
);

create type api.new_score as (
  id uuid,
  lead_score integer,
  ai_reasoning text,
  scored_at api.utc_time
);

comment on type api.signal is 'A signal, as the API shows it.';
comment on type api.score is 'An entry in the history of a lead''s score, as the API shows it.';
comment on type api.new_score is 'What POST /leads/{id}/score answers: id is the lead''s.';

create type api.crm_sync as (
  vendor text,
  external_id text,
  status text,
  last_synced_at api.utc_time
);
comment on type api.crm_sync is 'The state of a lead''s push to the CRM, as the API shows it.';

create type api.lead_sync as (
  id uuid,
  crm_sync api.crm_sync
);
comment on type api.lead_sync is 'What a push answers: id is the lead''s; crm_sync is null for a lead that was never pushed.';

create type api.crm_connection as (
  id uuid,
  organization_id uuid,
  vendor text,
  account text,
  state text,
  fault text,
  push_stage text,
  settle_seconds integer,
  settings json,
  created_at api.utc_time
);
comment on type api.crm_connection is 'A connection to a CRM, as the API shows it: all but the credential.';

create type api.chain_fault as (
  position bigint,
  event_id uuid,
  code text,
  detail text
);

create type api.chain_verdict as (
  organization_id uuid,
  holds boolean,
  fault api.chain_fault,
  verified_from bigint,
  verified_to bigint,
  next_after text,
  head text,
  unsealed bigint
);

comment on type api.chain_fault is 'The first event that doesn''t hold.';
comment on column api.chain_fault.position is 'Its position in the chain; null: it has none.';
comment on column api.chain_fault.event_id is 'Its id; null: the seal that named it is gone.';
comment on column api.chain_fault.code is
  'head_mismatch, seal_missing, event_missing, hash_mismatch, payload_mismatch or not_sealed.';
comment on column api.chain_fault.detail is 'What that means, in a sentence.';
comment on type api.chain_verdict is 'Whether a part of the audit log''s chain holds.';
comment on column api.chain_verdict.organization_id is 'The organization''s id.';
comment on column api.chain_verdict.holds is 'Whether every seal and event that was verified holds.';
comment on column api.chain_verdict.fault is 'The first that doesn''t; null: all hold.';
comment on column api.chain_verdict.verified_from is 'The first position that was asked for.';
comment on column api.chain_verdict.verified_to is 'The last position that was verified; less than verified_from: none was.';
comment on column api.chain_verdict.next_after is 'after of the next part; null: the chain ends here.';
comment on column api.chain_verdict.head is
  'The last seal verified, as head takes it: keep it elsewhere, and ask with it later. Null: none is.';
comment on column api.chain_verdict.unsealed is 'How many events wait for their seal; a worker seals them each second.';

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
comment on column api.lead.pain_points is 'The lead''s problems.';
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
comment on column api.lead_input.pain_points is 'The lead''s problems.';
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

grant execute on function api.is_cursor(text) to leads_exec, leads_api;

grant create on schema admin to leads_jobs;

set local role leads_jobs;

create table admin.catalogue_entry (
  object text not null,
  definition text not null,
  constraint catalogue_entry_pkey primary key (object)
);

comment on table admin.catalogue_entry is
  'The schema after the last leads migrate: one row for each row of admin.catalogue(). leads doctor compares the live '
  'schema with it.';

set local role leads_owner;

revoke create on schema admin from leads_jobs;

reset role;
