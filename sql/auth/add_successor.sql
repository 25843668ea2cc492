-- auth.add_successor - stores the key that replaces another one.
set local role leads_auth;

create or replace function auth.add_successor(organization_id uuid, id uuid, digest bytea)
returns uuid language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_old record;
  v_id uuid;
begin
  -- A key of a form lacks the scope read.
  select k.revoked_at, k.expires_at into v_old
  from auth.api_key as k
  where
    k.organization_id = add_successor.organization_id and k.id = add_successor.id and 'read' = any (k.scopes)
  for no key update;
  if not found then
    return null;
  end if;
  -- A second rotation would copy the end of the overlap, which is stored as the key's expiry.
  select k.id into v_id
  from auth.api_key as k
  where k.organization_id = add_successor.organization_id and k.rotated_from = add_successor.id;
  if found then
    raise sqlstate 'PT409' using
      message = 'key_rotated_already',
      hint = format('The key %s was already rotated. Rotate its successor: %s.', add_successor.id, v_id);
  end if;
  if v_old.revoked_at is not null or v_old.expires_at <= now() then
    raise sqlstate 'PT409' using
      message = 'key_not_valid',
      hint = format('The key %s is revoked or has expired. Create another key.', add_successor.id);
  end if;

  v_id := app.new_id();
  insert into auth.api_key (organization_id, id, name, scopes, digest, expires_at, rotated_from)
  select k.organization_id, v_id, k.name, k.scopes, add_successor.digest, k.expires_at, k.id
  from auth.api_key as k
  where k.organization_id = add_successor.organization_id and k.id = add_successor.id;
  return v_id;
end $$;

comment on function auth.add_successor(uuid, uuid, bytea) is
$$Stores a key with the name, scopes and expiry of an existing one, and returns the new key's id.

It locks the existing key. Call auth.end_overlap afterwards, in the same transaction. digest: SHA-256 of the SHA-256 of the new
key. Null: the organization has no such key. Raises PT409 key_not_valid and key_rotated_already.$$;

grant execute on function auth.add_successor(uuid, uuid, bytea) to leads_exec, leads_jobs;
