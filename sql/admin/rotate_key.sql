-- admin.rotate_key - creates the successor of an API key, for leads keys rotate ID.
set local role leads_jobs;

create or replace function admin.rotate_key(id uuid, digest bytea, overlap interval default '24 hours')
returns uuid language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_old record;
  v_id uuid := app.new_id();
  v_new_id uuid;
begin
  if rotate_key.overlap < interval '0' then
    raise sqlstate 'PT422' using message = 'invalid_overlap', hint = 'The overlap can''t be negative.';
  end if;
  v_old := admin.good_key(rotate_key.id);
  if v_old.scopes = '{form}' then
    raise sqlstate 'PT409' using
      message = 'key_of_form',
      hint = format('The key %s is the token of a form. Create another form: leads forms create', rotate_key.id);
  end if;
  -- A second rotation would copy the end of the overlap, which is stored as the key's expiry.
  select k.id into v_new_id
  from auth.api_key as k
  where k.organization_id = v_old.organization_id and k.rotated_from = rotate_key.id;
  if found then
    raise sqlstate 'PT409' using
      message = 'key_rotated_already',
      hint = format('The key %s was already rotated. Rotate its successor: %s.', rotate_key.id, v_new_id);
  end if;
  -- A key that expires before the overlap ends keeps its expiry.
  update auth.api_key as k
  set expires_at = least(k.expires_at, date_trunc('milliseconds', now() + rotate_key.overlap))
  where k.organization_id = v_old.organization_id and k.id = rotate_key.id;

  insert into auth.api_key (organization_id, id, name, scopes, digest, expires_at, rotated_from)
  values (v_old.organization_id, v_id, v_old.name, v_old.scopes, rotate_key.digest, v_old.expires_at, rotate_key.id);
  return v_id;
end $$;

comment on function admin.rotate_key(uuid, bytea, interval) is
$$Creates a key with the name, scopes and expiry of an existing one, and returns the new key's id.

The existing key is valid until the overlap ends. digest: SHA-256 of the SHA-256 of the new key. Raises PT404 key_not_found,
PT409 key_not_good, key_of_form and key_rotated_already, PT422 invalid_overlap.$$;

grant execute on function admin.rotate_key(uuid, bytea, interval) to leads_operator;
