-- api.object_text - a JSON object as compact text, with its members in the order of the arguments.
set local role leads_exec;

create or replace function api.object_text(variadic members text[])
returns text language sql stable parallel safe
begin atomic
  select
    '{'
    || coalesce(
      string_agg(to_json(object_text.members[n]) || ':' || object_text.members[n + 1], ',' order by n), ''
    )
    || '}'
  from generate_series(1, cardinality(object_text.members), 2) as n
  where object_text.members[n + 1] is not null;
end;

comment on function api.object_text(text[]) is
$$A JSON object. json_build_object adds white space, and jsonb changes the order.

members: names and values in turn; a value is JSON text, and a member whose value is null is left out.$$;
