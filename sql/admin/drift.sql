-- admin.drift - lists the objects that were changed since leads migrate kept the catalogue.
set local role leads_jobs;

create or replace function admin.drift()
returns table (object text, change text, remedy text, definition text, whole text)
language sql stable security definer set search_path = pg_catalog, pg_temp set jit = off
begin atomic
  with printed as (
    select true as is_live, c.object, c.definition, c.removal from admin.catalogue() as c
    union all
    select false, e.object, e.definition, null from admin.catalogue_entry as e
  ),
  -- After a restore, PostgreSQL prints fewer parentheses, and constants without a column name. From
  -- some minor releases on (15.20), it prints AS before the alias of an updated table. The comparison
  -- ignores these, except in a function body that is stored as text.
  object as (
    select
      p.*,
      case
        when p.definition ~ '\nAS \$(function|procedure)' then p.definition
        else translate(
          regexp_replace(
            regexp_replace(p.definition, '(true|false|''::[a-z ]+|NULL::[a-z ]+) AS "?\w+"?', '\1', 'g'),
            '\m(UPDATE|DELETE FROM|MERGE INTO) (\S+) AS ', '\1 \2 ', 'g'
          ),
          '()', ''
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
  -- Definitions can only be compared with a kept catalogue of the same version of PostgreSQL.
  incomparable as (
    select c.change, c.kept from compared as c where c.object = 'server'
  ),
  -- Objects that are new or missing together with their parts, such as a table's columns.
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
      when c.change = 'new' then coalesce(c.removal, 'Revert the change.')
      when c.change = 'missing' and c.object ~ '^(schema|table|sequence) ' then 'Restore it from a backup.'
      -- CREATE FUNCTION lets every role execute the function.
      when c.change = 'missing' and c.object ~ '^(function|procedure) ' then format(
        E'%s\nrevoke execute on routine %s from public;',
        c.kept, regexp_replace(c.object, '^(function|procedure) ', '')
      )
      when c.kept like '%;' and not (c.change = 'changed' and c.object ~ '^(type|domain) ') then c.kept
      else 'Restore this definition: ' || rtrim(c.kept, ';')
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
      else format('It was kept under %s. Compare the schema with schema.sql, then run: leads doctor --accept', i.kept)
    end,
    null,
    null
  from incomparable as i
  order by 1;
end;

comment on function admin.drift() is
$$The objects that differ from the catalogue that leads migrate has kept.

change: "new", "missing" or "changed". remedy: SQL that restores the object and ends with a semicolon, or else a sentence.
definition: the present definition; null if the object is missing. whole: the object that this one is a part of, if that is
new or missing too. If no catalogue is kept, there is one row: "catalogue", "new". If another version of PostgreSQL kept the
catalogue: "catalogue", "changed".$$;
