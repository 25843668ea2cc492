-- api.routes - the routes and their functions' signatures, for the server at start and on NOTIFY.
set local role leads_exec;

-- In the same transaction, so that the previous release finds a function at any time.
drop function if exists api.routes();

create function api.routes()
returns table (
  method text,
  path text,
  function text,
  scope text,
  is_read_only boolean,
  arguments json,
  wait_seconds integer,
  wait_function text,
  wait_arguments text[],
  media_types text[],
  max_body_bytes integer,
  timeout_seconds integer,
  is_streamed boolean,
  key_parameter text,
  deprecated_at timestamptz,
  sunset_at timestamptz,
  deprecation_link text
)
language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select
    r.method,
    r.path,
    r.function,
    r.scope,
    f.provolatile <> 'v',
    (
      select json_agg(
        json_build_object(
          'name', a.name,
          'type', format_type(a.type, null),
          'base_type', format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null),
          'default', api.default_text(f.oid, a.position::integer)
        )
        order by a.position
      )
      from unnest(f.proargtypes::oid[], f.proargnames[:f.pronargs]) with ordinality as a (type, name, position)
      join pg_catalog.pg_type as t on t.oid = a.type
    ),
    r.wait_seconds,
    r.wait_function,
    case when w.provolatile <> 'v' then w.proargnames[:w.pronargs] end,
    r.media_types,
    r.max_body_bytes,
    r.timeout_seconds,
    r.is_streamed,
    r.key_parameter,
    r.deprecated_at,
    r.sunset_at,
    r.deprecation_link
  from api.route as r
  left join pg_catalog.pg_proc as f
    -- to_regproc fails for a name of three parts, and before PostgreSQL 16 for any malformed name.
    on f.oid = case when r.function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$' then to_regproc(r.function) end
    and f.prorettype = 'api.answer'::regtype
    and has_function_privilege(session_user, f.oid, 'execute')
  left join pg_catalog.pg_proc as w
    on w.oid = case when r.wait_function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$' then to_regproc(r.wait_function) end
    and w.prorettype = 'api.answer'::regtype
    and has_function_privilege(session_user, w.oid, 'execute')
  order by r.path, r.method;
end;

comment on function api.routes() is
$$The routes.

is_read_only and arguments are null if there is no single function of that name that returns api.answer and that the login
may execute. arguments: name, type, base_type (the type under a domain) and default (as text, or null), in order.
wait_arguments: the names of the arguments of wait_function. Null if there is no such function, or if it can write. The other
columns are those of api.route.$$;

grant execute on function api.routes() to leads_api;
