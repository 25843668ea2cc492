-- crm.account_in_force - the vendor and the account that an organization is connected to.
set local role leads_jobs;

create or replace function crm.account_in_force(organization_id uuid)
returns table (vendor text, account text) language sql stable parallel safe security definer
begin atomic
  select c.vendor, c.account
  from crm.connection as c
  where c.organization_id = account_in_force.organization_id;
end;

comment on function crm.account_in_force(uuid) is
  'Vendor and account of the organization''s connection: the only columns that keys without the scope admin can read.';

grant execute on function crm.account_in_force(uuid) to leads_exec;
