-- migration: unreleased
-- The documentation of an endpoint leaves the route table: a function's own file writes it, by api.document.
set local role leads_owner;

alter table api.route
  drop column problems,
  drop column tag,
  drop column position,
  drop column request,
  drop column rule,
  drop column answer,
  drop column form,
  drop column statuses,
  drop column headers,
  drop column examples;

comment on table api.route is
  'The routes: which function answers a method on a path. A server reads them again on NOTIFY leads_routes.';
comment on column api.route.path is
  'The path below /api/v1, such as /leads/{id}. A name in braces is an argument of the function.';
comment on column api.route.function is 'The function that answers, with its schema. It returns api.answer.';
comment on column api.route.scope is 'The scope that the key needs. Null: the route needs no key.';

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

alter table api.shape add column fields json not null default '{}';
alter table api.shape add constraint shape_fields_are_an_object check (json_typeof(fields) = 'object');

comment on table api.shape is 'What the reference says about a type of schema api and the catalogue cannot.';
comment on column api.shape.type is 'The type, with its schema.';
comment on column api.shape.relation is
  'The table whose rows the type shows. The constraints on a column apply to the field of the same name. Null: no table.';
comment on column api.shape.never_null is
  'Fields that are never null although no column of the table says so. In a request, they are required.';
comment on column api.shape.fields is
  'JSON Schemas of fields, by name, where the type and the constraints say too little. The description is added.';
comment on column api.shape.example is 'An example.';

comment on table api.tag is 'The chapters of the reference.';
comment on column api.tag.name is 'The title of the chapter.';
comment on column api.tag.position is 'The position of the chapter, from 1.';
comment on column api.tag.description is 'The description of the chapter, in Markdown.';
comment on table api.guide is 'The guide at the beginning of the reference: a row for each section.';
comment on column api.guide.position is 'The position of the section, from 1.';
comment on column api.guide.title is 'The title of the section.';
comment on column api.guide.body is 'The section, in Markdown.';
comment on table api.parameter is 'The descriptions of parameters that several routes share.';
comment on column api.parameter.name is 'The name of the argument.';
comment on column api.parameter.description is 'What the parameter does, in Markdown.';
comment on column api.parameter.example is 'A value, as a client sends it.';

reset role;

-- The texts of the reference about types and their fields.
set local role leads_owner;

comment on domain api.page_size is 'The maximum number of rows in a page.';
comment on domain api.cursor is 'The next_cursor of the previous page. Its content is opaque.';
comment on domain api.any_of is 'Up to 10 values, separated by commas. A row matches if it has any of them.';
comment on domain api.idempotency_key is
  'Makes the request safe to repeat: for 24 hours the same key and request return the first response again.';
comment on domain api.entity_tags is
  'Entity tags as ETag returned them, with their quotes, separated by commas; or * (RFC 9110, section 13.1.1).';
comment on domain api.utc_time is 'A time in UTC with milliseconds (RFC 3339), such as 2026-04-27T13:22:05.114Z.';
comment on domain api.seal_count is 'The maximum number of seals to verify.';
comment on domain api.seal_position is 'The position of a seal. 0 is the position before the first seal.';
comment on domain api.chain_head is
  'The head of a chain at an earlier time: a position, a colon, and the hash in 64 hexadecimal digits.';

comment on type api.answer is
  'The result of a route''s function: the HTTP status, headers by name, and the body as JSON text.';
comment on column api.answer.headers is 'Headers, by name.';
comment on column api.answer.body is 'The body, as JSON text.';

comment on type api.lead_item is 'A lead in a list.';
comment on type api.lead is 'A lead with all its fields.';
comment on type api.lead_change is 'A lead in the response to a change.';
comment on type api.lead_input is 'The fields of a lead that a client can write.';
comment on type api.signal_input is 'An observation about a lead.';
comment on type api.signal is 'An observation about a lead, as it is stored.';
comment on type api.score is 'An entry in the history of a lead''s score.';
comment on type api.new_score is 'The result of scoring a lead.';
comment on type api.crm_sync is 'The state of a lead''s push to the CRM.';
comment on type api.lead_sync is 'A lead with the state of its push to the CRM.';
comment on type api.crm_connection is 'A connection to a CRM, without its credential.';
comment on type api.audit_event is 'An event of the audit log.';
comment on type api.chain_verdict is 'The result of verifying a part of the audit log.';
comment on type api.chain_fault is 'The first event of the audit log that does not match its seal.';
comment on type api.health is 'The organization and the scopes of a key.';

do $$
declare
  v_type text;
begin
  foreach v_type in array array['lead_item', 'lead', 'lead_change', 'lead_input'] loop
    execute format('comment on column api.%I.name is %L', v_type, 'The name of the person.');
    execute format('comment on column api.%I.company is %L', v_type, 'The name of the company.');
    execute format(
      'comment on column api.%I.email is %L', v_type, 'The e-mail address as it was sent. Two leads can have the same one.'
    );
    execute format('comment on column api.%I.source is %L', v_type, 'The origin of the lead, as a machine name.');
    execute format('comment on column api.%I.lead_score is %L', v_type, 'How promising the lead is, from 0 to 100.');
    execute format(
      'comment on column api.%I.pipeline_stage is %L', v_type, 'The pipeline stage of the lead: one of the organization''s stages.'
    );
    if v_type <> 'lead_change' then
      execute format('comment on column api.%I.company_size is %L', v_type, 'The size of the company, as free text.');
    end if;
    if v_type in ('lead', 'lead_input') then
      execute format('comment on column api.%I.pain_points is %L', v_type, 'The problems that the lead wants to solve.');
      execute format('comment on column api.%I.timeline is %L', v_type, 'When the lead wants to act, as free text.');
      execute format('comment on column api.%I.budget_range is %L', v_type, 'How much the lead wants to spend, as free text.');
      execute format('comment on column api.%I.ai_reasoning is %L', v_type, 'The reasons for the score, as text.');
    end if;
    if v_type <> 'lead_input' then
      execute format('comment on column api.%I.updated_at is %L', v_type, 'When the lead was last changed.');
    end if;
    if v_type in ('lead', 'lead_item') then
      execute format('comment on column api.%I.created_at is %L', v_type, 'When the lead was created.');
    end if;
  end loop;
end
$$;
comment on column api.lead.qualification_completed_at is
  'When the lead first reached the stage "qualified"; null if it has not.';

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

comment on column api.score.kind is 'scored: a model computed the score. set: someone wrote it to the lead.';
comment on column api.score.ai_reasoning is 'The reasons for the score, as text.';
comment on column api.score.model is 'own or default; null if no model computed the score.';
comment on column api.score.model_version is 'The version of the model; null if no model computed the score.';
comment on column api.score.base is 'The base of the score, from 0 to 1; null if no model computed the score.';
comment on column api.score.contributions is
  'The contributions that were added to the base, strongest first; null if no model computed the score.';
comment on column api.score.created_at is 'When the score was computed or set.';
comment on column api.new_score.ai_reasoning is 'The reasons for the score, with their contributions, strongest first.';
comment on column api.new_score.scored_at is 'When the score was computed.';

comment on column api.crm_sync.external_id is 'The id of the record in the CRM; null if there is none yet.';
comment on column api.crm_sync.status is 'The state of the push.';
comment on column api.crm_sync.last_synced_at is 'When the record was created or found; null if that has not happened.';
comment on column api.lead_sync.crm_sync is 'The state of the push; null if the lead was never pushed.';
comment on column api.crm_connection.account is 'The account in the CRM.';
comment on column api.crm_connection.state is 'The state of the connection.';
comment on column api.crm_connection.fault is
  'Why the connection is paused, if the CRM rejected the credential; otherwise null.';
comment on column api.crm_connection.push_stage is 'A lead that enters this stage is pushed automatically.';
comment on column api.crm_connection.settle_seconds is
  'How many seconds after a call the CRM needs until its search finds the record.';
comment on column api.crm_connection.settings is 'Further settings that the CRM needs.';
comment on column api.crm_connection.created_at is 'When the connection was created.';

comment on column api.audit_event.source is
  'The origin of the change: the API, SQL, a worker, or the system.';
comment on column api.audit_event.created_at is 'When the change was made.';

comment on column api.chain_fault.position is 'The position of the event in the chain; null if it has none.';
comment on column api.chain_fault.event_id is 'The id of the event; null if the seal that names it is missing.';
comment on column api.chain_fault.code is 'What is wrong, as a stable word.';
comment on column api.chain_fault.detail is 'What is wrong, in a sentence.';
comment on column api.chain_verdict.holds is 'Whether every event that was verified matches its seal.';
comment on column api.chain_verdict.fault is 'The first event that does not match; null if all match.';
comment on column api.chain_verdict.verified_from is 'The first position that was requested.';
comment on column api.chain_verdict.verified_to is
  'The last position that was verified. It is less than verified_from if nothing was verified.';
comment on column api.chain_verdict.next_after is 'The value of after for the next request; null at the end of the chain.';
comment on column api.chain_verdict.unsealed is 'How many events are not sealed yet. A worker seals them every second.';

comment on column api.organization.name is 'The name of the organization.';
comment on column api.organization.environment is 'live or test. A test organization never causes calls to other systems.';
comment on column api.organization.pipeline_stages is 'The pipeline stages of a lead, in their order.';
comment on column api.organization.created_at is 'When the organization was created.';
comment on column api.health.status is 'Always ok.';
comment on column api.health.environment is 'The environment of the organization.';
comment on column api.health.scopes is 'The scopes of the key.';

reset role;

-- Composite types with the columns of a table, in the table's order. A function takes or returns one of these, never the
-- table's own row type: PostgreSQL would then refuse `alter table … add column … default …`.
set local role leads_owner;

create type app.lead_values as (
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
  qualification_completed_at timestamptz(3),
  created_at timestamptz(3),
  updated_at timestamptz(3),
  revision integer,
  email_key text collate "C",
  pipeline_stage_and_source text collate "C",
  score_id uuid
);
comment on type app.lead_values is 'A row of app.lead: the same columns, in the same order.';

create type app.organization_values as (
  organization_id uuid,
  name text,
  environment text,
  created_at timestamptz(3),
  erased_at timestamptz(3)
);
comment on type app.organization_values is 'A row of app.organization: the same columns, in the same order.';

create type crm.sync_values as (
  organization_id uuid,
  id uuid,
  lead_id uuid,
  vendor text,
  account text,
  status text,
  external_id text,
  error_code text,
  error text,
  run_at timestamptz(3),
  leased_by integer,
  attempts integer,
  begun_at timestamptz(3),
  begun_after integer,
  email_key text collate "C",
  last_synced_at timestamptz(3),
  created_at timestamptz(3)
);
comment on type crm.sync_values is 'A row of crm.sync: the same columns, in the same order.';

-- The fields of a lead that a client may send. sql/app/lead_field.rows.sql reads the limits from the CHECKs of app.lead.
create table app.lead_field (
  name text not null,
  kind text not null,
  max_length integer,
  is_nullable boolean not null,
  constraint lead_field_pkey primary key (name),
  constraint lead_field_kind_is_known check (kind in ('text', 'email', 'name', 'score', 'stage')),
  constraint lead_field_text_has_a_limit check ((kind in ('text', 'email', 'name')) = (max_length is not null))
);
comment on table app.lead_field is
  'The fields of a lead that a client may send, with what app.lead_faults needs to know of them.';
comment on column app.lead_field.name is 'The field, which is a column of app.lead.';
comment on column app.lead_field.kind is
  'text: a text; email: an e-mail address; name: a machine name; score: a whole number from 0 to 100; stage: a pipeline '
  'stage of the organization.';
comment on column app.lead_field.max_length is 'The most characters that a text may have; null: the kind has no limit.';
comment on column app.lead_field.is_nullable is 'Whether the field may be null.';

reset role;
