-- The API: routes, errors, the reference's texts, and types. The last block disables statistics of all tenant tables.
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

comment on table api.problem is 'The responses for errors (RFC 9457): one row for each code word, SQLSTATE and constraint.';
comment on column api.problem.raised_by is 'The word that a function or the API server raises, a SQLSTATE, or the name of a constraint.';
comment on column api.problem.status is 'The HTTP status.';
comment on column api.problem.code is 'The member code of the response.';
comment on column api.problem.title is 'The member title of the response.';
comment on column api.problem.detail is
  'The member detail of the response, if the error has no hint. For a constraint on a field: the detail of the field error.';
comment on column api.problem.field is 'The field of the field error, for a constraint on a field.';
comment on column api.problem.field_code is 'The code of the field error.';

create table api.tag (
  name text not null,
  position integer not null,
  description text not null,
  constraint tag_pkey primary key (name)
);

comment on table api.tag is 'The chapters of the reference.';
comment on column api.tag.name is 'The title of the chapter.';
comment on column api.tag.position is 'The position of the chapter, from 1.';
comment on column api.tag.description is 'The description of the chapter, in Markdown.';

create table api.guide (
  position integer not null,
  title text not null,
  body text not null,
  constraint guide_pkey primary key (position)
);

comment on table api.guide is 'The guide at the beginning of the reference: a row for each section.';
comment on column api.guide.position is 'The position of the section, from 1.';
comment on column api.guide.title is 'The title of the section.';
comment on column api.guide.body is 'The section, in Markdown.';

create table api.parameter (
  name text not null,
  description text not null,
  example text,
  constraint parameter_pkey primary key (name)
);

comment on table api.parameter is 'The descriptions of parameters that several routes share.';
comment on column api.parameter.name is 'The name of the argument.';
comment on column api.parameter.description is 'What the parameter does, in Markdown.';
comment on column api.parameter.example is 'A value, as a client sends it.';

create table api.shape (
  type text not null,
  relation text,
  never_null text[] not null default '{}',
  fields json not null default '{}',
  example json,
  constraint shape_pkey primary key (type),
  -- Before PostgreSQL 16, to_regclass raises an error for a name that is not well formed.
  constraint shape_names_a_relation check (relation ~ '^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$'),
  constraint shape_fields_are_an_object check (json_typeof(fields) = 'object')
);

comment on table api.shape is 'What the reference says about a type of schema api and the catalogue cannot.';
comment on column api.shape.type is 'The type, with its schema.';
comment on column api.shape.relation is
  'The table whose rows the type shows. The constraints on a column apply to the field of the same name. Null: no table.';
comment on column api.shape.never_null is
  'Fields that are never null although no column of the table says so. In a request, they are required.';
comment on column api.shape.fields is
  'JSON Schemas of fields, by name, where the type and the constraints say too little. The description is added.';
comment on column api.shape.example is 'An example.';

create table api.route (
  method text not null,
  path text not null,
  function text not null,
  scope text,
  wait_seconds integer,
  wait_function text,
  constraint route_pkey primary key (method, path),
  constraint route_method_is_known check (method in ('GET', 'POST', 'PUT', 'PATCH', 'DELETE')),
  constraint route_path_is_absolute check (path ~ '^(/[^/?#]+)+$'),
  constraint route_scope_is_known check (scope in ('read', 'write', 'admin')),
  constraint route_waits_for_at_most_a_minute check (wait_seconds between 1 and 60),
  constraint route_waits_by_a_function check ((wait_seconds is null) = (wait_function is null))
);

comment on table api.route is
  'The routes: which function answers a method on a path. A server reads them again on NOTIFY leads_routes.';
comment on column api.route.method is 'The HTTP method. A route of GET also answers HEAD.';
comment on column api.route.path is
  'The path below /api/v1, such as /leads/{id}. A name in braces is an argument of the function.';
comment on column api.route.function is 'The function that answers, with its schema. It returns api.answer.';
comment on column api.route.scope is 'The scope that the key needs. Null: the route needs no key.';
comment on column api.route.wait_seconds is
  'How many seconds the server holds a 202 back, without a connection, for a result that another transaction writes. It '
  'does not wait if Retry-After is longer than the rest of the time.';
comment on column api.route.wait_function is
  'The function that reads this result. It takes its arguments by name from those of the route.';

create table api.operation (
  function text not null,
  tag text not null,
  request text,
  rule json,
  answer text,
  form text,
  statuses integer[] not null default '{200}',
  headers text[] not null default '{}',
  problems text[] not null default '{}',
  parameters json not null default '{}',
  examples json not null default '{}',
  constraint operation_pkey primary key (function),
  -- Before PostgreSQL 16, to_regclass raises an error for a name that is not well formed.
  constraint operation_shows_types_of_api check (
    request ~ '^api\.[a-z_][a-z0-9_]*$' and answer ~ '^api\.[a-z_][a-z0-9_]*$'
  ),
  constraint operation_rule_is_an_object check (json_typeof(rule) = 'object'),
  constraint operation_form_is_known check (form in ('object', 'list', 'page', 'one_or_list')),
  constraint operation_succeeds_with_statuses_of_success check (
    200 <= all (statuses) and 299 >= all (statuses) and cardinality(statuses) > 0
  ),
  constraint operation_headers_are_names check (array_to_string(headers, '', '?') ~ '^[A-Za-z0-9-]*$'),
  constraint operation_parameters_are_an_object check (json_typeof(parameters) = 'object'),
  constraint operation_examples_are_an_object check (json_typeof(examples) = 'object')
);

comment on table api.operation is
  'What the reference says about an endpoint and the catalogue cannot: a row for each function. api.document writes it.';
comment on column api.operation.function is 'The function of the route, with its schema.';
comment on column api.operation.tag is 'The chapter of the reference.';
comment on column api.operation.request is 'The type of the body. Null: there is no body, or it is any JSON object.';
comment on column api.operation.rule is
  'The JSON Schema of the body if the type alone does not describe it. "$body" stands for the type.';
comment on column api.operation.answer is 'The type of the answer. Null: any JSON.';
comment on column api.operation.form is
  'How the answer shows its type: object, list ({"data": […]}), page (a list with next_cursor), or one_or_list (an object '
  'or a list, as in the request). Null: page if the function has the argument cursor, else object.';
comment on column api.operation.statuses is 'The statuses of success.';
comment on column api.operation.headers is 'The headers of a success, besides those that every response has.';
comment on column api.operation.problems is
  'The error codes that the function raises, besides those that follow from the method, the path and the arguments.';
comment on column api.operation.parameters is
  'Descriptions of parameters, by name, where api.parameter has none or another.';
comment on column api.operation.examples is
  'Examples by "request" and by status, where those of the types would mislead.';

create table api.named_schema (
  name text not null,
  schema json not null,
  constraint named_schema_pkey primary key (name),
  constraint named_schema_name_is_camel_case check (name ~ '^[A-Z][A-Za-z0-9]*$'),
  constraint named_schema_schema_is_an_object check (json_typeof(schema) = 'object')
);

comment on table api.named_schema is 'The JSON Schemas of JSON values that no type of schema api describes.';
comment on column api.named_schema.name is 'The name of the schema in the reference.';
comment on column api.named_schema.schema is 'The JSON Schema (2020-12).';

create function api.is_cursor(value text)
returns boolean language sql immutable parallel safe
begin atomic
  -- Each case is evaluated only if the previous ones did not apply. A value that passes the last one can be cast.
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
comment on domain api.page_size is 'The maximum number of rows in a page.';

create domain api.cursor as text
  constraint cursor_is_well_formed check (api.is_cursor(value));
comment on domain api.cursor is 'The next_cursor of the previous page. Its content is opaque.';

create domain api.any_of as text[]
  constraint any_of_has_at_most_10_values check (cardinality(value) <= 10);
comment on domain api.any_of is 'Up to 10 values, separated by commas. A row matches if it has any of them.';

create domain api.idempotency_key as text
  constraint idempotency_key_is_1_to_255_printable_characters check (value collate "C" ~ '^[\x20-\x7E]{1,255}$');
comment on domain api.idempotency_key is
  'Makes the request safe to repeat: for 24 hours the same key and request return the first response again.';

create domain api.entity_tags as text
  constraint entity_tags_are_well_formed
    check (value collate "C" ~ '^[ \t]*(\*|(W/)?"[^"]*"([ \t]*,[ \t]*(W/)?"[^"]*")*)[ \t]*$');
comment on domain api.entity_tags is
  'Entity tags as ETag returned them, with their quotes, separated by commas; or * (RFC 9110, section 13.1.1).';

create domain api.utc_time as text;
comment on domain api.utc_time is 'A time in UTC with milliseconds (RFC 3339), such as 2026-04-27T13:22:05.114Z.';

create domain api.seal_count as integer
  constraint seal_count_within_1_and_10000 check (value between 1 and 10000);
comment on domain api.seal_count is 'The maximum number of seals to verify.';

create domain api.seal_position as text
  constraint seal_position_is_a_whole_number check (value collate "C" ~ '^[0-9]{1,18}$');
comment on domain api.seal_position is 'The position of a seal. 0 is the position before the first seal.';

create domain api.chain_head as text
  constraint chain_head_is_position_and_hash check (value collate "C" ~ '^[1-9][0-9]{0,17}:[0-9a-f]{64}$');
comment on domain api.chain_head is
  'The head of a chain at an earlier time: a position, a colon, and the hash in 64 hexadecimal digits.';

create type api.answer as (
  status integer,
  headers json,
  body text
);
comment on type api.answer is
  'The result of a route''s function: the HTTP status, headers by name, and the body as JSON text.';

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
comment on type api.lead_item is 'A lead in a list.';

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
comment on type api.lead is 'A lead with all its fields.';

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
comment on type api.lead_change is 'A lead in the response to a change.';

create type api.audit_event as (
  id uuid,
  organization_id uuid,
  action text,
  source text,
  correlation_id text,
  payload json,
  created_at api.utc_time
);
comment on type api.audit_event is 'An event of the audit log.';

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
comment on type api.health is 'The organization and the scopes of a key.';

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

comment on type api.signal is 'An observation about a lead, as it is stored.';
comment on type api.score is 'An entry in the history of a lead''s score.';
comment on type api.new_score is 'The result of scoring a lead.';

create type api.crm_sync as (
  vendor text,
  external_id text,
  status text,
  last_synced_at api.utc_time
);
comment on type api.crm_sync is 'The state of a lead''s push to the CRM.';

create type api.lead_sync as (
  id uuid,
  crm_sync api.crm_sync
);
comment on type api.lead_sync is 'A lead with the state of its push to the CRM.';

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
comment on type api.crm_connection is 'A connection to a CRM, without its credential.';

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

comment on type api.chain_fault is 'The first event of the audit log that does not match its seal.';
comment on column api.chain_fault.position is 'The position of the event in the chain; null if it has none.';
comment on column api.chain_fault.event_id is 'The id of the event; null if the seal that names it is missing.';
comment on column api.chain_fault.code is 'What is wrong, as a stable word.';
comment on column api.chain_fault.detail is 'What is wrong, in a sentence.';
comment on type api.chain_verdict is 'The result of verifying a part of the audit log.';
comment on column api.chain_verdict.organization_id is 'The organization''s id.';
comment on column api.chain_verdict.holds is 'Whether every event that was verified matches its seal.';
comment on column api.chain_verdict.fault is 'The first event that does not match; null if all match.';
comment on column api.chain_verdict.verified_from is 'The first position that was requested.';
comment on column api.chain_verdict.verified_to is
  'The last position that was verified. It is less than verified_from if nothing was verified.';
comment on column api.chain_verdict.next_after is 'The value of after for the next request; null at the end of the chain.';
comment on column api.chain_verdict.head is
  'The last seal that was verified, as a value for head in a later request. Store it elsewhere. Null if there is none.';
comment on column api.chain_verdict.unsealed is 'How many events are not sealed yet, counted up to 10000. A worker seals them every second.';

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
comment on type api.lead_input is 'The fields of a lead that a client can write.';
comment on type api.signal_input is 'An observation about a lead.';

comment on column api.audit_event.id is 'The event''s id, a UUID of version 7.';
comment on column api.audit_event.organization_id is 'The organization''s id.';
comment on column api.audit_event.action is 'What happened, such as lead.updated.';
comment on column api.audit_event.source is
  'The origin of the change: the API, SQL, a worker, or the system.';
comment on column api.audit_event.correlation_id is
  'The X-Request-Id of the request that made the change; null outside requests.';
comment on column api.audit_event.payload is
  'What changed. For a lead, diff has {"from": …, "to": …} for each field. key_id is the id of the key that made the change; '
  'if it is null, role is the database login.';
comment on column api.audit_event.created_at is 'When the change was made.';

comment on column api.organization.id is 'The organization''s id.';
comment on column api.organization.name is 'The name of the organization.';
comment on column api.organization.environment is 'live or test. A test organization never causes calls to other systems.';
comment on column api.organization.pipeline_stages is 'The pipeline stages of a lead, in their order.';
comment on column api.organization.created_at is 'When the organization was created.';

comment on column api.health.status is 'Always ok.';
comment on column api.health.organization_id is 'The organization that the key belongs to.';
comment on column api.health.environment is 'The environment of the organization.';
comment on column api.health.scopes is 'The scopes of the key.';

comment on column api.signal.id is 'The signal''s id, a UUID of version 7.';
comment on column api.signal.organization_id is 'The organization''s id.';
comment on column api.signal.lead_id is 'The lead''s id.';
comment on column api.signal.type is 'What was observed, as a machine name such as storm_event.';
comment on column api.signal.value is 'The value that was observed. false and null do not count for the score.';
comment on column api.signal.observed_at is 'When it was observed.';
comment on column api.signal.dedupe_key is 'Your own key. A second signal of the lead with the same key is not added.';
comment on column api.signal.created_at is 'When the signal was added.';

comment on column api.signal_input.type is 'What was observed, as a machine name such as storm_event.';
comment on column api.signal_input.value is
  'The value that was observed. The default is true. false and null do not count for the score.';
comment on column api.signal_input.observed_at is 'When it was observed. The default is now; it can be in the past.';
comment on column api.signal_input.dedupe_key is
  'Your own key. If the lead already has a signal with the same key, nothing is added.';

comment on column api.score.id is 'The entry''s id, a UUID of version 7.';
comment on column api.score.organization_id is 'The organization''s id.';
comment on column api.score.lead_id is 'The lead''s id.';
comment on column api.score.kind is 'scored: a model computed the score. set: someone wrote it to the lead.';
comment on column api.score.lead_score is 'The score.';
comment on column api.score.ai_reasoning is 'The reasons for the score, as text.';
comment on column api.score.model is 'own or default; null if no model computed the score.';
comment on column api.score.model_version is 'The version of the model; null if no model computed the score.';
comment on column api.score.base is 'The base of the score, from 0 to 1; null if no model computed the score.';
comment on column api.score.contributions is
  'The contributions that were added to the base, strongest first; null if no model computed the score.';
comment on column api.score.created_at is 'When the score was computed or set.';

comment on column api.new_score.id is 'The lead''s id.';
comment on column api.new_score.lead_score is 'The new score.';
comment on column api.new_score.ai_reasoning is 'The reasons for the score, with their contributions, strongest first.';
comment on column api.new_score.scored_at is 'When the score was computed.';

comment on column api.crm_sync.vendor is 'The CRM.';
comment on column api.crm_sync.external_id is 'The id of the record in the CRM; null if there is none yet.';
comment on column api.crm_sync.status is 'The state of the push.';
comment on column api.crm_sync.last_synced_at is 'When the record was created or found; null if that has not happened.';

comment on column api.lead_sync.id is 'The lead''s id.';
comment on column api.lead_sync.crm_sync is 'The state of the push; null if the lead was never pushed.';

comment on column api.crm_connection.id is 'The connection''s id.';
comment on column api.crm_connection.organization_id is 'The organization''s id.';
comment on column api.crm_connection.vendor is 'The CRM.';
comment on column api.crm_connection.account is 'The account in the CRM.';
comment on column api.crm_connection.state is 'The state of the connection.';
comment on column api.crm_connection.fault is
  'Why the connection is paused, if the CRM rejected the credential; otherwise null.';
comment on column api.crm_connection.push_stage is 'A lead that enters this stage is pushed automatically.';
comment on column api.crm_connection.settle_seconds is
  'How many seconds after a call the CRM needs until its search finds the record.';
comment on column api.crm_connection.settings is 'Further settings that the CRM needs.';
comment on column api.crm_connection.created_at is 'When the connection was created.';

comment on column api.answer.status is 'The HTTP status.';
comment on column api.answer.headers is 'Headers, by name.';
comment on column api.answer.body is 'The body, as JSON text.';

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

-- EXPLAIN shows row estimates to anyone, and statistics would make them depend on other tenants' rows. So no column of a
-- tenant table keeps statistics.
do $$
declare
  v_column record;
begin
  for v_column in
    select c.oid::regclass as tenant_table, a.attname as name
    from pg_catalog.pg_attribute as a
    join pg_catalog.pg_class as c on c.oid = a.attrelid
    where
      c.relnamespace in ('app'::regnamespace, 'auth'::regnamespace, 'audit'::regnamespace, 'scoring'::regnamespace, 'crm'::regnamespace)
      and c.relkind in ('r', 'p')
      and a.attnum > 0
      and exists (
        select from pg_catalog.pg_attribute as t where t.attrelid = c.oid and t.attname = 'organization_id'
      )
  loop
    execute format('alter table %s alter column %I set statistics 0', v_column.tenant_table, v_column.name);
  end loop;
end $$;
