-- auth.fence_keys - makes the keys of an organization refuse requests, or accept them again.
set local role leads_auth;

create or replace function auth.fence_keys(organization_id uuid)
returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
  v_state text := coalesce(
    (select p.state from app.placement as p where p.organization_id = fence_keys.organization_id), ''
  );
  v_is_fenced boolean := v_state = 'moving';
  v_is_draining boolean := v_state in ('draining', 'moving');
begin
  -- Waits for the transactions that make keys, which this one doesn't see. One that comes later finds the fence when it records
  -- its key. Requests only read the table, and don't wait.
  execute 'lock table auth.api_key in share row exclusive mode';
  update auth.api_key as k
  set is_fenced = v_is_fenced, is_draining = v_is_draining
  where
    k.organization_id = fence_keys.organization_id
    and (k.is_fenced <> v_is_fenced or k.is_draining <> v_is_draining);
end $$;

comment on function auth.fence_keys(uuid) is
  'Makes is_fenced and is_draining of auth.api_key what app.placement says. Raises 55P03 if a transaction that changes keys doesn''t end in 2 seconds.';

grant execute on function auth.fence_keys(uuid) to leads_jobs;
