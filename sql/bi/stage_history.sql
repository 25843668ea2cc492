-- bi.stage_history - each stay of a lead in a stage: entered, left, duration.
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
  s.left_at - s.entered_at as duration,
  s.next_stage
from stay as s
-- Who was deleted or erased left a stage and entered none.
where s.stage is not null;

comment on view bi.stage_history is
  'Each stay of a lead in a stage, from the audit log; of leads since deleted or erased too. Instants are timestamptz: they '
  'print in the session''s time zone, which is UTC unless it was changed.';
comment on column bi.stage_history.organization_id is 'The organization''s id: the same in every row.';
comment on column bi.stage_history.lead_id is 'The lead''s id.';
comment on column bi.stage_history.stage is 'The stage.';
comment on column bi.stage_history.entered_at is
  'timestamptz: when the lead entered it. Of a lead that was imported, the first stage''s is the import.';
comment on column bi.stage_history.left_at is 'timestamptz: when the lead left it; null: it stands there now.';
comment on column bi.stage_history.duration is
  'interval of days, hours and seconds, left_at less entered_at; null: it stands there now. In hours: '
  'extract(epoch from duration) / 3600.';
comment on column bi.stage_history.next_stage is 'The stage after it; null: it stands there now, or was deleted or erased.';

grant select on bi.stage_history to leads_bi;
