-- admin.erase_lead - erases a lead's personal data, for leads erase --lead ID.
set local role leads_jobs;

create or replace function admin.erase_lead(organization_id uuid, lead_id uuid)
returns table (wait_seconds numeric, rows_gone bigint, events bigint, copies json, webhooks json)
language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
  select e.wait_seconds, e.rows_gone, e.events, e.copies, e.webhooks
  from audit.erase_lead(erase_lead.organization_id, erase_lead.lead_id) as e;
end;

comment on function admin.erase_lead(uuid, uuid) is 'Calls audit.erase_lead, which the operator may not execute.';

grant execute on function admin.erase_lead(uuid, uuid) to leads_operator;
