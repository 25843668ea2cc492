begin;
select plan(10);

create view test.role_out_of_form as
select e.name as finding
from auth.roles() as e
left join pg_roles as r on r.rolname = e.name
where
  (r.rolcanlogin, r.rolinherit) is distinct from (e.kind = 'login', true)
  or r.rolsuper
  or r.rolbypassrls
  or r.rolcreaterole
  or r.rolcreatedb
  or r.rolreplication
  or r.rolconfig is not null
  or exists (
    select from pg_db_role_setting as s
    where s.setrole = r.oid
      and s.setdatabase in (0, (select d.oid from pg_database as d where d.datname = current_database()))
  );

select is_kept('test.role_out_of_form');
select is_reported('test.role_out_of_form', 'alter role ' || c.fault, c.finding)
from (values
  ('leads_exec bypassrls', 'leads_exec'), ('leads_api superuser', 'leads_api'), ('leads_auth login', 'leads_auth'),
  ('leads_operator createrole', 'leads_operator'), ('leads_worker nologin', 'leads_worker'), ('leads_router nologin', 'leads_router'),
  ('leads_bi replication', 'leads_bi'),
  ('leads_api set search_path = api', 'leads_api'), ('leads_jobs rename to leads_chores', 'leads_jobs')
) as c (fault, finding);

select * from finish();
rollback;
