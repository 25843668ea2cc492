-- Leads, and the answers kept under idempotency keys.
--
-- Locks: none that matter; every object is new.
-- Duration: no rows exist yet.
-- Phase: baseline
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create function app.is_email(value text)
returns boolean language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return
    char_length(value) <= 254
    and value collate "C" ~ '^[a-zA-Z0-9.!#$%&''*+/=?^_`{|}~-]{1,64}@[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+$';
end $$;

comment on function app.is_email(text) is
  'Whether the value is an e-mail address by the rule of the HTML standard (section 4.10.5.1.5, "valid e-mail '
  'address"), with a dot in the domain; at most 254 characters, 64 before the @ (RFC 5321, section 4.5.3.1). No quoted '
  'local part; an internationalized domain is written as xn--. Null for null.';

create table app.lead (
  id uuid not null default app.new_id(),
  organization_id uuid not null,
  name text,
  company text,
  email text,
  source text,
  lead_score integer not null default 0,
  pipeline_stage text not null default 'new',
  industry text,
  company_size text,
  pain_points text,
  timeline text,
  budget_range text,
  ai_reasoning text,
  qualification_completed_at timestamptz(3),
  created_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  updated_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  revision integer not null default 1,
  email_key text collate "C" generated always as (lower(email collate "C")) stored,
  pipeline_stage_and_source text collate "C" generated always as (pipeline_stage || '/' || source) stored,
  score_id uuid,
  constraint lead_pkey primary key (organization_id, id),
  constraint lead_pipeline_stage_exists
    foreign key (organization_id, pipeline_stage) references app.pipeline_stage (organization_id, name),
  constraint lead_has_email_or_name_and_company check (email is not null or (name is not null and company is not null)),
  -- The API and its cursors print a year of 4 digits.
  constraint lead_times_have_a_year_of_4_digits check (
    created_at >= '0001-01-01 00:00:00Z' and created_at < '10000-01-01 00:00:00Z'
    and updated_at >= '0001-01-01 00:00:00Z' and updated_at < '10000-01-01 00:00:00Z'
  ),
  constraint lead_name_is_text_of_1_to_255 check (app.is_text(name, 255)),
  constraint lead_company_is_text_of_1_to_255 check (app.is_text(company, 255)),
  constraint lead_email_is_email check (app.is_email(email)),
  constraint lead_source_is_name check (app.is_name(source)),
  constraint lead_score_within_0_and_100 check (lead_score between 0 and 100),
  constraint lead_industry_is_text_of_1_to_128 check (app.is_text(industry, 128)),
  constraint lead_company_size_is_text_of_1_to_128 check (app.is_text(company_size, 128)),
  constraint lead_pain_points_is_text_of_1_to_10000 check (app.is_text(pain_points, 10000)),
  constraint lead_timeline_is_text_of_1_to_128 check (app.is_text(timeline, 128)),
  constraint lead_budget_range_is_text_of_1_to_128 check (app.is_text(budget_range, 128)),
  constraint lead_ai_reasoning_is_text_of_1_to_10000 check (app.is_text(ai_reasoning, 10000))
);

comment on table app.lead is 'Leads: people and companies that may become customers.';
comment on column app.lead.id is 'The lead''s id, a UUID of version 7.';
comment on column app.lead.organization_id is 'The organization''s id.';
comment on column app.lead.name is 'The name of the person.';
comment on column app.lead.company is 'The name of the company.';
comment on column app.lead.email is 'The e-mail address as it was sent. Two leads can have the same one.';
comment on column app.lead.source is 'The origin of the lead, as a machine name.';
comment on column app.lead.lead_score is 'How promising the lead is, from 0 to 100.';
comment on column app.lead.pipeline_stage is 'The pipeline stage of the lead: one of the organization''s stages.';
comment on column app.lead.industry is 'The industry.';
comment on column app.lead.company_size is 'The size of the company, as free text.';
comment on column app.lead.pain_points is 'The problems that the lead wants to solve.';
comment on column app.lead.timeline is 'When the lead wants to act, as free text.';
comment on column app.lead.budget_range is 'How much the lead wants to spend, as free text.';
comment on column app.lead.ai_reasoning is 'The reasons for the score, as text.';
comment on column app.lead.qualification_completed_at is
  'When the lead first reached the stage "qualified"; null if it has not.';
comment on column app.lead.created_at is 'When the lead was created.';
comment on column app.lead.updated_at is 'When the lead was last changed.';
comment on column app.lead.revision is 'The number of changes, from 1. The ETag contains it; no body shows it.';
comment on column app.lead.email_key is 'The e-mail address with A-Z in lower case. The filter by e-mail compares it.';

comment on column app.lead.pipeline_stage_and_source is
  'Stage and source in one column, for a filter by both. With two columns and no statistics, the planner could not tell '
  'their index from an index on one of them.';
comment on column app.lead.score_id is
  'The latest score that a model gave. No body shows it; a change of it is recorded as lead.scored.';

-- Each filter of the API reads one of these indexes in the order of a page.
create index lead_by_created_at on app.lead (organization_id, created_at desc, id desc);
create index lead_by_pipeline_stage on app.lead (organization_id, pipeline_stage, created_at desc, id desc);
create index lead_by_source on app.lead (organization_id, source, created_at desc, id desc);
create index lead_by_pipeline_stage_and_source
  on app.lead (organization_id, pipeline_stage_and_source, created_at desc, id desc);
create index lead_by_email_key on app.lead (organization_id, email_key, created_at desc, id desc);

alter table app.lead enable row level security, force row level security;

-- A function takes or returns such a type and never the table's row type, because PostgreSQL would then refuse
-- `alter table … add column … default …`.
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
  'The fields of a lead that a client can send, with their rules for app.lead_faults.';
comment on column app.lead_field.name is 'The field, which is a column of app.lead.';
comment on column app.lead_field.kind is
  'text: a text; email: an e-mail address; name: a machine name; score: a whole number from 0 to 100; stage: a pipeline '
  'stage of the organization.';
comment on column app.lead_field.max_length is 'The maximum number of characters; null: the kind has no limit.';
comment on column app.lead_field.is_nullable is 'Whether the field can be null.';

create table app.idempotency_key (
  organization_id uuid not null,
  key_digest bytea not null,
  request_digest bytea,
  status integer,
  headers json,
  body text,
  created_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  constraint idempotency_key_pkey primary key (organization_id, key_digest),
  constraint idempotency_key_belongs_to_organization foreign key (organization_id) references app.organization,
  constraint idempotency_key_digests_have_32_bytes
    check (octet_length(key_digest) = 32 and octet_length(request_digest) = 32),
  constraint idempotency_key_forgets_all_when_it_is_erased
    check (request_digest is not null or (status is null and headers is null and body is null))
);

comment on table app.idempotency_key is
  'Answers that are kept for 24 hours under an Idempotency-Key. A row without a status has no answer yet.';
comment on column app.idempotency_key.key_digest is 'SHA-256 of organization_id and the key, because a key may contain an e-mail address.';
comment on column app.idempotency_key.request_digest is
  'SHA-256 of method, path and body. Another request under the key is refused. Null: the answer was erased.';

create index idempotency_key_by_created_at on app.idempotency_key (organization_id, created_at);

alter table app.idempotency_key enable row level security, force row level security;

grant execute on function app.is_email(text) to leads_exec, leads_jobs;

reset role;
