-- admin.cell - what this database is in the directory of the cells, for leads cells list.
set local role leads_jobs;

create or replace function admin.cell()
returns table (name text, release text, organizations bigint, credentials bigint, is_prepared boolean)
language sql stable security definer
begin atomic
  select
    (select c.name from auth.cell as c),
    api.release_version(),
    count(distinct r.organization_id),
    count(r.digest),
    exists (
      select
      from pg_catalog.pg_namespace as n
      join pg_catalog.pg_proc as p on p.pronamespace = n.oid
      where
        n.nspname = 'cell'
        and p.proname = 'position'
        and has_schema_privilege('leads_operator', n.oid, 'usage')
        and has_function_privilege('leads_operator', p.oid, 'execute')
    )
  from admin.routed_credentials(null, null) as r;
end;

comment on function admin.cell() is
  'The name of the cell, null if the database is none; the release of its schema; the numbers of the organizations that it answers for '
  'and of their credentials; and whether a superuser has prepared it for moves, with the script of leads cells prepare.';

grant execute on function admin.cell() to leads_operator, leads_router;
