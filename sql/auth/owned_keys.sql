-- auth.owned_keys - the keys of an organization that is about to change its cell.
set local role leads_auth;

create or replace function auth.owned_keys(organization_id uuid)
returns table (relation text, "row" jsonb) language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  -- A key that replaces another one comes after it.
  select k.relation, k."row"
  from (
    select 'auth.api_key' as relation, to_jsonb(a) - 'is_fenced' - 'is_draining' as "row", 1 as number, a.created_at, a.id
    from auth.api_key as a
    where a.organization_id = owned_keys.organization_id
    union all
    select 'auth.key_use', to_jsonb(u), 2, null, u.key_id
    from auth.key_use as u
    where u.organization_id = owned_keys.organization_id
  ) as k
  where exists (
    select from app.placement as p where p.organization_id = owned_keys.organization_id and p.state = 'moving'
  )
  order by k.number, k.created_at, k.id;
end;

comment on function auth.owned_keys(uuid) is
  'The rows of auth.api_key and auth.key_use, while the organization is fenced by a move; otherwise none. A digest is no key and no '
  'claim.';

grant execute on function auth.owned_keys(uuid) to leads_jobs;
