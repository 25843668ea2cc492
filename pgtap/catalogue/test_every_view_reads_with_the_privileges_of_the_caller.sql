begin;
select plan(3);

create view test.view_with_its_owners_rights as
select c.oid::regclass::text as finding
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where
  n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook')
  and c.relkind = 'v'
  and 'security_invoker=true' <> all (coalesce(c.reloptions, '{}'))
  -- Reviewed: it returns the key of the claim only, and no login may read it.
  and c.oid <> 'auth.claimed_key'::regclass;

select is_kept('test.view_with_its_owners_rights');
select is_reported(
  'test.view_with_its_owners_rights', 'create view app.names as select l.name from app.lead as l', 'app.names'
);
select is_reported(
  'test.view_with_its_owners_rights', 'alter view admin.role set (security_invoker = false)', 'admin.role'
);

select * from finish();
rollback;
