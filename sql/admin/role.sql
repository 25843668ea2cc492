-- admin.role - the roles of auth.roles() with their attributes in this cluster.
set local role leads_jobs;

create or replace view admin.role with (security_invoker = true) as
select
  e.name,
  e.kind,
  e.kind in ('owner', 'sealed') as is_owner,
  e.definer_schemas,
  r.oid,
  r.rolcanlogin as can_login,
  r.rolinherit as inherits,
  r.rolsuper as is_superuser,
  r.rolbypassrls as bypasses_rls,
  r.rolcreaterole as can_create_roles,
  r.rolcreatedb as can_create_databases,
  r.rolreplication as can_replicate,
  r.rolvaliduntil as valid_until
from auth.roles() as e
left join pg_catalog.pg_roles as r on r.rolname = e.name;

comment on view admin.role is 'The roles of auth.roles() with their attributes. A role that does not exist has null attributes.';
