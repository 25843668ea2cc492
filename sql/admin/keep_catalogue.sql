-- admin.keep_catalogue - stores the present catalogue, which admin.drift() compares with later.
set local role leads_jobs;

create or replace function admin.keep_catalogue(drifted jsonb default '{}')
returns void language sql volatile security definer
set search_path = pg_catalog, pg_temp set jit = off
begin atomic
  with live as (
    select c.object, c.definition from admin.catalogue() as c
  ),
  -- The migrations did not change an object that differed before them and is still the same. Its
  -- definition isn't stored, so admin.drift() continues to list it.
  adrift as (
    select d.object
    from jsonb_each_text(keep_catalogue.drifted) as d (object, definition)
    left join live as l on l.object = d.object
    where l.definition is not distinct from d.definition
  ),
  gone as (
    delete from admin.catalogue_entry as e
    where
      not exists (select from live as l where l.object = e.object)
      and not exists (select from adrift as a where a.object = e.object)
  )
  insert into admin.catalogue_entry (object, definition)
  select l.object, l.definition
  from live as l
  where not exists (select from adrift as a where a.object = l.object)
  on conflict (object) do update set definition = excluded.definition;
end;

comment on function admin.keep_catalogue(jsonb) is
$$Stores the present catalogue. Only the migrating login may execute it: an operator must not accept changes made by others.

drifted: definition by object, as admin.drift() returned them before the migrations. Objects that still have these definitions
are not stored.$$;
