-- auth.limit_keys - limits the number of an organization's valid keys.
set local role leads_auth;

create or replace function auth.limit_keys(organization_id uuid)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  if 100 <= (
    select count(*)
    from auth.api_key as k
    where
      k.organization_id = limit_keys.organization_id
      -- A key of a form lacks the scope read.
      and 'read' = any (k.scopes)
      and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > now())
  ) then
    raise sqlstate 'PT409' using message = 'too_many_keys';
  end if;
end $$;

comment on function auth.limit_keys(uuid) is
  'Raises PT409 too_many_keys if the organization has 100 valid keys. Call auth.lock_admin_keys before.';

grant execute on function auth.limit_keys(uuid) to leads_exec;
