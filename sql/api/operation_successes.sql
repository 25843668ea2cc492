-- api.operation_successes - the OpenAPI responses for success of each operation.
set local role leads_exec;

create or replace function api.operation_successes()
returns table (operation_id text, status integer, response text, schema_name text, schema text)
language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  with operation as (
    select
      o.id, o.method, o.path, o.form, o.statuses, o.headers, o.examples,
      'cursor' = any (o.arguments) as is_paged,
      -- An answer that shows a secret is not kept.
      'idempotency_key' = any (o.arguments) and not 'secret_already_shown' = any (o.problems) as is_repeatable,
      exists (
        select
        from pg_catalog.pg_attribute as a
        where a.attrelid = to_regclass(o.answer) and a.attname = 'id' and o.form = 'object'
      ) as has_id,
      s.example::text as example,
      coalesce(api.schema_reference(o.answer), '{}') as item,
      -- LeadPage for api.lead_item; a page of api.lead would be LeadWholePage.
      regexp_replace(o.answer, '_item$', '')
      || case when to_regclass(o.answer || '_item') is not null then '_whole' else '' end
      || case o.form when 'page' then '_page' else '_list' end as schema_name
    from api.operations() as o
    left join api.shape as s on s.type = o.answer
  ),
  content as (
    select
      o.*,
      case o.form
        when 'page' then api.object_text(
          'type', '"object"',
          'description', '"One page of a list."',
          'required', '["data","next_cursor"]',
          'properties', api.object_text(
            'data', '{"type":"array","description":"The rows of the page.","items":' || o.item || '}',
            'next_cursor',
              '{"type":["string","null"],"description":"The cursor of the next page; null on the last page."}'
          ),
          'additionalProperties', 'false'
        )
        else api.object_text(
          'type', '"object"',
          'description', '"A list."',
          'required', '["data"]',
          'properties', '{"data":{"type":"array","description":"The rows of the list.","items":' || o.item || '}}',
          'additionalProperties', 'false'
        )
      end as listing,
      case o.form
        -- The example of a list with cursors has a next page. A list without cursors has one page.
        when 'page' then (app.page_answer(array_fill(o.example, array[case when o.is_paged then 2 else 1 end]), 1)).body
        when 'list' then '{"data":[' || o.example || ']}'
        else o.example
      end as form_example
    from operation as o
  )
  select
    c.id,
    s.status,
    api.object_text(
      'description', case s.status when 201 then '"Created."' when 202 then '"Accepted: not finished yet."' else '"OK."' end,
      'headers', (
        select '{' || string_agg(
          api.json_text(h.name) || format(':{"$ref":"#/components/headers/%s"}', h.name), ',' order by h.position
        ) || '}'
        from unnest(
          array['X-Request-Id', 'Server-Timing']
          || case s.status when 202 then array['Retry-After'] else c.headers end
          || case when c.form = 'page' and c.is_paged then array['Link'] end
          || case when c.is_repeatable and s.status <> 202 then array['Idempotency-Replayed'] end
          || case when c.method <> 'GET' then array['Leads-Position'] end
        ) with ordinality as h (name, position)
      ),
      'content', case
        when c.form = 'export' then
          -- A line of NDJSON is an object. The text ends with the line that says that it is complete.
          format(
            '{"application/x-ndjson":{"schema":{"anyOf":[%s,{"$ref":"#/components/schemas/ExportEnd"}]},"example":%s},'
            '"text/csv":{"schema":{"type":"string"}}}',
            c.item, c.example
          )
        else '{"application/json":' || api.object_text(
          'schema', case
            when c.form = 'object' then c.item
            when c.form = 'one_or_list' then
              format('{"anyOf":[%s,%s]}', c.item, coalesce(api.schema_reference(c.schema_name), c.listing))
            else coalesce(api.schema_reference(c.schema_name), c.listing)
          end,
          'example', coalesce((c.examples -> s.status::text)::text, c.form_example)
        ) || '}'
      end,
      'links', (
        select '{' || string_agg(api.json_text(l.name) || ':' || l.link, ',' order by l.name) || '}'
        from (
          select
            n.id as name,
            format('{"operationId":"%s","parameters":{"id":"$response.body#/id"}}', n.id) as link
          from operation as n
          where s.status = 201 and c.has_id and starts_with(n.path, c.path || '/{id}')
          union all
          select
            'next_page',
            format('{"operationId":"%s","parameters":{"cursor":"$response.body#/next_cursor"}}', c.id)
          where c.form = 'page' and c.is_paged
        ) as l
      )
    ),
    case when c.form not in ('object', 'export') then c.schema_name end,
    case when c.form not in ('object', 'export') and c.schema_name is not null then c.listing end
  from content as c
  cross join lateral unnest(c.statuses) as s (status)
  union all
  select
    c.id,
    304,
    api.object_text(
      'description', '"Not modified: the record still has the tag in If-None-Match. There is no body."',
      'headers', '{"ETag":{"$ref":"#/components/headers/ETag"}}'
    ),
    null,
    null
  from content as c
  where c.method = 'GET' and 'ETag' = any (c.headers);
end;

comment on function api.operation_successes() is
$$The responses for success of each operation, a row for each status, and 304 where the response has an ETag.

schema_name, schema: the schema of a page or a list, with its name as api.schema_name takes it. Null: the response is described by its type.$$;
