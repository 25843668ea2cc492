-- app.duplicate_keys - the keys that occur twice in a JSON object. jsonb keeps only the last value.
set local role leads_owner;

create or replace function app.duplicate_keys(value json)
returns setof text language sql immutable parallel safe
begin atomic
  -- Each level is parsed again, so the depth is limited. A list of signals has 4 levels.
  with recursive node as (
    select duplicate_keys.value as value, 1 as depth
    union all
    select c.value, node.depth + 1
    -- The values of a long flat object are not looked at.
    from (select n.* from node as n where n.value::text ~ '[{[].*[{[]') as node
    cross join lateral (
      select o.value from json_each(case when json_typeof(node.value) = 'object' then node.value end) as o
      union all
      select a.value from json_array_elements(case when json_typeof(node.value) = 'array' then node.value end) as a
    ) as c
    where json_typeof(c.value) in ('object', 'array') and node.depth < 4
  )
  select distinct o.key
  from node
  cross join lateral (
    select k.key
    from json_object_keys(case when json_typeof(node.value) = 'object' then node.value end) as k (key)
    group by k.key
    having count(*) > 1
  ) as o
  limit 100;
end;

comment on function app.duplicate_keys(json) is
  'The keys that occur more than once in one object, in the upper 4 levels; at most 100 keys. (IS JSON WITH UNIQUE '
  'KEYS needs PostgreSQL 16 and does not name the keys.)';

grant execute on function app.duplicate_keys(json) to leads_exec, leads_jobs;
