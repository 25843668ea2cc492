-- bi.stage_history - each stay of a lead in a stage: entered, left, hours.
set local role leads_owner;

create or replace view bi.stage_history with (security_invoker = true) as
select
  s.organization_id,
  s.lead_id,
  s.stage,
  s.entered_at,
  -- A type without a precision, as the view has had since 0.9.0.
  s.left_at::timestamptz as left_at,
  -- Not an interval, which several clients cannot read. extract(epoch from …) would cost five times as much.
  date_part('epoch', s.left_at - s.entered_at) / 3600 as hours,
  s.next_stage
from app.stage_stay as s
-- The policy has the same condition. Each of the two is sufficient.
where s.organization_id = (select auth.analyst_organization_id());

comment on view bi.stage_history is
  'Each stay of a lead in a stage, including leads that were deleted or erased. A worker adds new stays one or two seconds '
  'after the change; bi.freshness shows until when they are complete. Times are printed in the session''s time zone, which is '
  'UTC by default.';
comment on column bi.stage_history.organization_id is 'The organization''s id, the same in every row.';
comment on column bi.stage_history.lead_id is 'The lead''s id.';
comment on column bi.stage_history.stage is 'The stage.';
comment on column bi.stage_history.entered_at is
  'timestamptz: when the lead entered the stage. For the first stage of an imported lead, the time of the import.';
comment on column bi.stage_history.left_at is 'timestamptz: when the lead left the stage; null: it is in the stage.';
comment on column bi.stage_history.hours is 'The hours from entered_at to left_at; null: it is in the stage.';
comment on column bi.stage_history.next_stage is 'The next stage; null: the lead is in the stage, or was deleted or erased.';

grant select on bi.stage_history to leads_bi;
