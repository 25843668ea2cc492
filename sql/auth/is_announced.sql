-- auth.is_announced - whether the router knows a new key.
set local role leads_auth;

create or replace function auth.is_announced(organization_id uuid, key_id uuid)
returns boolean language sql stable parallel safe security definer
begin atomic
  select not exists (
    select
    from auth.unannounced_key as u
    where u.organization_id = is_announced.organization_id and u.key_id = is_announced.key_id
  );
end;

comment on function auth.is_announced(uuid, uuid) is
  'Whether the router of the cells knows the key. True in a database that is no cell, and for a key that does not exist.';

grant execute on function auth.is_announced(uuid, uuid) to leads_exec, leads_api;
