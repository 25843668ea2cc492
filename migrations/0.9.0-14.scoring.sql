-- Scoring.
--
-- Locks: none that matter; every object is new.
-- Duration: no rows exist yet.
-- Phase: baseline
-- If it breaks off: nothing is left behind; run leads migrate again.

-- begin frozen sql/scoring/default_model.triggers.sql
-- scoring.default_model - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('scoring.default_model');

create trigger _100_refuse_truncate before truncate on scoring.default_model
  for each statement execute function audit.tg_refuse('Models can''t be truncated: the history of scores refers to them.');

create trigger _110_refuse_change before update or delete on scoring.default_model
  for each row execute function audit.tg_refuse('A version never changes: add a new version.');
-- begin frozen sql/scoring/default_model.rows.sql
-- scoring.default_model - the models of an organization that has none of its own.
set local role leads_owner;
-- To change the model, add a new version at the end. The history of scores names versions, so a
-- trigger refuses to change the document of a version.
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
-- begin frozen sql/scoring/default_model.grants.sql
-- scoring.default_model - the privileges on the table.
set local role leads_owner;
revoke all on scoring.default_model
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on scoring.default_model to leads_exec, leads_jobs;
-- begin frozen sql/scoring/model.policies.sql
-- scoring.model - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('scoring.model');

create policy model_exec_select on scoring.model for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

-- admin.edit_scoring_model, admin.activate_scoring_model
create policy model_jobs_select on scoring.model for select to leads_jobs using (true);
create policy model_jobs_insert on scoring.model for insert to leads_jobs with check (true);
create policy model_jobs_update on scoring.model for update to leads_jobs using (true) with check (true);

-- leads erase
create policy model_eraser_select on scoring.model for select to leads_eraser using (true);
create policy model_eraser_delete on scoring.model for delete to leads_eraser using (true);
-- begin frozen sql/scoring/model.triggers.sql
-- scoring.model - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('scoring.model');

create trigger _100_refuse_truncate before truncate on scoring.model
  for each statement execute function audit.tg_refuse('Models can''t be truncated: the history of scores refers to them.');

create trigger _120_keep_version before update on scoring.model
  for each row
  when ((old.organization_id, old.version, old.created_at) is distinct from (new.organization_id, new.version, new.created_at))
  execute function audit.tg_refuse('organization_id, version and created_at never change.');

create trigger _130_keep_active before update on scoring.model
  for each row
  when (old.state <> 'draft' and (new.state = 'draft' or old.document is distinct from new.document))
  execute function audit.tg_refuse('A version that was active never changes: create a new draft.');

create trigger _140_keep_history before delete on scoring.model
  for each row when (old.state <> 'draft' and current_user <> 'leads_eraser')
  execute function audit.tg_refuse('A version that was active can''t be deleted: the history of scores refers to it.');

create trigger _900_record after insert or update or delete on scoring.model
  for each row execute function audit.tg_record('scoring_model', 'version');
-- begin frozen sql/scoring/model.grants.sql
-- scoring.model - the privileges on the table.
set local role leads_owner;
revoke all on scoring.model
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on scoring.model to leads_exec;
grant select, insert (organization_id, version, document), update (state, document, activated_at) on scoring.model
to leads_jobs;

grant select (organization_id), delete on scoring.model to leads_eraser;
-- begin frozen sql/scoring/signal.policies.sql
-- scoring.signal - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('scoring.signal');

create policy signal_exec_select on scoring.signal for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy signal_exec_insert on scoring.signal for insert to leads_exec
  with check (organization_id = (select auth.organization_id('write')));

-- admin.try_scoring_model, admin.load_signals
create policy signal_jobs_select on scoring.signal for select to leads_jobs using (true);
create policy signal_jobs_insert on scoring.signal for insert to leads_jobs with check (true);

-- leads erase
create policy signal_eraser_select on scoring.signal for select to leads_eraser using (true);
create policy signal_eraser_delete on scoring.signal for delete to leads_eraser using (true);
-- begin frozen sql/scoring/signal.triggers.sql
-- scoring.signal - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('scoring.signal');

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
  for each row when (current_user <> 'leads_eraser') execute function audit.tg_signal__record();
-- begin frozen sql/scoring/signal.grants.sql
-- scoring.signal - the privileges on the table.
set local role leads_owner;
revoke all on scoring.signal
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select, insert (id, organization_id, lead_id, type, value, observed_at, dedupe_key) on scoring.signal
to leads_exec, leads_jobs;

grant select (organization_id, lead_id), delete on scoring.signal to leads_eraser;
-- begin frozen sql/scoring/tg_score__check.sql
-- scoring.tg_score__check - refuses a score that the lead doesn't have, and a time in the future.
set local role leads_owner;

create or replace function scoring.tg_score__check()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  if new.created_at > clock_timestamp() then
    raise sqlstate 'PT409' using message = 'refused', hint = 'created_at of a score can''t be in the future.';
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
      hint = 'The lead has another score. Change lead_score of the lead instead: this adds a row to the history.';
  end if;
  return new;
end $$;

comment on function scoring.tg_score__check() is
  'Raises PT409 refused if created_at is in the future, or if kind is "set" and the lead has another score.';
-- begin frozen sql/scoring/tg_score__apply.sql
-- scoring.tg_score__apply - writes the score of a model to the lead.
set local role leads_owner;

create or replace function scoring.tg_score__apply()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  update app.lead as l
  set lead_score = new.lead_score, ai_reasoning = new.ai_reasoning, score_id = new.id
  where l.organization_id = new.organization_id and l.id = new.lead_id;
  return null;
end $$;

comment on function scoring.tg_score__apply() is
  'Writes lead_score, ai_reasoning and score_id to the lead.';
-- begin frozen sql/scoring/score.policies.sql
-- scoring.score - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('scoring.score');

create policy score_exec_select on scoring.score for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy score_exec_insert on scoring.score for insert to leads_exec
  with check (organization_id = (select auth.organization_id('write')));

-- admin.load_leads: a lead that is loaded with a score gets a row of kind "set".
create policy score_jobs_insert on scoring.score for insert to leads_jobs with check (true);

-- leads erase
create policy score_eraser_select on scoring.score for select to leads_eraser using (true);
create policy score_eraser_delete on scoring.score for delete to leads_eraser using (true);
-- begin frozen sql/scoring/score.triggers.sql
-- scoring.score - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('scoring.score');

create trigger _100_refuse_truncate before truncate on scoring.score
  for each statement execute function audit.tg_refuse('Scores can''t be truncated: the history keeps every score.');

create trigger _110_refuse_change before update on scoring.score
  for each row execute function audit.tg_refuse('A score never changes: score the lead again.');

create trigger _120_check before insert on scoring.score
  for each row execute function scoring.tg_score__check();

create trigger _500_apply after insert on scoring.score
  for each row when (new.kind = 'scored') execute function scoring.tg_score__apply();

-- An INSERT is recorded with the change of the lead, as lead.scored, lead.updated or lead.created.
create trigger _900_record after delete on scoring.score
  for each row when (current_user <> 'leads_eraser') execute function audit.tg_record('score', 'id');
-- begin frozen sql/scoring/score.grants.sql
-- scoring.score - the privileges on the table.
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

grant select (organization_id, lead_id), delete on scoring.score to leads_eraser;
-- begin frozen sql/scoring/model_in_force.sql
-- scoring.model_in_force - the model that scores an organization's leads.
set local role leads_owner;

create or replace function scoring.model_in_force(
  organization_id uuid,
  out model text,
  out model_version integer,
  out document jsonb
)
language sql stable parallel safe
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
  'The organization''s active model, or else the newest default model. model: own or default.';

grant execute on function scoring.model_in_force(uuid) to leads_exec, leads_jobs;
-- begin frozen sql/scoring/compute_scores.sql
-- scoring.compute_scores - computes scores, sentences and contributions of leads.
set local role leads_owner;

create or replace function scoring.compute_scores(
  organization_id uuid,
  lead_ids uuid[],
  instants timestamptz[],
  model jsonb,
  counts_future boolean
)
returns table (lead_id uuid, lead_score integer, ai_reasoning text, contributions json)
language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := compute_scores.organization_id;
  v_base numeric := (compute_scores.model ->> 'base')::numeric;
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
      (compute_scores.model -> 'groups' -> (r.rule ->> 'group') ->> 'cap')::numeric as cap
    from jsonb_array_elements(compute_scores.model -> 'rules') with ordinality as r (rule, ordinality)
  ),
  type as materialized (
    select distinct r.signal as name from rule as r where r.signal is not null
  ),
  moment as (
    select m.lead_id, m.instant from unnest(compute_scores.lead_ids, compute_scores.instants) as m (lead_id, instant)
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
        and s.observed_at <= case when compute_scores.counts_future then 'infinity' else m.instant end
      order by s.observed_at desc, s.id desc
      limit 1
    ) as s
  ),
  evidence as (
    select
      m.lead_id,
      r.*,
      s.id as signal_id,
      -- A signal from the future has age 0.
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
  counted as (
    select
      e.lead_id, e.position, e.name, e.label, e."group", e.cap, e.signal_id,
      round(
        case
          when e.half_life_hours is null then e.weight
          -- A weight of at most 1 rounds to 0.00 after 8 half-lives.
          when e.age >= 8 * 3600 * e.half_life_hours then 0
          -- With 40 digits: with the usual 16, rounding errors could change the second decimal.
          else e.weight * power(round(0.5, 40), round(e.age, 40) / (3600 * e.half_life_hours))
        end,
        2
      ) as contribution
    from evidence as e
    where
      -- false and null never match, whatever the operand
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
  -- The positive contributions of a group count in the order of the sentence, up to the cap.
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
      from counted as j
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
end $$;

comment on function scoring.compute_scores(uuid, uuid[], timestamptz[], jsonb, boolean) is
$$Scores leads with a model, each as of its own time; one row for each existing lead, in no order.

lead_ids: distinct ids. instants: the time for each id, to which ages are computed. model: a model without faults
(scoring.model_faults). counts_future: whether signals after the time count, with age 0.
lead_score = round half up (100 × clamp(base + Σ contributions, 0, 1)). Of each type the latest signal (observed_at, then
id) counts; a contribution is weight × 0.5^(age / half-life), rounded half away from zero to two decimals before it is
summed; a contribution of 0.00 is left out. The sentence has exactly the summed contributions. The same signals, model
and times give the same bytes.$$;

grant execute on function scoring.compute_scores(uuid, uuid[], timestamptz[], jsonb, boolean) to leads_exec, leads_jobs;
-- begin frozen sql/scoring/score_lead.sql
-- scoring.score_lead - scores a lead from its latest signals, and keeps the score.
set local role leads_owner;

create or replace function scoring.score_lead(organization_id uuid, lead_id uuid)
returns api.new_score language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_instant timestamptz;
  v_model record;
  v_score api.new_score;
begin
  -- A concurrent request for the lead waits here. Then it sees every signal that the first one saw.
  perform
  from app.lead as l
  where l.organization_id = score_lead.organization_id and l.id = score_lead.lead_id
  for no key update;
  if not found then
    return null;
  end if;
  -- clock_timestamp(), so that the first request also comes first in the history.
  v_instant := date_trunc('milliseconds', clock_timestamp());

  select m.* into v_model from scoring.model_in_force(score_lead.organization_id) as m;
  insert into scoring.score as s (
    organization_id, lead_id, kind, lead_score, ai_reasoning, model, model_version, base, contributions, created_at
  )
  select
    score_lead.organization_id, r.lead_id, 'scored', r.lead_score, r.ai_reasoning, v_model.model, v_model.model_version,
    (v_model.document ->> 'base')::numeric, r.contributions, v_instant
  from scoring.compute_scores(
    score_lead.organization_id, array[score_lead.lead_id], array[v_instant], v_model.document, true
  ) as r
  returning s.lead_id, s.lead_score, s.ai_reasoning, app.utc_text(s.created_at) into v_score;
  return v_score;
end $$;

comment on function scoring.score_lead(uuid, uuid) is
$$Scores a lead as of now with the model in force, and adds the score to the history. A trigger writes it to the lead.

Null: the organization has no such lead.$$;

grant execute on function scoring.score_lead(uuid, uuid) to leads_exec;
-- begin frozen sql/scoring/signal_faults.sql
-- scoring.signal_faults - the faults of the signals that a client sends.
set local role leads_owner;

create or replace function scoring.signal_faults(fields jsonb)
returns json language sql stable parallel safe
begin atomic
  with item as (
    select '' as path, 0::bigint as position, signal_faults.fields as signal
    where not signal_faults.fields ? 'signals'
    union all
    select 'signals[' || s.ordinality - 1 || '].', s.ordinality, s.signal
    from jsonb_array_elements(
      case jsonb_typeof(signal_faults.fields -> 'signals') when 'array' then signal_faults.fields -> 'signals' else '[]' end
    ) with ordinality as s (signal, ordinality)
  ),
  object as (
    select g.* from item as g where jsonb_typeof(g.signal) = 'object'
  ),
  fault (position, field, code, detail) as (
    select 0, k.key, 'unknown_field', 'signals must be the only field. Leave this field out.'
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
    from item as g
    where jsonb_typeof(g.signal) <> 'object'
    union all
    select w.position, w.path || k.key, 'unknown_field', 'A signal has type, value, observed_at and dedupe_key.'
    from object as w
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
    from object as w
    where (jsonb_typeof(w.signal -> 'type') = 'string' and app.is_name(w.signal ->> 'type')) is not true
    union all
    select
      w.position, w.path || 'value', 'invalid_value',
      'This must be true, false, null, a number of up to 40 digits, a text of up to 1,000 characters, or an object of '
      'up to 32 of these.'
    from object as w
    where w.signal ? 'value' and not scoring.is_signal_value(w.signal -> 'value')
    union all
    select
      w.position, w.path || 'observed_at', 'invalid_timestamp',
      'This must be a date such as 2026-04-27 (midnight UTC), or a date and time with Z or an offset such as '
      '2026-04-27T13:22:05Z.'
    from object as w
    where
      jsonb_typeof(w.signal -> 'observed_at') <> 'null'
      and (
        jsonb_typeof(w.signal -> 'observed_at') <> 'string'
        or app.read_instant(w.signal ->> 'observed_at') is null
      )
    union all
    select w.position, w.path || 'dedupe_key', 'invalid_dedupe_key', 'This must be a text of 1 to 255 characters.'
    from object as w
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
$$All faults of a signal, or of {"signals": […]}, as a JSON array of {field, code, detail}; null if there is no fault.

Codes: required, unknown_field, wrong_type, invalid_name, invalid_value, invalid_timestamp, invalid_dedupe_key. Fields of
a list read signals[0].type. The CHECKs of scoring.signal refuse the same values from any writer.$$;

grant execute on function scoring.signal_faults(jsonb) to leads_exec;
-- begin frozen sql/scoring/signal_item.sql
-- scoring.signal_item - a signal as the API shows it.
set local role leads_owner;

create or replace function scoring.signal_item(
  id uuid,
  organization_id uuid,
  lead_id uuid,
  type text,
  value jsonb,
  observed_at timestamptz,
  dedupe_key text,
  created_at timestamptz
)
returns api.signal language sql stable parallel safe
begin atomic
  select row(
    id, organization_id, lead_id, type, value::json, app.utc_text(observed_at), dedupe_key, app.utc_text(created_at)
  )::api.signal;
end;

comment on function scoring.signal_item(uuid, uuid, uuid, text, jsonb, timestamptz, text, timestamptz) is
  'The eight fields of a signal, in the order of the body.';

grant execute on function scoring.signal_item(uuid, uuid, uuid, text, jsonb, timestamptz, text, timestamptz) to leads_exec;
-- end frozen

reset role;
