-- bi.source_daily - the leads of each day and source, as they are now, in sums that can be added up.
set local role leads_owner;

create or replace view bi.source_daily with (security_invoker = true) as
with zone as (
  select o.time_zone
  from app.organization as o
  where o.organization_id = (select auth.analyst_organization_id())
)
select
  d.day::date as day,
  s.source,
  s.lead_count,
  s.qualified,
  s.won,
  s.lost,
  s.lead_score_sum,
  s.hours_to_qualify_sum
from zone as z
cross join lateral (
  select min(l.created_at) as first_at, max(l.created_at) as last_at
  from app.lead as l
  where l.organization_id = (select auth.analyst_organization_id())
) as f
cross join lateral generate_series(
  (f.first_at at time zone z.time_zone)::date::timestamp,
  (f.last_at at time zone z.time_zone)::date::timestamp,
  interval '1 day'
) as d (day)
-- For each day that the query asks for, a range of the index on created_at is read.
cross join lateral (
  select
    l.source,
    count(*) as lead_count,
    count(l.qualification_completed_at) as qualified,
    count(*) filter (where l.pipeline_stage = 'won') as won,
    count(*) filter (where l.pipeline_stage = 'lost') as lost,
    sum(l.lead_score) as lead_score_sum,
    sum(date_part('epoch', l.qualification_completed_at - l.created_at)) / 3600 as hours_to_qualify_sum
  from app.lead as l
  where
    l.organization_id = (select auth.analyst_organization_id())
    -- Where clocks are set back at midnight, the day has two, of which PostgreSQL takes the later one.
    and l.created_at >= d.day at time zone z.time_zone - interval '3 hours'
    and l.created_at < (d.day + interval '1 day') at time zone z.time_zone
    and (l.created_at at time zone z.time_zone)::date = d.day
  group by l.source
) as s;

comment on view bi.source_daily is
  'The leads of each day and source, as they are now: one row for each source of which leads were created on the day. Every '
  'column is a number or a sum, so that the sum over days is the figure of a period. Days are in the organization''s time zone, '
  'whatever the session''s time zone is. Restrict the day: the view reads only the days that the query asks for.';
comment on column bi.source_daily.day is 'The day on which the leads were created, from midnight to midnight in the organization''s time zone.';
comment on column bi.source_daily.source is 'The source; null: leads without a source.';
comment on column bi.source_daily.lead_count is 'The number of leads.';
comment on column bi.source_daily.qualified is 'The number of them that have reached the stage "qualified", whatever happened afterwards.';
comment on column bi.source_daily.won is 'The number of them in the stage "won".';
comment on column bi.source_daily.lost is 'The number of them in the stage "lost".';
comment on column bi.source_daily.lead_score_sum is 'The sum of their scores: divided by lead_count, the mean score.';
comment on column bi.source_daily.hours_to_qualify_sum is
  'The sum of the hours from created_at to qualification_completed_at of the qualified leads: divided by qualified, the mean. '
  'Null: none is qualified.';

grant select on bi.source_daily to leads_bi;
