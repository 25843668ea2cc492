-- crm.account_in_force - the vendor and the account that an organization is connected to.
set local role leads_jobs;

create or replace function crm.account_in_force(organization_id uuid)
returns table (vendor text, account text)
language sql
stable
parallel safe
security definer
begin atomic
  select c.vendor, c.account
  from crm.connection as c
  where c.organization_id = account_in_force.organization_id;
end;

comment on function crm.account_in_force(uuid) is
  'Vendor and account of the organization''s connection: all of it that a key without the scope admin comes to know.';

grant execute on function crm.account_in_force(uuid) to leads_exec;
