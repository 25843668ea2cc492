-- app.duplicate_keys - the keys that occur twice in a JSON object. jsonb keeps only the last value.
set local role leads_owner;

create or replace function app.duplicate_keys(value json)
returns setof text language sql immutable parallel safe
begin atomic
  -- Each level is parsed again: without a limit, 60 KB of nested objects would take half a minute.
  with recursive node as (
    select duplicate_keys.value as value, 1 as depth
    union all
    select c.value, node.depth + 1
    from node
    cross join lateral (
      select o.value from json_each(case when json_typeof(node.value) = 'object' then node.value end) as o
      union all
      select a.value from json_array_elements(case when json_typeof(node.value) = 'array' then node.value end) as a
    ) as c
    where json_typeof(c.value) in ('object', 'array') and node.depth < 32
  )
  select distinct o.key
  from node
  cross join lateral (
    select p.key
    from json_each(case when json_typeof(node.value) = 'object' then node.value end) as p
    group by p.key
    having count(*) > 1
  ) as o;
end;

comment on function app.duplicate_keys(json) is
  'The keys that occur more than once in one object, up to 32 levels deep. (IS JSON WITH UNIQUE KEYS needs PostgreSQL 16 '
  'and does not name the keys.)';

grant execute on function app.duplicate_keys(json) to leads_exec;
