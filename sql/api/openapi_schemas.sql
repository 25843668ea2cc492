-- api.openapi_schemas - the schemas that the paths of the OpenAPI document refer to.
set local role leads_exec;

create or replace function api.openapi_schemas()
returns text language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  with recursive type as (
    select t.oid, t.typrelid
    from api.operations() as o
    cross join lateral (values (o.answer), (o.request)) as n (name)
    join pg_catalog.pg_type as t on t.oid = to_regtype(n.name)
    union
    -- The types of its fields, and of the items of its fields.
    select i.oid, i.typrelid
    from type as u
    join pg_catalog.pg_attribute as a on a.attrelid = u.typrelid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type as f on f.oid = a.atttypid
    join pg_catalog.pg_type as i on i.oid = coalesce(nullif(f.typelem, 0), f.oid) and i.typtype = 'c'
  ),
  schema as (
    select api.schema_name(n.name) as name, api.type_schema(n.name) as text
    from type as u
    cross join lateral (select u.oid::regtype::text) as n (name)
    union
    select api.schema_name(s.schema_name), s.schema from api.operation_successes() as s where s.schema is not null
    union
    select api.schema_name(b.schema_name), b.schema from api.operation_bodies() as b where b.schema is not null
    union
    select n.name, json_strip_nulls(n.schema)::text from api.named_schema as n
    union
    select
      'AuditAction',
      api.object_text(
        'type', '"string"',
        'description', '"An action of the audit log."',
        'enum', (select json_agg(a.action order by a.position)::text from unnest(audit.actions()) with ordinality as a (action, position))
      )
    union
    select
      'ProblemCode',
      api.object_text(
        'type', '"string"',
        'description', '"The codes of all errors. The guide explains each."',
        'enum', (select json_agg(c.code order by c.code)::text from (select distinct p.code from api.problem as p) as c)
      )
  )
  select '{' || string_agg(api.json_text(s.name) || ':' || s.text, ',' order by s.name collate "C") || '}'
  from schema as s;
end;

comment on function api.openapi_schemas() is
$$The schemas, as JSON text: of the types that requests and answers show and of those inside them, of pages and lists, of
the bodies with a rule, of api.named_schema, AuditAction and ProblemCode.$$;
