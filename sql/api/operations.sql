-- api.operations - the endpoints of the reference, with what follows from the catalogue.
set local role leads_exec;

create or replace function api.operations()
returns table (
  id text,
  method text,
  path text,
  scope text,
  function oid,
  arguments text[],
  tag text,
  summary text,
  description text,
  request text,
  rule json,
  answer text,
  form text,
  statuses integer[],
  headers text[],
  problems text[],
  parameters json,
  examples json
)
language sql stable security invoker set search_path = pg_catalog, pg_temp
begin atomic
  select
    -- An id must be unique: the second route of a function gets a number.
    f.proname || coalesce('_' || nullif(row_number() over (partition by f.proname order by r.path, r.method), 1), ''),
    r.method,
    r.path,
    r.scope,
    f.oid,
    a.arguments,
    coalesce(o.tag, 'Other'),
    rtrim(split_part(obj_description(f.oid, 'pg_proc'), E'\n', 1), '.'),
    nullif(btrim(regexp_replace(obj_description(f.oid, 'pg_proc'), '^[^\n]*\n*', ''), E'\n '), ''),
    -- A composite type that does not exist is shown as any JSON. leads doctor reports it.
    case when to_regclass(o.request) is not null then o.request end,
    o.rule,
    case when to_regclass(o.answer) is not null then o.answer end,
    coalesce(o.form, case when 'cursor' = any (a.arguments) then 'page' else 'object' end),
    coalesce(o.statuses, '{200}'),
    coalesce(o.headers, '{}'),
    coalesce(o.problems, '{}')
    || array['invalid_parameter', 'unauthorized', 'internal', 'unavailable']
    || case when r.scope is not null then array['insufficient_scope', 'rate_limited'] end
    || case when r.method = 'GET' then array['invalid_position'] else array['outcome_unknown'] end
    || case when strpos(r.path, '{') > 0 then array['not_found'] end
    || case when 'if_match' = any (a.arguments) then array['precondition_failed'] end
    || case
      when 'idempotency_key' = any (a.arguments)
      then array['idempotency_key_reused', 'idempotency_in_progress']
    end
    -- Only an answer that is kept can be erased.
    || case
      when 'idempotency_key' = any (a.arguments) and ('secret_already_shown' = any (o.problems)) is not true
      then array['erased']
    end
    || case
      when 'body' = any (a.arguments)
      then array['invalid_body', 'payload_too_large', 'unsupported_media_type', 'validation_failed']
    end,
    coalesce(o.parameters, '{}'),
    coalesce(o.examples, '{}')
  from api.route as r
  join pg_catalog.pg_proc as f
    -- to_regproc fails for a name of three parts, and before PostgreSQL 16 for any malformed name.
    on f.oid = case when r.function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$' then to_regproc(r.function) end
    and f.prorettype = 'api.answer'::regtype
    and has_function_privilege(session_user, f.oid, 'execute')
  cross join lateral (select coalesce(f.proargnames[:f.pronargs], '{}') as arguments) as a
  left join api.operation as o on o.function = r.function
  -- OpenAPI has no security scheme for a key in the path. The guide describes these routes.
  where r.key_parameter is null;
end;

comment on function api.operations() is
$$A row for each route whose function the login may execute.

id: the operationId. arguments: the names of the function's arguments. problems: the codes of all errors that the
operation can return, those of api.operation and those that follow from the method, the path and the arguments. The
other columns are those of api.route and api.operation, with the defaults filled in.$$;
