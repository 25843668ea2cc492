-- api.delete_key - DELETE /keys/{id}.
set local role leads_exec;

create or replace function api.delete_key(id uuid)
returns api.answer language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
  v_key record;
  v_item api.key;
begin
  perform auth.lock_admin_keys(v_organization_id);
  select k.scopes, k.expires_at into v_key
  from auth.api_key as k
  -- A key of a form lacks the scope read.
  where k.organization_id = v_organization_id and k.id = delete_key.id and 'read' = any (k.scopes)
  for no key update;
  if not found then
    return null;
  end if;
  -- Before the change: if it is the key of this request, the request can read nothing afterwards.
  v_item := api.key_item(v_organization_id, delete_key.id, null);

  if v_item.state = 'active' then
    if
      'admin' = any (v_key.scopes)
      and not exists (
        select
        from auth.api_key as k
        where
          k.organization_id = v_organization_id
          and k.id <> delete_key.id
          and 'admin' = any (k.scopes)
          and k.revoked_at is null
          -- Without an admin key that is valid for as long, the organization would be without one sooner than now.
          and (k.expires_at is null or k.expires_at >= v_key.expires_at)
      )
    then
      raise sqlstate 'PT409' using message = 'last_admin_key';
    end if;
    update auth.api_key as k
    set revoked_at = date_trunc('milliseconds', now())
    where k.organization_id = v_organization_id and k.id = delete_key.id;
    v_item.state := 'revoked';
    v_item.revoked_at := app.utc_text(date_trunc('milliseconds', now()));
  end if;
  return row(200, null::json, row_to_json(v_item)::text);
end $$;

comment on function api.delete_key(uuid) is
$$Revoke an API key.

The key is refused from now on, also if it is the key of this request. It stays in the list, as revoked. Deleting a key
that is revoked or has expired changes nothing. The last admin key can't be deleted (409): another admin key must be valid
for at least as long. To end such a key at once, rotate it with an overlap of 0 hours.$$;

grant execute on function api.delete_key(uuid) to leads_api;

set local role leads_owner;
call api.document('api.delete_key', tag => 'Keys', answer => 'api.key', problems => '{last_admin_key}');
