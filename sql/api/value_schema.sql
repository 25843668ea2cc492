-- api.value_schema - the JSON Schema of one value: a field or a parameter.
set local role leads_exec;

create or replace function api.value_schema(type oid, checks text[], is_nullable boolean, is_input boolean, more text)
returns text language sql stable parallel safe set search_path = pg_catalog, pg_temp
begin atomic
  with source as (
    select
      t.typname as name,
      format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null) as base,
      t.typtype = 'c' as is_composite,
      i.typname as item_name,
      i.typtype = 'c' as is_list_of_composites,
      array_to_string(value_schema.checks, ' ') as checks
    from pg_catalog.pg_type as t
    left join pg_catalog.pg_type as i on i.typarray = t.oid
    where t.oid = value_schema.type
  ),
  fact as (
    select
      s.*,
      coalesce(
        (regexp_match(s.checks, 'app\.is_text\([^,]+, ([0-9]+)\)'))[1],
        (regexp_match(s.checks, 'char_length\(VALUE\) >= 1\) AND \(char_length\(VALUE\) <= ([0-9]+)\)'))[1]
      ) as max_length,
      s.checks ~ 'app\.is_name\(' as is_name,
      s.checks ~ 'app\.is_email\(' as is_email,
      s.checks ~ 'app\.is_phone\(' as is_phone,
      (regexp_match(s.checks, '>= [('']*(-?[0-9]+(\.[0-9]+)?)'))[1] as minimum,
      (regexp_match(s.checks, '<= [('']*(-?[0-9]+(\.[0-9]+)?)'))[1] as maximum,
      (
        select json_agg(replace(v.word[1], '''''', ''''))::text
        from regexp_matches((regexp_match(s.checks, '= ANY \(ARRAY\[(.*?)\]\)'))[1], '''((?:[^'']|'''')*)''', 'g') as v (word)
      ) as words
    from source as s
  )
  select
    '{' || concat_ws(
      ',',
      case
        when f.is_composite then
          case
            when value_schema.is_nullable
              then format('"anyOf":[{"$ref":"#/components/schemas/%s"},{"type":"null"}]', api.schema_name(f.name))
            else format('"$ref":"#/components/schemas/%s"', api.schema_name(f.name))
          end
        when f.base in ('json', 'jsonb') then null
        when f.base = 'text[]' then
          k.type || ',"items":{' || concat_ws(
            ',', '"type":"string"', '"enum":' || f.words,
            -- A comma always separates values, even if it is escaped.
            case when f.checks ~ 'cardinality' and f.words is null then coalesce(k.pattern, '"pattern":"^[^,\\u0000]+$"') end
          ) || '}' || case when f.checks ~ 'cardinality' then ',"minItems":1,"maxItems":' || f.maximum else '' end
        when f.base = 'timestamp with time zone' then
          '"anyOf":[{"type":"string","format":"date-time"},{"type":"string","format":"date"}'
          || case when value_schema.is_nullable then ',{"type":"null"}' else '' end || ']'
        when f.is_list_of_composites then
          k.type || format(',"items":{"$ref":"#/components/schemas/%s"}', api.schema_name(f.item_name))
        else k.type
      end,
      case when f.base = 'uuid' then '"format":"uuid"' end,
      case when f.name = 'utc_time' then '"format":"date-time"' end,
      case
        when f.words is not null and f.base <> 'text[]'
        then '"enum":' || case when value_schema.is_nullable then regexp_replace(f.words, '\]$', ', null]') else f.words end
      end,
      case when f.max_length is not null then '"minLength":1,"maxLength":' || f.max_length end,
      -- Not "format": "email", which rejects some addresses that the pattern accepts (a..b).
      case when f.is_email and f.base <> 'text[]' then '"maxLength":254' end,
      case when f.is_phone then '"maxLength":64' end,
      case
        when f.base = 'text[]' then null
        when k.pattern is not null then k.pattern
        when f.is_phone then case when value_schema.is_input then '"pattern":' || to_json(app.phone_pattern()) end
        when f.max_length is not null and value_schema.is_input then
          '"pattern":' || to_json(app.text_pattern())
        when f.checks ~ 'is_cursor\(' then '"pattern":' || to_json('^[A-Za-z0-9_-]{0,200}$'::text)
        when f.base = 'text' and f.checks ~ ' ~ ' then '"pattern":' || to_json(api.expression(f.checks))
      end,
      case when k.type ~ 'integer|number' then '"minimum":' || f.minimum end,
      case when k.type ~ 'integer|number' then '"maximum":' || f.maximum end,
      value_schema.more
    ) || '}'
  from fact as f
  cross join lateral (
    select
      '"type":' || case when value_schema.is_nullable then format('["%s","null"]', n.name) else format('"%s"', n.name) end as type,
      '"pattern":' || to_json(api.expression((
        select p.prosrc
        from pg_catalog.pg_proc as p
        where p.oid = case when f.is_name then 'app.is_name(text)'::regprocedure when f.is_email then 'app.is_email(text)'::regprocedure end
      ))) || case when f.is_name then ',"maxLength":64' else '' end as pattern
    from (
      select case
        when f.base in ('smallint', 'integer', 'bigint') then 'integer'
        when f.base in ('numeric', 'real', 'double precision') then 'number'
        when f.base = 'boolean' then 'boolean'
        when f.base like '%[]' then 'array'
        else 'string'
      end as name
    ) as n
  ) as k;
end;

comment on function api.value_schema(oid, text[], boolean, boolean, text) is
$$The JSON Schema (2020-12, as in OpenAPI 3.1) of a value, as text.

type: the type of the value; it can be a domain. checks: the constraints on the value, as pg_get_constraintdef prints
them. is_input: whether a client sends the value. more: further members of the schema, as JSON text without braces;
null: none.$$;
