-- auth.take_keys - stores the keys of an organization that arrives from another cell.
set local role leads_auth;

create or replace function auth.take_keys(organization_id uuid, relation text, rows jsonb)
returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (
    select from app.placement as p where p.organization_id = take_keys.organization_id and p.state = 'arriving'
  )
  or take_keys.relation not in ('auth.api_key', 'auth.key_use')
  then
    raise insufficient_privilege using message = 'The organization doesn''t arrive in this cell.';
  end if;
  return app.insert_rows(take_keys.relation, take_keys.organization_id, take_keys.rows);
end $$;

comment on function auth.take_keys(uuid, text, jsonb) is
$$Stores rows of auth.api_key or auth.key_use, while the organization arrives, and returns their number.

relation: the name of the table. rows: an array of objects, as auth.owned_keys returns them. Raises 42501 for any other organization.$$;

grant execute on function auth.take_keys(uuid, text, jsonb) to leads_jobs;
