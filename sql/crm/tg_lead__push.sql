-- crm.tg_lead__push - requests a push when a lead enters the push_stage of the connection.
set local role leads_jobs;

create or replace function crm.tg_lead__push()
returns trigger language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- A definer function, because the role that changes the lead can't read connections.
  if exists (
    select
    from crm.connection as c
    where c.organization_id = new.organization_id and c.push_stage = new.pipeline_stage
  ) then
    perform crm.request_push(new.organization_id, new.id, false);
  end if;
  return null;
end $$;

comment on function crm.tg_lead__push() is
  'Requests the push of a lead that has entered the push_stage of the connection, in the same transaction.';

grant execute on function crm.tg_lead__push() to leads_owner;
