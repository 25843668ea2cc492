-- intake.answers - the answers in a submission, with the texts of their questions.
set local role leads_owner;

create or replace function intake.answers(content jsonb, preset text)
returns table (path text, label text, type text, value jsonb)
language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_preset record;
  v_inner jsonb;
begin
  select p.content_path, p.list_path, p.list_keys, p.list_values, p.list_labels, p.titles_path into v_preset
  from intake.preset as p
  where p.name = answers.preset;
  -- A text that is a JSON object.
  if v_preset.content_path is not null then
    select intake.content(e.value #>> '{}', 'application/json') into v_inner
    from intake.entries(answers.content) as e
    where e.path = v_preset.content_path;
  end if;

  return query
    with entry as materialized (
      select e.path, e.value
      from intake.entries(answers.content) as e
      where not coalesce(v_inner ? 'body' and e.path = v_preset.content_path, false)
      union all
      select e.path, e.value
      from intake.entries(v_inner) as e
      where v_inner ? 'body'
    ),
    -- Each member of the list, with its values by their paths in it.
    member as (
      select m.number, jsonb_object_agg(m.inner_path, e.value) as parts
      from entry as e
      cross join lateral (select substr(e.path, length(v_preset.list_path) + 2) as rest) as r
      cross join lateral (
        select split_part(r.rest, '.', 1) as number, coalesce(substring(r.rest from '^[^.]*\.(.*)$'), 'value') as inner_path
      ) as m
      where starts_with(e.path, v_preset.list_path || '.')
      group by m.number
    ),
    title as (
      select jsonb_object_agg(t.inner_path, t.value) as parts
      from (
        select split_part(r.rest, '.', 1) as number, substring(r.rest from '^[^.]*\.(.*)$') as inner_path, e.value
        from entry as e
        cross join lateral (select substr(e.path, length(v_preset.titles_path) + 2) as rest) as r
        where starts_with(e.path, v_preset.titles_path || '.')
      ) as t
      where t.inner_path in ('id', 'title')
      group by t.number
    )
    select
      concat_ws('.', v_preset.list_path, coalesce(k.key, m.number)) collate "C" as path,
      coalesce(
        (
          select m.parts ->> l.name
          from unnest(v_preset.list_labels) with ordinality as l (name, position)
          where m.parts ? l.name
          order by l.position
          limit 1
        ),
        (select t.parts ->> 'title' from title as t where t.parts ->> 'id' = m.parts ->> 'field.id' limit 1)
      ),
      m.parts ->> 'type',
      -- An answer of an unknown kind is kept as it is.
      coalesce(
        (
          select case when count(*) > 1 then to_jsonb(string_agg(m.parts ->> n.name, ', ' order by n.position))
            else (array_agg(m.parts -> n.name))[1] end
          from unnest(v_preset.list_values) with ordinality as n (name, position)
          where m.parts ? n.name
          having count(*) > 0
        ),
        to_jsonb(left(m.parts::text, 1000))
      )
    from member as m
    left join lateral (
      select m.parts ->> n.name as key
      from unnest(v_preset.list_keys) with ordinality as n (name, position)
      where m.parts ? n.name
      order by n.position
      limit 1
    ) as k on true
    union all
    select e.path collate "C", null, null, e.value
    from entry as e
    where
      starts_with(e.path, v_preset.list_path || '.') is not true
      and starts_with(e.path, v_preset.titles_path || '.') is not true
    order by path;
end $$;

comment on function intake.answers(jsonb, text) is
$$The answers in a submission. preset: the service that has sent it; null: anything.

path: where the answer stands; in a list, the name of the answer takes the place of its position. label: the text of the
question, or null. type: the type of the answer as the service calls it, or null. value: a text, a number or a boolean.$$;

grant execute on function intake.answers(jsonb, text) to leads_intake, leads_jobs;
