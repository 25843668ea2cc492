-- admin.is_announced - whether the router knows all keys of an organization, for the commands that print a new key.
set local role leads_jobs;

create or replace function admin.is_announced(organization_id uuid)
returns boolean language sql stable security definer
begin atomic
  select not exists (
    select from auth.unannounced_key as u where u.organization_id = is_announced.organization_id
  );
end;

comment on function admin.is_announced(uuid) is
  'Whether the router of the cells knows all keys and forms of the organization. True in a database that is no cell.';

grant execute on function admin.is_announced(uuid) to leads_operator;
