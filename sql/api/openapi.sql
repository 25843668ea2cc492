-- api.openapi - the reference of the API: OpenAPI 3.1, out of the catalogue.
set local role leads_exec;

create or replace function api.openapi()
returns text
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set jit = off
begin atomic
  with recursive operation as (
    select
      r.method, r.path, r.scope, r.rule, r.form, r.headers, r.examples, f.oid as function,
      -- A composite type that isn't there is any JSON; leads doctor names it.
      case when to_regclass(r.request) is not null then r.request end as request,
      case when to_regclass(r.answer) is not null then r.answer end as answer,
      coalesce(r.tag, 'Other') as tag,
      coalesce(t.position, 1000) as tag_position,
      coalesce(r.position, 1000) as position,
      coalesce(r.statuses, '{200}') as statuses,
      -- An id is one operation's: the second route of a function has a number.
      f.proname || coalesce('_' || nullif(row_number() over (partition by f.proname order by r.path, r.method), 1), '') as id,
      f.proargnames[:f.pronargs] as arguments,
      split_part(obj_description(f.oid, 'pg_proc'), E'\n', 1) as summary,
      nullif(btrim(regexp_replace(obj_description(f.oid, 'pg_proc'), '^[^\n]*\n*', ''), E'\n '), '') as description,
      r.problems
      || array['unauthorized', 'internal', 'unavailable']
      || case when r.scope is not null then array['insufficient_scope'] end
      || case when r.method <> 'GET' then array['outcome_unknown'] end
      || case when 'body' = any (f.proargnames) then array['payload_too_large', 'unsupported_media_type'] end as problems
    from api.route as r
    join pg_catalog.pg_proc as f
      on f.oid = case when r.function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$' then to_regproc(r.function) end
      and f.prorettype = 'api.answer'::regtype
      and has_function_privilege(session_user, f.oid, 'execute')
    left join api.tag as t on t.name = r.tag
  ),
  argument as (
    select
      o.method, o.path, a.position, a.name, a.type,
      api.default_text(o.function, a.position::integer) as default_text,
      a.position > p.pronargs - p.pronargdefaults as is_optional,
      coalesce(d.description, obj_description(a.type, 'pg_type')) as description,
      d.example,
      case
        when strpos(o.path, '{' || a.name || '}') > 0 then 'path'
        when a.name in ('if_match', 'idempotency_key') then 'header'
        else 'query'
      end as place,
      format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null) as base,
      array(
        select pg_get_constraintdef(k.oid) from pg_catalog.pg_constraint as k where k.contypid = a.type order by k.conname
      )
      -- The words that a column of the same name is limited to.
      || array(
        select pg_get_constraintdef(k.oid)
        from api.shape as s
        join pg_catalog.pg_attribute as c on c.attrelid = to_regclass(s.relation) and c.attname = a.name
        join pg_catalog.pg_constraint as k
          on k.conrelid = c.attrelid and k.contype = 'c' and k.conkey = array[c.attnum]
        where s.type = o.answer and pg_get_constraintdef(k.oid) like '%= ANY (ARRAY[%'
        order by k.conname
      ) as checks
    from operation as o
    join pg_catalog.pg_proc as p on p.oid = o.function
    cross join lateral unnest(p.proargtypes::oid[], p.proargnames[:p.pronargs]) with ordinality as a (type, name, position)
    join pg_catalog.pg_type as t on t.oid = a.type
    left join api.parameter as d on d.name = a.name
    where a.name not in ('body', 'idempotency_wait')
  ),
  parameter as (
    select
      a.method, a.path,
      '{' || concat_ws(
        ',',
        '"name":' || to_json(case a.name when 'if_match' then 'If-Match' when 'idempotency_key' then 'Idempotency-Key' else a.name end),
        format('"in":"%s"', a.place),
        case when a.place = 'path' or not a.is_optional then '"required":true' end,
        '"description":' || to_json(a.description),
        case when a.base = 'text[]' then '"style":"form","explode":false' end,
        '"schema":' || api.value_schema(
          a.type,
          a.checks,
          false,
          true,
          '"default":' || case when a.base in ('integer', 'boolean') then a.default_text else to_json(a.default_text)::text end
        ),
        -- x-disabled: the page's try-it shows it, and doesn't send it by itself
        '"examples":{"default":{"value":' || case
          when a.base = 'text[]' then to_json(string_to_array(a.example, ','))::text
          when a.base = 'integer' and a.example ~ '^-?(0|[1-9][0-9]*)$' then a.example
          when a.base = 'boolean' and a.example in ('true', 'false') then a.example
          else to_json(a.example)::text
        end || case when a.is_optional then ',"x-disabled":true' else '' end || '}}'
      ) || '}' as text,
      a.position
    from argument as a
    union all
    select
      o.method, o.path,
      '{"name":"If-None-Match","in":"header","description":'
      || to_json('The ETag of what you have: 304, without a body, while it still is so.'::text)
      || ',"schema":{"type":"string"}}',
      1000
    from operation as o
    where o.method = 'GET' and 'ETag' = any (o.headers)
  ),
  known_header (name, description) as (
    values
      ('X-Request-Id', 'Yours, or one that was made: it is in the audit log and in the server''s log too.'),
      ('ETag', 'The entity tag (RFC 9110, section 8.8.3): another one once it has changed.'),
      ('Location', 'Where the new record is.'),
      ('Link', 'The address of the next page, rel="next" (RFC 8288); none: this is the last.'),
      ('Retry-After', 'Seconds until it is worth asking again.'),
      ('Idempotency-Replayed', 'true: this is the first answer again.'),
      ('WWW-Authenticate', 'Bearer.')
  ),
  header as (
    select coalesce(k.name, h.name) as name, k.description
    from known_header as k
    full join (
      select distinct n.name from operation as o cross join lateral unnest(o.headers) as n (name)
    ) as h on h.name = k.name
  ),
  success as (
    select
      o.method, o.path, s.status::text as status,
      '{' || concat_ws(
        ',',
        '"description":' || to_json(case s.status when 201 then 'Created.' when 202 then 'Under way.' else 'OK.' end),
        '"headers":{' || (
          select string_agg(to_json(h.name) || format(':{"$ref":"#/components/headers/%s"}', h.name), ',' order by h.number)
          from unnest(
            array['X-Request-Id']
            || case when s.status <> 202 then o.headers end
            || case when s.status = 202 then array['Retry-After'] end
            || case when o.form = 'page' and 'cursor' = any (o.arguments) then array['Link'] end
            || case when 'idempotency_key' = any (o.arguments) and s.status <> 202 then array['Idempotency-Replayed'] end
          ) with ordinality as h (name, number)
        ) || '}',
        '"content":{"application/json":{"schema":' || case coalesce(o.form, 'object')
          when 'object' then e.one
          when 'list' then e.list
          when 'page' then
            '{"type":"object","required":["data","next_cursor"],"properties":{"data":{"type":"array","items":' || e.one
            || '},"next_cursor":{"type":["string","null"],"description":'
            || to_json('The cursor of the next page; null: this is the last.'::text) || '}},"additionalProperties":false}'
          else format('{"anyOf":[%s,%s]}', e.one, e.list)
        end || coalesce(
          ',"example":' || coalesce(
            (o.examples -> s.status::text)::text,
            case o.form
              -- Of two there is a next page, with its cursor; what takes no cursor has one page.
              when 'page' then
                (app.page_answer(array_fill(e.example::text, array[case when 'cursor' = any (o.arguments) then 2 else 1 end]), 1)).body
              when 'list' then '{"data":[' || e.example || ']}'
              else e.example::text
            end
          ),
          ''
        ) || '}}',
        '"links":{' || (
          select string_agg(l.text, ',' order by l.name)
          from (
            select
              n.id as name,
              format(
                '"%s":{"operationId":"%s","parameters":{"id":"$response.body#/id"}}', n.id, n.id
              ) as text
            from operation as n
            where s.status = 201 and e.has_id and starts_with(n.path, o.path || '/{id}')
            union all
            select
              'next_page', format('"next_page":{"operationId":"%s","parameters":{"cursor":"$response.body#/next_cursor"}}', o.id)
            where o.form = 'page' and 'cursor' = any (o.arguments)
          ) as l
        ) || '}'
      ) || '}' as text
    from operation as o
    cross join lateral unnest(o.statuses) as s (status)
    cross join lateral (
      select
        r.one,
        '{"type":"object","required":["data"],"properties":{"data":{"type":"array","items":' || r.one
        || '}},"additionalProperties":false}' as list,
        r.has_id,
        r.example
      from (
        select
          (select s.example from api.shape as s where s.type = o.answer) as example,
          coalesce('{"$ref":"#/components/schemas/' || api.schema_name(o.answer) || '"}', '{}') as one,
          exists (
            select
            from pg_catalog.pg_type as t
            join pg_catalog.pg_attribute as a on a.attrelid = t.typrelid and a.attname = 'id'
            where t.oid = to_regtype(o.answer) and coalesce(o.form, 'object') = 'object'
          ) as has_id
      ) as r
    ) as e
    union all
    select
      o.method, o.path, '304',
      '{"description":"It is as If-None-Match says: there is no body.","headers":{"ETag":{"$ref":"#/components/headers/ETag"}}}'
    from operation as o
    where o.method = 'GET' and 'ETag' = any (o.headers)
  ),
  failure as (
    select
      o.method, o.path, p.status::text as status,
      '{' || concat_ws(
        ',',
        '"description":' || to_json(string_agg(format('`%s`: %s', p.code, p.detail), E'\n\n' order by p.code)),
        '"headers":{"X-Request-Id":{"$ref":"#/components/headers/X-Request-Id"}' || case p.status
          when 401 then ',"WWW-Authenticate":{"$ref":"#/components/headers/WWW-Authenticate"}'
          when 503 then ',"Retry-After":{"$ref":"#/components/headers/Retry-After"}'
          else ''
        end || '}',
        '"content":{"application/problem+json":{"schema":{"allOf":[{"$ref":"#/components/schemas/Problem"},'
        || '{"type":"object","properties":{"code":{"enum":' || json_agg(p.code order by p.code) || '}}}]},"examples":{'
        || string_agg(
          to_json(p.code) || ':{"value":' || json_build_object(
            'type', '/docs#' || p.code,
            'title', p.title,
            'status', p.status,
            'detail', p.detail,
            'code', p.code,
            'errors', e.errors,
            'request_id', '4f6c1c0e8d3b4a8c9a35c8f2b1d7e640'
          ) || '}',
          ',' order by p.code
        ) || '}}}'
      ) || '}' as text
    from operation as o
    join api.problem as p on p.code = any (o.problems) and p.raised_by = p.code
    -- What may be wrong with something that this route takes.
    cross join lateral (
      select coalesce(
        json_agg(json_build_object('field', f.field, 'code', f.field_code, 'detail', f.detail)), '[]'
      ) as errors
      from (
        select x.field, x.field_code, x.detail
        from api.problem as x
        left join pg_catalog.pg_attribute as a
          on a.attrelid = to_regclass(o.request) and a.attnum > 0 and a.attname = x.field
        where
          x.code = p.code
          and case p.status when 422 then a.attnum is not null else x.field = any (o.arguments) end
        order by a.attnum, x.raised_by
        limit 1
      ) as f
    ) as e
    group by o.method, o.path, p.status
  ),
  response as (
    select a.method, a.path, '{' || string_agg(to_json(a.status) || ':' || a.text, ',' order by a.status) || '}' as text
    from (select * from success union all select * from failure) as a
    group by a.method, a.path
  ),
  item as (
    select
      o.path,
      min(o.tag_position) over by_path as tag_position,
      min(o.position) over by_path as position,
      o.position as own_position,
      format('"%s":{', lower(o.method)) || concat_ws(
        ',',
        format('"operationId":"%s"', o.id),
        '"tags":' || json_build_array(o.tag),
        '"summary":' || to_json(rtrim(o.summary, '.')),
        '"description":' || to_json(concat_ws(
          E'\n\n', o.description, 'Scope: ' || coalesce(format('`%s`', o.scope), 'none; no key is asked for') || '.'
        )),
        '"security":[' || coalesce(format('{"key":["%s"]}', o.scope), '') || ']',
        (
          select '"parameters":[' || string_agg(p.text, ',' order by p.position) || ']'
          from parameter as p
          where p.method = o.method and p.path = o.path
        ),
        case when 'body' = any (o.arguments) then
          '"requestBody":{"required":true,"content":{' || (
            select string_agg(
              to_json(m.type) || ':{"schema":' || case
                when o.request is null then '{"type":"object"}'
                when o.rule is null then format('{"$ref":"#/components/schemas/%s"}', api.schema_name(o.request))
                else replace(
                  o.rule::text, '"$body"', format('{"$ref":"#/components/schemas/%s"}', api.schema_name(o.request))
                )
              end || coalesce(
                ',"example":' || coalesce(
                  (o.examples -> 'request')::text, (select s.example::text from api.shape as s where s.type = o.request)
                ),
                ''
              ) || '}',
              ','
            )
            from unnest(
              array['application/json'] || case when o.method = 'PATCH' then array['application/merge-patch+json'] end
            ) as m (type)
          ) || '}}'
        end,
        '"responses":' || r.text
      ) || '}' as text
    from operation as o
    join response as r on r.method = o.method and r.path = o.path
    window by_path as (partition by o.path)
  ),
  path as (
    select
      i.tag_position, i.position, i.path,
      to_json(i.path) || ':{' || string_agg(i.text, ',' order by i.own_position) || '}' as text
    from item as i
    group by i.tag_position, i.position, i.path
  ),
  -- The types that a body shows, and those inside them.
  used as (
    select t.oid, t.typrelid
    from operation as o
    join pg_catalog.pg_type as t on t.oid in (to_regtype(o.answer), to_regtype(o.request))
    union
    select i.oid, i.typrelid
    from used as u
    join pg_catalog.pg_attribute as a on a.attrelid = u.typrelid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type as i on a.atttypid in (i.oid, i.typarray) and i.typtype = 'c'
  )
  select
    '{"openapi":"3.1.0","info":' || json_build_object(
      'title', 'Leads API',
      'summary', 'Inbound leads of an organization: kept, scored with reasons, pushed to its CRM once and only once, and audited.',
      'version', '1.' || api.schema_version(),
      'description', concat_ws(
        E'\n\n',
        (select string_agg(format(E'## %s\n\n%s', g.title, g.body), E'\n\n' order by g.position) from api.guide as g),
        '## Error codes',
        -- What a problem's type names is a row of this table.
        (
          select E'| code | status | what to do |\n| --- | --- | --- |\n'
            || string_agg(format('| `%s` | %s | %s |', e.code, e.status, e.detail), E'\n' order by e.status, e.code)
          from api.problem as e
          where e.raised_by = e.code
        )
      )
    )
    || ',"servers":[{"url":"/api/v1"}],"tags":' || coalesce(
      (select json_agg(json_build_object('name', t.name, 'description', t.description) order by t.position) from api.tag as t), '[]'
    )
    || ',"paths":{' || coalesce(
      (select string_agg(p.text, ',' order by p.tag_position, p.position, p.path) from path as p), ''
    )
    || '},"components":{"securitySchemes":{"key":{"type":"http","scheme":"bearer","bearerFormat":"lk_…","description":'
    || to_json('A key of one organization. Its scope is read; write, which holds read; or admin, which holds write.'::text)
    || '}},"headers":{'
    || (
      select string_agg(
        to_json(h.name) || ':{' || concat_ws(',', '"description":' || to_json(h.description), '"schema":{"type":"string"}') || '}',
        ',' order by h.name
      )
      from header as h
    )
    || '},"schemas":{'
    || concat_ws(
      ',',
      (
        select string_agg(to_json(api.schema_name(n.name)) || ':' || api.type_schema(n.name), ',' order by n.name)
        from used as u
        cross join lateral (select u.oid::regtype::text) as n (name)
      ),
      '"Problem":' || json_build_object(
        'type', 'object',
        'description', 'An error (RFC 9457).',
        'required', '["type","title","status","detail","code","errors","request_id"]'::json,
        'properties', json_build_object(
          'type', '{"type":"string","description":"What the reference says of it."}'::json,
          'title', '{"type":"string","description":"It, in a few words."}'::json,
          'status', '{"type":"integer","description":"The HTTP status."}'::json,
          'detail', '{"type":"string","description":"What to do next."}'::json,
          'code', '{"type":"string","description":"It, as a stable word."}'::json,
          'errors', json_build_object(
            'type', 'array',
            'description', 'All that is wrong with the request.',
            'items', json_build_object(
              'type', 'object',
              'required', '["field","code","detail"]'::json,
              'properties', json_build_object(
                'field', '{"type":"string","description":"The field, parameter or header."}'::json,
                'code', '{"type":"string","description":"What is wrong with it, as a stable word."}'::json,
                'detail', '{"type":"string","description":"What it must be."}'::json
              ),
              'additionalProperties', false
            )
          ),
          'request_id', '{"type":"string","description":"X-Request-Id."}'::json
        ),
        'additionalProperties', false
      )
    )
    || '}}}';
end;

comment on function api.openapi() is
$$The reference, JSON as text (https://spec.openapis.org/oas/v3.1.0): made of the route table, of the functions' signatures and
comments, and of the constraints on what they take and show. A route that the login may not execute isn't in it.$$;

grant execute on function api.openapi() to leads_api;
