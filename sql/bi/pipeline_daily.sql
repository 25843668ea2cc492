-- bi.pipeline_daily - for each day and stage: the leads that entered, left, and were in it.
set local role leads_owner;

create or replace view bi.pipeline_daily with (security_invoker = true) as
with zone as (
  select p.time_zone
  from app.stage_progress as p
  where p.organization_id = (select auth.analyst_organization_id())
),
movement as (
  select d.day, d.stage, d.entered, d.departed
  from app.stage_day as d
  where
    d.organization_id = (select auth.analyst_organization_id())
    and d.time_zone = (select z.time_zone from zone as z)
),
-- Every day and stage, so that a chart has no gaps.
cell as (
  select d.day::date as day, s.stage, s.position
  from (select min(m.day) as first_day from movement as m) as f
  cross join lateral generate_series(
    f.first_day::timestamp,
    (now() at time zone (select z.time_zone from zone as z))::date::timestamp,
    interval '1 day'
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
  'The pipeline by day: one row for each stage and each day since the first change. Days are in the organization''s time zone '
  '(bi.freshness.time_zone), whatever the session''s time zone is. A worker counts a change one or two seconds after it; '
  'bi.freshness shows until when the figures are complete.';
comment on column bi.pipeline_daily.day is 'The day, from midnight to midnight in the organization''s time zone. The last day is today, until now.';
comment on column bi.pipeline_daily.stage is 'The stage.';
comment on column bi.pipeline_daily.position is 'The stage''s place in the pipeline, from 1; null: the stage was removed.';
comment on column bi.pipeline_daily.entered is 'The number of times that a lead entered the stage on that day.';
comment on column bi.pipeline_daily.departed is 'The number of times that a lead left the stage on that day, including deleted and erased leads.';
comment on column bi.pipeline_daily.lead_count is 'The number of leads in the stage at the end of the day.';

grant select on bi.pipeline_daily to leads_bi;
