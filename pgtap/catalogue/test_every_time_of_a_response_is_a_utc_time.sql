begin;
select plan(2);

create function test.other_times()
returns setof text
language sql
as $$
  select t.oid::regtype || '.' || a.attname
  from pg_type as t
  join pg_class as c on c.oid = t.typrelid and c.relkind = 'c'
  join pg_attribute as a on a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
  where
    t.typnamespace = 'api'::regnamespace
    and t.typtype = 'c'
    and t.typname !~ '_input$'
    and a.attname ~ '_at$'
    and a.atttypid <> 'api.utc_time'::regtype
$$;

-- The reference gives this type the format date-time, so that generated clients have a type for it.
select is_empty('select test.other_times()', 'every time of a response is an api.utc_time');

create type api.part as (created_at text);
select results_eq('select test.other_times()', array['api.part.created_at'], 'another type is found');

select * from finish();
rollback;
