-- api.operation_parameters - the OpenAPI parameters of each operation.
set local role leads_exec;

create or replace function api.operation_parameters()
returns table (operation_id text, parameters text)
language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  with argument as (
    select
      o.id as operation_id,
      a.position,
      a.name,
      a.type,
      api.default_text(o.function, a.position::integer) as default_text,
      a.position > p.pronargs - p.pronargdefaults as is_optional,
      coalesce(
        o.parameters ->> a.name,
        case
          when a.name = 'idempotency_key' and 'secret_already_shown' = any (o.problems) then
            'Makes the request safe to repeat: for 24 hours the same key and request return 409 secret_already_shown, because '
            'the first response showed a secret, which is not kept.'
        end,
        d.description,
        obj_description(a.type, 'pg_type')
      ) as description,
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
      -- A filter accepts the values that a column of the same name is limited to.
      || array(
        select pg_get_constraintdef(k.oid)
        from api.shape as s
        join pg_catalog.pg_attribute as c on c.attrelid = to_regclass(s.relation) and c.attname = a.name
        join pg_catalog.pg_constraint as k
          on k.conrelid = c.attrelid and k.contype = 'c' and k.conkey = array[c.attnum]
        where s.type = o.answer and pg_get_constraintdef(k.oid) ~ '= ANY \(ARRAY\[|app\.is_(name|email|phone|text)\('
        order by k.conname
      )
      -- The column has no CHECK, which each new audited table would have to replace.
      || array(
        select format('= ANY (ARRAY[%s])', string_agg(quote_literal(w.action), ', '))
        from unnest(audit.actions()) as w (action)
        where a.name = 'action'
        having count(*) > 0
      ) as checks
    from api.operations() as o
    join pg_catalog.pg_proc as p on p.oid = o.function
    cross join lateral unnest(p.proargtypes::oid[], o.arguments) with ordinality as a (type, name, position)
    join pg_catalog.pg_type as t on t.oid = a.type
    left join api.parameter as d on d.name = a.name
    where
      a.name not in ('body', 'media_type', 'idempotency_wait', 'new_secret', 'sealed_secret', 'sealing_key')
      -- The server itself sends the cursor of an export.
      and not (a.name = 'cursor' and o.form = 'export')
  ),
  parameter as (
    select
      a.operation_id,
      a.position,
      api.object_text(
        'name', api.json_text(
          case a.name when 'if_match' then 'If-Match' when 'idempotency_key' then 'Idempotency-Key' else a.name end
        ),
        'in', api.json_text(a.place),
        'required', case when a.place = 'path' or not a.is_optional then 'true' end,
        'description', api.json_text(a.description),
        'style', case when a.base = 'text[]' then '"form"' end,
        'explode', case when a.base = 'text[]' then 'false' end,
        'schema', api.value_schema(
          a.type,
          a.checks,
          false,
          true,
          '"default":' || case
            when a.base in ('integer', 'boolean') then a.default_text
            else api.json_text(a.default_text)
          end
        ),
        'examples', '{"default":{"value":' || case
          when a.base = 'text[]' then to_json(string_to_array(a.example, ','))::text
          when a.base = 'integer' and a.example ~ '^-?(0|[1-9][0-9]*)$' then a.example
          when a.base = 'boolean' and a.example in ('true', 'false') then a.example
          else api.json_text(a.example)
        -- x-disabled: the form of the page shows the example, and does not send it by itself.
        end || case when a.is_optional then ',"x-disabled":true' else '' end || '}}'
      ) as text
    from argument as a
    union all
    select
      o.id,
      1000,
      api.object_text(
        'name', '"If-None-Match"',
        'in', '"header"',
        'description', '"The ETag that you have. If the record still has it, the response is 304 without a body."',
        'schema', '{"type":"string"}'
      )
    from api.operations() as o
    where o.method = 'GET' and 'ETag' = any (o.headers)
    union all
    select
      o.id,
      1001,
      api.object_text(
        'name', '"Leads-Position"',
        'in', '"header"',
        'description',
          '"The header `Leads-Position` of a response to a write. The response to this request is not older than that write. '
          'Several values are separated by commas. A server without replicas ignores the header."',
        'schema', '{"type":"string"}'
      )
    from api.operations() as o
    where o.method = 'GET'
  )
  select p.operation_id, '[' || string_agg(p.text, ',' order by p.position) || ']'
  from parameter as p
  group by p.operation_id;
end;

comment on function api.operation_parameters() is
  'The parameters of each operation that has any, as a JSON array: from the names, types and defaults of the arguments.';
