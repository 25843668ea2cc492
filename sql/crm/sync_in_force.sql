-- crm.sync_in_force - a lead's sync with the connection that its organization has, else its latest one.
set local role leads_jobs;

create or replace function crm.sync_in_force(organization_id uuid, lead_id uuid)
returns crm.sync
language sql
stable
parallel safe
security invoker
begin atomic
  select s
  from crm.sync as s
  left join crm.account_in_force(sync_in_force.organization_id) as c on c.vendor = s.vendor and c.account = s.account
  where s.organization_id = sync_in_force.organization_id and s.lead_id = sync_in_force.lead_id
  order by (c.vendor is not null) desc, s.created_at desc, s.id desc
  limit 1;
end;

comment on function crm.sync_in_force(uuid, uuid) is
  'The lead''s sync with the organization''s connection, else the latest with one that it had. Null: it was never pushed.';

grant execute on function crm.sync_in_force(uuid, uuid) to leads_exec;
