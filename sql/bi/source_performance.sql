-- bi.source_performance - what each source brings: leads, qualified, won, conversion, hours to qualify.
set local role leads_owner;

create or replace view bi.source_performance with (security_invoker = true) as
select
  l.source,
  count(*) as leads,
  count(l.qualification_completed_at) as qualified,
  count(*) filter (where l.pipeline_stage = 'won') as won,
  round(count(*) filter (where l.pipeline_stage = 'won')::numeric / count(*), 4) as conversion,
  round(
    (
      percentile_cont(0.5) within group (order by extract(epoch from l.qualification_completed_at - l.created_at)::float8)
      / 3600
    )::numeric,
    2
  ) as median_hours_to_qualify
from app.lead as l
where l.organization_id = (select auth.analyst_organization_id())
group by l.source;

comment on view bi.source_performance is
  'What each source brings, over all of the organization''s leads as they are now: a row for each source, and one for leads '
  'without any.';
comment on column bi.source_performance.source is 'The source; null: leads whose source isn''t known.';
comment on column bi.source_performance.leads is 'How many leads it brought.';
comment on column bi.source_performance.qualified is 'How many of them have reached the stage "qualified", whatever came after.';
comment on column bi.source_performance.won is 'How many of them stand in the stage "won" now.';
comment on column bi.source_performance.conversion is 'won divided by leads, from 0 to 1, to 4 decimals.';
comment on column bi.source_performance.median_hours_to_qualify is
  'The median of the hours from created_at to qualification_completed_at, to 2 decimals, of those that are qualified; '
  'null: none is.';

grant select on bi.source_performance to leads_bi;
