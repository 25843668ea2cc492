-- admin.rotate_key - creates the successor of an API key, for leads keys rotate ID.
set local role leads_jobs;

create or replace function admin.rotate_key(id uuid, digest bytea, overlap interval default '24 hours')
returns uuid language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_old record;
  v_id uuid;
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
  v_id := auth.add_successor(v_old.organization_id, rotate_key.id, rotate_key.digest);
  perform auth.end_overlap(v_old.organization_id, rotate_key.id, rotate_key.overlap);
  return v_id;
end $$;

comment on function admin.rotate_key(uuid, bytea, interval) is
$$Creates a key with the name, scopes and expiry of an existing one, and returns the new key's id.

The existing key is valid until the overlap ends. digest: SHA-256 of the SHA-256 of the new key. Raises PT404 key_not_found,
PT409 key_not_valid, key_of_form and key_rotated_already, PT422 invalid_overlap.$$;

grant execute on function admin.rotate_key(uuid, bytea, interval) to leads_operator;
