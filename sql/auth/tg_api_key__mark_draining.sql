-- auth.tg_api_key__mark_draining - makes replicas refuse a key that is made while its organization drains.
set local role leads_auth;

create or replace function auth.tg_api_key__mark_draining()
returns trigger language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  new.is_draining := exists (
    select from app.placement as p where p.organization_id = new.organization_id and p.state = 'draining'
  );
  return new;
end $$;

comment on function auth.tg_api_key__mark_draining() is
  'A key that is made between admin.drain and admin.fence is refused by replicas, as auth.fence_keys makes them refuse the others.';
