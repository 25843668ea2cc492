-- The route table, the errors, and the types of what the API takes and gives.
set local lock_timeout = '5s';
set local row_security = off;
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

create table api.route (
  method text not null,
  path text not null,
  function text not null,
  scope text,
  problems text[] not null default '{}',
  constraint route_pkey primary key (method, path),
  constraint route_method_is_known check (method in ('GET', 'POST', 'PUT', 'PATCH', 'DELETE')),
  constraint route_path_is_absolute check (path ~ '^(/[^/?#]+)+$'),
  constraint route_scope_is_known check (scope in ('read', 'write', 'admin'))
);

comment on table api.route is
  'The routes. A running server takes up a change on NOTIFY leads_routes. Path parameters stand in braces, with the name '
  'of the function''s argument.';
comment on column api.route.method is 'The HTTP method; HEAD is answered wherever GET is.';
comment on column api.route.path is 'The path below /api/v1, such as /leads/{id}.';
comment on column api.route.function is 'The function that answers, with its schema; it returns api.answer.';
comment on column api.route.scope is 'The scope that the key needs; null: no key is asked for.';
comment on column api.route.problems is 'The codes of the errors that this route can give, beside those that every route can.';

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
    select case
      when value collate "C" ~ '^[A-Za-z0-9_-]{1,200}$' and char_length(value) % 4 <> 1 then
        convert_from(
          decode(translate(value, '-_', '+/') || repeat('=', (4 - char_length(value) % 4) % 4), 'base64'), 'LATIN1'
        )
    end as content
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

grant execute on function api.is_cursor(text) to leads_exec, leads_api;

grant create on schema admin to leads_jobs;

-- What the schema was when leads migrate last changed it, so that leads doctor can tell what somebody else has.
set local role leads_jobs;

create table admin.catalogue_entry (
  object text not null,
  definition text not null,
  constraint catalogue_entry_pkey primary key (object)
);

comment on table admin.catalogue_entry is 'The schema as leads migrate left it: a row for each row of admin.catalogue().';

set local role leads_owner;

revoke create on schema admin from leads_jobs;

reset role;
