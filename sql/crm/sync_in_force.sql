-- crm.sync_in_force - a lead's sync with the current connection, or else its latest sync.
set local role leads_jobs;

create or replace function crm.sync_in_force(organization_id uuid, lead_id uuid)
returns crm.sync_values
language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_sync crm.sync_values;
begin
  select s.* into v_sync
  from crm.sync as s
  left join crm.account_in_force(sync_in_force.organization_id) as c on c.vendor = s.vendor and c.account = s.account
  where s.organization_id = sync_in_force.organization_id and s.lead_id = sync_in_force.lead_id
  order by (c.vendor is not null) desc, s.created_at desc, s.id desc
  limit 1;
  return v_sync;
end $$;

comment on function crm.sync_in_force(uuid, uuid) is
$$The lead's sync with the organization's current connection, or else its latest sync with an earlier connection.

Null: the lead was never pushed.$$;

grant execute on function crm.sync_in_force(uuid, uuid) to leads_exec;
