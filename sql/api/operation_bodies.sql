-- api.operation_bodies - the OpenAPI request body of each operation that takes one.
set local role leads_exec;

create or replace function api.operation_bodies()
returns table (operation_id text, body text, schema_name text, schema text)
language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  with operation as (
    select
      o.id,
      r.media_types,
      api.default_text(o.function, array_position(o.arguments, 'body')) is null as is_required,
      o.request,
      -- A rule is a schema with a name of its own.
      case when o.request is not null and o.rule is not null then o.id || '_body' end as schema_name,
      replace(json_strip_nulls(o.rule)::text, '"$body"', api.schema_reference(o.request)) as schema,
      coalesce(
        (o.examples -> 'request')::text, (select s.example::text from api.shape as s where s.type = o.request)
      ) as example
    from api.operations() as o
    join api.route as r on r.method = o.method and r.path = o.path
    where 'body' = any (o.arguments)
  )
  select
    o.id,
    api.object_text(
      'required', case when o.is_required then 'true' end,
      'content', (
        select '{' || string_agg(
          api.json_text(t.name) || ':' || case
            -- NDJSON and CSV are texts.
            when t.name ~ '[/+]json$' then m.content
            else '{"schema":{"type":"string"}}'
          end,
          ',' order by t.position
        ) || '}'
        from unnest(o.media_types) with ordinality as t (name, position)
      )
    ),
    o.schema_name,
    case when o.schema_name is not null then o.schema end
  from operation as o
  cross join lateral (
    select api.object_text(
      'schema', coalesce(api.schema_reference(coalesce(o.schema_name, o.request)), '{"type":"object"}'),
      'example', o.example
    ) as content
  ) as m;
end;

comment on function api.operation_bodies() is
$$The request body of each operation whose function has the argument body.

schema_name, schema: the schema of the operation's rule, with its name as api.schema_name takes it. Null: the body is described by its type.$$;
