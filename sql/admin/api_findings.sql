-- admin.api_findings - the findings about the API's version and routes.
set local role leads_jobs;

create or replace function admin.api_findings(release integer)
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  with route as (
    select
      r.method, r.path, r.function, o.request, o.answer,
      format('route %s %s', r.method, r.path) as subject,
      format('delete from api.route where method = %L and path = %L; call app.notify(''leads_routes'');', r.method, r.path) as removal,
      f.oid::regprocedure as name, f.oid, f.provolatile as volatility, f.prorettype as returned
    from api.route as r
    left join api.operation as o on o.function = r.function
    left join pg_catalog.pg_proc as f
      -- to_regproc fails for a name of three parts, and before PostgreSQL 16 for any malformed name.
      on f.oid = case when r.function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$' then to_regproc(r.function) end
  )
  select
    'version',
    format('The schema is at version %s, and this release needs %s.', api.schema_version(), api_findings.release),
    'leads migrate'
  where api.schema_version() < api_findings.release
  union all
  select
    'version',
    format('The schema is at version %s, and this release goes up to %s.', api.schema_version(), api_findings.release),
    'Install the release that the schema was migrated by.'
  where api.schema_version() > api_findings.release
  union all
  select
    r.subject,
    format('There is no function %s, or there are several with this name.', r.function),
    case
      when exists (select from admin.catalogue_entry as e where starts_with(e.object, format('function %s(', r.function))) then
        'Restore the function, or drop the other ones. They are findings of their own, with the SQL.'
      else r.removal
    end
  from route as r
  where r.oid is null
  union all
  select r.subject, format('%s doesn''t return api.answer.', r.name), r.removal
  from route as r
  where r.returned <> 'api.answer'::regtype
  union all
  select
    r.subject,
    format('There is no composite type %s, so the reference shows any JSON.', t.name),
    format('update api.operation set %I = null where function = %L; call app.notify(''leads_routes'');', t.field, r.function)
  from route as r
  cross join lateral (values ('request', r.request), ('answer', r.answer)) as t (field, name)
  where t.name is not null and to_regclass(t.name) is null
  union all
  select
    'function ' || r.name,
    format('It is VOLATILE, and GET %s calls it: a GET must not write.', r.path),
    format('alter function %s stable;', r.name)
  from route as r
  where r.method = 'GET' and r.volatility = 'v'
  union all
  select
    format('grant execute on routine %s to leads_api', r.name),
    format('It is missing, and %s %s needs it.', r.method, r.path),
    format('grant execute on routine %s to leads_api;', r.name)
  from route as r
  join pg_catalog.pg_roles as l on l.rolname = 'leads_api'
  where not has_function_privilege(l.oid, r.oid, 'execute');
end;

comment on function admin.api_findings(integer) is
$$Findings of the groups version and routes, in the form of admin.findings().

release: the number of the newest migration that the calling program has. Null: the version is not checked.$$;
