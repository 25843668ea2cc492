begin;
select plan(11);

create table test.other_role as select r.name from auth.roles() as r where r.name <> 'leads_api';
grant select on test.other_role to public;

select act_as('alice', 'admin');
select throws_ok('set local role ' || r.name, '42501', format('permission denied to set role "%s"', r.name), r.name)
from test.other_role as r;

select * from finish();
rollback;
