begin;
select plan(6);

select act_as('dba');
create role somebody login;
create role chief login createrole in role leads_bi;
create role mighty login superuser in role leads_bi;
select act_as('migrator');
select throws_ok(format('select admin.revoke_analyst(%L)', r.login), 'PT404', 'analyst_not_found', r.login)
from (values ('nobody_at_all'), ('somebody'), ('leads_api'), ('chief'), ('mighty')) as r (login);
select is(
  (select count(*) from pg_roles as r where r.rolname in ('somebody', 'leads_api', 'chief', 'mighty') and r.rolcanlogin),
  4::bigint,
  'all of them can still log in'
);

select * from finish();
rollback;
