-- auth.fence_keys - makes the keys of an organization refuse each request, or accept them again.
set local role leads_auth;

create or replace function auth.fence_keys(organization_id uuid)
returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
  v_is_fenced boolean := exists (
    select from app.placement as p where p.organization_id = fence_keys.organization_id and p.state = 'moving'
  );
begin
  -- Waits for the transactions that make keys, which this one doesn't see. One that comes later finds the fence when it records
  -- its key. Requests only read the table, and don't wait.
  execute 'lock table auth.api_key in share row exclusive mode';
  update auth.api_key as k
  set is_fenced = v_is_fenced
  where k.organization_id = fence_keys.organization_id and k.is_fenced <> v_is_fenced;
end $$;

comment on function auth.fence_keys(uuid) is
  'Makes auth.api_key.is_fenced what app.placement says. Raises 55P03 if a transaction that changes keys doesn''t end in 2 seconds.';

grant execute on function auth.fence_keys(uuid) to leads_jobs;
