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
  -- Materialized, because PostgreSQL 15 does not compare an index of a table with row-level security with an expression
  -- that is not leakproof.
  wanted as materialized (
    select m.lead_id, m.instant, t.name as type, m.lead_id::text || '/' || t.name as lead_and_type
    from moment as m
    cross join type as t
  ),
  latest as (
    select w.lead_id, w.type, s.id, s.value, s.observed_at
    from wanted as w
    cross join lateral (
      select s.id, s.value, s.observed_at
      from scoring.signal as s
      where
        s.organization_id = v_organization_id
        and s.lead_and_type = w.lead_and_type
        and s.observed_at <= case when compute_scores.counts_future then 'infinity' else w.instant end
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
        when r.field = 'details' then l.details -> r.key
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
            when 'phone' then l.phone
            when 'reference' then l.reference
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

grant execute on function scoring.compute_scores(uuid, uuid[], timestamptz[], jsonb, boolean) to leads_exec, leads_jobs, leads_intake;
