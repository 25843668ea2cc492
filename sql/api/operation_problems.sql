-- api.operation_problems - the OpenAPI responses for errors, and the errors of each operation.
set local role leads_exec;

create or replace function api.operation_problems()
returns table (operation_id text, status integer, name text, response text)
language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  with failure as (
    select o.id as operation_id, p.status, p.code, p.title, p.detail, f.field, f.field_code, f.field_detail
    from api.operations() as o
    join api.problem as p on p.code = any (o.problems) and p.raised_by = p.code
    -- The example of the code names something that the operation accepts.
    left join lateral (
      select x.field, x.field_code, x.detail as field_detail
      from api.problem as x
      left join pg_catalog.pg_attribute as a
        on a.attrelid = to_regclass(o.request) and a.attnum > 0 and a.attname = x.field
      where
        x.code = p.code
        and case p.status when 422 then a.attnum is not null else x.field = any (o.arguments) end
      order by a.attnum, x.raised_by
      limit 1
    ) as f on true
  )
  select
    f.operation_id,
    f.status,
    api.schema_name(string_agg(f.code, '_or_' order by f.code))
    || coalesce('In' || api.schema_name(string_agg(distinct f.field, '_and_')), ''),
    api.object_text(
      'description', api.json_text(string_agg(format('`%s`: %s', f.code, f.detail), E'\n\n' order by f.code)),
      'headers', api.object_text(
        'X-Request-Id', '{"$ref":"#/components/headers/X-Request-Id"}',
        'Server-Timing', '{"$ref":"#/components/headers/Server-Timing"}',
        'WWW-Authenticate', case f.status when 401 then '{"$ref":"#/components/headers/WWW-Authenticate"}' end,
        -- Only writes have these. The client will want to read what has prevented the write.
        'Leads-Position', case when f.status in (409, 412, 422) then '{"$ref":"#/components/headers/Leads-Position"}' end,
        'Retry-After', case when f.status in (429, 503) then '{"$ref":"#/components/headers/Retry-After"}' end,
        'RateLimit', case f.status when 429 then '{"$ref":"#/components/headers/RateLimit"}' end,
        'RateLimit-Policy', case f.status when 429 then '{"$ref":"#/components/headers/RateLimit-Policy"}' end
      ),
      'content', api.object_text(
        'application/problem+json', api.object_text(
          -- The keywords beside $ref hold too (JSON Schema 2020-12, section 8.2.3.1).
          'schema', '{"$ref":"#/components/schemas/Problem","properties":{"code":{"enum":['
            || string_agg(api.json_text(f.code), ',' order by f.code) || ']}}}',
          'examples', '{' || string_agg(
            api.json_text(f.code) || ':{"value":' || api.object_text(
              'type', api.json_text('/docs#' || f.code),
              'title', api.json_text(f.title),
              'status', f.status::text,
              'detail', api.json_text(f.detail),
              'code', api.json_text(f.code),
              'errors', coalesce(
                '[{"field":' || api.json_text(f.field) || ',"code":' || api.json_text(f.field_code)
                || ',"detail":' || api.json_text(f.field_detail) || '}]',
                '[]'
              ),
              'request_id', '"4f6c1c0e8d3b4a8c9a35c8f2b1d7e640"'
            ) || '}',
            ',' order by f.code
          ) || '}'
        )
      )
    )
  from failure as f
  group by f.operation_id, f.status;
end;

comment on function api.operation_problems() is
$$The error responses of each operation, a row for each status.

name: of the shared response in components/responses: the codes, and the fields that its examples name. response: the
shared response itself.$$;
