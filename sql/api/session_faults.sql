-- api.session_faults - why a login is no good for the shim.
set local role leads_exec;

create or replace function api.session_faults()
returns setof text
language sql
stable
security definer
begin atomic
  select format('The login "%s" is a superuser: row-level security doesn''t bind it.', r.rolname)
  from pg_catalog.pg_roles as r
  where r.rolname = session_user and r.rolsuper
  union all
  select format('The login "%s" has BYPASSRLS: row-level security doesn''t bind it.', r.rolname)
  from pg_catalog.pg_roles as r
  where r.rolname = session_user and r.rolbypassrls and not r.rolsuper
  union all
  select format('The login "%s" owns what it should only call: it is a member of %s.', session_user, o.rolname)
  from pg_catalog.pg_roles as o
  where
    o.rolname in ('leads_owner', 'leads_auth', 'leads_exec', 'leads_jobs', 'leads_audit', 'leads_eraser')
    and pg_has_role(session_user, o.oid, 'member')
    and not exists (select from pg_catalog.pg_roles as s where s.rolname = session_user and s.rolsuper);
end;

comment on function api.session_faults() is
  'A sentence for each reason why the login must not serve requests: superuser, BYPASSRLS, membership in an owner. None: it may.';

grant execute on function api.session_faults() to public;
