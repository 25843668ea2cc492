-- The views of analysts.
--
-- Locks: none that matter; every object is new.
-- Duration: no rows exist yet.
-- Phase: baseline
-- If it breaks off: nothing is left behind; run leads migrate again.

-- begin frozen sql/bi/leads.sql
-- bi.leads - the leads, with the fields of the API.
set local role leads_owner;

create or replace view bi.leads with (security_invoker = true) as
select
  l.id,
  l.organization_id,
  l.name,
  l.company,
  l.email,
  l.source,
  l.lead_score,
  l.pipeline_stage,
  l.industry,
  l.company_size,
  l.pain_points,
  l.timeline,
  l.budget_range,
  l.ai_reasoning,
  -- First among the times: tools that choose a time column by themselves take the first.
  l.created_at,
  l.updated_at,
  l.qualification_completed_at
from app.lead as l
-- The policy has the same condition. Each of the two is sufficient.
where l.organization_id = (select auth.analyst_organization_id());

comment on view bi.leads is
  'The organization''s leads, as they are now. Times are timestamptz in milliseconds. They are printed in the session''s '
  'time zone, which is UTC by default.';
comment on column bi.leads.id is 'The lead''s id, a UUID of version 7.';
comment on column bi.leads.organization_id is 'The organization''s id, the same in every row.';
comment on column bi.leads.name is 'The person''s name; up to 255 characters.';
comment on column bi.leads.company is 'The company''s name; up to 255 characters.';
comment on column bi.leads.email is 'The e-mail address, as it was sent; up to 254 characters.';
comment on column bi.leads.source is 'Where the lead came from, as a machine name such as google_ads; null: unknown.';
comment on column bi.leads.lead_score is 'How promising the lead is, a whole number from 0 to 100.';
comment on column bi.leads.pipeline_stage is 'The lead''s stage.';
comment on column bi.leads.industry is 'The lead''s industry, in the words of the source.';
comment on column bi.leads.company_size is 'The company''s size, in the words of the source.';
comment on column bi.leads.pain_points is 'The lead''s problems; up to 10,000 characters.';
comment on column bi.leads.timeline is 'When the lead wants to act, in words.';
comment on column bi.leads.budget_range is 'What the lead wants to spend, in words.';
comment on column bi.leads.ai_reasoning is 'Why the lead has its score, in words.';
comment on column bi.leads.qualification_completed_at is
  'timestamptz: when the lead first reached the stage "qualified"; null: it has not.';
comment on column bi.leads.created_at is 'timestamptz: when the lead was created.';
comment on column bi.leads.updated_at is 'timestamptz: when the lead was last changed.';

grant select on bi.leads to leads_bi;
-- begin frozen sql/bi/lead_changes.sql
-- bi.lead_changes - one row for each field that changed, from the audit log.
set local role leads_owner;

create or replace view bi.lead_changes with (security_invoker = true) as
select
  e.id as event_id,
  e.organization_id,
  e.lead_id,
  e.created_at as changed_at,
  e.action,
  d.key as field,
  d.value ->> 'from' as old_value,
  d.value ->> 'to' as new_value,
  coalesce((d.value ->> 'erased')::boolean, false) as is_erased,
  -- Not "source", which is where a lead came from.
  e.source as changed_via,
  (e.payload ->> 'key_id')::uuid as key_id,
  e.payload ->> 'role' as role,
  e.correlation_id
from audit.event as e
cross join lateral json_each(e.payload -> 'diff') as d
where
  e.organization_id = (select auth.analyst_organization_id())
  and e.action in ('lead.created', 'lead.updated', 'lead.scored', 'lead.deleted', 'lead.erased');

comment on view bi.lead_changes is
  'Every change of a lead, one row for each field that changed, from the audit log. Filter by lead or by period, because '
  'the whole log is long. changed_at is printed in the session''s time zone, which is UTC by default.';
comment on column bi.lead_changes.event_id is 'The audit event''s id, a UUID of version 7. The rows of one change have the same.';
comment on column bi.lead_changes.organization_id is 'The organization''s id, the same in every row.';
comment on column bi.lead_changes.lead_id is 'The lead''s id.';
comment on column bi.lead_changes.changed_at is 'timestamptz: when the change was made.';
comment on column bi.lead_changes.action is 'lead.created, lead.updated, lead.scored, lead.deleted or lead.erased.';
comment on column bi.lead_changes.field is 'The field''s name, as in bi.leads.';
comment on column bi.lead_changes.old_value is 'The value before the change, as text, times in UTC; null: none.';
comment on column bi.lead_changes.new_value is 'The value after the change, as text, times in UTC; null: none.';
comment on column bi.lead_changes.is_erased is 'Whether the values were erased since, on a person''s request.';
comment on column bi.lead_changes.changed_via is 'Where the change came from: api, sql, worker or system.';
comment on column bi.lead_changes.key_id is 'The id of the API key that made the change; null: it was not made through the API.';
comment on column bi.lead_changes.role is 'The database login that made the change; null: it was made through the API.';
comment on column bi.lead_changes.correlation_id is 'The X-Request-Id of the request that made the change; null outside requests.';

grant select on bi.lead_changes to leads_bi;
-- begin frozen sql/bi/stage_history.sql
-- bi.stage_history - each stay of a lead in a stage: entered, left, hours.
set local role leads_owner;

create or replace view bi.stage_history with (security_invoker = true) as
with stay as (
  select
    e.organization_id,
    e.lead_id,
    e.stage_entered as stage,
    e.created_at as entered_at,
    lead(e.created_at) over lead_in_time as left_at,
    lead(e.stage_entered) over lead_in_time as next_stage
  from audit.event as e
  where
    e.organization_id = (select auth.analyst_organization_id())
    and (e.stage_left is not null or e.stage_entered is not null)
  window lead_in_time as (partition by e.organization_id, e.lead_id order by e.created_at, e.id)
)
select
  s.organization_id,
  s.lead_id,
  s.stage,
  s.entered_at,
  s.left_at,
  -- Not an interval, which several clients cannot read.
  extract(epoch from s.left_at - s.entered_at)::double precision / 3600 as hours,
  s.next_stage
from stay as s
-- A lead that was deleted or erased left a stage and entered none.
where s.stage is not null;

comment on view bi.stage_history is
  'Each stay of a lead in a stage, from the audit log, including leads that were deleted or erased. Times are printed in the '
  'session''s time zone, which is UTC by default.';
comment on column bi.stage_history.organization_id is 'The organization''s id, the same in every row.';
comment on column bi.stage_history.lead_id is 'The lead''s id.';
comment on column bi.stage_history.stage is 'The stage.';
comment on column bi.stage_history.entered_at is
  'timestamptz: when the lead entered the stage. For the first stage of an imported lead, the time of the import.';
comment on column bi.stage_history.left_at is 'timestamptz: when the lead left the stage; null: it is in the stage.';
comment on column bi.stage_history.hours is 'The hours from entered_at to left_at; null: it is in the stage.';
comment on column bi.stage_history.next_stage is 'The next stage; null: the lead is in the stage, or was deleted or erased.';

grant select on bi.stage_history to leads_bi;
-- begin frozen sql/bi/pipeline_daily.sql
-- bi.pipeline_daily - for each day and stage: the leads that entered, left, and were in it.
set local role leads_owner;

create or replace view bi.pipeline_daily with (security_invoker = true) as
with change as (
  select
    e.stage_entered,
    e.stage_left,
    (e.created_at at time zone 'UTC')::date as day,
    count(*) as leads
  from audit.event as e
  where
    e.organization_id = (select auth.analyst_organization_id())
    and (e.stage_left is not null or e.stage_entered is not null)
  group by e.stage_entered, e.stage_left, (e.created_at at time zone 'UTC')::date
),
movement as (
  select m.day, m.stage, sum(m.entered) as entered, sum(m.departed) as departed
  from (
    select c.day, c.stage_entered as stage, c.leads as entered, 0::bigint as departed
    from change as c
    where c.stage_entered is not null
    union all
    select c.day, c.stage_left, 0::bigint, c.leads
    from change as c
    where c.stage_left is not null
  ) as m
  group by m.day, m.stage
),
-- Every day and stage, so that a chart has no gaps.
cell as (
  select d.day::date as day, s.stage, s.position
  from (select min(m.day) as first_day from movement as m) as f
  cross join lateral generate_series(
    f.first_day::timestamp, (now() at time zone 'UTC')::date::timestamp, interval '1 day'
  ) as d (day)
  cross join (
    select coalesce(m.stage, p.name) as stage, p.position
    from (select distinct m.stage from movement as m) as m
    full join (
      select p.name, p.position
      from app.pipeline_stage as p
      where p.organization_id = (select auth.analyst_organization_id())
    ) as p on p.name = m.stage
  ) as s
)
select
  c.day,
  c.stage,
  c.position,
  coalesce(m.entered, 0)::bigint as entered,
  coalesce(m.departed, 0)::bigint as departed,
  (sum(coalesce(m.entered, 0) - coalesce(m.departed, 0)) over (partition by c.stage order by c.day))::bigint as lead_count
from cell as c
left join movement as m on m.day = c.day and m.stage = c.stage;

comment on view bi.pipeline_daily is
  'The pipeline by day, from the audit log: one row for each stage and each day since the first change. Days are in UTC, '
  'whatever the session''s time zone is.';
comment on column bi.pipeline_daily.day is 'The day, from midnight to midnight UTC. The last day is today, until now.';
comment on column bi.pipeline_daily.stage is 'The stage.';
comment on column bi.pipeline_daily.position is 'The stage''s place in the pipeline, from 1; null: the stage was removed.';
comment on column bi.pipeline_daily.entered is 'The number of times that a lead entered the stage on that day.';
comment on column bi.pipeline_daily.departed is 'The number of times that a lead left the stage on that day, including deleted and erased leads.';
comment on column bi.pipeline_daily.lead_count is 'The number of leads in the stage at the end of the day.';

grant select on bi.pipeline_daily to leads_bi;
-- begin frozen sql/bi/source_performance.sql
-- bi.source_performance - the results of each source: leads, win rate, hours to qualify.
set local role leads_owner;

create or replace view bi.source_performance with (security_invoker = true) as
select
  l.source,
  count(*) as lead_count,
  count(l.qualification_completed_at) as qualified,
  count(*) filter (where l.pipeline_stage = 'won') as won,
  round(count(*) filter (where l.pipeline_stage = 'won')::numeric / count(*), 4)::double precision as win_rate,
  round(
    (
      percentile_cont(0.5) within group (order by extract(epoch from l.qualification_completed_at - l.created_at)::float8)
      / 3600
    )::numeric,
    2
  )::double precision as median_hours_to_qualify
from app.lead as l
where l.organization_id = (select auth.analyst_organization_id())
group by l.source;

comment on view bi.source_performance is
  'The result of each source, over all of the organization''s leads as they are now: one row for each source, and one for '
  'leads without a source.';
comment on column bi.source_performance.source is 'The source; null: leads without a source.';
comment on column bi.source_performance.lead_count is 'The number of leads from the source.';
comment on column bi.source_performance.qualified is 'The number of them that have reached the stage "qualified", whatever happened afterwards.';
comment on column bi.source_performance.won is 'The number of them in the stage "won".';
comment on column bi.source_performance.win_rate is 'won divided by lead_count, from 0 to 1, to 4 decimals.';
comment on column bi.source_performance.median_hours_to_qualify is
  'The median of the hours from created_at to qualification_completed_at, to 2 decimals, of the leads that are qualified; '
  'null: none is.';

grant select on bi.source_performance to leads_bi;
-- begin frozen sql/bi/score_calibration.sql
-- bi.score_calibration - whether higher scores win more: the share of won leads by score band.
set local role leads_owner;

create or replace view bi.score_calibration with (security_invoker = true) as
with counted as (
  select
    -- A score of 100 is in the band from 90.
    least(l.lead_score / 10, 9) as band,
    count(*) as lead_count,
    count(*) filter (where l.pipeline_stage = 'won') as won,
    count(*) filter (where l.pipeline_stage = 'lost') as lost
  from app.lead as l
  where l.organization_id = (select auth.analyst_organization_id())
  group by least(l.lead_score / 10, 9)
)
select
  b.band * 10 as score_from,
  case b.band when 9 then 100 else b.band * 10 + 9 end as score_to,
  coalesce(c.lead_count, 0)::bigint as lead_count,
  coalesce(c.won, 0)::bigint as won,
  coalesce(c.lost, 0)::bigint as lost,
  round(c.won::numeric / nullif(c.won + c.lost, 0), 4)::double precision as win_rate_of_decided
from generate_series(0, 9) as b (band)
left join counted as c on c.band = b.band;

comment on view bi.score_calibration is
  'Whether higher scores win more: ten score bands with the win rate of each, over all leads as they are now.';
comment on column bi.score_calibration.score_from is 'The lowest score of the band: 0, 10, … 90.';
comment on column bi.score_calibration.score_to is 'The highest score of the band, included: 9, 19, … 89, 100.';
comment on column bi.score_calibration.lead_count is 'The number of leads with such a score.';
comment on column bi.score_calibration.won is 'The number of them in the stage "won".';
comment on column bi.score_calibration.lost is 'The number of them in the stage "lost".';
comment on column bi.score_calibration.win_rate_of_decided is
  'won divided by the sum of won and lost, from 0 to 1, to 4 decimals; null: no lead of the band is won or lost.';

grant select on bi.score_calibration to leads_bi;
-- end frozen

reset role;
