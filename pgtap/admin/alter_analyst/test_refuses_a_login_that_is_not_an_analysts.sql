begin;
select plan(4);

select act_as('dba');
create role somebody login;
select make_analyst('ana');
select act_as('migrator');
select throws_ok(
  format('select admin.alter_analyst(%L, 9)', c.login), 'PT404', 'analyst_not_found', c.login
)
from (values ('leads_api'), ('somebody'), ('nobody_at_all')) as c (login);
select admin.revoke_analyst(login('ana'));
select throws_ok($$select admin.alter_analyst(login('ana'), 9)$$, 'PT404', 'analyst_not_found', 'a revoked analyst');

select * from finish();
rollback;
