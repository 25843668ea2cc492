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
    if current_setting('leads.held_pushes', true) = concat(new.organization_id, '/', extract(epoch from now())) then
      insert into crm.sync (organization_id, lead_id, vendor, account, status, error_code, email_key)
      select c.organization_id, new.id, c.vendor, c.account, 'skipped', 'bulk', new.email_key
      from crm.connection as c
      where c.organization_id = new.organization_id
      -- A push of an earlier time stays as it is.
      on conflict (organization_id, lead_id, vendor, account) do nothing;
    else
      perform crm.request_push(new.organization_id, new.id, false);
    end if;
  end if;
  return null;
end $$;

comment on function crm.tg_lead__push() is
  'Requests the push of a lead that has entered the push_stage of the connection, in the same transaction. While pushes are '
  'held (crm.hold_pushes), the push is skipped, with the error_code bulk.';

grant execute on function crm.tg_lead__push() to leads_owner;
