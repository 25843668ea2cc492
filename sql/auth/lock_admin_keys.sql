-- auth.lock_admin_keys - lets the requests that change an organization's keys wait for each other.
set local role leads_auth;

create or replace function auth.lock_admin_keys(organization_id uuid)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  -- The request's own key is one of them, so each pair of requests has a lock in common. In the order of the ids, so that two
  -- requests don't wait for each other.
  perform
  from auth.api_key as k
  where
    k.organization_id = lock_admin_keys.organization_id
    and 'admin' = any (k.scopes)
    and k.revoked_at is null
    and (k.expires_at is null or k.expires_at > now())
  order by k.id
  for no key update;
  -- Another request may have revoked the key of this one, also before the caller asked for the organization: then that is
  -- null.
  if
    lock_admin_keys.organization_id is null
    or auth.organization_id('admin') is distinct from lock_admin_keys.organization_id
  then
    raise sqlstate 'PT401' using message = 'unauthorized';
  end if;
end $$;

comment on function auth.lock_admin_keys(uuid) is
$$Locks the valid admin keys of the organization until the transaction ends.

A statement that comes after it sees what the requests before have changed. Raises PT401 unauthorized if one of them has
revoked the key of this request.$$;

grant execute on function auth.lock_admin_keys(uuid) to leads_exec;
