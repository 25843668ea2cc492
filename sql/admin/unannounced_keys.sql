-- admin.unannounced_keys - the new keys that the router does not know yet, for leads cells sync.
set local role leads_jobs;

create or replace function admin.unannounced_keys()
returns table (organization_id uuid, key_id uuid)
language sql stable security definer
begin atomic
  select u.organization_id, u.key_id from auth.unannounced_key as u;
end;

comment on function admin.unannounced_keys() is 'The keys whose responses wait for the router. A database that is no cell has none.';

grant execute on function admin.unannounced_keys() to leads_operator, leads_router;
