-- api.type_schema - the JSON Schema of a composite type of schema api.
set local role leads_exec;

create or replace function api.type_schema(type text)
returns text language sql stable parallel safe set search_path = pg_catalog, pg_temp
begin atomic
  with shape as (
    select
      t.oid,
      t.typrelid,
      s.relation,
      coalesce(s.never_null, '{}') as never_null,
      s.fields,
      s.example,
      t.typname like '%\_input' as is_input
    from pg_catalog.pg_type as t
    left join api.shape as s on s.type = type_schema.type
    where t.oid = to_regtype(type_schema.type)
  ),
  field as (
    select
      a.attname as name,
      a.attnum as position,
      -- A request may leave a field out. A response has every field.
      not s.is_input or a.attname = any (s.never_null) as is_required,
      '"description":' || api.json_text(d.text) as description,
      json_strip_nulls(s.fields -> a.attname)::text as schema,
      api.value_schema(
        a.atttypid,
        array(
          select pg_get_constraintdef(k.oid)
          from pg_catalog.pg_constraint as k
          where k.conrelid = c.attrelid and k.contype = 'c' and k.conkey = array[c.attnum]
          order by k.conname
        )
        -- A foreign key to a name is a name.
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
        '"description":' || api.json_text(d.text)
      ) as derived_schema
    from shape as s
    join pg_catalog.pg_attribute as a on a.attrelid = s.typrelid and a.attnum > 0 and not a.attisdropped
    left join pg_catalog.pg_attribute as c
      on c.attrelid = to_regclass(s.relation) and c.attname = a.attname and not c.attisdropped
    cross join lateral (
      select coalesce(col_description(a.attrelid, a.attnum), col_description(c.attrelid, c.attnum)) as text
    ) as d
  )
  select api.object_text(
    'type', '"object"',
    'description', api.json_text(obj_description(s.oid, 'pg_type')),
    'required', (
      select '[' || string_agg(api.json_text(f.name), ',' order by f.position) || ']' from field as f where f.is_required
    ),
    'properties', (
      select '{' || string_agg(
        api.json_text(f.name)
        || ':' || coalesce(left(f.schema, -1) || concat(',' || f.description, '}'), f.derived_schema),
        ',' order by f.position
      ) || '}'
      from field as f
    ),
    'additionalProperties', 'false',
    'examples', '[' || s.example || ']'
  )
  from shape as s;
end;

comment on function api.type_schema(text) is
$$The JSON Schema (2020-12) of a composite type, as text. Null if there is no such type.

The fields are the attributes of the type, with their comments, and with the constraints on the columns of the table that
api.shape names for the type. An attribute without a comment has that of the column. Types whose names end with _input describe requests.$$;
