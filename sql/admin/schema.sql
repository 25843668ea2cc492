-- admin.schema - the schemas that leads doctor examines.
set local role leads_jobs;

create or replace view admin.schema with (security_invoker = true) as
select n.oid, quote_ident(n.nspname) as name, n.nspowner::regrole as owner, n.nspacl as acl
from pg_catalog.pg_namespace as n
where
  n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook')
  or n.nspowner in (select r.oid from admin.role as r);

comment on view admin.schema is 'The schemas of the application, and every other schema that belongs to one of its roles.';
