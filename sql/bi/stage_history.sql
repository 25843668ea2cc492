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
