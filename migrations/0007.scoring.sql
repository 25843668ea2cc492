-- Scoring: signals, models and the history of scores.
set local lock_timeout = '5s';
set local row_security = off;

create schema scoring authorization leads_owner;

set local role leads_owner;

comment on schema scoring is 'Why a lead has its score: signals, models, and the history of scores.';
grant usage on schema scoring to leads_exec, leads_jobs;

create function scoring.is_decimal(value jsonb, low numeric, high numeric)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return
    jsonb_typeof(value) = 'number'
    and (value #>> '{}')::numeric between is_decimal.low and is_decimal.high
    and (value #>> '{}')::numeric = round((value #>> '{}')::numeric, 2);
end
$$;

comment on function scoring.is_decimal(jsonb, numeric, numeric) is
  'Whether the value is a number from low to high with at most two decimals. Null for null.';

create function scoring.is_signal_value(value jsonb)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  -- A member's own members stand in no branch below.
  return case jsonb_typeof(is_signal_value.value)
    when 'array' then false
    when 'string' then char_length(is_signal_value.value #>> '{}') <= 1000
    when 'number' then char_length(is_signal_value.value #>> '{}') <= 40
    when 'object' then (
      select
        count(*) <= 32
        and coalesce(
          bool_and(
            char_length(m.key) between 1 and 64
            and case jsonb_typeof(m.value)
              when 'object' then false
              else scoring.is_signal_value(m.value)
            end
          ),
          true
        )
      from jsonb_each(is_signal_value.value) as m (key, value)
    )
    else true
  end;
end
$$;

comment on function scoring.is_signal_value(jsonb) is
  'Whether the value is true, false, null, a number of up to 40 digits, a text of up to 1,000 characters, or an object '
  'of up to 32 of these under names of 1 to 64 characters.';

create function scoring.model_faults(document jsonb)
returns json
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(document) is distinct from 'object' then
    return json_build_array(json_build_object('field', '', 'code', 'wrong_type', 'detail', 'A model is an object.'));
  end if;
  return (
    with rule as (
      select 'rules[' || r.ordinality - 1 || ']' as path, r.ordinality as position, r.rule
      from jsonb_array_elements(
        case jsonb_typeof(document -> 'rules') when 'array' then document -> 'rules' else '[]' end
      ) with ordinality as r (rule, ordinality)
    ),
    -- Members are looked up in objects alone; what is no object has its fault, and no others.
    whole as (
      select
        r.path, r.position, r.rule,
        coalesce(r.rule ->> 'operator', 'present') as operator,
        r.rule ? 'signal' as is_of_signal
      from rule as r
      where jsonb_typeof(r.rule) = 'object'
    ),
    "group" as (
      select g.name, g.content
      from jsonb_each(
        case jsonb_typeof(document -> 'groups') when 'object' then document -> 'groups' else '{}' end
      ) as g (name, content)
    ),
    fault (position, field, code, detail) as (
      select 0, k.key, 'unknown_key', 'A model has base, rescore_on_signal, groups and rules.'
      from jsonb_object_keys(document) as k (key)
      where k.key not in ('base', 'rescore_on_signal', 'groups', 'rules')
      union all
      select 0, 'base', 'too_large', 'A model has at most 64 KiB as JSON, and at most 64 groups. Make it smaller.'
      where octet_length(document::text) > 65536 or (select count(*) from "group" as g) > 64
      union all
      select 0, 'base', 'out_of_range', 'This must be a number from 0 to 1 with at most two decimals.'
      where scoring.is_decimal(document -> 'base', 0, 1) is not true
      union all
      select 0, 'rescore_on_signal', 'wrong_type', 'This must be true or false.'
      where jsonb_typeof(document -> 'rescore_on_signal') <> 'boolean'
      union all
      select 0, 'groups', 'wrong_type', 'This must be a table with a table for each group.'
      where jsonb_typeof(document -> 'groups') <> 'object'
      union all
      select 0, 'groups.' || g.name, 'invalid_name', 'A group''s name has 1 to 64 characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9.'
      from "group" as g
      where not app.is_name(g.name)
      union all
      select
        0, 'groups.' || g.name || '.cap', 'out_of_range',
        'A group has a cap, a number from 0.01 to 1 with at most two decimals, and nothing else.'
      from "group" as g
      where
        scoring.is_decimal(g.content -> 'cap', 0.01, 1) is not true
        or g.content - 'cap' <> '{}'
      union all
      select 0, 'rules', 'wrong_type', 'This must be a list of rules; it may be empty.'
      where jsonb_typeof(document -> 'rules') is distinct from 'array'
      union all
      select 65, 'rules[64]', 'too_many', 'A model has at most 64 rules.'
      where jsonb_typeof(document -> 'rules') = 'array' and jsonb_array_length(document -> 'rules') > 64
      union all
      select r.position, r.path, 'wrong_type', 'A rule is a table.'
      from rule as r
      where jsonb_typeof(r.rule) <> 'object'
      union all
      select
        r.position, r.path || '.' || k.key, 'unknown_key',
        'A rule has name, signal or field, key, operator, value, label, weight, half_life_hours and group.'
      from whole as r
      cross join jsonb_object_keys(r.rule) as k (key)
      where
        k.key not in (
          'name', 'signal', 'field', 'key', 'operator', 'value', 'label', 'weight', 'half_life_hours', 'group'
        )
      union all
      select
        r.position, r.path || '.name', 'invalid_name',
        'A rule has a name of 1 to 64 characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9.'
      from whole as r
      where (jsonb_typeof(r.rule -> 'name') = 'string' and app.is_name(r.rule ->> 'name')) is not true
      union all
      select r.position, r.path || '.name', 'duplicate_name', format('Another rule is called "%s" too.', r.rule ->> 'name')
      from whole as r
      where exists (select from whole as o where o.rule -> 'name' = r.rule -> 'name' and o.position < r.position)
      union all
      select r.position, r.path || '.signal', 'signal_or_field', 'A rule looks at a signal or at a field: give one of them.'
      from whole as r
      where r.is_of_signal = (r.rule ? 'field')
      union all
      select
        r.position, r.path || '.signal', 'invalid_name',
        'A signal''s type has 1 to 64 characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9.'
      from whole as r
      where r.is_of_signal and (jsonb_typeof(r.rule -> 'signal') = 'string' and app.is_name(r.rule ->> 'signal')) is not true
      union all
      select
        r.position, r.path || '.field', 'unknown_field',
        'The fields are name, company, email, source, industry, company_size, pain_points, timeline and budget_range.'
      from whole as r
      where
        r.rule ? 'field'
        and r.rule -> 'field' not in (
          '"name"', '"company"', '"email"', '"source"', '"industry"', '"company_size"', '"pain_points"', '"timeline"',
          '"budget_range"'
        )
      union all
      select r.position, r.path || '.key', 'not_allowed', 'Only with a signal: the name, of 1 to 64 characters, of a member of its value.'
      from whole as r
      where
        r.rule ? 'key'
        and (
          r.is_of_signal
          and jsonb_typeof(r.rule -> 'key') = 'string'
          and char_length(r.rule ->> 'key') between 1 and 64
        ) is not true
      union all
      select
        r.position, r.path || '.operator', 'unknown_operator',
        'The operators are present, absent, equals, differs, one_of, at_least and at_most.'
      from whole as r
      where
        r.rule ? 'operator'
        and r.rule -> 'operator' not in (
          '"present"', '"absent"', '"equals"', '"differs"', '"one_of"', '"at_least"', '"at_most"'
        )
      union all
      select r.position, r.path || '.operator', 'not_allowed', 'A field is a text: at_least and at_most compare numbers.'
      from whole as r
      where r.operator in ('at_least', 'at_most') and not r.is_of_signal
      union all
      select
        r.position, r.path || '.value', 'invalid_value',
        case
          when r.operator in ('present', 'absent') then 'present and absent compare with nothing. Leave it out.'
          when r.operator in ('at_least', 'at_most') then 'This must be a number of up to 40 digits.'
          when r.operator = 'one_of' then 'This must be a list of 1 to 50 texts and numbers.'
          else 'This must be true, a number or a text. (For false, take the operator absent.)'
        end
      from whole as r
      where
        case
          when r.operator in ('present', 'absent') then r.rule ? 'value'
          when r.operator in ('at_least', 'at_most') then
            (jsonb_typeof(r.rule -> 'value') = 'number' and scoring.is_signal_value(r.rule -> 'value')) is not true
          when r.operator in ('equals', 'differs') then
            (
              (jsonb_typeof(r.rule -> 'value') in ('number', 'string') or r.rule -> 'value' = 'true')
              and scoring.is_signal_value(r.rule -> 'value')
            ) is not true
          when r.operator = 'one_of' then
            case
              when jsonb_typeof(r.rule -> 'value') = 'array' then
                jsonb_array_length(r.rule -> 'value') not between 1 and 50
                or exists (
                  select
                  from jsonb_array_elements(r.rule -> 'value') as v (value)
                  where jsonb_typeof(v.value) not in ('number', 'string') or not scoring.is_signal_value(v.value)
                )
              else true
            end
          else false
        end
      union all
      select
        r.position, r.path || '.label', 'invalid_label',
        'A rule has a label: a line of 1 to 128 characters without white space at its ends.'
      from whole as r
      where
        (
          jsonb_typeof(r.rule -> 'label') = 'string'
          and app.is_text(r.rule ->> 'label', 128)
          -- controls, and what ends a line or turns its direction
          and r.rule ->> 'label' collate "C" !~ U&'[\0001-\001F\007F-\009F\2028-\202E\2066-\2069]'
        ) is not true
      union all
      select
        r.position, r.path || '.weight', 'out_of_range',
        'A rule has a weight: a number from -1 to 1 with at most two decimals, and not 0.'
      from whole as r
      where (scoring.is_decimal(r.rule -> 'weight', -1, 1) and (r.rule ->> 'weight')::numeric <> 0) is not true
      union all
      select
        r.position, r.path || '.half_life_hours', 'out_of_range',
        'This must be a number of hours from 0.01 to 87600 with at most two decimals.'
      from whole as r
      where r.rule ? 'half_life_hours' and not scoring.is_decimal(r.rule -> 'half_life_hours', 0.01, 87600)
      union all
      select
        r.position, r.path || '.half_life_hours', 'not_allowed',
        'Only a signal that is there has an age: leave it out for a field, and with absent.'
      from whole as r
      where r.rule ? 'half_life_hours' and (not r.is_of_signal or r.operator = 'absent')
      union all
      select r.position, r.path || '.group', 'unknown_group', 'There is no such group. Add it to groups, with its cap.'
      from whole as r
      where
        r.rule ? 'group'
        and not exists (select from "group" as g where to_jsonb(g.name) = r.rule -> 'group')
    )
    select json_agg(
      json_build_object('field', left(f.field, 200), 'code', f.code, 'detail', f.detail)
      order by f.position, f.field, f.code
    )
    from fault as f
  );
end
$$;

comment on function scoring.model_faults(jsonb) is
$$All faults of a scoring model as a JSON array of {field, code, detail}; null where there is none.

A model is an object: base (0 to 1, two decimals), rescore_on_signal (boolean, false when left out), groups (each
{"cap": …}), rules (up to 64). Fields of rules read rules[0].weight.$$;

create function scoring.is_model(document jsonb)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return scoring.model_faults(document) is null;
end
$$;

comment on function scoring.is_model(jsonb) is 'Whether the document is a scoring model without a fault.';

create table scoring.default_model (
  version integer not null,
  document jsonb not null,
  constraint default_model_pkey primary key (version),
  constraint default_model_version_is_positive check (version > 0),
  constraint default_model_document_is_model check (scoring.is_model(document))
);

comment on table scoring.default_model is
  'The models of an organization that has none of its own: the one with the highest version. A version never changes.';

create table scoring.model (
  organization_id uuid not null,
  version integer not null,
  state text not null default 'draft',
  document jsonb not null,
  created_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  activated_at timestamptz(3),
  constraint model_pkey primary key (organization_id, version),
  constraint model_belongs_to_organization foreign key (organization_id) references app.organization,
  constraint model_version_is_positive check (version > 0),
  constraint model_state_is_draft_active_or_retired check (state in ('draft', 'active', 'retired')),
  constraint model_is_a_draft_until_it_is_activated check ((state = 'draft') = (activated_at is null)),
  constraint model_document_is_model check (scoring.is_model(document))
);

comment on table scoring.model is 'The scoring models of an organization. One version is active at most; one is a draft.';
comment on column scoring.model.version is 'Counts from 1.';
comment on column scoring.model.state is 'draft: may be changed. active: scores leads. retired: was active, and can be again.';
comment on column scoring.model.document is 'The model: base, rescore_on_signal, groups, rules.';
comment on column scoring.model.activated_at is 'When the version was last made the active one.';

create unique index model_by_active on scoring.model (organization_id) where state = 'active';
create unique index model_by_draft on scoring.model (organization_id) where state = 'draft';

create table scoring.signal (
  id uuid not null default app.new_id(),
  organization_id uuid not null,
  lead_id uuid not null,
  type text not null,
  value jsonb not null default 'true',
  observed_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  dedupe_key text,
  created_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  lead_and_type text collate "C" generated always as (lead_id::text || '/' || type) stored,
  constraint signal_pkey primary key (organization_id, id),
  constraint signal_belongs_to_lead
    foreign key (organization_id, lead_id) references app.lead (organization_id, id) on delete cascade,
  constraint signal_dedupe_key_is_unique_for_a_lead unique (organization_id, dedupe_key, lead_id),
  constraint signal_type_is_name check (app.is_name(type)),
  constraint signal_value_is_flat check (scoring.is_signal_value(value)),
  constraint signal_dedupe_key_is_text_of_1_to_255 check (app.is_text(dedupe_key, 255)),
  constraint signal_times_have_a_year_of_4_digits check (
    observed_at >= '0001-01-01 00:00:00Z' and observed_at < '10000-01-01 00:00:00Z'
    and created_at >= '0001-01-01 00:00:00Z' and created_at < '10000-01-01 00:00:00Z'
  )
);

comment on table scoring.signal is 'What was observed of a lead. Of each type the latest counts.';
comment on column scoring.signal.type is 'What was observed, as a machine name, such as storm_event.';
comment on column scoring.signal.value is 'true, false, null, a number, a text, or a flat object of these; false and null count nothing.';
comment on column scoring.signal.observed_at is 'When it was observed; the age that decay goes by.';
comment on column scoring.signal.dedupe_key is 'The sender''s own key: the same again is no second signal.';
comment on column scoring.signal.created_at is 'When it came in.';

comment on column scoring.signal.lead_and_type is
  'The lead and the type in one: what the look-up of the latest compares. Were it two columns, no statistics would tell '
  'the planner their index from the other ones that begin with the lead.';

-- The latest of each type, and the order of a page. (The dedupe key stands before the lead for the same reason.)
create index signal_by_observed_at on scoring.signal (organization_id, lead_and_type, observed_at desc, id desc);
create index signal_by_created_at on scoring.signal (organization_id, lead_id, created_at desc, id desc);

create table scoring.score (
  id uuid not null default app.new_id(),
  organization_id uuid not null,
  lead_id uuid not null,
  kind text not null,
  lead_score integer not null,
  ai_reasoning text,
  model text,
  model_version integer,
  base numeric(3, 2),
  contributions json,
  created_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  constraint score_pkey primary key (organization_id, id),
  constraint score_belongs_to_lead
    foreign key (organization_id, lead_id) references app.lead (organization_id, id) on delete cascade,
  constraint score_kind_is_scored_or_set check (kind in ('scored', 'set')),
  constraint score_lead_score_within_0_and_100 check (lead_score between 0 and 100),
  constraint score_says_how_it_was_scored check (
    (kind = 'scored') = (model is not null)
    and (kind = 'scored') = (model_version is not null)
    and (kind = 'scored') = (base is not null)
    and (kind = 'scored') = (contributions is not null)
    and (kind = 'set' or ai_reasoning is not null)
  ),
  constraint score_model_is_own_or_default check (model in ('own', 'default')),
  constraint score_times_have_a_year_of_4_digits
    check (created_at >= '0001-01-01 00:00:00Z' and created_at < '10000-01-01 00:00:00Z')
);

comment on table scoring.score is
  'The history of each lead''s score and reasons: scored by a model, or set by whoever wrote the lead. A new row of the '
  'first kind changes the lead.';
comment on column scoring.score.kind is 'scored: by a model. set: written to the lead.';
comment on column scoring.score.model is 'Whose model has scored: the organization''s own, or the default.';
comment on column scoring.score.base is 'What the contributions were added to, from 0 to 1.';
comment on column scoring.score.contributions is
  'The rows that were summed, in the order of the sentence: [{"rule", "label", "contribution", "signal_id"}].';
comment on column scoring.score.created_at is 'When it was scored or set: the instant that ages are reckoned to.';

create index score_by_created_at on scoring.score (organization_id, lead_id, created_at desc, id desc);

alter table app.lead add column score_id uuid;

comment on column app.lead.score_id is 'The latest score that a model gave. Never shown; a change of it is lead.scored.';

alter table app.lead alter column score_id set statistics 0;
alter table scoring.model enable row level security, force row level security;
alter table scoring.signal enable row level security, force row level security;
alter table scoring.score enable row level security, force row level security;

alter table scoring.model
  alter column organization_id set statistics 0,
  alter column version set statistics 0,
  alter column state set statistics 0,
  alter column document set statistics 0,
  alter column created_at set statistics 0,
  alter column activated_at set statistics 0;
alter table scoring.signal
  alter column id set statistics 0,
  alter column organization_id set statistics 0,
  alter column lead_id set statistics 0,
  alter column type set statistics 0,
  alter column value set statistics 0,
  alter column observed_at set statistics 0,
  alter column dedupe_key set statistics 0,
  alter column created_at set statistics 0,
  alter column lead_and_type set statistics 0;
alter table scoring.score
  alter column id set statistics 0,
  alter column organization_id set statistics 0,
  alter column lead_id set statistics 0,
  alter column kind set statistics 0,
  alter column lead_score set statistics 0,
  alter column ai_reasoning set statistics 0,
  alter column model set statistics 0,
  alter column model_version set statistics 0,
  alter column base set statistics 0,
  alter column contributions set statistics 0,
  alter column created_at set statistics 0;

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

grant execute on function
  scoring.is_decimal(jsonb, numeric, numeric), scoring.is_signal_value(jsonb), scoring.model_faults(jsonb),
  scoring.is_model(jsonb)
to leads_exec, leads_jobs;

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
  select 7;
end;

comment on function api.schema_version() is 'The number of the newest migration that this schema has.';

grant execute on function api.schema_version() to leads_owner, leads_jobs, leads_api;
-- end frozen sql/api/schema_version.sql

-- begin frozen sql/audit/tg_record.sql
-- audit.tg_record - writes the change of a small table's row to the log, whoever makes it.
set local role leads_audit;

create or replace function audit.tg_record()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_entity text := tg_argv[0];
  v_key text := tg_argv[1];
  v_old jsonb := to_jsonb(old);
  v_new jsonb := to_jsonb(new);
  v_row jsonb := coalesce(v_new, v_old);
  v_diff text;
  v_action text := case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'updated' else 'deleted' end;
begin
  with field as (
    select
      a.attnum as position,
      a.attname as name,
      case
        when a.atttypid = 'timestamptz'::regtype then to_jsonb(app.utc_text((v_old ->> a.attname)::timestamptz))
        -- Enough to see that a key was exchanged.
        when a.attname = 'digest' then to_jsonb(left(v_old ->> a.attname, 10))
        else nullif(v_old -> a.attname, 'null')
      end as old_value,
      case
        when a.atttypid = 'timestamptz'::regtype then to_jsonb(app.utc_text((v_new ->> a.attname)::timestamptz))
        when a.attname = 'digest' then to_jsonb(left(v_new ->> a.attname, 10))
        else nullif(v_new -> a.attname, 'null')
      end as new_value
    from pg_catalog.pg_attribute as a
    where
      a.attrelid = tg_relid
      and a.attnum > 0
      and not a.attisdropped
      and a.attname not in ('organization_id', 'id', 'created_at')
      and (a.attname <> 'digest' or tg_op = 'UPDATE')
  )
  select string_agg(
    concat(to_json(f.name), ':', json_build_object('from', f.old_value, 'to', f.new_value)), ',' order by f.position
  )
  into v_diff
  from field as f
  where f.old_value is distinct from f.new_value;
  if tg_op = 'UPDATE' and v_diff is null then
    return null;
  end if;

  if v_new ->> 'rotated_from' is not null and tg_op = 'INSERT' then
    v_action := 'rotated';
  elsif v_new ->> 'revoked_at' is not null and v_old ->> 'revoked_at' is null and tg_op = 'UPDATE' then
    v_action := 'revoked';
  end if;

  perform audit.write_event(
    (v_row ->> 'organization_id')::uuid,
    v_entity || '.' || v_action,
    (v_row ->> 'lead_id')::uuid,
    concat(to_json(v_entity || case when v_key = 'id' then '_id' else '' end), ':', v_row -> v_key, ',"diff":{', v_diff, '}')
  );
  return null;
end
$$;

comment on function audit.tg_record() is
$$Writes <entity>.created, .updated or .deleted with a diff of the row's columns; for a key also .rotated and .revoked.

Arguments: the entity's name, and the column that names the row. organization_id, id, created_at are left out of the diff, and so is
a key's digest, unless it was exchanged. For tables that change seldom: it reads the row as JSON.$$;

grant execute on function audit.tg_record() to leads_owner, leads_auth;
-- end frozen sql/audit/tg_record.sql

-- begin frozen sql/audit/tg_lead__record.sql
-- audit.tg_lead__record - writes a lead's change to the log, whoever makes it.
set local role leads_audit;

create or replace function audit.tg_lead__record()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_scored boolean := tg_op = 'UPDATE' and new.score_id is distinct from old.score_id and new.score_id is not null;
  v_diff text;
begin
  -- The columns are written out: a third of the cost of a loop over them. Old is all null on INSERT, new on DELETE.
  v_diff := concat_ws(
    ',',
    case when old.name is distinct from new.name then
      '"name":' || json_build_object('from', old.name, 'to', new.name) end,
    case when old.company is distinct from new.company then
      '"company":' || json_build_object('from', old.company, 'to', new.company) end,
    case when old.email is distinct from new.email then
      '"email":' || json_build_object('from', old.email, 'to', new.email) end,
    case when old.source is distinct from new.source then
      '"source":' || json_build_object('from', old.source, 'to', new.source) end,
    case when old.pipeline_stage is distinct from new.pipeline_stage then
      '"pipeline_stage":' || json_build_object('from', old.pipeline_stage, 'to', new.pipeline_stage) end,
    case when old.lead_score is distinct from new.lead_score then
      '"lead_score":' || json_build_object('from', old.lead_score, 'to', new.lead_score) end,
    case when old.industry is distinct from new.industry then
      '"industry":' || json_build_object('from', old.industry, 'to', new.industry) end,
    case when old.company_size is distinct from new.company_size then
      '"company_size":' || json_build_object('from', old.company_size, 'to', new.company_size) end,
    case when old.pain_points is distinct from new.pain_points then
      '"pain_points":' || json_build_object('from', old.pain_points, 'to', new.pain_points) end,
    case when old.timeline is distinct from new.timeline then
      '"timeline":' || json_build_object('from', old.timeline, 'to', new.timeline) end,
    case when old.budget_range is distinct from new.budget_range then
      '"budget_range":' || json_build_object('from', old.budget_range, 'to', new.budget_range) end,
    case when old.ai_reasoning is distinct from new.ai_reasoning then
      '"ai_reasoning":' || json_build_object('from', old.ai_reasoning, 'to', new.ai_reasoning) end,
    case when old.qualification_completed_at is distinct from new.qualification_completed_at then
      '"qualification_completed_at":' || json_build_object(
        'from', app.utc_text(old.qualification_completed_at), 'to', app.utc_text(new.qualification_completed_at)
      ) end
  );
  if tg_op = 'UPDATE' and v_diff = '' and not v_is_scored then
    return null;
  end if;

  perform audit.write_event(
    coalesce(new.organization_id, old.organization_id),
    case
      when v_is_scored then 'lead.scored'
      when tg_op = 'INSERT' then 'lead.created'
      when tg_op = 'UPDATE' then 'lead.updated'
      else 'lead.deleted'
    end,
    coalesce(new.id, old.id),
    concat(
      '"lead_id":"', coalesce(new.id, old.id), '"',
      case when v_is_scored then ',"score_id":"' || new.score_id || '"' end,
      ',"diff":{', v_diff, '}'
    )
  );
  return null;
end
$$;

comment on function audit.tg_lead__record() is
  'Writes lead.created, lead.updated or lead.deleted, or lead.scored where a model''s score changed the lead, with '
  '{"field": {"from": …, "to": …}} for each field that changed: those of PATCH, and qualification_completed_at.';

grant execute on function audit.tg_lead__record() to leads_owner;
-- end frozen sql/audit/tg_lead__record.sql

-- begin frozen sql/audit/tg_signal__record.sql
-- audit.tg_signal__record - writes a signal's change to the log, whoever makes it.
set local role leads_audit;

create or replace function audit.tg_signal__record()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_diff text;
begin
  -- Old is all null on INSERT, new on DELETE.
  v_diff := concat_ws(
    ',',
    case when old.type is distinct from new.type then
      '"type":' || json_build_object('from', old.type, 'to', new.type) end,
    case when old.value is distinct from new.value then
      '"value":' || json_build_object('from', old.value, 'to', new.value) end,
    case when old.observed_at is distinct from new.observed_at then
      '"observed_at":' || json_build_object(
        'from', app.utc_text(old.observed_at), 'to', app.utc_text(new.observed_at)
      ) end,
    case when old.dedupe_key is distinct from new.dedupe_key then
      '"dedupe_key":' || json_build_object('from', old.dedupe_key, 'to', new.dedupe_key) end
  );
  if tg_op = 'UPDATE' and v_diff = '' then
    return null;
  end if;

  perform audit.write_event(
    coalesce(new.organization_id, old.organization_id),
    case tg_op when 'INSERT' then 'signal.created' when 'UPDATE' then 'signal.updated' else 'signal.deleted' end,
    coalesce(new.lead_id, old.lead_id),
    concat(
      '"lead_id":"', coalesce(new.lead_id, old.lead_id), '","signal_id":"', coalesce(new.id, old.id), '","diff":{',
      v_diff, '}'
    )
  );
  return null;
end
$$;

comment on function audit.tg_signal__record() is
  'Writes signal.created, signal.updated or signal.deleted with {"field": {"from": …, "to": …}} for each field that '
  'changed: type, value, observed_at and dedupe_key.';

grant execute on function audit.tg_signal__record() to leads_owner;
-- end frozen sql/audit/tg_signal__record.sql

-- begin frozen sql/scoring/tg_lead__check_score.sql
-- scoring.tg_lead__check_score - refuses a score_id that the history doesn't bear out.
set local role leads_owner;

create or replace function scoring.tg_lead__check_score()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (
    select
    from scoring.score as s
    where
      s.organization_id = new.organization_id
      and s.id = new.score_id
      and s.lead_id = new.id
      and s.kind = 'scored'
      and (s.lead_score, s.ai_reasoning) is not distinct from (new.lead_score, new.ai_reasoning)
  ) then
    raise sqlstate 'PT409' using
      message = 'refused',
      hint = 'score_id names a score of the lead that says the same: insert into scoring.score, which sets it.';
  end if;
  return new;
end
$$;

comment on function scoring.tg_lead__check_score() is
  'Raises PT409 refused unless score_id names a row of the lead''s history, made by a model, with the lead''s very score '
  'and reasons.';
-- end frozen sql/scoring/tg_lead__check_score.sql

-- begin frozen sql/scoring/tg_lead__keep_score.sql
-- scoring.tg_lead__keep_score - keeps a score that was written to the lead, not made by a model.
set local role leads_owner;

create or replace function scoring.tg_lead__keep_score()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into scoring.score (organization_id, lead_id, kind, lead_score, ai_reasoning, created_at)
  values (
    new.organization_id, new.id, 'set', new.lead_score, new.ai_reasoning,
    -- The clock's, as a model's are; a lead may be loaded with times of its own.
    least(
      case tg_op when 'INSERT' then new.updated_at end, date_trunc('milliseconds', clock_timestamp())
    )
  );
  return null;
end
$$;

comment on function scoring.tg_lead__keep_score() is
  'Adds to the history a score and its reasons, set by whoever wrote the lead.';
-- end frozen sql/scoring/tg_lead__keep_score.sql

-- begin frozen sql/app/lead.policies.sql
-- app.lead - the policies of the leads' table.
set local role leads_owner;

drop policy if exists lead_exec_select on app.lead;
drop policy if exists lead_exec_insert on app.lead;
drop policy if exists lead_exec_update on app.lead;
drop policy if exists lead_jobs_select on app.lead;
drop policy if exists lead_jobs_insert on app.lead;

create policy lead_exec_select on app.lead for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy lead_exec_insert on app.lead for insert to leads_exec
  with check (organization_id = (select auth.organization_id('write')));

create policy lead_exec_update on app.lead for update to leads_exec
  using (organization_id = (select auth.organization_id('write')))
  with check (organization_id = (select auth.organization_id('write')));

-- admin.try_scoring_model, admin.backtest_scoring_model
create policy lead_jobs_select on app.lead for select to leads_jobs using (true);
-- admin.load_leads
create policy lead_jobs_insert on app.lead for insert to leads_jobs with check (true);
-- end frozen sql/app/lead.policies.sql

-- begin frozen sql/app/lead.triggers.sql
-- app.lead - the triggers of the leads' table.
set local role leads_owner;

drop trigger if exists _100_refuse_truncate on app.lead;
drop trigger if exists _110_check_first_score on app.lead;
drop trigger if exists _120_check_score on app.lead;
drop trigger if exists _500_stamp on app.lead;
drop trigger if exists _600_keep_first_score on app.lead;
drop trigger if exists _610_keep_set_score on app.lead;
drop trigger if exists _900_record on app.lead;

-- TRUNCATE fires no row trigger: leads would go without a trace.
create trigger _100_refuse_truncate before truncate on app.lead
  for each statement execute function audit.tg_refuse('Delete leads with DELETE, so that each is recorded.');

create trigger _110_check_first_score before insert on app.lead
  for each row when (new.score_id is not null) execute function scoring.tg_lead__check_score();

create trigger _120_check_score before update on app.lead
  for each row when (old.score_id is distinct from new.score_id) execute function scoring.tg_lead__check_score();

create trigger _500_stamp before insert or update on app.lead
  for each row execute function app.tg_lead__stamp();

create trigger _600_keep_first_score after insert on app.lead
  for each row when (new.lead_score <> 0 or new.ai_reasoning is not null)
  execute function scoring.tg_lead__keep_score();

create trigger _610_keep_set_score after update on app.lead
  for each row
  when (
    (old.lead_score, old.ai_reasoning) is distinct from (new.lead_score, new.ai_reasoning)
    and old.score_id is not distinct from new.score_id
  )
  execute function scoring.tg_lead__keep_score();

create trigger _900_record after insert or update or delete on app.lead
  for each row execute function audit.tg_lead__record();
-- end frozen sql/app/lead.triggers.sql

-- begin frozen sql/app/lead.grants.sql
-- app.lead - who may do what with the leads' table.
set local role leads_owner;

revoke all on app.lead from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant
  select,
  insert (
    organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
    timeline, budget_range, ai_reasoning
  ),
  update (
    name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points, timeline,
    budget_range, ai_reasoning, score_id
  )
on app.lead to leads_exec;

grant select, insert (
  id, organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
  timeline, budget_range, ai_reasoning, qualification_completed_at, created_at, updated_at
) on app.lead to leads_jobs;
-- end frozen sql/app/lead.grants.sql

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
  v_instant := date_trunc('milliseconds', read_instant.value::timestamptz);
  if v_instant >= '0001-01-01 00:00:00Z' and v_instant < '10000-01-01 00:00:00Z' then
    return v_instant;
  end if;
  return null;
exception
  -- A day that the calendar lacks, and an offset that PostgreSQL lacks.
  when datetime_field_overflow or invalid_time_zone_displacement_value then
    return null;
end
$$;

comment on function app.read_instant(text) is
  'The instant that an ISO 8601 text gives: YYYY-MM-DD, which is midnight UTC, or date and time with Z or an offset; '
  'years 1 to 9999; in milliseconds, the rest cut off. Null where it is none.';

grant execute on function app.read_instant(text) to leads_exec;
-- end frozen sql/app/read_instant.sql

-- begin frozen sql/scoring/default_model.triggers.sql
-- scoring.default_model - the guard of the default models.
set local role leads_owner;

drop trigger if exists _100_refuse_truncate on scoring.default_model;
drop trigger if exists _110_refuse_change on scoring.default_model;

create trigger _100_refuse_truncate before truncate on scoring.default_model
  for each statement execute function audit.tg_refuse('The history of scores names its models.');

create trigger _110_refuse_change before update or delete on scoring.default_model
  for each row execute function audit.tg_refuse('A version never changes: add the next one.');
-- end frozen sql/scoring/default_model.triggers.sql

-- begin frozen sql/scoring/default_model.rows.sql
-- scoring.default_model - the models of an organization that has none of its own.
set local role leads_owner;

-- A change is a new version, behind the others: the history names the version that scored, and a trigger refuses another
-- document under its number.
insert into scoring.default_model (version, document)
values
  (1, $${
    "base": 0.55,
    "rescore_on_signal": false,
    "rules": [
      {
        "name": "storm_event", "signal": "storm_event", "label": "Recent storm event in service radius",
        "weight": 0.18, "half_life_hours": 72
      },
      {"name": "phone_validated", "signal": "phone_validated", "label": "phone validated", "weight": 0.10},
      {
        "name": "fast_form_completion", "signal": "fast_form_completion", "label": "fast form completion",
        "weight": 0.08
      },
      {"name": "email_bounced", "signal": "email_bounced", "label": "email bounced", "weight": -0.15}
    ]
  }$$)
on conflict (version) do update set document = excluded.document
where default_model.document is distinct from excluded.document;
-- end frozen sql/scoring/default_model.rows.sql

-- begin frozen sql/scoring/default_model.grants.sql
-- scoring.default_model - who may do what with the default models.
set local role leads_owner;

revoke all on scoring.default_model
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on scoring.default_model to leads_exec, leads_jobs;
-- end frozen sql/scoring/default_model.grants.sql

-- begin frozen sql/scoring/model.policies.sql
-- scoring.model - the policies of the models' table.
set local role leads_owner;

drop policy if exists model_exec_select on scoring.model;
drop policy if exists model_jobs_select on scoring.model;
drop policy if exists model_jobs_insert on scoring.model;
drop policy if exists model_jobs_update on scoring.model;

create policy model_exec_select on scoring.model for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

-- admin.edit_scoring_model, admin.activate_scoring_model
create policy model_jobs_select on scoring.model for select to leads_jobs using (true);
create policy model_jobs_insert on scoring.model for insert to leads_jobs with check (true);
create policy model_jobs_update on scoring.model for update to leads_jobs using (true) with check (true);
-- end frozen sql/scoring/model.policies.sql

-- begin frozen sql/scoring/model.triggers.sql
-- scoring.model - the triggers of the models' table.
set local role leads_owner;

drop trigger if exists _100_refuse_truncate on scoring.model;
drop trigger if exists _120_keep_version on scoring.model;
drop trigger if exists _130_keep_active on scoring.model;
drop trigger if exists _140_keep_history on scoring.model;
drop trigger if exists _900_record on scoring.model;

create trigger _100_refuse_truncate before truncate on scoring.model
  for each statement execute function audit.tg_refuse('The history of scores names its models.');

create trigger _120_keep_version before update on scoring.model
  for each row
  when ((old.organization_id, old.version, old.created_at) is distinct from (new.organization_id, new.version, new.created_at))
  execute function audit.tg_refuse('organization_id, version and created_at never change.');

create trigger _130_keep_active before update on scoring.model
  for each row
  when (old.state <> 'draft' and (new.state = 'draft' or old.document is distinct from new.document))
  execute function audit.tg_refuse('A version that was active never changes: make a new draft.');

create trigger _140_keep_history before delete on scoring.model
  for each row when (old.state <> 'draft')
  execute function audit.tg_refuse('The history of scores names its models.');

create trigger _900_record after insert or update or delete on scoring.model
  for each row execute function audit.tg_record('scoring_model', 'version');
-- end frozen sql/scoring/model.triggers.sql

-- begin frozen sql/scoring/model.grants.sql
-- scoring.model - who may do what with the models' table.
set local role leads_owner;

revoke all on scoring.model
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on scoring.model to leads_exec;
grant select, insert (organization_id, version, document), update (state, document, activated_at) on scoring.model
to leads_jobs;
-- end frozen sql/scoring/model.grants.sql

-- begin frozen sql/scoring/signal.policies.sql
-- scoring.signal - the policies of the signals' table.
set local role leads_owner;

drop policy if exists signal_exec_select on scoring.signal;
drop policy if exists signal_exec_insert on scoring.signal;
drop policy if exists signal_jobs_select on scoring.signal;
drop policy if exists signal_jobs_insert on scoring.signal;

create policy signal_exec_select on scoring.signal for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy signal_exec_insert on scoring.signal for insert to leads_exec
  with check (organization_id = (select auth.organization_id('write')));

-- admin.try_scoring_model, admin.load_signals
create policy signal_jobs_select on scoring.signal for select to leads_jobs using (true);
create policy signal_jobs_insert on scoring.signal for insert to leads_jobs with check (true);
-- end frozen sql/scoring/signal.policies.sql

-- begin frozen sql/scoring/signal.triggers.sql
-- scoring.signal - the triggers of the signals' table.
set local role leads_owner;

drop trigger if exists _100_refuse_truncate on scoring.signal;
drop trigger if exists _120_keep_identity on scoring.signal;
drop trigger if exists _900_record on scoring.signal;

create trigger _100_refuse_truncate before truncate on scoring.signal
  for each statement execute function audit.tg_refuse('Delete signals with DELETE, so that each is recorded.');

create trigger _120_keep_identity before update on scoring.signal
  for each row
  when (
    (old.organization_id, old.id, old.lead_id, old.created_at)
    is distinct from (new.organization_id, new.id, new.lead_id, new.created_at)
  )
  execute function audit.tg_refuse('organization_id, id, lead_id and created_at never change.');

create trigger _900_record after insert or update or delete on scoring.signal
  for each row execute function audit.tg_signal__record();
-- end frozen sql/scoring/signal.triggers.sql

-- begin frozen sql/scoring/signal.grants.sql
-- scoring.signal - who may do what with the signals' table.
set local role leads_owner;

revoke all on scoring.signal
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select, insert (id, organization_id, lead_id, type, value, observed_at, dedupe_key) on scoring.signal
to leads_exec, leads_jobs;
-- end frozen sql/scoring/signal.grants.sql

-- begin frozen sql/scoring/tg_score__check.sql
-- scoring.tg_score__check - refuses what never was the lead's score, and what lies in the future.
set local role leads_owner;

create or replace function scoring.tg_score__check()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if new.created_at > clock_timestamp() then
    raise sqlstate 'PT409' using message = 'refused', hint = 'A score''s created_at doesn''t lie in the future.';
  end if;
  if new.kind = 'set' and not exists (
    select
    from app.lead as l
    where
      l.organization_id = new.organization_id
      and l.id = new.lead_id
      and (l.lead_score, l.ai_reasoning) is not distinct from (new.lead_score, new.ai_reasoning)
  ) then
    raise sqlstate 'PT409' using
      message = 'refused',
      hint = 'The lead has another score. Set lead_score of the lead: that adds to its history.';
  end if;
  return new;
end
$$;

comment on function scoring.tg_score__check() is
  'Raises PT409 refused for a score of kind set that isn''t the lead''s, and for a created_at in the future.';
-- end frozen sql/scoring/tg_score__check.sql

-- begin frozen sql/scoring/tg_score__apply.sql
-- scoring.tg_score__apply - gives the lead the score that a model has made.
set local role leads_owner;

create or replace function scoring.tg_score__apply()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  update app.lead as l
  set lead_score = new.lead_score, ai_reasoning = new.ai_reasoning, score_id = new.id
  where l.organization_id = new.organization_id and l.id = new.lead_id;
  return null;
end
$$;

comment on function scoring.tg_score__apply() is
  'Writes lead_score, ai_reasoning and score_id of the lead: a new score is what changes it.';
-- end frozen sql/scoring/tg_score__apply.sql

-- begin frozen sql/scoring/score.policies.sql
-- scoring.score - the policies of the scores' table.
set local role leads_owner;

drop policy if exists score_exec_select on scoring.score;
drop policy if exists score_exec_insert on scoring.score;
drop policy if exists score_jobs_insert on scoring.score;

create policy score_exec_select on scoring.score for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy score_exec_insert on scoring.score for insert to leads_exec
  with check (organization_id = (select auth.organization_id('write')));

-- admin.load_leads: a lead that comes with a score has one that was set.
create policy score_jobs_insert on scoring.score for insert to leads_jobs with check (true);
-- end frozen sql/scoring/score.policies.sql

-- begin frozen sql/scoring/score.triggers.sql
-- scoring.score - the triggers of the history of scores.
set local role leads_owner;

drop trigger if exists _100_refuse_truncate on scoring.score;
drop trigger if exists _110_refuse_change on scoring.score;
drop trigger if exists _120_check on scoring.score;
drop trigger if exists _500_apply on scoring.score;
drop trigger if exists _900_record on scoring.score;

create trigger _100_refuse_truncate before truncate on scoring.score
  for each statement execute function audit.tg_refuse('Every score is kept.');

create trigger _110_refuse_change before update on scoring.score
  for each row execute function audit.tg_refuse('A score never changes: score the lead anew.');

create trigger _120_check before insert on scoring.score
  for each row execute function scoring.tg_score__check();

create trigger _500_apply after insert on scoring.score
  for each row when (new.kind = 'scored') execute function scoring.tg_score__apply();

-- What is inserted is recorded with the lead's change: lead.scored, lead.updated, lead.created.
create trigger _900_record after delete on scoring.score
  for each row execute function audit.tg_record('score', 'id');
-- end frozen sql/scoring/score.triggers.sql

-- begin frozen sql/scoring/score.grants.sql
-- scoring.score - who may do what with the history of scores.
set local role leads_owner;

revoke all on scoring.score
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant
  select,
  insert (
    organization_id, lead_id, kind, lead_score, ai_reasoning, model, model_version, base, contributions, created_at
  )
on scoring.score to leads_exec;

grant insert (organization_id, lead_id, kind, lead_score, ai_reasoning, created_at) on scoring.score to leads_jobs;
-- end frozen sql/scoring/score.grants.sql

-- begin frozen sql/scoring/model_in_force.sql
-- scoring.model_in_force - the model that scores an organization's leads.
set local role leads_owner;

create or replace function scoring.model_in_force(
  organization_id uuid,
  out model text,
  out model_version integer,
  out document jsonb
)
language sql
stable
parallel safe
begin atomic
  with candidate as (
    select 'own' as model, m.version, m.document, 1 as rank
    from scoring.model as m
    where m.organization_id = model_in_force.organization_id and m.state = 'active'
    union all
    select 'default', d.version, d.document, 2
    from scoring.default_model as d
  )
  select c.model, c.version, c.document from candidate as c order by c.rank, c.version desc limit 1;
end;

comment on function scoring.model_in_force(uuid) is
  'The organization''s active model, or else the newest default one. model: own or default.';

grant execute on function scoring.model_in_force(uuid) to leads_exec, leads_jobs;
-- end frozen sql/scoring/model_in_force.sql

-- begin frozen sql/scoring/reckon.sql
-- scoring.reckon - the formula: scores, sentences and contributions of a set of leads.
set local role leads_owner;

create or replace function scoring.reckon(
  organization_id uuid,
  lead_ids uuid[],
  instants timestamptz[],
  model jsonb,
  counts_future boolean
)
returns table (lead_id uuid, lead_score integer, ai_reasoning text, contributions json)
language plpgsql
stable
parallel safe
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := reckon.organization_id;
  v_base numeric := (reckon.model ->> 'base')::numeric;
begin
  return query
  with rule as materialized (
    select
      r.ordinality as position,
      r.rule ->> 'name' as name,
      r.rule ->> 'signal' as signal,
      r.rule ->> 'field' as field,
      r.rule ->> 'key' as key,
      coalesce(r.rule ->> 'operator', 'present') as operator,
      r.rule -> 'value' as operand,
      r.rule ->> 'label' as label,
      (r.rule ->> 'weight')::numeric as weight,
      (r.rule ->> 'half_life_hours')::numeric as half_life_hours,
      r.rule ->> 'group' as "group",
      (reckon.model -> 'groups' -> (r.rule ->> 'group') ->> 'cap')::numeric as cap
    from jsonb_array_elements(reckon.model -> 'rules') with ordinality as r (rule, ordinality)
  ),
  type as materialized (
    select distinct r.signal as name from rule as r where r.signal is not null
  ),
  moment as (
    select m.lead_id, m.instant from unnest(reckon.lead_ids, reckon.instants) as m (lead_id, instant)
  ),
  latest as (
    select m.lead_id, t.name as type, s.id, s.value, s.observed_at
    from moment as m
    cross join type as t
    cross join lateral (
      select s.id, s.value, s.observed_at
      from scoring.signal as s
      where
        s.organization_id = v_organization_id
        and s.lead_and_type = m.lead_id::text || '/' || t.name
        and s.observed_at <= case when reckon.counts_future then 'infinity' else m.instant end
      order by s.observed_at desc, s.id desc
      limit 1
    ) as s
  ),
  evidence as (
    select
      m.lead_id,
      r.*,
      s.id as signal_id,
      -- A signal from the future is one of now.
      greatest(extract(epoch from m.instant - s.observed_at), 0) as age,
      case
        when r.key is not null then case when jsonb_typeof(s.value) = 'object' then s.value -> r.key end
        when r.signal is not null then s.value
        else to_jsonb(
          case r.field
            when 'name' then l.name
            when 'company' then l.company
            when 'email' then l.email
            when 'source' then l.source
            when 'industry' then l.industry
            when 'company_size' then l.company_size
            when 'pain_points' then l.pain_points
            when 'timeline' then l.timeline
            when 'budget_range' then l.budget_range
          end
        )
      end as value
    from moment as m
    join app.lead as l on l.organization_id = v_organization_id and l.id = m.lead_id
    cross join rule as r
    left join latest as s on s.lead_id = m.lead_id and s.type = r.signal
  ),
  judged as (
    select
      e.lead_id, e.position, e.name, e.label, e."group", e.cap, e.signal_id,
      round(
        case
          when e.half_life_hours is null then e.weight
          -- A weight of at most 1 has come to nothing after 8 half-lives.
          when e.age >= 8 * 3600 * e.half_life_hours then 0
          -- To 40 digits: with the usual 16 the reckoning itself could move a half cent.
          else e.weight * power(round(0.5, 40), round(e.age, 40) / (3600 * e.half_life_hours))
        end,
        2
      ) as contribution
    from evidence as e
    where
      -- false and null count nothing, whatever they are compared with
      case
        when e.value is null or e.value in ('false', 'null') then e.operator = 'absent'
        else
          case e.operator
            when 'present' then true
            when 'equals' then e.value = e.operand
            when 'differs' then e.value <> e.operand
            when 'one_of' then jsonb_typeof(e.value) in ('number', 'string') and e.operand @> e.value
            when 'at_least' then jsonb_typeof(e.value) = 'number' and e.value >= e.operand
            when 'at_most' then jsonb_typeof(e.value) = 'number' and e.value <= e.operand
            else false
          end
      end
  ),
  -- A group's positive rows, in the sentence's order, until its cap is used up.
  capped as (
    select
      j.lead_id, j.position, j.name, j.label, j.signal_id,
      case
        when j.cap is null or j.contribution < 0 then j.contribution
        else round(least(j.contribution, greatest(j.cap - coalesce(j.before, 0), 0)), 2)
      end as contribution
    from (
      select
        j.*,
        sum(j.contribution) over (
          partition by j.lead_id, j."group"
          order by j.contribution desc, j.position
          rows between unbounded preceding and 1 preceding
        ) as before
      from judged as j
    ) as j
  ),
  summed as (
    select
      c.lead_id,
      sum(c.contribution) as total,
      string_agg(
        format('%s (%s%s)', c.label, case when c.contribution > 0 then '+' end, c.contribution), '; '
        order by c.contribution desc, c.position
      ) as sentence,
      json_agg(
        json_build_object(
          'rule', c.name, 'label', c.label, 'contribution', c.contribution, 'signal_id', c.signal_id
        )
        order by c.contribution desc, c.position
      ) as contributions
    from capped as c
    where c.contribution <> 0
    group by c.lead_id
  )
  select
    l.id,
    round(100 * least(greatest(v_base + coalesce(s.total, 0), 0), 1))::integer,
    coalesce(
      s.sentence,
      format('No rule of the scoring model counts: this is its base, %s.', round(v_base, 2))
    ),
    coalesce(s.contributions, '[]')
  from moment as m
  join app.lead as l on l.organization_id = v_organization_id and l.id = m.lead_id
  left join summed as s on s.lead_id = m.lead_id;
end
$$;

comment on function scoring.reckon(uuid, uuid[], timestamptz[], jsonb, boolean) is
$$Scores leads by a model, each as of an instant of its own; a row for each that is there, in no order.

lead_ids: no id twice. instants: one for each id; ages are reckoned to it. model: without faults (scoring.model_faults).
counts_future: whether a signal that was observed after the instant counts, as one of that instant.
lead_score = round half up (100 × clamp(base + Σ contributions, 0, 1)). Of each type the latest signal (observed_at, then
id) counts; a contribution is weight × 0.5^(age / half-life), rounded half away from zero to two decimals before it is
summed; what rounds to 0.00 is left out. The sentence is made of the very rows that were summed. The same signals,
model and instants give the same bytes.$$;

grant execute on function scoring.reckon(uuid, uuid[], timestamptz[], jsonb, boolean) to leads_exec, leads_jobs;
-- end frozen sql/scoring/reckon.sql

-- begin frozen sql/scoring/score_lead.sql
-- scoring.score_lead - scores a lead from its latest signals, and keeps the score.
set local role leads_owner;

create or replace function scoring.score_lead(organization_id uuid, lead_id uuid)
returns scoring.score
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  v_instant timestamptz;
  v_model record;
  v_score scoring.score;
begin
  -- Who comes second waits here, and then sees the signals that the first one saw, and the first one's own.
  perform
  from app.lead as l
  where l.organization_id = score_lead.organization_id and l.id = score_lead.lead_id
  for no key update;
  if not found then
    return null;
  end if;
  -- The clock's: whoever was waited for comes before in the history.
  v_instant := date_trunc('milliseconds', clock_timestamp());

  select m.* into v_model from scoring.model_in_force(score_lead.organization_id) as m;
  insert into scoring.score (
    organization_id, lead_id, kind, lead_score, ai_reasoning, model, model_version, base, contributions, created_at
  )
  select
    score_lead.organization_id, r.lead_id, 'scored', r.lead_score, r.ai_reasoning, v_model.model, v_model.model_version,
    (v_model.document ->> 'base')::numeric, r.contributions, v_instant
  from scoring.reckon(
    score_lead.organization_id, array[score_lead.lead_id], array[v_instant], v_model.document, true
  ) as r
  returning * into v_score;
  return v_score;
end
$$;

comment on function scoring.score_lead(uuid, uuid) is
  'Scores the lead as of now by the model in force; a trigger gives the lead what it says. Null: there is no such lead.';

grant execute on function scoring.score_lead(uuid, uuid) to leads_exec;
-- end frozen sql/scoring/score_lead.sql

-- begin frozen sql/scoring/signal_faults.sql
-- scoring.signal_faults - all that is wrong with the signals that a client sends.
set local role leads_owner;

create or replace function scoring.signal_faults(fields jsonb)
returns json
language sql
stable
parallel safe
begin atomic
  with given as (
    select '' as path, 0::bigint as position, signal_faults.fields as signal
    where not signal_faults.fields ? 'signals'
    union all
    select 'signals[' || s.ordinality - 1 || '].', s.ordinality, s.signal
    from jsonb_array_elements(
      case jsonb_typeof(signal_faults.fields -> 'signals') when 'array' then signal_faults.fields -> 'signals' else '[]' end
    ) with ordinality as s (signal, ordinality)
  ),
  whole as (
    select g.* from given as g where jsonb_typeof(g.signal) = 'object'
  ),
  fault (position, field, code, detail) as (
    select 0, k.key, 'unknown_field', 'With signals, there is no other field. Leave it out.'
    from jsonb_object_keys(signal_faults.fields) as k (key)
    where signal_faults.fields ? 'signals' and k.key <> 'signals'
    union all
    select 0, 'signals', 'wrong_type', 'This must be a list of 1 to 200 signals.'
    where
      case jsonb_typeof(signal_faults.fields -> 'signals')
        when 'array' then jsonb_array_length(signal_faults.fields -> 'signals') not between 1 and 200
        else signal_faults.fields ? 'signals'
      end
    union all
    select g.position, rtrim(g.path, '.'), 'wrong_type', 'A signal is an object.'
    from given as g
    where jsonb_typeof(g.signal) <> 'object'
    union all
    select w.position, w.path || k.key, 'unknown_field', 'A signal has type, value, observed_at and dedupe_key.'
    from whole as w
    cross join jsonb_object_keys(w.signal) as k (key)
    where k.key not in ('type', 'value', 'observed_at', 'dedupe_key')
    union all
    select
      w.position, w.path || 'type',
      case
        when not w.signal ? 'type' then 'required'
        when jsonb_typeof(w.signal -> 'type') <> 'string' then 'wrong_type'
        else 'invalid_name'
      end,
      'This must be 1 to 64 characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9.'
    from whole as w
    where (jsonb_typeof(w.signal -> 'type') = 'string' and app.is_name(w.signal ->> 'type')) is not true
    union all
    select
      w.position, w.path || 'value', 'invalid_value',
      'This must be true, false, null, a number of up to 40 digits, a text of up to 1,000 characters, or an object of '
      'up to 32 of these.'
    from whole as w
    where w.signal ? 'value' and not scoring.is_signal_value(w.signal -> 'value')
    union all
    select
      w.position, w.path || 'observed_at', 'invalid_timestamp',
      'This must be a date such as 2026-04-27 (midnight UTC), or a date and time with Z or an offset such as '
      '2026-04-27T13:22:05Z.'
    from whole as w
    where
      jsonb_typeof(w.signal -> 'observed_at') <> 'null'
      and (
        jsonb_typeof(w.signal -> 'observed_at') <> 'string'
        or app.read_instant(w.signal ->> 'observed_at') is null
      )
    union all
    select w.position, w.path || 'dedupe_key', 'invalid_dedupe_key', 'This must be a text of 1 to 255 characters.'
    from whole as w
    where
      jsonb_typeof(w.signal -> 'dedupe_key') <> 'null'
      and (
        jsonb_typeof(w.signal -> 'dedupe_key') <> 'string'
        or not app.is_text(app.trim_text(w.signal ->> 'dedupe_key'), 255)
      )
  )
  select json_agg(
    json_build_object('field', left(f.field, 100), 'code', f.code, 'detail', f.detail)
    order by f.position, f.field, f.code
  )
  from fault as f;
end;

comment on function scoring.signal_faults(jsonb) is
$$All faults of a signal, or of {"signals": […]}, as a JSON array of {field, code, detail}; null where there is none.

Codes: required, unknown_field, wrong_type, invalid_name, invalid_value, invalid_timestamp, invalid_dedupe_key. Fields of
a list read signals[0].type. The table's CHECKs say the same of whoever writes.$$;

grant execute on function scoring.signal_faults(jsonb) to leads_exec;
-- end frozen sql/scoring/signal_faults.sql

-- begin frozen sql/scoring/signal_item.sql
-- scoring.signal_item - a signal as the API shows it.
set local role leads_owner;

create or replace function scoring.signal_item(signal scoring.signal)
returns api.signal
language sql
stable
parallel safe
begin atomic
  select row(
    signal.id, signal.organization_id, signal.lead_id, signal.type, signal.value::json,
    app.utc_text(signal.observed_at), signal.dedupe_key, app.utc_text(signal.created_at)
  )::api.signal;
end;

comment on function scoring.signal_item(scoring.signal) is 'The eight fields of a signal, in the order of the body.';

grant execute on function scoring.signal_item(scoring.signal) to leads_exec;
-- end frozen sql/scoring/signal_item.sql

-- begin frozen sql/scoring/score_item.sql
-- scoring.score_item - an entry in the history of a lead's score, as the API shows it.
set local role leads_owner;

create or replace function scoring.score_item(score scoring.score)
returns api.score
language sql
stable
parallel safe
begin atomic
  select row(
    score.id, score.organization_id, score.lead_id, score.kind, score.lead_score, score.ai_reasoning, score.model,
    score.model_version, score.base, score.contributions, app.utc_text(score.created_at)
  )::api.score;
end;

comment on function scoring.score_item(scoring.score) is 'The eleven fields of a score, in the order of the body.';

grant execute on function scoring.score_item(scoring.score) to leads_exec;
-- end frozen sql/scoring/score_item.sql

-- begin frozen sql/api/problem.rows.sql
-- api.problem - how each error is answered.
set local role leads_owner;

delete from api.problem;

-- Words that the shim raises.
insert into api.problem (raised_by, status, code, title, detail)
values
  ('not_found', 404, 'not_found', 'Not found', 'There is nothing at this address. Check the path and the id.'),
  ('method_not_allowed', 405, 'method_not_allowed', 'Method not allowed', 'Use one of the methods that the header Allow names.'),
  ('payload_too_large', 413, 'payload_too_large', 'Payload too large', 'A body has at most 64 KiB. Send less.'),
  ('unsupported_media_type', 415, 'unsupported_media_type', 'Unsupported media type',
    'Send the body as application/json (a PATCH also as application/merge-patch+json).'),
  ('invalid_parameter', 400, 'invalid_parameter', 'Invalid parameter', 'Mend what errors lists, and send the request again.'),
  ('internal', 500, 'internal', 'Internal error', 'This is a fault of the server. Report it with the request_id.'),
  ('unavailable', 503, 'unavailable', 'Unavailable', 'The server is busy. Nothing was done. Try again.'),
  ('outcome_unknown', 503, 'outcome_unknown', 'Unavailable',
    'The connection to the database was lost, and whether the change was made is unknown. Look, or repeat a POST with its '
    'Idempotency-Key.');

-- Words that functions raise.
insert into api.problem (raised_by, status, code, title, detail)
values
  ('unauthorized', 401, 'unauthorized', 'Unauthorized', 'Send a valid API key: Authorization: Bearer lk_….'),
  ('insufficient_scope', 403, 'insufficient_scope', 'Insufficient scope', 'This key lacks a scope. Use a key that has it.'),
  ('invalid_body', 400, 'invalid_body', 'Invalid body', 'Mend what errors lists, and send the request again.'),
  ('validation_failed', 422, 'validation_failed', 'Validation failed', 'Mend what errors lists, and send the request again.'),
  ('precondition_failed', 412, 'precondition_failed', 'Precondition failed',
    'The record has changed since: If-Match no longer holds. Get it again, and repeat the change on what it is now.'),
  ('idempotency_key_reused', 422, 'idempotency_key_reused', 'Idempotency key reused',
    'Another request came under this Idempotency-Key within 24 hours. Take a new key for a new request.'),
  ('idempotency_in_progress', 409, 'idempotency_in_progress', 'Request in progress',
    'A request under this Idempotency-Key is still running. Repeat it in a moment.');

-- SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html).
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
values
  ('22P02', 400, 'invalid_body', 'Invalid body', 'The body is not valid JSON.', 'body', 'invalid_json'),
  ('22P05', 400, 'invalid_body', 'Invalid body', 'The body has a NUL character (\u0000). Leave it out.', 'body', 'nul_character'),
  ('54001', 400, 'invalid_body', 'Invalid body', 'The body is nested more than 32 deep.', 'body', 'too_deep'),
  ('22003', 422, 'validation_failed', 'Validation failed', 'The body has a number that is out of all range.', 'body', 'out_of_range');

insert into api.problem (raised_by, status, code, title, detail)
values
  ('25006', 500, 'internal', 'Internal error', 'This is a fault of the server. Report it with the request_id.'),
  ('40001', 503, 'unavailable', 'Unavailable', 'The database is busy. Nothing was done. Try again.'),
  ('40P01', 503, 'unavailable', 'Unavailable', 'The database is busy. Nothing was done. Try again.'),
  ('55P03', 503, 'unavailable', 'Unavailable', 'The database is busy. Nothing was done. Try again.'),
  ('57014', 503, 'unavailable', 'Unavailable', 'The request took too long. Nothing was done. Try again.');

-- Constraints on what a request gives.
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
values
  ('page_size_within_1_and_200', 400, 'invalid_parameter', 'Invalid parameter', 'This must be a whole number from 1 to 200.',
    'limit', 'out_of_range'),
  ('cursor_is_well_formed', 400, 'invalid_parameter', 'Invalid parameter',
    'This is no cursor. Take next_cursor of the page before as it is, or leave it out for the first page.',
    'cursor', 'invalid_cursor'),
  ('any_of_has_at_most_10_values', 400, 'invalid_parameter', 'Invalid parameter', 'This may have up to 10 values.',
    'filter', 'too_many_values'),
  ('entity_tags_are_well_formed', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be * or entity tags as they came in ETag, in their double quotes.', 'If-Match', 'invalid_entity_tag'),
  ('idempotency_key_is_1_to_255_printable_characters', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be 1 to 255 printable ASCII characters.', 'Idempotency-Key', 'invalid_idempotency_key');

-- Constraints on a lead: app.lead_faults finds what breaks them first; where it doesn't, they still hold.
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
select c.raised_by, 422, 'validation_failed', 'Validation failed', c.detail, c.field, c.field_code
from (values
  ('lead_has_email_or_name_and_company', 'email', 'contact_required', 'A lead needs an email, or a name and a company.'),
  ('lead_pipeline_stage_exists', 'pipeline_stage', 'unknown_stage', 'This must be one of the organization''s pipeline stages.'),
  ('lead_times_have_a_year_of_4_digits', 'created_at', 'out_of_range', 'This must lie in the years 1 to 9999.'),
  ('lead_name_is_text_of_1_to_255', 'name', 'too_long', 'This must be a text of 1 to 255 characters.'),
  ('lead_company_is_text_of_1_to_255', 'company', 'too_long', 'This must be a text of 1 to 255 characters.'),
  ('lead_email_is_email', 'email', 'invalid_email', 'This must be an e-mail address such as ada@example.com.'),
  ('lead_source_is_name', 'source', 'invalid_name', 'This must be 1 to 64 characters out of a-z, 0-9, _ and -.'),
  ('lead_score_within_0_and_100', 'lead_score', 'out_of_range', 'This must be a whole number from 0 to 100.'),
  ('lead_industry_is_text_of_1_to_128', 'industry', 'too_long', 'This must be a text of 1 to 128 characters.'),
  ('lead_company_size_is_text_of_1_to_128', 'company_size', 'too_long', 'This must be a text of 1 to 128 characters.'),
  ('lead_pain_points_is_text_of_1_to_10000', 'pain_points', 'too_long', 'This must be a text of 1 to 10,000 characters.'),
  ('lead_timeline_is_text_of_1_to_128', 'timeline', 'too_long', 'This must be a text of 1 to 128 characters.'),
  ('lead_budget_range_is_text_of_1_to_128', 'budget_range', 'too_long', 'This must be a text of 1 to 128 characters.'),
  ('lead_ai_reasoning_is_text_of_1_to_10000', 'ai_reasoning', 'too_long', 'This must be a text of 1 to 10,000 characters.')
) as c (raised_by, field, field_code, detail);

-- Constraints on a signal: scoring.signal_faults finds what breaks them first.
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
select c.raised_by, 422, 'validation_failed', 'Validation failed', c.detail, c.field, c.field_code
from (values
  ('signal_type_is_name', 'type', 'invalid_name', 'This must be 1 to 64 characters out of a-z, 0-9, _ and -.'),
  ('signal_value_is_flat', 'value', 'invalid_value',
    'This must be true, false, null, a number, a text, or a flat object of these.'),
  ('signal_dedupe_key_is_text_of_1_to_255', 'dedupe_key', 'invalid_dedupe_key', 'This must be a text of 1 to 255 characters.'),
  ('signal_times_have_a_year_of_4_digits', 'observed_at', 'invalid_timestamp', 'This must lie in the years 1 to 9999.')
) as c (raised_by, field, field_code, detail);
-- end frozen sql/api/problem.rows.sql

-- begin frozen sql/api/route.rows.sql
-- api.route - the routes.
set local role leads_owner;

delete from api.route;

insert into api.route (method, path, function, scope, problems)
values
  ('GET', '/leads', 'api.list_leads', 'read', '{invalid_parameter,validation_failed}'),
  ('POST', '/leads', 'api.create_lead', 'write',
    '{invalid_body,invalid_parameter,validation_failed,idempotency_key_reused,idempotency_in_progress}'),
  ('GET', '/leads/{id}', 'api.get_lead', 'read', '{invalid_parameter,not_found}'),
  ('PATCH', '/leads/{id}', 'api.update_lead', 'write',
    '{invalid_body,invalid_parameter,validation_failed,not_found,precondition_failed}'),
  ('POST', '/leads/{id}/signals', 'api.create_signals', 'write',
    '{invalid_body,invalid_parameter,validation_failed,not_found,idempotency_key_reused,idempotency_in_progress}'),
  ('GET', '/leads/{id}/signals', 'api.list_signals', 'read', '{invalid_parameter,not_found}'),
  ('POST', '/leads/{id}/score', 'api.score_lead', 'write',
    '{invalid_parameter,not_found,idempotency_key_reused,idempotency_in_progress}'),
  ('GET', '/leads/{id}/scores', 'api.list_scores', 'read', '{invalid_parameter,not_found}'),
  ('GET', '/audit-log', 'api.list_audit_events', 'read', '{invalid_parameter,validation_failed}'),
  ('GET', '/audit-log/{id}', 'api.get_audit_event', 'read', '{invalid_parameter,not_found}'),
  ('GET', '/health', 'api.get_health', 'read', '{invalid_parameter}'),
  ('GET', '/organizations/me', 'api.get_organization', 'read', '{invalid_parameter}');
-- end frozen sql/api/route.rows.sql

-- begin frozen sql/api/create_signals.sql
-- api.create_signals - POST /leads/{id}/signals.
set local role leads_exec;

create or replace function api.create_signals(
  id uuid,
  body text,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := auth.organization_id('write');
  v_fields jsonb := app.read_object(create_signals.body);
  v_answer api.answer := app.claim_idempotency_key(
    v_organization_id, create_signals.idempotency_key, create_signals.idempotency_wait,
    concat('POST /leads/', create_signals.id, '/signals', chr(10), create_signals.body)
  );
  v_is_batch boolean := v_fields ? 'signals';
  v_ids uuid[];
  v_items text[];
begin
  if v_answer.status is not null then
    return v_answer;
  end if;

  perform app.raise_faults(422, 'validation_failed', scoring.signal_faults(v_fields));

  perform from app.lead as l where l.organization_id = v_organization_id and l.id = create_signals.id;
  if not found then
    -- Raised, so that the claim goes with it.
    raise sqlstate 'PT404' using message = 'not_found';
  end if;

  v_fields := case when v_is_batch then v_fields -> 'signals' else jsonb_build_array(v_fields) end;
  -- Ids in the order that they were sent in, which is that of a page.
  v_ids := array(select app.new_id() from generate_series(1, jsonb_array_length(v_fields)));

  with sent as (
    select
      v_ids[s.ordinality] as id,
      s.signal ->> 'type' as type,
      coalesce(s.signal -> 'value', 'true') as value,
      coalesce(app.read_instant(s.signal ->> 'observed_at'), date_trunc('milliseconds', now())) as observed_at,
      app.trim_text(s.signal ->> 'dedupe_key') as dedupe_key
    from jsonb_array_elements(v_fields) with ordinality as s (signal, ordinality)
  )
  insert into scoring.signal (id, organization_id, lead_id, type, value, observed_at, dedupe_key)
  select s.id, v_organization_id, create_signals.id, s.type, s.value, s.observed_at, s.dedupe_key
  from sent as s
  -- Two batches with the same keys wait for each other in one order, and so for no deadlock.
  order by s.dedupe_key, s.id
  on conflict (organization_id, lead_id, dedupe_key) do nothing;

  -- Where a key was there already, the first signal under it.
  v_items := array(
    select row_to_json(scoring.signal_item(i))::text
    from jsonb_array_elements(v_fields) with ordinality as s (signal, ordinality)
    cross join lateral (
      select i.*
      from scoring.signal as i
      where i.organization_id = v_organization_id and i.id = v_ids[s.ordinality]
      union all
      select i.*
      from scoring.signal as i
      where
        i.organization_id = v_organization_id
        and i.lead_id = create_signals.id
        and i.dedupe_key = app.trim_text(s.signal ->> 'dedupe_key')
        and i.id <> v_ids[s.ordinality]
    ) as i
    order by s.ordinality
  );

  if (
    select m.document -> 'rescore_on_signal' = 'true' and exists (
      select
      from scoring.signal as i
      join jsonb_array_elements(m.document -> 'rules') as r (rule) on r.rule ->> 'signal' = i.type
      where i.organization_id = v_organization_id and i.id = any (v_ids)
    )
    from scoring.model_in_force(v_organization_id) as m
  ) then
    perform scoring.score_lead(v_organization_id, create_signals.id);
  end if;

  v_answer := row(
    201,
    null,
    case when v_is_batch then '{"data":[' || array_to_string(v_items, ',') || ']}' else v_items[1] end
  );
  if create_signals.idempotency_key is not null then
    perform app.keep_answer(v_organization_id, create_signals.idempotency_key, v_answer);
  end if;
  return v_answer;
end
$$;

comment on function api.create_signals(uuid, text, api.idempotency_key, integer) is
$$Add signals to a lead.

A signal, or {"signals": […]} with up to 200 of them: all are added, or none. type is a machine name; value is true when
left out, else true, false, null, a number, a text, or a flat object of these; observed_at is now when left out, and may
lie in the past. A signal with a dedupe_key that the lead has a signal of already adds nothing: the answer has the
first. Of each type the latest counts for the score (observed_at, then id), and false and null count nothing. Where the
organization's scoring model says so, and looks at such a signal, the lead is scored anew at once.$$;

grant execute on function api.create_signals(uuid, text, api.idempotency_key, integer) to leads_api;
-- end frozen sql/api/create_signals.sql

-- begin frozen sql/api/list_signals.sql
-- api.list_signals - GET /leads/{id}/signals.
set local role leads_exec;

create or replace function api.list_signals(
  id uuid,
  "limit" api.page_size default 50,
  cursor api.cursor default null
)
returns api.answer
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('read');
  -- One row more than the page tells whether there is a next one.
  v_rows integer := list_signals.limit + 1;
  v_at timestamptz;
  v_id uuid;
begin
  perform from app.lead as l where l.organization_id = v_organization_id and l.id = list_signals.id;
  if not found then
    return null;
  end if;

  select b.created_at, b.id into v_at, v_id from app.page_bound(list_signals.cursor, null) as b;
  return app.page_answer(
    array(
      select row_to_json(scoring.signal_item(s))::text
      from scoring.signal as s
      where
        s.organization_id = v_organization_id
        and s.lead_id = list_signals.id
        and (s.created_at, s.id) < (v_at, v_id)
      order by s.created_at desc, s.id desc
      limit v_rows
    ),
    list_signals.limit
  );
end
$$;

comment on function api.list_signals(uuid, api.page_size, api.cursor) is
$$List a lead's signals.

The newest first, in the order in which they came in.$$;

grant execute on function api.list_signals(uuid, api.page_size, api.cursor) to leads_api;
-- end frozen sql/api/list_signals.sql

-- begin frozen sql/api/score_lead.sql
-- api.score_lead - POST /leads/{id}/score.
set local role leads_exec;

create or replace function api.score_lead(
  id uuid,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('write');
  v_answer api.answer := app.claim_idempotency_key(
    v_organization_id, score_lead.idempotency_key, score_lead.idempotency_wait,
    concat('POST /leads/', score_lead.id, '/score')
  );
  v_score scoring.score;
begin
  if v_answer.status is not null then
    return v_answer;
  end if;

  v_score := scoring.score_lead(v_organization_id, score_lead.id);
  if v_score.id is null then
    -- Raised, so that the claim goes with it.
    raise sqlstate 'PT404' using message = 'not_found';
  end if;

  select
    200,
    json_build_object('ETag', app.lead_etag(l.revision)),
    row_to_json(
      row(l.id, v_score.lead_score, v_score.ai_reasoning, app.utc_text(v_score.created_at))::api.new_score
    )::text
  into v_answer
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = score_lead.id;
  if score_lead.idempotency_key is not null then
    perform app.keep_answer(v_organization_id, score_lead.idempotency_key, v_answer);
  end if;
  return v_answer;
end
$$;

comment on function api.score_lead(uuid, api.idempotency_key, integer) is
$$Score a lead.

Scores the lead by the organization's scoring model, or the default one, from the latest signal of each type, and
writes lead_score and ai_reasoning: the reasons, with what each contributed, strongest first. They stand until the next
score, or until somebody sets them. The history keeps each score; the audit log has lead.scored. A body is ignored.$$;

grant execute on function api.score_lead(uuid, api.idempotency_key, integer) to leads_api;
-- end frozen sql/api/score_lead.sql

-- begin frozen sql/api/list_scores.sql
-- api.list_scores - GET /leads/{id}/scores.
set local role leads_exec;

create or replace function api.list_scores(
  id uuid,
  "limit" api.page_size default 50,
  cursor api.cursor default null
)
returns api.answer
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('read');
  -- One row more than the page tells whether there is a next one.
  v_rows integer := list_scores.limit + 1;
  v_at timestamptz;
  v_id uuid;
begin
  perform from app.lead as l where l.organization_id = v_organization_id and l.id = list_scores.id;
  if not found then
    return null;
  end if;

  select b.created_at, b.id into v_at, v_id from app.page_bound(list_scores.cursor, null) as b;
  return app.page_answer(
    array(
      select row_to_json(scoring.score_item(s))::text
      from scoring.score as s
      where
        s.organization_id = v_organization_id
        and s.lead_id = list_scores.id
        and (s.created_at, s.id) < (v_at, v_id)
      order by s.created_at desc, s.id desc
      limit v_rows
    ),
    list_scores.limit
  );
end
$$;

comment on function api.list_scores(uuid, api.page_size, api.cursor) is
$$List the history of a lead's score.

The newest first. kind is scored (by a model: model is own or default, with its version, its base, and the
contributions that were summed) or set (written to the lead, over the API or in SQL; the rest is null).$$;

grant execute on function api.list_scores(uuid, api.page_size, api.cursor) to leads_api;
-- end frozen sql/api/list_scores.sql

-- begin frozen sql/api/list_audit_events.sql
-- api.list_audit_events - GET /audit-log.
set local role leads_exec;

create or replace function api.list_audit_events(
  "limit" api.page_size default 50,
  cursor api.cursor default null,
  action api.any_of default null,
  source api.any_of default null,
  lead_id uuid default null,
  start_at timestamptz default null,
  end_at timestamptz default null
)
returns api.answer
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('read');
  -- One row more than the page tells whether there is a next one.
  v_rows integer := list_audit_events.limit + 1;
  v_at timestamptz;
  v_id uuid;
  v_start_at timestamptz := coalesce(list_audit_events.start_at, '-infinity');
  v_sources text[] := array['api', 'sql', 'worker', 'system'];
  v_items text[];
begin
  perform app.raise_faults(422, 'validation_failed', (
    select json_agg(json_build_object(
      'field', 'source', 'code', 'unknown_source', 'detail', 'The sources are api, sql, worker and system.'
    ))
    where not list_audit_events.source <@ v_sources
  ));

  select b.created_at, b.id into v_at, v_id
  from app.page_bound(list_audit_events.cursor, list_audit_events.end_at) as b;

  -- A statement for each shape of filter: each walks its own index, and several values are one walk each, merged.
  if list_audit_events.lead_id is not null then
    v_items := array(
      select row_to_json(audit.event_item(e))::text
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and e.lead_id = list_audit_events.lead_id
        and (list_audit_events.action is null or e.action = any (list_audit_events.action))
        and (list_audit_events.source is null or e.source = any (list_audit_events.source))
        and (e.created_at, e.id) < (v_at, v_id)
        and e.created_at >= v_start_at
      order by e.created_at desc, e.id desc
      limit v_rows
    );
  elsif list_audit_events.action is not null then
    v_items := array(
      select row_to_json(audit.event_item(p.event))::text
      from (
        select distinct a.value || '/' || s.value as value
        from unnest(list_audit_events.action) as a (value)
        cross join unnest(coalesce(list_audit_events.source, v_sources)) as s (value)
      ) as f
      cross join lateral (
        select e as event, e.created_at, e.id
        from audit.event as e
        where
          e.organization_id = v_organization_id
          and e.action_and_source = f.value
          and (e.created_at, e.id) < (v_at, v_id)
          and e.created_at >= v_start_at
        order by e.created_at desc, e.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  elsif list_audit_events.source is not null then
    v_items := array(
      select row_to_json(audit.event_item(p.event))::text
      from (select distinct u.value from unnest(list_audit_events.source) as u (value)) as s
      cross join lateral (
        select e as event, e.created_at, e.id
        from audit.event as e
        where
          e.organization_id = v_organization_id
          and e.source = s.value
          and (e.created_at, e.id) < (v_at, v_id)
          and e.created_at >= v_start_at
        order by e.created_at desc, e.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  else
    v_items := array(
      select row_to_json(audit.event_item(e))::text
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and (e.created_at, e.id) < (v_at, v_id)
        and e.created_at >= v_start_at
      order by e.created_at desc, e.id desc
      limit v_rows
    );
  end if;

  return app.page_answer(v_items, list_audit_events.limit);
end
$$;

comment on function api.list_audit_events(api.page_size, api.cursor, api.any_of, api.any_of, uuid, timestamptz, timestamptz) is
$$List the audit log, newest first.

Every change of the organization's records, whoever made it: over the API, in SQL, by a worker or by the system. Filters
are exact; several values, separated by commas, mean any of them. start_at is inclusive, end_at exclusive. Actions:
lead.created, lead.updated, lead.scored, lead.deleted; signal.created, signal.updated, signal.deleted; score.deleted;
scoring_model.created, scoring_model.updated, scoring_model.deleted; api_key.created, api_key.rotated, api_key.updated,
api_key.revoked, api_key.deleted; organization.created, organization.updated, organization.deleted; pipeline_stage.created,
pipeline_stage.updated, pipeline_stage.deleted.$$;

grant execute on function
  api.list_audit_events(api.page_size, api.cursor, api.any_of, api.any_of, uuid, timestamptz, timestamptz)
to leads_api;
-- end frozen sql/api/list_audit_events.sql

-- begin frozen sql/admin/load_leads.sql
-- admin.load_leads - leads demo: leads with their own times.
set local role leads_jobs;

create or replace function admin.load_leads(organization_id uuid, leads jsonb)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(load_leads.organization_id)).organization_id;
  v_count integer;
begin
  insert into app.lead (
    id, organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
    timeline, budget_range, ai_reasoning, qualification_completed_at, created_at, updated_at
  )
  select
    coalesce(l.id, app.new_id()), v_organization_id, l.name, l.company, l.email, l.source, l.lead_score, l.pipeline_stage, l.industry, l.company_size,
    l.pain_points, l.timeline, l.budget_range, l.ai_reasoning, l.qualification_completed_at, l.created_at, l.updated_at
  from jsonb_populate_recordset(null::app.lead, load_leads.leads) as l;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

comment on function admin.load_leads(uuid, jsonb) is
  'Inserts leads, a JSON array of objects with the fields of api.lead, as they are; returns how many. Raises PT404 '
  'organization_not_found, and the violations of the table''s constraints.';

grant execute on function admin.load_leads(uuid, jsonb) to leads_operator;
-- end frozen sql/admin/load_leads.sql

-- begin frozen sql/admin/load_signals.sql
-- admin.load_signals - leads demo: signals with their own times.
set local role leads_jobs;

create or replace function admin.load_signals(organization_id uuid, signals jsonb)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(load_signals.organization_id)).organization_id;
  v_count integer;
begin
  insert into scoring.signal (organization_id, lead_id, type, value, observed_at, dedupe_key)
  select
    v_organization_id,
    (s.signal ->> 'lead_id')::uuid,
    s.signal ->> 'type',
    coalesce(s.signal -> 'value', 'true'),
    (s.signal ->> 'observed_at')::timestamptz,
    s.signal ->> 'dedupe_key'
  from jsonb_array_elements(load_signals.signals) as s (signal)
  on conflict (organization_id, lead_id, dedupe_key) do nothing;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

comment on function admin.load_signals(uuid, jsonb) is
  'Inserts signals, a JSON array of {lead_id, type, value, observed_at, dedupe_key}; returns how many were new. Raises '
  'PT404 organization_not_found, and the violations of the table''s constraints.';

grant execute on function admin.load_signals(uuid, jsonb) to leads_operator;
-- end frozen sql/admin/load_signals.sql

-- begin frozen sql/admin/check_scoring_model.sql
-- admin.check_scoring_model - refuses a scoring model that has faults.
set local role leads_jobs;

create or replace function admin.check_scoring_model(document jsonb)
returns void
language plpgsql
immutable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_faults json := scoring.model_faults(check_scoring_model.document);
begin
  if v_faults is not null then
    raise sqlstate 'PT422' using
      message = 'invalid_model',
      detail = v_faults::text,
      hint = format(
        'The scoring model has %s faults. The first: %s: %s',
        json_array_length(v_faults), v_faults -> 0 ->> 'field', v_faults -> 0 ->> 'detail'
      );
  end if;
end
$$;

comment on function admin.check_scoring_model(jsonb) is
  'Raises PT422 invalid_model, with all faults as a JSON array of {field, code, detail} in the detail.';

grant execute on function admin.check_scoring_model(jsonb) to leads_operator;
-- end frozen sql/admin/check_scoring_model.sql

-- begin frozen sql/admin/scoring_models.sql
-- admin.scoring_models - leads scoring show: the models that an organization has, or could fall back on.
set local role leads_jobs;

create or replace function admin.scoring_models(organization_id uuid)
returns table (model text, version integer, state text, document json, created_at text, activated_at text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform admin.organization(scoring_models.organization_id);
  return query
  select 'own', m.version, m.state, m.document::json, app.utc_text(m.created_at), app.utc_text(m.activated_at)
  from scoring.model as m
  where m.organization_id = scoring_models.organization_id
  union all
  select
    'default', d.version,
    case
      when d.version < max(d.version) over () then 'retired'
      when f.model = 'default' then 'active'
      else 'unused'
    end,
    d.document::json, null, null
  from scoring.default_model as d
  cross join scoring.model_in_force(scoring_models.organization_id) as f
  order by 1 desc, 2 desc;
end
$$;

comment on function admin.scoring_models(uuid) is
$$The organization's scoring models, the newest first, and behind them the default ones. Raises PT404 organization_not_found.

state: draft, active or retired; a default model is unused while the organization has an active one of its own.$$;

grant execute on function admin.scoring_models(uuid) to leads_operator;
-- end frozen sql/admin/scoring_models.sql

-- begin frozen sql/admin/edit_scoring_model.sql
-- admin.edit_scoring_model - leads scoring edit: writes the organization's draft.
set local role leads_jobs;

create or replace function admin.edit_scoring_model(organization_id uuid, document jsonb)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(edit_scoring_model.organization_id)).organization_id;
  v_version integer;
begin
  perform admin.check_scoring_model(edit_scoring_model.document);
  -- Two that begin a draft at once: the second finds the first one's.
  loop
    update scoring.model as m
    set document = edit_scoring_model.document
    where m.organization_id = v_organization_id and m.state = 'draft'
    returning m.version into v_version;
    exit when found;
    insert into scoring.model (organization_id, version, document)
    select v_organization_id, coalesce(max(m.version), 0) + 1, edit_scoring_model.document
    from scoring.model as m
    where m.organization_id = v_organization_id
    on conflict do nothing
    returning version into v_version;
    exit when found;
  end loop;
  return v_version;
end
$$;

comment on function admin.edit_scoring_model(uuid, jsonb) is
  'Replaces the organization''s draft of a scoring model, or begins one; its version. Raises PT404 '
  'organization_not_found, PT422 invalid_model.';

grant execute on function admin.edit_scoring_model(uuid, jsonb) to leads_operator;
-- end frozen sql/admin/edit_scoring_model.sql

-- begin frozen sql/admin/activate_scoring_model.sql
-- admin.activate_scoring_model - leads scoring activate: has a version score from now on.
set local role leads_jobs;

create or replace function admin.activate_scoring_model(organization_id uuid, version integer default null)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(activate_scoring_model.organization_id)).organization_id;
  v_model scoring.model;
begin
  -- All of them: two that activate at once wait for each other here.
  perform from scoring.model as m where m.organization_id = v_organization_id order by m.version for update;
  select m.* into v_model
  from scoring.model as m
  where
    m.organization_id = v_organization_id
    and case
      when activate_scoring_model.version is null then m.state = 'draft'
      else m.version = activate_scoring_model.version
    end;
  if not found then
    raise sqlstate 'PT404' using
      message = 'model_not_found',
      hint = case
        when activate_scoring_model.version is not null then
          format('The organization has no scoring model of version %s.', activate_scoring_model.version)
        else coalesce(
          (
            select format('There is no draft: version %s is active since %s.', m.version, app.utc_text(m.activated_at))
            from scoring.model as m
            where m.organization_id = v_organization_id and m.state = 'active'
          ),
          'There is no draft.'
        ) || ' Begin one with: leads scoring edit FILE'
      end;
  end if;
  if v_model.state = 'active' then
    raise sqlstate 'PT409' using
      message = 'model_is_active',
      hint = format('Version %s is active already, since %s.', v_model.version, app.utc_text(v_model.activated_at));
  end if;
  update scoring.model as m
  set state = 'retired'
  where m.organization_id = v_organization_id and m.state = 'active';
  update scoring.model as m
  set state = 'active', activated_at = date_trunc('milliseconds', now())
  where m.organization_id = v_organization_id and m.version = v_model.version;
  return v_model.version;
end
$$;

comment on function admin.activate_scoring_model(uuid, integer) is
$$Makes a version of the organization's scoring models the active one, and retires the one before; the version.

version: null is the draft; a retired one can be taken back. An active version never changes again. Raises PT404
organization_not_found and model_not_found, PT409 model_is_active.$$;

grant execute on function admin.activate_scoring_model(uuid, integer) to leads_operator;
-- end frozen sql/admin/activate_scoring_model.sql

-- begin frozen sql/admin/try_scoring_model.sql
-- admin.try_scoring_model - leads scoring try: what a model would give a lead; nothing is kept.
set local role leads_jobs;

create or replace function admin.try_scoring_model(
  organization_id uuid,
  lead_id uuid,
  instant timestamptz default null,
  document jsonb default null
)
returns table (
  lead_score integer,
  ai_reasoning text,
  base numeric,
  contributions json,
  model text,
  model_version integer,
  scored_at text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(try_scoring_model.organization_id)).organization_id;
  v_instant timestamptz := date_trunc('milliseconds', coalesce(try_scoring_model.instant, now()));
  v_model record;
begin
  if try_scoring_model.document is not null then
    perform admin.check_scoring_model(try_scoring_model.document);
  end if;
  select
    case when try_scoring_model.document is null then f.model end as model,
    case when try_scoring_model.document is null then f.model_version end as version,
    coalesce(try_scoring_model.document, f.document) as document
  into v_model
  from scoring.model_in_force(v_organization_id) as f;

  return query
  select
    r.lead_score, r.ai_reasoning, (v_model.document ->> 'base')::numeric, r.contributions, v_model.model,
    v_model.version, app.utc_text(v_instant)
  from scoring.reckon(
    v_organization_id, array[try_scoring_model.lead_id], array[v_instant], v_model.document,
    try_scoring_model.instant is null
  ) as r;
  if not found then
    raise sqlstate 'PT404' using
      message = 'lead_not_found',
      hint = format('The organization has no lead %s.', try_scoring_model.lead_id);
  end if;
end
$$;

comment on function admin.try_scoring_model(uuid, uuid, timestamptz, jsonb) is
$$What a scoring model gives a lead; nothing is kept.

instant: null is now; else only signals that were observed until then count. document: null is the model in force, whose
name and version are given. Raises PT404 organization_not_found and lead_not_found, PT422 invalid_model.$$;

grant execute on function admin.try_scoring_model(uuid, uuid, timestamptz, jsonb) to leads_operator;
-- end frozen sql/admin/try_scoring_model.sql

-- begin frozen sql/admin/backtest_leads.sql
-- admin.backtest_leads - leads scoring backtest: the leads whose end is known.
set local role leads_jobs;

create or replace function admin.backtest_leads(organization_id uuid)
returns table (lead_id uuid, is_qualified boolean)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform admin.organization(backtest_leads.organization_id);
  return query
  select l.id, l.qualification_completed_at is not null
  from app.lead as l
  where l.organization_id = backtest_leads.organization_id and l.pipeline_stage in ('won', 'lost');
end
$$;

comment on function admin.backtest_leads(uuid) is
  'The leads that are won or lost, and whether each was ever qualified. Raises PT404 organization_not_found.';

grant execute on function admin.backtest_leads(uuid) to leads_operator;
-- end frozen sql/admin/backtest_leads.sql

-- begin frozen sql/admin/backtest_scoring_model.sql
-- admin.backtest_scoring_model - leads scoring backtest: what a model would have given the leads whose end is known.
set local role leads_jobs;

create or replace function admin.backtest_scoring_model(
  organization_id uuid,
  document jsonb,
  lead_ids uuid[] default null
)
returns table (lead_id uuid, is_won boolean, lead_score integer, score_in_force integer)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set jit = off
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := (admin.organization(backtest_scoring_model.organization_id)).organization_id;
  v_in_force jsonb := (scoring.model_in_force(v_organization_id)).document;
  v_ids uuid[];
  v_instants timestamptz[];
  v_are_won boolean[];
begin
  perform admin.check_scoring_model(backtest_scoring_model.document);
  v_ids := coalesce(
    backtest_scoring_model.lead_ids,
    array(select b.lead_id from admin.backtest_leads(v_organization_id) as b where b.is_qualified)
  );
  select array_agg(l.id), array_agg(l.qualification_completed_at), array_agg(l.pipeline_stage = 'won')
  into v_ids, v_instants, v_are_won
  from unnest(v_ids) as i (id)
  join app.lead as l on l.organization_id = v_organization_id and l.id = i.id
  where l.pipeline_stage in ('won', 'lost') and l.qualification_completed_at is not null;

  return query
  select l.id, l.is_won, r.lead_score, f.lead_score
  from unnest(v_ids, v_are_won) as l (id, is_won)
  join scoring.reckon(v_organization_id, v_ids, v_instants, backtest_scoring_model.document, false) as r on r.lead_id = l.id
  join scoring.reckon(v_organization_id, v_ids, v_instants, v_in_force, false) as f on f.lead_id = l.id;
end
$$;

comment on function admin.backtest_scoring_model(uuid, jsonb, uuid[]) is
$$Scores each lead that is won or lost as of its qualification, from what had been observed until then, and keeps nothing.

lead_ids: some of admin.backtest_leads, none twice; null: all, in one statement. Leads that were never qualified are left
out. A lead's own fields count as they are now. score_in_force: what the model in force gives. Raises PT404
organization_not_found, PT422 invalid_model.$$;

grant execute on function admin.backtest_scoring_model(uuid, jsonb, uuid[]) to leads_operator;
-- end frozen sql/admin/backtest_scoring_model.sql

-- begin frozen sql/admin/catalogue.sql
-- admin.catalogue - every object of our schemas, as the SQL that makes it: what drift is told by.
set local role leads_jobs;

create or replace function admin.catalogue()
returns table (object text, definition text, removal text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set bytea_output = 'hex'
set extra_float_digits = 1
set jit = off
begin atomic
  with our_role as (
    select r.*
    from pg_catalog.pg_roles as r
    where r.rolname in (
      'leads_owner', 'leads_auth', 'leads_exec', 'leads_jobs', 'leads_audit', 'leads_eraser', 'leads_bi', 'leads_api',
      'leads_worker', 'leads_operator'
    )
  ),
  our_schema as (
    select n.oid, quote_ident(n.nspname) as name, n.nspowner::regrole as owner, n.nspacl as acl
    from pg_catalog.pg_namespace as n
    where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring') or n.nspowner in (select r.oid from our_role as r)
  ),
  relation as (
    select
      c.oid, c.oid::regclass::text as name, c.relkind as kind, c.relowner as owner_id, c.relowner::regrole as owner,
      c.relacl as acl, c.relpersistence as persistence, c.relrowsecurity as has_rls,
      c.relforcerowsecurity as forces_rls,
      case c.relkind
        when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' when 'S' then 'sequence'
        else 'table'
      end as noun,
      (select string_agg(o.option, ', ' order by o.option) from unnest(c.reloptions) as o (option)) as options
    from pg_catalog.pg_class as c
    where c.relnamespace in (select s.oid from our_schema as s) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  ),
  attribute as (
    select
      a.attrelid as relation, a.attnum as position, quote_ident(a.attname) as name, a.attacl as acl,
      concat_ws(
        ' ',
        format_type(a.atttypid, a.atttypmod),
        case when a.attcollation <> t.typcollation then 'collate ' || a.attcollation::regcollation end,
        case a.attgenerated when 's' then 'generated always as' when 'v' then 'virtual as' else
          case a.attidentity when 'a' then 'identity always' when 'd' then 'identity' else
            case when d.oid is not null then 'default' end
          end
        end,
        pg_get_expr(d.adbin, d.adrelid),
        case when a.attnotnull then 'not null' end,
        'statistics ' || nullif(a.attstattarget, -1)
      ) as definition
    from pg_catalog.pg_attribute as a
    join pg_catalog.pg_type as t on t.oid = a.atttypid
    left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attnum > 0 and not a.attisdropped
  ),
  routine as (
    select
      p.oid, p.proowner as owner_id, p.proowner::regrole as owner, p.proacl as acl, p.prokind as kind,
      case p.prokind when 'a' then 'aggregate ' when 'p' then 'procedure ' else 'function ' end
      || p.oid::regprocedure as name
    from pg_catalog.pg_proc as p
    where p.pronamespace in (select s.oid from our_schema as s)
  ),
  type as (
    select
      t.oid, format_type(t.oid, null) as name, t.typowner as owner_id, t.typowner::regrole as owner, t.typacl as acl,
      case t.typtype when 'd' then 'domain ' else 'type ' end || format_type(t.oid, null) as noun_and_name,
      case t.typtype
        when 'd' then concat_ws(
          ' ',
          'as', format_type(t.typbasetype, t.typtypmod),
          case when t.typcollation <> b.typcollation then 'collate ' || t.typcollation::regcollation end,
          'default ' || t.typdefault,
          case when t.typnotnull then 'not null' end,
          (
            select string_agg(
              format('constraint %I %s', c.conname, pg_get_constraintdef(c.oid)), ' ' order by c.conname
            )
            from pg_catalog.pg_constraint as c
            where c.contypid = t.oid and c.contype = 'c'
          )
        )
        when 'e' then format(
          'as enum (%s)',
          (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
            from pg_catalog.pg_enum as e where e.enumtypid = t.oid)
        )
        else format(
          'as (%s)',
          (select string_agg(a.name || ' ' || a.definition, ', ' order by a.position)
            from attribute as a where a.relation = t.typrelid)
        )
      end as definition
    from pg_catalog.pg_type as t
    left join pg_catalog.pg_class as c on c.oid = t.typrelid
    left join pg_catalog.pg_type as b on b.oid = t.typbasetype
    where
      t.typnamespace in (select s.oid from our_schema as s)
      and (t.typtype in ('d', 'e') or (t.typtype = 'c' and c.relkind = 'c'))
  ),
  acl as (
    select 'schema ' || s.name as target, '' as "column", s.owner::oid as owner_id, s.acl as items
    from our_schema as s
    union all
    select case r.kind when 'S' then 'sequence ' else 'table ' end || r.name, '', r.owner_id, r.acl
    from relation as r
    union all
    select 'table ' || r.name, format(' (%s)', a.name), r.owner_id, a.acl
    from relation as r
    join attribute as a on a.relation = r.oid
    union all
    select 'routine ' || f.oid::regprocedure, '', f.owner_id, coalesce(f.acl, acldefault('f', f.owner_id))
    from routine as f
    union all
    select 'type ' || t.name, '', t.owner_id, coalesce(t.acl, acldefault('T', t.owner_id))
    from type as t
  ),
  -- What an owner may do goes with the ownership.
  privilege as (
    select
      format('%s%s on %s', lower(x.privilege_type), a."column", a.target) as name,
      case x.grantee when 0 then 'public' else x.grantee::regrole::text end as grantee,
      bool_or(x.is_grantable) as is_grantable
    from acl as a
    cross join lateral aclexplode(a.items) as x
    where x.grantee <> a.owner_id
    group by 1, 2
  )
  select 'server', 'PostgreSQL ' || current_setting('server_version_num')::integer / 10000, null::text

  union all
  select
    'role ' || r.rolname,
    format(
      'alter role %I %s;',
      r.rolname,
      concat_ws(
        ' ',
        case when r.rolsuper then 'superuser' else 'nosuperuser' end,
        case when r.rolinherit then 'inherit' else 'noinherit' end,
        case when r.rolcreaterole then 'createrole' else 'nocreaterole' end,
        case when r.rolcreatedb then 'createdb' else 'nocreatedb' end,
        case when r.rolcanlogin then 'login' else 'nologin' end,
        case when r.rolreplication then 'replication' else 'noreplication' end,
        case when r.rolbypassrls then 'bypassrls' else 'nobypassrls' end
      )
    ),
    null
  from our_role as r

  -- Who is a member of ours isn't here: analysts come and go, and the migrating login has another name elsewhere.
  union all
  select distinct
    format('membership of %I in %s', r.rolname, m.roleid::regrole),
    format('grant %s to %I;', m.roleid::regrole, r.rolname),
    format('revoke %s from %I;', m.roleid::regrole, r.rolname)
  from pg_catalog.pg_auth_members as m
  join our_role as r on r.oid = m.member

  union all
  select 'schema ' || s.name, format('alter schema %s owner to %s;', s.name, s.owner), format('drop schema %s;', s.name)
  from our_schema as s

  union all
  select
    format('grant %s to %s', p.name, p.grantee),
    format('grant %s to %s;', p.name, p.grantee),
    format('revoke %s from %s;', p.name, p.grantee)
  from privilege as p
  union all
  select
    format('grant option for %s to %s', p.name, p.grantee),
    format('grant %s to %s with grant option;', p.name, p.grantee),
    format('revoke grant option for %s from %s;', p.name, p.grantee)
  from privilege as p
  where p.is_grantable

  union all
  select
    format(
      'default privileges of %s on %s%s', d.defaclrole::regrole, t.noun,
      ' in ' || nullif(d.defaclnamespace, 0)::regnamespace
    ),
    (
      select string_agg(
        concat_ws(
          ' ', lower(x.privilege_type), 'to', case x.grantee when 0 then 'public' else x.grantee::regrole::text end
        ), ', ' order by x.privilege_type, x.grantee::regrole::text
      )
      from aclexplode(d.defaclacl) as x
    ),
    null
  from pg_catalog.pg_default_acl as d
  join (values
    ('r'::"char", 'tables'), ('S', 'sequences'), ('f', 'functions'), ('T', 'types'), ('n', 'schemas'),
    ('L', 'large objects')
  ) as t (kind, noun) on t.kind = d.defaclobjtype
  where d.defaclrole in (select r.oid from our_role as r)

  union all
  select
    r.noun || ' ' || r.name,
    case r.kind
      when 'v' then format(
        e'create or replace view %s%s as\n%s\nalter view %1$s owner to %4$s;',
        r.name, ' with (' || r.options || ')', pg_get_viewdef(r.oid), r.owner
      )
      when 'm' then format('owner %s as %s', r.owner, pg_get_viewdef(r.oid))
      when 'S' then format(
        'alter sequence %s as %s start %s increment %s minvalue %s maxvalue %s cache %s %s owner to %s;',
        r.name, s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
        case when s.seqcycle then 'cycle' else 'no cycle' end, r.owner
      )
      else format(
        'alter %s %s %s;',
        r.noun,
        r.name,
        concat_ws(
          ', ',
          format('owner to %s', r.owner),
          case when r.has_rls then 'enable row level security' else 'disable row level security' end,
          case when r.forces_rls then 'force row level security' else 'no force row level security' end,
          case when r.kind = 'r' then case r.persistence when 'u' then 'set unlogged' else 'set logged' end end,
          'set (' || r.options || ')'
        )
      )
    end,
    format('drop %s %s;', r.noun, r.name)
  from relation as r
  left join pg_catalog.pg_sequence as s on s.seqrelid = r.oid

  union all
  select
    format('column %s.%s', r.name, a.name),
    a.definition,
    format('alter table %s drop column %s;', r.name, a.name)
  from relation as r
  join attribute as a on a.relation = r.oid
  where r.kind in ('r', 'p', 'f')

  -- A column's NOT NULL is a constraint from PostgreSQL 18 on; here it stands with the column.
  union all
  select
    format('constraint %I on %s', c.conname, r.name),
    format(
      e'alter table %s drop constraint if exists %I;\nalter table %1$s add constraint %2$I %3$s;',
      r.name, c.conname, pg_get_constraintdef(c.oid)
    ),
    format('alter table %s drop constraint %I;', r.name, c.conname)
  from relation as r
  join pg_catalog.pg_constraint as c on c.conrelid = r.oid
  where c.contype in ('c', 'f', 'p', 'u', 'x')

  union all
  select
    format('index %s on %s', i.indexrelid::regclass, r.name),
    concat_ws(
      e'\n',
      format('drop index if exists %s;', i.indexrelid::regclass),
      pg_get_indexdef(i.indexrelid) || ';',
      case when not i.indisvalid then '-- invalid' end,
      (
        select string_agg(
          format('alter index %s alter column %s set statistics %s;', i.indexrelid::regclass, a.attnum, a.attstattarget),
          e'\n' order by a.attnum
        )
        from pg_catalog.pg_attribute as a
        where a.attrelid = i.indexrelid and a.attstattarget >= 0
      )
    ),
    format('drop index %s;', i.indexrelid::regclass)
  from relation as r
  join pg_catalog.pg_index as i on i.indrelid = r.oid
  where not exists (
    select from pg_catalog.pg_constraint as c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x')
  )

  union all
  select
    format('trigger %I on %s', t.tgname, r.name),
    concat_ws(
      e'\n',
      format('drop trigger if exists %I on %s;', t.tgname, r.name),
      pg_get_triggerdef(t.oid) || ';',
      case t.tgenabled
        when 'A' then format('alter table %s enable always trigger %I;', r.name, t.tgname)
        when 'R' then format('alter table %s enable replica trigger %I;', r.name, t.tgname)
        when 'D' then format('alter table %s disable trigger %I;', r.name, t.tgname)
      end
    ),
    format('drop trigger %I on %s;', t.tgname, r.name)
  from relation as r
  join pg_catalog.pg_trigger as t on t.tgrelid = r.oid
  where not t.tgisinternal

  union all
  select
    format('policy %I on %s', p.polname, r.name),
    format(
      e'drop policy if exists %I on %s;\ncreate policy %1$I on %2$s as %3$s for %4$s to %5$s%6$s%7$s;',
      p.polname,
      r.name,
      case when p.polpermissive then 'permissive' else 'restrictive' end,
      case p.polcmd
        when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all'
      end,
      (
        select string_agg(
          case g.id when 0 then 'public' else g.id::regrole::text end, ', ' order by g.id::regrole::text
        )
        from unnest(p.polroles) as g (id)
      ),
      ' using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
      ' with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'
    ),
    format('drop policy %I on %s;', p.polname, r.name)
  from relation as r
  join pg_catalog.pg_policy as p on p.polrelid = r.oid

  union all
  select
    format('rule %I on %s', w.rulename, r.name),
    pg_get_ruledef(w.oid),
    format('drop rule %I on %s;', w.rulename, r.name)
  from relation as r
  join pg_catalog.pg_rewrite as w on w.ev_class = r.oid
  where w.rulename <> '_RETURN'

  union all
  select
    f.name,
    case when f.kind = 'a' then format('owner %s', f.owner) else
      format(
        e'%s;\nalter routine %s owner to %s;', rtrim(pg_get_functiondef(f.oid), e'\n'), f.oid::regprocedure, f.owner
      )
    end,
    format('drop %s;', f.name)
  from routine as f

  union all
  select
    t.noun_and_name,
    format(e'create %s %s;\nalter %1$s owner to %3$s;', t.noun_and_name, t.definition, t.owner),
    format('drop %s;', t.noun_and_name)
  from type as t

  -- Operators, collations, statistics objects and whatever else can stand in a schema: we have none.
  union all
  select distinct
    format('%s %s', replace(o.type, ' object', ''), o.identity),
    '',
    format('drop %s %s;', replace(o.type, ' object', ''), o.identity)
  from pg_catalog.pg_depend as d
  cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) as o
  where
    d.refclassid = 'pg_catalog.pg_namespace'::regclass
    and d.refobjid in (select s.oid from our_schema as s)
    and d.classid not in (
      'pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_type'::regclass,
      'pg_catalog.pg_default_acl'::regclass
    );
end;

comment on function admin.catalogue() is
$$Every object of our schemas, every grant on one, and our roles: stable text, whatever the session's settings.

definition: the SQL that makes it, or makes it so again, ending with a semicolon; without one, where no single statement
could: what it is, in words. removal: the SQL that takes it away; null for what can't go.$$;
-- end frozen sql/admin/catalogue.sql

-- begin frozen sql/admin/findings.sql
-- admin.findings - leads doctor: what is wrong with this database.
set local role leads_jobs;

create or replace function admin.findings(release integer default null)
returns table (subject text, finding text, remedy text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
set jit = off
begin atomic
  with our_role as (
    select
      e.name, e.kind, e.kind = 'login' as may_log_in,
      r.oid, r.rolcanlogin, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication
    from (values
      ('leads_owner', 'owner'), ('leads_auth', 'owner'), ('leads_exec', 'owner'), ('leads_jobs', 'owner'),
      ('leads_audit', 'sealed'), ('leads_eraser', 'sealed'), ('leads_bi', 'group'),
      ('leads_api', 'login'), ('leads_worker', 'login'), ('leads_operator', 'login')
    ) as e (name, kind)
    left join pg_catalog.pg_roles as r on r.rolname = e.name
  ),
  our_schema as (
    select n.oid, n.nspname as name, n.nspacl as acl
    from pg_catalog.pg_namespace as n
    where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring') or n.nspowner in (select r.oid from our_role as r)
  ),
  relation as (
    select
      c.oid, c.oid::regclass::text as name, c.relkind as kind, c.relacl as acl, c.reloptions as options,
      c.relrowsecurity as has_rls, c.relforcerowsecurity as forces_rls
    from pg_catalog.pg_class as c
    where c.relnamespace in (select s.oid from our_schema as s) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  ),
  tenant_table as (
    select r.*, a.attnum as tenant_column
    from relation as r
    join pg_catalog.pg_attribute as a on a.attrelid = r.oid and a.attname = 'organization_id' and not a.attisdropped
    where r.kind in ('r', 'p')
  ),
  routine as (
    select
      p.oid::regprocedure as name, n.nspname as schema, s.oid is not null as is_ours, o.rolname as owner,
      r.oid is not null as is_owner_ours,
      p.prosecdef as is_definer, p.prosqlbody is not null as is_atomic, p.proconfig as settings,
      p.proleakproof as is_leakproof, coalesce(p.proacl, acldefault('f', p.proowner)) as acl
    from pg_catalog.pg_proc as p
    join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
    join pg_catalog.pg_roles as o on o.oid = p.proowner
    left join our_schema as s on s.oid = n.oid
    left join our_role as r on r.oid = o.oid and r.kind in ('owner', 'sealed')
    where s.oid is not null or r.oid is not null
  ),
  membership as (
    select
      m.member, m.roleid::regrole as granted, m.member::regrole as member_name, m.grantor::regrole as grantor, r.kind,
      exists (select from our_role as o where o.oid = m.member) as is_member_ours,
      -- PostgreSQL 15 has neither column: there a member inherits, and may SET ROLE.
      coalesce((to_jsonb(m) ->> 'set_option')::boolean, true) as may_set,
      coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) as inherits,
      to_jsonb(m) ? 'set_option' as has_options,
      format('revoke %s from %s granted by %s;', m.roleid::regrole, m.member::regrole, m.grantor::regrole) as removal,
      l.rolcanlogin and (l.rolcreaterole or l.rolsuper) as is_migrating
    from pg_catalog.pg_auth_members as m
    join pg_catalog.pg_roles as l on l.oid = m.member
    left join our_role as r on r.oid = m.roleid
  ),
  drift as (
    select d.* from admin.drift() as d where d.whole is null
  ),

  role_finding as (
    select
      'role ' || r.name as subject, 'The role is missing.' as finding,
      format('create role %I %s;', r.name, case when r.may_log_in then 'login' else 'nologin' end) as remedy
    from our_role as r
    where r.oid is null
    union all
    select
      'role ' || r.name,
      format('It has %s, which none of our roles needs.', a.name),
      format('/* as a superuser */ alter role %I no%s;', r.name, lower(a.name))
    from our_role as r
    cross join lateral (values
      ('SUPERUSER', r.rolsuper), ('BYPASSRLS', r.rolbypassrls), ('CREATEROLE', r.rolcreaterole),
      ('CREATEDB', r.rolcreatedb), ('REPLICATION', r.rolreplication)
    ) as a (name, is_held)
    where a.is_held
    union all
    select
      'role ' || r.name,
      'It can log in, and owns what logins should only call.',
      format('alter role %I nologin;', r.name)
    from our_role as r
    where r.rolcanlogin and not r.may_log_in
    union all
    select 'role ' || r.name, 'It can''t log in.', format('alter role %I login;', r.name)
    from our_role as r
    where not r.rolcanlogin and r.may_log_in
    union all
    select
      format('membership of %s in %s', m.member_name, m.granted),
      'None of our roles is a member of another role: it would have that role''s rights.',
      m.removal
    from membership as m
    where m.is_member_ours
    union all
    select
      format('membership of %s in %s', m.member_name, m.granted),
      case m.kind
        when 'sealed' then 'Nobody acts as this role: its functions alone write, or erase, what the audit log holds.'
        when 'owner' then 'Only the migrating login acts as this role, which owns our objects.'
        else 'The member can act as this login.'
      end,
      m.removal
    from membership as m
    where
      not m.is_member_ours
      -- Who made a role keeps ADMIN OPTION alone, and can't be rid of it.
      and (m.may_set or m.inherits)
      and (m.kind in ('sealed', 'login') or (m.kind = 'owner' and not m.is_migrating))
    union all
    select
      format('membership of %s in %s', m.member_name, m.granted),
      'An analyst who may SET ROLE to the group sheds what is bound to the analyst''s own login.',
      format('grant leads_bi to %s with inherit true, set false granted by %s;', m.member_name, m.grantor)
    from membership as m
    where m.kind = 'group' and m.has_options and m.may_set and not m.is_member_ours
    union all
    select
      'role ' || m.member_name,
      'The analyst is a superuser or has BYPASSRLS: row-level security doesn''t bind the login.',
      format('/* as a superuser */ alter role %s nosuperuser nobypassrls;', m.member_name)
    from membership as m
    join pg_catalog.pg_roles as l on l.oid = m.member
    where m.kind = 'group' and (l.rolsuper or l.rolbypassrls) and not m.is_migrating
  ),

  row_security_finding as (
    select
      'table ' || t.name as subject, 'Row-level security is off: each caller sees all organizations.' as finding,
      format('alter table %s enable row level security;', t.name) as remedy
    from tenant_table as t
    where not t.has_rls
    union all
    select
      'table ' || t.name,
      'Row-level security isn''t forced: it doesn''t bind the table''s owner.',
      format('alter table %s force row level security;', t.name)
    from tenant_table as t
    where not t.forces_rls
    union all
    select
      'view ' || v.name,
      'It reads as its owner, whoever asks.',
      format('alter view %s set (security_invoker = true);', v.name)
    from relation as v
    where v.kind = 'v' and not coalesce(v.options @> array['security_invoker=true'], false)
    union all
    select
      format('%s %s', n.noun, r.name),
      'Row-level security can''t bind a relation of this kind.',
      format('drop %s %s;', n.noun, r.name)
    from relation as r
    join (values ('m'::"char", 'materialized view'), ('f', 'foreign table')) as n (kind, noun) on n.kind = r.kind
    union all
    select
      format('rule %I on %s', w.rulename, r.name),
      'A rule rewrites statements on the table, and may swallow them.',
      format('drop rule %I on %s;', w.rulename, r.name)
    from relation as r
    join pg_catalog.pg_rewrite as w on w.ev_class = r.oid
    where r.kind <> 'v' and r.kind <> 'm' and w.rulename <> '_RETURN'
  ),

  -- What a policy lets pass, and to whom. A restrictive one lets nothing pass.
  passage as (
    select
      t.name as "table", p.polname as name, p.polcmd as command, r.rolname as role, e.expression,
      coalesce(d.remedy, format('drop policy %I on %s;', p.polname, t.name)) as remedy
    from tenant_table as t
    join pg_catalog.pg_policy as p on p.polrelid = t.oid and p.polpermissive
    cross join lateral unnest(p.polroles) as g (id)
    left join pg_catalog.pg_roles as r on r.oid = g.id
    cross join lateral (
      select distinct coalesce(x.expression, 'true') as expression
      from (values
        (pg_get_expr(p.polqual, p.polrelid), p.polcmd <> 'a'),
        (pg_get_expr(coalesce(p.polwithcheck, p.polqual), p.polrelid), p.polcmd not in ('r', 'd'))
      ) as x (expression, is_used)
      where x.is_used
    ) as e
    left join drift as d on d.object = format('policy %I on %s', p.polname, t.name)
  ),
  policy_finding as (
    select
      format('policy %I on %s', p.name, p."table") as subject,
      case
        when p.role is null then 'It lets everybody pass.'
        when p.expression = 'true' then format('It lets %s reach the rows of all organizations.', p.role)
        else format('It isn''t of the reviewed form: %s', p.expression)
      end as finding,
      p.remedy
    from passage as p
    where
      p.role is null
      or not (
        -- The organization isn't known yet, or all are meant: each of these roles owns functions only.
        (p.expression = 'true' and p.role in ('leads_auth', 'leads_jobs', 'leads_audit'))
        or (
          p.role = 'leads_exec'
          and p.expression in (
            -- To read, any scope will do.
            select format('(organization_id = ( SELECT auth.organization_id(%L::text) AS organization_id))', s.scope)
            from (values ('read'), ('write'), ('admin')) as s (scope)
            where s.scope <> 'read' or p.command = 'r'
          )
        )
      )
  ),

  -- Each tenant table's changes are recorded, but for what is no business of the log, and the log itself.
  expected_trigger as (
    select
      t.oid, t.name as "table", '_900_record'::name as trigger, false as is_always,
      -- tgtype's bits: row 1, before 2, insert 4, delete 8, update 16. A new score is recorded with its lead.
      case t.name when 'scoring.score' then 1 | 8 else 1 | 4 | 8 | 16 end as type
    from tenant_table as t
    where t.name not in ('app.idempotency_key', 'audit.event')
    union all
    select t.oid, t.name, g.trigger, g.is_always, null
    from (values
      ('app.lead', '_100_refuse_truncate', false),
      ('app.lead', '_110_check_first_score', false),
      ('app.lead', '_120_check_score', false),
      ('app.lead', '_600_keep_first_score', false),
      ('app.lead', '_610_keep_set_score', false),
      ('auth.api_key', '_100_refuse_truncate', false),
      ('scoring.model', '_100_refuse_truncate', false),
      ('scoring.model', '_130_keep_active', false),
      ('scoring.model', '_140_keep_history', false),
      ('scoring.score', '_100_refuse_truncate', false),
      ('scoring.score', '_110_refuse_change', false),
      ('scoring.score', '_120_check', false),
      ('scoring.score', '_500_apply', false),
      ('scoring.signal', '_100_refuse_truncate', false),
      ('audit.event', '_100_refuse_change', true),
      ('audit.event', '_110_refuse_truncate', true)
    ) as g ("table", trigger, is_always)
    join tenant_table as t on t.name = g."table"
  ),
  trigger_finding as (
    select
      format('trigger %I on %s', e.trigger, e."table") as subject,
      case e.trigger
        when '_900_record' then 'The trigger is missing: changes leave no trace in the audit log.'
        else 'The guard is missing: what must not be changed can be.'
      end as finding,
      coalesce(d.remedy, 'Write it like its neighbours in sql/, in a new migration, and say: leads migrate') as remedy
    from expected_trigger as e
    left join drift as d on d.object = format('trigger %I on %s', e.trigger, e."table")
    where not exists (select from pg_catalog.pg_trigger as t where t.tgrelid = e.oid and t.tgname = e.trigger)
    union all
    select
      format('trigger %I on %s', e.trigger, e."table"),
      'The trigger doesn''t fire after each change: some changes leave no trace in the audit log.',
      coalesce(d.remedy, 'Write it like its neighbours in sql/, in a new migration, and say: leads migrate')
    from expected_trigger as e
    join pg_catalog.pg_trigger as t on t.tgrelid = e.oid and t.tgname = e.trigger
    join pg_catalog.pg_proc as f on f.oid = t.tgfoid
    left join drift as d on d.object = format('trigger %I on %s', e.trigger, e."table")
    where
      e.trigger = '_900_record'
      and (t.tgtype & 31 <> e.type or t.tgqual is not null or t.tgattr::text <> '' or f.pronamespace <> 'audit'::regnamespace)
    union all
    select
      format('trigger %I on %s', t.tgname, r.name),
      case
        when t.tgenabled = 'D' then 'The trigger is disabled.'
        when t.tgenabled = 'R' then 'The trigger fires for replicated changes only.'
        else 'The guard doesn''t fire where session_replication_role says replica.'
      end,
      format(
        'alter table %s enable %strigger %I;', r.name, case when e.is_always then 'always ' end, t.tgname
      )
    from relation as r
    join pg_catalog.pg_trigger as t on t.tgrelid = r.oid
    left join expected_trigger as e on e.oid = r.oid and e.trigger = t.tgname
    where t.tgenabled in ('D', 'R') or (e.is_always and t.tgenabled <> 'A')
  ),

  -- Else EXPLAIN tells one tenant what another has. By name: what is read before the organization is known.
  key as (
    select
      'index' as noun, i.indexrelid::regclass as index, t.name as "table", null::name as name,
      format('index %s on %s', i.indexrelid::regclass, t.name) as subject,
      'The index isn''t led by organization_id: EXPLAIN shows one tenant what another has.' as finding
    from tenant_table as t
    join pg_catalog.pg_index as i on i.indrelid = t.oid
    where
      i.indkey[0] <> t.tenant_column
      and not exists (select from pg_catalog.pg_constraint as c where c.conindid = i.indexrelid and c.conrelid = t.oid)
    union all
    select
      'constraint', null, t.name, c.conname, format('constraint %I on %s', c.conname, t.name),
      case c.contype
        when 'f' then 'The foreign key isn''t led by organization_id: it can refer to another tenant''s row.'
        else 'The key isn''t led by organization_id: EXPLAIN shows one tenant what another has.'
      end
    from tenant_table as t
    join pg_catalog.pg_constraint as c on c.conrelid = t.oid
    left join pg_catalog.pg_index as i on i.indexrelid = c.conindid
    where
      t.tenant_column <> case when c.contype = 'f' then c.conkey[1] when c.contype in ('p', 'u', 'x') then i.indkey[0] end
      and c.conname <> 'api_key_digest_is_unique'
  ),
  index_finding as (
    select
      k.subject,
      k.finding,
      coalesce(
        d.remedy,
        case k.noun
          when 'index' then format('drop index %s;', k.index)
          else format('alter table %s drop constraint %I;', k."table", k.name)
        end
      ) as remedy
    from key as k
    left join drift as d on d.object = k.subject
    union all
    select
      format('index %s on %s', i.indexrelid::regclass, r.name),
      'The index is invalid: CREATE INDEX CONCURRENTLY broke off, and no query uses it.',
      format('reindex index %s;', i.indexrelid::regclass)
    from relation as r
    join pg_catalog.pg_index as i on i.indrelid = r.oid
    where not i.indisvalid
    union all
    select
      format('column %s.%I', t.name, a.attname),
      'ANALYZE keeps statistics of the column: EXPLAIN shows one tenant what another has.',
      format('alter table %s alter column %I set statistics 0;', t.name, a.attname)
    from tenant_table as t
    join pg_catalog.pg_attribute as a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    where coalesce(a.attstattarget, -1) <> 0
    union all
    select
      format('index %s on %s', i.indexrelid::regclass, t.name),
      'ANALYZE keeps statistics of an expression in the index: EXPLAIN shows one tenant what another has.',
      format('alter index %s alter column %s set statistics 0;', i.indexrelid::regclass, a.attnum)
    from tenant_table as t
    join pg_catalog.pg_index as i on i.indrelid = t.oid
    join pg_catalog.pg_attribute as a on a.attrelid = i.indexrelid
    where i.indkey[a.attnum - 1] = 0 and coalesce(a.attstattarget, -1) <> 0
    union all
    select
      format('statistics %I.%I', n.nspname, s.stxname),
      'ANALYZE keeps statistics of several columns: EXPLAIN shows one tenant what another has.',
      format('drop statistics %I.%I;', n.nspname, s.stxname)
    from tenant_table as t
    join pg_catalog.pg_statistic_ext as s on s.stxrelid = t.oid
    join pg_catalog.pg_namespace as n on n.oid = s.stxnamespace
  ),

  -- Whose rights a SECURITY DEFINER function may have, by schema; the first is the usual one.
  definer as (
    select d.schema, array_agg(d.owner order by d.rank) as owners
    from (values
      ('api', 'leads_exec', 1), ('auth', 'leads_auth', 1), ('audit', 'leads_audit', 1), ('audit', 'leads_eraser', 2),
      ('admin', 'leads_jobs', 1), ('admin', 'leads_owner', 2)
    ) as d (schema, owner, rank)
    group by d.schema
  ),
  function_finding as (
    select
      'function ' || f.name as subject,
      'A caller''s search_path, or temporary objects, decide what the names in it mean.' as finding,
      format('alter routine %s set search_path = pg_catalog, pg_temp;', f.name) as remedy
    from routine as f
    where f.is_ours and not f.is_atomic and not coalesce(f.settings @> array['search_path=pg_catalog, pg_temp'], false)
    union all
    select
      format('grant execute on routine %s to public', f.name),
      'Everybody may execute it.',
      format('revoke execute on routine %s from public;', f.name)
    from routine as f
    where
      f.is_ours
      -- By name: the shim's question whether its own login may serve.
      and f.name::text <> 'api.session_faults()'
      and exists (select from aclexplode(f.acl) as x where x.grantee = 0)
    union all
    select
      'function ' || f.name,
      format('It belongs to %s.', f.owner),
      format('alter routine %s owner to %I;', f.name, coalesce(d.owners[1], 'leads_owner'))
    from routine as f
    left join definer as d on d.schema = f.schema
    where f.is_ours and (not f.is_owner_ours or (f.is_definer and not f.owner = any (d.owners)))
    union all
    select
      'function ' || f.name,
      format('It is SECURITY DEFINER, and has the rights of %s; in this schema none needs another''s.', f.owner),
      format('alter routine %s security invoker;', f.name)
    from routine as f
    where f.is_ours and f.is_definer and f.schema not in (select d.schema from definer as d)
    union all
    select
      format('%s %s', k.noun, c.oid::regclass),
      format('It has the rights of %s, and stands outside our schemas.', c.relowner::regrole),
      format('drop %s %s;', k.noun, c.oid::regclass)
    from pg_catalog.pg_class as c
    join our_role as r on r.oid = c.relowner
    join (values ('r'::"char", 'table'), ('p', 'table'), ('v', 'view'), ('m', 'materialized view')) as k (kind, noun)
      on k.kind = c.relkind
    where c.relnamespace not in (select s.oid from our_schema as s)
    union all
    select
      'function ' || f.name,
      format('It has the rights of %s, and stands outside our schemas.', f.owner),
      format('drop routine %s;', f.name)
    from routine as f
    where f.is_owner_ours and not f.is_ours
    union all
    select
      'function ' || f.name,
      'It counts as leakproof: the planner may show it rows that a policy hides.',
      format('/* as a superuser */ alter function %s not leakproof;', f.name)
    from routine as f
    where f.is_ours and f.is_leakproof
    union all
    select
      format('default privileges of %s on functions', r.name),
      'Everybody may execute each function that the role makes.',
      format('alter default privileges for role %I revoke execute on functions from public;', r.name)
    from our_role as r
    left join pg_catalog.pg_default_acl as d on d.defaclrole = r.oid and d.defaclnamespace = 0 and d.defaclobjtype = 'f'
    where
      r.kind in ('owner', 'sealed')
      and r.oid is not null
      and exists (select from aclexplode(coalesce(d.defaclacl, acldefault('f', r.oid))) as x where x.grantee = 0)
  ),

  held as (
    select
      case r.kind when 'S' then 'sequence ' else 'table ' end || r.name as target, false as is_schema,
      lower(x.privilege_type) as privilege, x.grantee
    from relation as r
    cross join lateral aclexplode(r.acl) as x
    union all
    select 'table ' || r.name, false, format('%s (%I)', lower(x.privilege_type), a.attname), x.grantee
    from relation as r
    join pg_catalog.pg_attribute as a on a.attrelid = r.oid
    cross join lateral aclexplode(a.attacl) as x
    union all
    select format('schema %I', s.name), true, lower(x.privilege_type), x.grantee
    from our_schema as s
    cross join lateral aclexplode(s.acl) as x
  ),
  grant_finding as (
    select
      format('grant %s on %s to %s', h.privilege, h.target, r.name) as subject,
      case
        when h.is_schema then 'It can make objects, and so stand in for ours.'
        else 'The login reaches tables by functions alone.'
      end as finding,
      format('revoke %s on %s from %I;', h.privilege, h.target, r.name) as remedy
    from held as h
    join our_role as r on r.oid = h.grantee
    where
      case
        when h.is_schema then h.privilege = 'create' and r.kind in ('login', 'group')
        else r.kind = 'login'
      end
    union all
    select
      format('grant %s on %s to public', h.privilege, h.target),
      'Everybody has it.',
      format('revoke %s on %s from public;', h.privilege, h.target)
    from held as h
    where h.grantee = 0
    union all
    select
      format('grant %s on database to %s', lower(x.privilege_type), coalesce(r.name, 'public')),
      case x.privilege_type
        when 'CREATE' then 'It can make schemas, and so stand in for functions of others.'
        else 'It can make temporary objects, which stand in for others where a search_path is open.'
      end,
      case
        when r.name is null and x.privilege_type = 'TEMPORARY'
        then 'As a superuser, in this database: psql -f app/superuser.sql'
        else format('revoke %s on database %I from %s;', lower(x.privilege_type), d.datname, coalesce(r.name, 'public'))
      end
    from pg_catalog.pg_database as d
    cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) as x
    left join our_role as r on r.oid = x.grantee
    where
      d.datname = current_database()
      and x.privilege_type in ('CREATE', 'TEMPORARY')
      and (x.grantee = 0 or r.kind in ('login', 'group'))
    union all
    select
      format('grant %s on schema public to public', lower(x.privilege_type)),
      'The schema public stays empty, and nobody''s.',
      'As a superuser, in this database: psql -f app/superuser.sql'
    from pg_catalog.pg_namespace as n
    cross join lateral aclexplode(n.nspacl) as x
    where n.nspname = 'public' and x.grantee = 0
    union all
    select
      format('grant execute on function %s to public', f.oid::regprocedure),
      'Everybody can keep data in large objects, which belong to no organization and have no policy.',
      'As a superuser, in this database: psql -f app/superuser.sql'
    from pg_catalog.pg_proc as f
    cross join lateral aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as x
    where
      f.pronamespace = 'pg_catalog'::regnamespace
      and f.proname in ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_export')
      and x.grantee = 0
    union all
    select
      format('grant %s on parameter %s to %s', lower(x.privilege_type), p.parname, coalesce(r.name, 'public')),
      'It can change a setting that is a superuser''s.',
      format(
        '/* as a superuser */ revoke %s on parameter %s from %s;',
        lower(x.privilege_type), p.parname, coalesce(quote_ident(r.name), 'public')
      )
    from pg_catalog.pg_parameter_acl as p
    cross join lateral aclexplode(p.paracl) as x
    left join our_role as r on r.oid = x.grantee
    where x.grantee = 0 or r.oid is not null
  ),

  setting_finding as (
    select
      'setting ' || w.name as subject,
      case w.harm
        when 'loss' then 'A power cut can destroy the database.'
        when 'decay' then 'What a disk has spoilt isn''t noticed.'
        when 'parameters' then 'The server''s log can show parameters, which are credentials and personal data.'
        when 'rows' then 'The server''s log can show personal data: the DETAIL of an error holds the row.'
      end as finding,
      case w.harm
        when 'decay' then 'Stop the server, and say: pg_checksums --enable -D DATA_FOLDER'
        else format('As a superuser: alter system set %s = %L; then: select pg_reload_conf();', w.name, w.good)
      end as remedy
    from (values
      ('fsync', 'on', 'loss'),
      ('full_page_writes', 'on', 'loss'),
      ('data_checksums', 'on', 'decay'),
      ('log_error_verbosity', 'terse', 'rows'),
      ('log_parameter_max_length', '0', 'parameters'),
      ('log_parameter_max_length_on_error', '0', 'parameters'),
      -- Of libraries that the server may load.
      ('auto_explain.log_parameter_max_length', '0', 'parameters'),
      ('pgaudit.log_parameter', 'off', 'parameters')
    ) as w (name, good, harm)
    join pg_catalog.pg_settings as s on s.name = w.name
    where s.setting <> w.good
    union all
    select
      'setting synchronous_commit', 'A power cut can lose what was acknowledged.',
      'As a superuser: alter system set synchronous_commit = ''on''; then: select pg_reload_conf();'
    from pg_catalog.pg_settings as s
    where s.name = 'synchronous_commit' and s.setting = 'off' and s.source in ('configuration file', 'command line')
    union all
    select
      format(
        'setting %s of %s', c.name, coalesce(r.name, case s.setdatabase when 0 then 'all roles' else 'the database' end)
      ),
      case
        when c.name like 'leads.%' then 'Each session of the login would begin with a claim.'
        when c.name = 'synchronous_commit' then 'A power cut can lose what was acknowledged.'
        when c.name like 'log\_%' then 'The server''s log can show credentials and personal data.'
        else 'It changes what our functions mean, or who is asking.'
      end,
      format(
        'alter %s reset %s;',
        case
          when r.oid is null and s.setdatabase = 0 then 'role all'
          when r.oid is null then format('database %I', current_database())
          when s.setdatabase = 0 then format('role %I', r.name)
          else format('role %I in database %I', r.name, current_database())
        end,
        c.name
      )
    from pg_catalog.pg_db_role_setting as s
    left join our_role as r on r.oid = s.setrole
    cross join lateral (
      select lower(split_part(u.line, '=', 1)) as name, substr(u.line, strpos(u.line, '=') + 1) as value
      from unnest(s.setconfig) as u (line)
    ) as c
    where
      s.setdatabase in (0, (select d.oid from pg_catalog.pg_database as d where d.datname = current_database()))
      and (s.setrole = 0 or r.oid is not null)
      and (
        -- One of our logins may set anything that it may set at all, and so break each later session of its own.
        r.oid is not null
        or c.name in ('search_path', 'row_security', 'session_replication_role', 'role', 'session_authorization')
        or c.name in ('local_preload_libraries', 'session_preload_libraries')
        or c.name like 'leads.%'
        or (c.name = 'synchronous_commit' and c.value = 'off')
        or (c.name in ('log_parameter_max_length', 'log_parameter_max_length_on_error') and c.value <> '0')
        or (c.name = 'log_error_verbosity' and c.value <> 'terse')
      )
  ),

  found as (
    select * from role_finding
    union all select * from row_security_finding
    union all select * from policy_finding
    union all select * from trigger_finding
    union all select * from index_finding
    union all select * from function_finding
    union all select * from grant_finding
    union all select * from admin.api_findings(findings.release)
    union all select * from setting_finding
  )
  select f.subject, f.finding, f.remedy from found as f
  union all
  -- What a rule has named already isn't named again.
  select
    d.object,
    case
      when d.object = 'catalogue' and d.change = 'new' then 'None is kept: what somebody has changed can''t be told.'
      when d.object = 'catalogue' then 'Another PostgreSQL kept it: what somebody has changed can''t be told.'
      when d.change = 'new' then 'No migration has made it.'
      when d.change = 'missing' then 'It is missing: no migration has taken it away.'
      else 'It isn''t what the migrations have made.'
    end,
    d.remedy
  from drift as d
  where not exists (select from found as f where f.subject = d.object);
end;

comment on function admin.findings(integer) is
$$What is wrong with this database: a row for each finding, with SQL that mends it (ending with a semicolon), or words.

release: the number of the newest migration that the asking program has; null: versions aren't compared. What it can't
see, for want of a superuser's rights: pg_hba.conf, passwords, what libraries the server loads, kept statistics.$$;

grant execute on function admin.findings(integer) to leads_operator;
-- end frozen sql/admin/findings.sql

set local role leads_owner;
revoke create on schema auth from leads_auth;
revoke create on schema api from leads_exec;
revoke create on schema admin from leads_jobs;
revoke create on schema audit from leads_audit;
reset role;

do $$
begin
  execute format('revoke leads_audit from %I', session_user);
end
$$;
