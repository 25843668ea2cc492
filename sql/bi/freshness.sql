-- bi.freshness - until when the figures of stages are complete, and the time zone of days.
set local role leads_owner;

create or replace view bi.freshness with (security_invoker = true) as
select
  o.organization_id,
  case
    when not exists (
      select
      from audit.event as e
      where e.organization_id = (select auth.analyst_organization_id()) and e.created_at > p.counted_until
      -- Prevents a join with the whole log: the index on created_at has the newest event.
      offset 0
    )
    and p.counted_until is not null
    then now()
    else p.counted_until::timestamptz
  end as complete_until,
  coalesce(p.time_zone, o.time_zone) as time_zone
from app.organization as o
left join app.stage_progress as p on p.organization_id = (select auth.analyst_organization_id())
where o.organization_id = (select auth.analyst_organization_id());

comment on view bi.freshness is
  'One row: until when bi.stage_history and bi.pipeline_daily are complete, and the time zone of days. The other views have '
  'no lag.';
comment on column bi.freshness.organization_id is 'The organization''s id.';
comment on column bi.freshness.complete_until is
  'timestamptz: the changes up to this time are counted. It is the present time if nothing waits; null: nothing is counted '
  'yet. If it is more than some seconds ago, a long import is being counted, or no worker runs.';
comment on column bi.freshness.time_zone is
  'The time zone of the days in bi.pipeline_daily, such as Europe/Berlin. After a change of the organization''s time zone it '
  'is the old one until all days are counted again.';

grant select on bi.freshness to leads_bi;
