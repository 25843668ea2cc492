-- admin.good_key - locks and returns a key, which must exist and be valid.
set local role leads_jobs;

create or replace function admin.good_key(
  id uuid,
  out organization_id uuid,
  out environment text,
  out name text,
  out scopes text[],
  out expires_at timestamptz
)
returns record language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_key record;
begin
  -- The organization isn't known before the key is found.
  select k.organization_id, o.environment, k.name, k.scopes, k.expires_at, k.revoked_at into v_key
  from auth.api_key as k
  join app.organization as o on o.organization_id = k.organization_id
  where k.id = good_key.id
  for update of k;
  if not found then
    raise sqlstate 'PT404' using
      message = 'key_not_found',
      hint = format('There is no key %s. To list the keys, run: leads keys list', good_key.id);
  end if;
  if v_key.revoked_at is not null or v_key.expires_at <= now() then
    raise sqlstate 'PT409' using
      message = 'key_not_valid',
      hint = format('The key %s is revoked or has expired. To create a new one, run: leads keys create', good_key.id);
  end if;
  organization_id := v_key.organization_id;
  environment := v_key.environment;
  name := v_key.name;
  scopes := v_key.scopes;
  expires_at := v_key.expires_at;
end $$;

comment on function admin.good_key(uuid) is 'Locks and returns the key. Raises PT404 key_not_found, PT409 key_not_valid.';

grant execute on function admin.good_key(uuid) to leads_operator;
