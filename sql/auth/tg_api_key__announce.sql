-- auth.tg_api_key__announce - in a cell, notes that the router does not know the new key.
set local role leads_auth;

create or replace function auth.tg_api_key__announce()
returns trigger language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from auth.cell) then
    insert into auth.unannounced_key (organization_id, key_id) values (new.organization_id, new.id);
    call app.notify('leads_keys');
  end if;
  return null;
end $$;

comment on function auth.tg_api_key__announce() is
  'In a database that is a cell, leads cells sync is told of the new key, and deletes the row when the router knows it.';
