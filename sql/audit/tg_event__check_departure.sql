-- audit.tg_event__check_departure - allows the deletion of events and seals that another cell has.
set local role leads_owner;

create or replace function audit.tg_event__check_departure()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select
    from app.placement as p
    where p.organization_id = old.organization_id and p.state in ('moved', 'arriving')
  )
  then
    return old;
  end if;
  raise sqlstate 'PT409' using message = 'refused', hint = 'The audit log is append-only: write a new event instead.';
end $$;

comment on function audit.tg_event__check_departure() is
  'Trigger: allows a row to be deleted only if its organization was moved to another cell, or arrives from one. Raises PT409 refused.';
