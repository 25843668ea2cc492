-- Scoring: signals, models and the history of scores.
--
-- Locks: none that matter; every object is new.
-- Duration: no rows exist yet.
-- Phase: baseline
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create function scoring.is_decimal(value jsonb, low numeric, high numeric)
returns boolean language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return
    jsonb_typeof(value) = 'number'
    and (value #>> '{}')::numeric between is_decimal.low and is_decimal.high
    and (value #>> '{}')::numeric = round((value #>> '{}')::numeric, 2);
end $$;

comment on function scoring.is_decimal(jsonb, numeric, numeric) is
  'Whether the value is a number from low to high with at most two decimals. Null for null.';

create function scoring.is_signal_value(value jsonb)
returns boolean language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  -- An object within an object is refused.
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
end $$;

comment on function scoring.is_signal_value(jsonb) is
  'Whether the value is true, false, null, a number of up to 40 digits, a text of up to 1,000 characters, or an object '
  'of up to 32 of these under names of 1 to 64 characters.';

create function scoring.model_faults(document jsonb)
returns json language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
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
    -- A rule that is not an object has only this one fault.
    object_rule as (
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
      select 0, 'groups', 'wrong_type', 'This must be a table that has a table for each group.'
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
      select r.position, r.path, 'wrong_type', 'A rule must be a table.'
      from rule as r
      where jsonb_typeof(r.rule) <> 'object'
      union all
      select
        r.position, r.path || '.' || k.key, 'unknown_key',
        'A rule has name, signal or field, key, operator, value, label, weight, half_life_hours and group.'
      from object_rule as r
      cross join jsonb_object_keys(r.rule) as k (key)
      where
        k.key not in (
          'name', 'signal', 'field', 'key', 'operator', 'value', 'label', 'weight', 'half_life_hours', 'group'
        )
      union all
      select
        r.position, r.path || '.name', 'invalid_name',
        'A rule has a name of 1 to 64 characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9.'
      from object_rule as r
      where (jsonb_typeof(r.rule -> 'name') = 'string' and app.is_name(r.rule ->> 'name')) is not true
      union all
      select r.position, r.path || '.name', 'duplicate_name', format('Another rule has the name "%s".', r.rule ->> 'name')
      from object_rule as r
      where exists (select from object_rule as o where o.rule -> 'name' = r.rule -> 'name' and o.position < r.position)
      union all
      select r.position, r.path || '.signal', 'signal_or_field', 'A rule must have either signal or field.'
      from object_rule as r
      where r.is_of_signal = (r.rule ? 'field')
      union all
      select
        r.position, r.path || '.signal', 'invalid_name',
        'A signal''s type has 1 to 64 characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9.'
      from object_rule as r
      where r.is_of_signal and (jsonb_typeof(r.rule -> 'signal') = 'string' and app.is_name(r.rule ->> 'signal')) is not true
      union all
      select
        r.position, r.path || '.field', 'unknown_field',
        'The fields are name, company, email, source, industry, company_size, pain_points, timeline and budget_range.'
      from object_rule as r
      where
        r.rule ? 'field'
        and r.rule -> 'field' not in (
          '"name"', '"company"', '"email"', '"source"', '"industry"', '"company_size"', '"pain_points"', '"timeline"',
          '"budget_range"'
        )
      union all
      select r.position, r.path || '.key', 'not_allowed', 'key requires a signal, and must be the name of a member of its value, of 1 to 64 characters.'
      from object_rule as r
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
      from object_rule as r
      where
        r.rule ? 'operator'
        and r.rule -> 'operator' not in (
          '"present"', '"absent"', '"equals"', '"differs"', '"one_of"', '"at_least"', '"at_most"'
        )
      union all
      select r.position, r.path || '.operator', 'not_allowed', 'at_least and at_most compare numbers, and a field is a text. Use another operator.'
      from object_rule as r
      where r.operator in ('at_least', 'at_most') and not r.is_of_signal
      union all
      select
        r.position, r.path || '.value', 'invalid_value',
        case
          when r.operator in ('present', 'absent') then 'The operators present and absent have no value. Leave it out.'
          when r.operator in ('at_least', 'at_most') then 'This must be a number of up to 40 digits.'
          when r.operator = 'one_of' then 'This must be a list of 1 to 50 texts and numbers.'
          else 'This must be true, a number or a text. (For false, use the operator absent.)'
        end
      from object_rule as r
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
        'A rule has a label: one line of 1 to 128 characters, without white space at its ends.'
      from object_rule as r
      where
        (
          jsonb_typeof(r.rule -> 'label') = 'string'
          and app.is_text(r.rule ->> 'label', 128)
          -- No control characters, line separators, or characters that change the direction of the text.
          and r.rule ->> 'label' collate "C" !~ U&'[\0001-\001F\007F-\009F\2028-\202E\2066-\2069]'
        ) is not true
      union all
      select
        r.position, r.path || '.weight', 'out_of_range',
        'A rule has a weight: a number from -1 to 1, except 0, with at most two decimals.'
      from object_rule as r
      where (scoring.is_decimal(r.rule -> 'weight', -1, 1) and (r.rule ->> 'weight')::numeric <> 0) is not true
      union all
      select
        r.position, r.path || '.half_life_hours', 'out_of_range',
        'This must be a number of hours from 0.01 to 87600 with at most two decimals.'
      from object_rule as r
      where r.rule ? 'half_life_hours' and not scoring.is_decimal(r.rule -> 'half_life_hours', 0.01, 87600)
      union all
      select
        r.position, r.path || '.half_life_hours', 'not_allowed',
        'Only a signal that exists has an age. Leave this out for a field, and with the operator absent.'
      from object_rule as r
      where r.rule ? 'half_life_hours' and (not r.is_of_signal or r.operator = 'absent')
      union all
      select r.position, r.path || '.group', 'unknown_group', 'This group does not exist. Add it to groups, with its cap.'
      from object_rule as r
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
end $$;

comment on function scoring.model_faults(jsonb) is
$$All faults of a scoring model as a JSON array of {field, code, detail}; null if there is no fault.

A model is an object: base (0 to 1, two decimals), rescore_on_signal (boolean, default false), groups (each
{"cap": …}), rules (up to 64). The field of a rule has the form rules[0].weight.$$;

create function scoring.is_model(document jsonb)
returns boolean language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return scoring.model_faults(document) is null;
end $$;

comment on function scoring.is_model(jsonb) is 'Whether the document is a scoring model without a fault.';

create table scoring.default_model (
  version integer not null,
  document jsonb not null,
  constraint default_model_pkey primary key (version),
  constraint default_model_version_is_positive check (version > 0),
  constraint default_model_document_is_model check (scoring.is_model(document))
);

comment on table scoring.default_model is
  'The models of organizations without a model of their own. The highest version counts. A version never changes.';

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

comment on table scoring.model is
  'The scoring models of an organization. At most one version is active, and at most one is a draft.';
comment on column scoring.model.version is 'Counts from 1.';
comment on column scoring.model.state is 'draft: it may be changed. active: it scores leads. retired: it was active, and can be activated again.';
comment on column scoring.model.document is 'The model: base, rescore_on_signal, groups, rules.';
comment on column scoring.model.activated_at is 'When the version was last activated.';

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

comment on table scoring.signal is 'Observations of a lead. Of each type the latest signal counts.';
comment on column scoring.signal.type is 'What was observed, as a machine name such as storm_event.';
comment on column scoring.signal.value is 'true, false, null, a number, a text, or a flat object of these. false and null do not count.';
comment on column scoring.signal.observed_at is 'When it was observed. The decay is computed from it.';
comment on column scoring.signal.dedupe_key is 'The sender''s key: a second signal with the same key is not stored.';
comment on column scoring.signal.created_at is 'When it was stored.';

comment on column scoring.signal.lead_and_type is
  'Lead and type in one column, to find the latest signal. With two columns and no statistics, the planner could not tell '
  'their index from the other indexes that begin with the lead.';

-- The first index finds the latest signal of a type. The second has the order of a page. The unique constraint has the
-- dedupe key before the lead for the same reason as above: its index must not begin with the lead.
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
  'The history of each lead''s score and reasons. Inserting a row of kind "scored" changes the lead.';
comment on column scoring.score.kind is 'scored: a model computed it. set: a client wrote it to the lead.';
comment on column scoring.score.model is 'Which model computed it: the organization''s own, or the default.';
comment on column scoring.score.base is 'The number that the contributions were added to, from 0 to 1.';
comment on column scoring.score.contributions is
  'The summands, in the order of the sentence: [{"rule", "label", "contribution", "signal_id"}].';
comment on column scoring.score.created_at is 'When it was computed or set. The ages of signals are computed to this time.';

create index score_by_created_at on scoring.score (organization_id, lead_id, created_at desc, id desc);

alter table scoring.model enable row level security, force row level security;
alter table scoring.signal enable row level security, force row level security;
alter table scoring.score enable row level security, force row level security;

grant execute on function
  scoring.is_decimal(jsonb, numeric, numeric), scoring.is_signal_value(jsonb), scoring.model_faults(jsonb),
  scoring.is_model(jsonb)
to leads_exec, leads_jobs;

reset role;

