-- auth.add_form_key - adds the token of a form to the keys.
set local role leads_auth;

create or replace function auth.add_form_key(organization_id uuid, name text, digest bytea)
returns uuid language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_id uuid := app.new_id();
begin
  -- session_user: neither a setting nor SET ROLE changes it.
  if session_user <> 'leads_operator' and add_form_key.organization_id is distinct from auth.organization_id('admin') then
    raise sqlstate 'PT401' using message = 'unauthorized';
  end if;
  insert into auth.api_key (organization_id, id, name, scopes, digest)
  values (add_form_key.organization_id, v_id, add_form_key.name, '{form}', add_form_key.digest);
  return v_id;
end $$;

comment on function auth.add_form_key(uuid, text, bytea) is
$$Adds a key with the scope form, and returns its id.

A request must have proven an admin key of the organization; an operator may name any organization. name: a text of 1 to 255
characters, or null. digest: SHA-256 of the SHA-256 of the token. Raises PT401 unauthorized.$$;

grant execute on function auth.add_form_key(uuid, text, bytea) to leads_exec, leads_jobs;
