-- intake.entries - the values of a submission, with their paths.
set local role leads_owner;

create or replace function intake.entries(content jsonb)
returns table (path text, value jsonb) language sql immutable parallel safe
begin atomic
  with recursive node (path, value) as (
    select null::text, entries.content -> 'body'
    union all
    -- A name of 200,000 characters would be repeated in the path of each value in it.
    select concat_ws('.', n.path, left(m.key, 200)), m.value
    from node as n
    cross join lateral (
      select o.key, o.value
      from jsonb_each(case jsonb_typeof(n.value) when 'object' then n.value else '{}' end) as o (key, value)
      union all
      -- An array of texts or numbers is one value.
      select (a.position - 1)::text, a.value
      from jsonb_array_elements(
        case when n.value @? 'strict $[*] ? (@.type() == "object" || @.type() == "array")' then n.value else '[]' end
      ) with ordinality as a (value, position)
    ) as m
  ),
  field as (
    select
      -- fields[name][value] is the path fields.name.value, and choices[] is choices.
      rtrim(regexp_replace(left(f.field ->> 'name', 200), '\[([^]]*)\]', '.\1', 'g'), '.') as path,
      f.field ->> 'value' as value,
      f.position
    from jsonb_array_elements(
      coalesce(entries.content -> 'fields', '[]') || coalesce(entries.content -> 'query', '[]')
    ) with ordinality as f (field, position)
    where f.field ? 'value'
  )
  select
    n.path,
    case jsonb_typeof(n.value)
      when 'array' then to_jsonb((
        select string_agg(t.text, ', ' order by t.position)
        from jsonb_array_elements_text(n.value) with ordinality as t (text, position)
      ))
      else n.value
    end
  from node as n
  where
    n.path is not null
    and jsonb_typeof(n.value) not in ('object', 'null')
    and (n.value @? 'strict $[*] ? (@.type() == "object" || @.type() == "array")') is not true
  union all
  -- Checkboxes have the same name.
  select f.path, to_jsonb(string_agg(f.value, ', ' order by f.position))
  from field as f
  group by f.path;
end;

comment on function intake.entries(jsonb) is
  'The texts, numbers and booleans in a submission, each with its path: the names of the objects around it and the positions '
  'in the arrays around it, from 0, with dots in between. A name counts up to its 200th character. content: of intake.content.';

grant execute on function intake.entries(jsonb) to leads_intake, leads_jobs;
