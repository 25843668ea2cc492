-- The figures of stages, computed from the audit log alone: the definitions of the views until 0.9.0. The benchmark compares
-- the views with them, and tests/analysts/test_figures.py the rows. {schema}: where they are created; {zone}: the time zone.
create view {schema}.stage_history with (security_invoker = true) as
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

create view {schema}.pipeline_daily with (security_invoker = true) as
with change as (
  select
    e.stage_entered,
    e.stage_left,
    (e.created_at at time zone {zone})::date as day,
    count(*) as leads
  from audit.event as e
  where
    e.organization_id = (select auth.analyst_organization_id())
    and (e.stage_left is not null or e.stage_entered is not null)
  group by e.stage_entered, e.stage_left, (e.created_at at time zone {zone})::date
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
    f.first_day::timestamp, (now() at time zone {zone})::date::timestamp, interval '1 day'
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
