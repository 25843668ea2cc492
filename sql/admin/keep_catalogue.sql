-- admin.keep_catalogue - keeps what the schema is, for admin.drift() to compare with.
set local role leads_jobs;

create or replace function admin.keep_catalogue(drifted jsonb default '{}')
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
set jit = off
begin atomic
  with live as (
    select c.object, c.definition from admin.catalogue() as c
  ),
  -- What was adrift before the migrations, and is still as it was, no migration has made: it stays adrift.
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
$$Keeps the schema as it is now. For the migrating login: an operator must not bless what somebody else has changed.

drifted: what admin.drift() gave before the migrations, definition by object: what they left as it was isn't kept.$$;
