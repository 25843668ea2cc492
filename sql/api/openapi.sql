-- api.openapi - the OpenAPI 3.1 document of the API, made from the catalogue.
set local role leads_exec;

create or replace function api.openapi()
returns text language sql stable security definer
set search_path = pg_catalog, pg_temp set jit = off
-- PostgreSQL 18 would plan the small SQL functions again for each of their many calls.
set plan_cache_mode = force_generic_plan
begin atomic
  select api.object_text(
    'openapi', '"3.1.0"',
    'info', api.openapi_info(),
    'servers', '[{"url":"/api/v1"}]',
    'tags', (
      select '[' || coalesce(string_agg(
        api.object_text('name', api.json_text(t.name), 'description', api.json_text(t.description)), ',' order by t.position
      ), '') || ']'
      from api.tag as t
    ),
    'paths', api.openapi_paths(),
    'components', api.object_text(
      'securitySchemes', '{"key":' || api.object_text(
        'type', '"http"',
        'scheme', '"bearer"',
        'bearerFormat', '"lk_…"',
        'description', api.json_text(
          'A key of one organization. Its scope is read, write or admin; write includes read, and admin includes write.'
        )
      ) || '}',
      'headers', api.openapi_headers(),
      'responses', (
        select '{' || coalesce(string_agg(api.json_text(p.name) || ':' || p.response, ',' order by p.name), '') || '}'
        from (select distinct on (p.name) p.name, p.response from api.operation_problems() as p order by p.name, p.response) as p
      ),
      'schemas', api.openapi_schemas()
    )
  );
end;

comment on function api.openapi() is
$$The OpenAPI document, as JSON text (https://spec.openapis.org/oas/v3.1.0).

It is made from the routes, the signatures and comments of their functions, the constraints on what they accept and
return, and the rows of api.operation. It leaves out a route whose function the login may not execute.$$;

grant execute on function api.openapi() to leads_api;
