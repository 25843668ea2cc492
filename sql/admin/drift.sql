-- admin.drift - what somebody has changed since leads migrate kept the catalogue.
set local role leads_jobs;

create or replace function admin.drift()
returns table (object text, change text, remedy text, definition text, whole text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set jit = off
begin atomic
  with printed as (
    select true as is_live, c.object, c.definition, c.removal from admin.catalogue() as c
    union all
    select false, e.object, e.definition, null from admin.catalogue_entry as e
  ),
  -- A restored dump prints what it has read: some parentheses fewer, and a constant's type for its name. A body that
  -- stands as text stays as it is.
  object as (
    select
      p.*,
      case
        when p.definition ~ '\nAS \$(function|procedure)' then p.definition
        else translate(
          regexp_replace(p.definition, '(true|false|''::[a-z ]+|NULL::[a-z ]+) AS "?\w+"?', '\1', 'g'), '()', ''
        )
      end as comparable
    from printed as p
  ),
  compared as (
    select
      coalesce(live.object, kept.object) as object,
      case when kept.object is null then 'new' when live.object is null then 'missing' else 'changed' end as change,
      kept.definition as kept,
      live.definition as live,
      live.removal
    from (select o.* from object as o where o.is_live) as live
    full join (select o.* from object as o where not o.is_live) as kept on kept.object = live.object
    where kept.comparable is distinct from live.comparable
  ),
  -- Where nothing is kept there is nothing to compare with; and each version of PostgreSQL prints in its own way.
  incomparable as (
    select c.change, c.kept from compared as c where c.object = 'server'
  ),
  -- An object that is new or missing as a whole, with its parts: a table with its columns, a function with its grants.
  whole as (
    select c.object, c.change, regexp_replace(c.object, '^(materialized view|foreign table|\w+) ', '') as name
    from compared as c
    where
      c.change in ('new', 'missing')
      and c.object !~ '^(membership|grant|default privileges|column|constraint|index|trigger|policy|rule) '
  )
  select
    c.object,
    c.change,
    case
      when c.change = 'new' then coalesce(c.removal, 'Take it away.')
      when c.change = 'missing' and c.object ~ '^(schema|table|sequence) ' then 'Restore it from a backup.'
      when c.kept like '%;' and not (c.change = 'changed' and c.object ~ '^(type|domain) ') then c.kept
      else 'Make it again what it was: ' || rtrim(c.kept, ';')
    end,
    c.live,
    (
      select min(w.object)
      from whole as w
      where
        w.change = c.change
        and w.object <> c.object
        and (strpos(c.object || ' ', ' ' || w.name || ' ') > 0 or starts_with(c.object, 'column ' || w.name || '.'))
    )
  from compared as c
  where not exists (select from incomparable)
  union all
  select
    'catalogue',
    i.change,
    case
      when i.change = 'new' then 'leads migrate'
      else format('Compare with schema.sql, since it was kept under %s, then say: leads doctor --accept', i.kept)
    end,
    null,
    null
  from incomparable as i
  order by 1;
end;

comment on function admin.drift() is
$$The objects that are not what leads migrate has kept: change is new, missing or changed.

remedy: SQL that puts the object back, or words. definition: what it is now; null where it is gone. whole: the object that
it came or went with. One row, "catalogue", where none was kept (new) or another version of PostgreSQL kept it (changed).$$;
