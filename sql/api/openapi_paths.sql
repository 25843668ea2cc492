-- api.openapi_paths - the paths of the OpenAPI document, each with its operations.
set local role leads_exec;

create or replace function api.openapi_paths()
returns text language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  with response as (
    select s.operation_id, s.status::text as status, s.response from api.operation_successes() as s
    union all
    select p.operation_id, p.status::text, format('{"$ref":"#/components/responses/%s"}', p.name)
    from api.operation_problems() as p
  ),
  responses as (
    select
      r.operation_id,
      '{' || string_agg(api.json_text(r.status) || ':' || r.response, ',' order by r.status) || '}' as text
    from response as r
    group by r.operation_id
  ),
  operation as (
    select
      o.path,
      coalesce(t.position, 1000) as tag_position,
      array_position(array['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], o.method) as method_position,
      api.json_text(lower(o.method)) || ':' || api.object_text(
        'operationId', api.json_text(o.id),
        'tags', '[' || api.json_text(o.tag) || ']',
        'summary', api.json_text(o.summary),
        'description', api.json_text(concat_ws(
          E'\n\n',
          o.description,
          'Deprecated since ' || to_char(d.deprecated_at at time zone 'UTC', 'YYYY-MM-DD')
          || coalesce('. It may be missing from ' || to_char(d.sunset_at at time zone 'UTC', 'YYYY-MM-DD') || ' on', '')
          || coalesce(': ' || d.deprecation_link, '') || '.',
          case when o.scope is null then 'No key is needed.' else format('Scope: `%s`.', o.scope) end
        )),
        'deprecated', case when d.deprecated_at is not null then 'true' end,
        'security', '[' || coalesce(format('{"key":["%s"]}', o.scope), '') || ']',
        'parameters', p.parameters,
        'requestBody', b.body,
        'responses', r.text
      ) as text
    from api.operations() as o
    join api.route as d on d.method = o.method and d.path = o.path
    join responses as r on r.operation_id = o.id
    left join api.operation_parameters() as p on p.operation_id = o.id
    left join api.operation_bodies() as b on b.operation_id = o.id
    left join api.tag as t on t.name = o.tag
  ),
  path as (
    select
      min(o.tag_position) as tag_position,
      o.path,
      api.json_text(o.path) || ':{' || string_agg(o.text, ',' order by o.method_position) || '}' as text
    from operation as o
    group by o.path
  )
  select '{' || coalesce(string_agg(p.text, ',' order by p.tag_position, p.path collate "C"), '') || '}'
  from path as p;
end;

comment on function api.openapi_paths() is
  'The paths, as JSON text, in the order of the chapters and then of the addresses.';
