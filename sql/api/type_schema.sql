-- api.type_schema - the JSON Schema of a type of schema api: of a body, or of a part of one.
set local role leads_exec;

create or replace function api.type_schema(type text)
returns text
language sql
stable
parallel safe
set search_path = pg_catalog, pg_temp
begin atomic
  with shape as (
    select t.oid, t.typrelid, s.relation, coalesce(s.never_null, '{}') as never_null, s.example, t.typname like '%\_input' as is_input
    from pg_catalog.pg_type as t
    left join api.shape as s on s.type = type_schema.type
    where t.oid = to_regtype(type_schema.type)
  ),
  field as (
    select
      a.attname as name,
      a.attnum as position,
      api.value_schema(
        a.atttypid,
        array(
          select pg_get_constraintdef(k.oid)
          from pg_catalog.pg_constraint as k
          where k.conrelid = c.attrelid and k.contype = 'c' and k.conkey = array[c.attnum]
          order by k.conname
        )
        -- A foreign key to a name is one.
        || array(
          select 'app.is_name('
          from pg_catalog.pg_constraint as k
          where
            k.conrelid = c.attrelid
            and k.contype = 'f'
            and c.attnum = any (k.conkey)
            and c.attname <> 'organization_id'
            and c.atttypid = 'text'::regtype
        ),
        not (coalesce(c.attnotnull, false) or a.attname = any (s.never_null)),
        s.is_input,
        '"description":' || to_json(col_description(a.attrelid, a.attnum))
      ) as schema
    from shape as s
    join pg_catalog.pg_attribute as a on a.attrelid = s.typrelid and a.attnum > 0 and not a.attisdropped
    left join pg_catalog.pg_attribute as c
      on c.attrelid = to_regclass(s.relation) and c.attname = a.attname and not c.attisdropped
  )
  select
    '{' || concat_ws(
      ',',
      '"type":"object"',
      '"description":' || to_json(obj_description(s.oid, 'pg_type')),
      -- What a client sends it may leave out; what it gets has every field.
      case when not s.is_input then '"required":' || (select json_agg(f.name order by f.position) from field as f) end,
      '"properties":{'
      || (select string_agg(to_json(f.name) || ':' || f.schema, ',' order by f.position) from field as f) || '}',
      '"additionalProperties":false',
      '"examples":[' || s.example || ']'
    ) || '}'
  from shape as s;
end;

comment on function api.type_schema(text) is
  'JSON Schema (2020-12), as text, of a composite type: its attributes with their comments, and with the constraints on the '
  'columns that api.shape says it shows. Null: there is no such type.';
