-- audit.erase_own_lead - erases a lead of the organization whose admin key the request has proven.
set local role leads_eraser;

create or replace function audit.erase_own_lead(lead_id uuid)
returns table (wait_seconds numeric, rows_gone bigint, events bigint, copies json, webhooks json)
language sql volatile security definer
begin atomic
  select e.wait_seconds, e.rows_gone, e.events, e.copies, e.webhooks
  from audit.erase_lead(auth.organization_id('admin'), erase_own_lead.lead_id) as e;
end;

comment on function audit.erase_own_lead(uuid) is
  'The same as audit.erase_lead, for the organization of an admin key that this transaction has proven. The caller cannot '
  'name another organization. Without such a key, it finds no lead.';

grant execute on function audit.erase_own_lead(uuid) to leads_exec;
