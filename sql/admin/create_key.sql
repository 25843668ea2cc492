-- admin.create_key - stores a new API key's digest, for leads keys create.
set local role leads_jobs;

create or replace function admin.create_key(
  organization_id uuid,
  scope text,
  digest bytea,
  name text default null,
  expires_at timestamptz default null
)
returns uuid language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid;
begin
  if (create_key.scope in ('read', 'write', 'admin')) is not true then
    raise sqlstate 'PT422' using message = 'unknown_scope', hint = 'The scopes are read, write and admin.';
  end if;
  if
    app.is_text(app.clean_text(create_key.name), 255) is false
    or app.control_character(app.clean_text(create_key.name)) is not null
  then
    raise sqlstate 'PT422' using
      message = 'invalid_name',
      hint = 'The name must have 1 to 255 characters, and no control characters.';
  end if;
  if create_key.expires_at <= now() then
    raise sqlstate 'PT422' using message = 'expired', hint = 'The time of expiry is in the past.';
  end if;
  v_organization_id := (admin.organization(create_key.organization_id)).organization_id;
  return auth.add_key(v_organization_id, create_key.scope, create_key.digest, create_key.name, create_key.expires_at);
end $$;

comment on function admin.create_key(uuid, text, bytea, text, timestamptz) is
$$Stores a new key's digest, and returns the key's id.

scope: the highest scope: read, write or admin. digest: SHA-256 of the SHA-256 of the key. The server never has the key itself
here. expires_at: null for never. Raises PT404 organization_not_found, PT422 unknown_scope, invalid_name and expired.$$;

grant execute on function admin.create_key(uuid, text, bytea, text, timestamptz) to leads_operator;
