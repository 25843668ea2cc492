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
