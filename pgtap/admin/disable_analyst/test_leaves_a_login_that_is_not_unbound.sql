begin;
select plan(3);

select act_as('dba');
create role chief login createrole in role leads_bi;
select make_analyst('ana');
select act_as('migrator');
select lives_ok(format('select admin.disable_analyst(%L)', r.login), r.login)
from (values ('chief'), (login('ana'))) as r (login);
select is(
  (select count(*) from pg_roles as r where r.rolname in ('chief', login('ana')) and r.rolcanlogin),
  2::bigint,
  'both can still log in'
);

select * from finish();
rollback;
