-- auth.key_state - whether a key is valid.
set local role leads_auth;

create or replace function auth.key_state(organization_id uuid, id uuid)
returns text language sql stable parallel safe security definer
begin atomic
  select case when k.revoked_at is not null or k.expires_at <= now() then 'revoked' else 'active' end
  from auth.api_key as k
  where k.organization_id = key_state.organization_id and k.id = key_state.id;
end;

comment on function auth.key_state(uuid, uuid) is
  'active, or revoked if the key is revoked or has expired; null: the organization has no such key.';

grant execute on function auth.key_state(uuid, uuid) to leads_exec, leads_jobs;
