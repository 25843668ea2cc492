begin;
select plan(8);

select act_as('alice', 'admin');
select throws_ok('set local role ' || r.name, '42501', format('permission denied to set role "%s"', r.name), r.name)
from (values
  ('leads_owner'), ('leads_auth'), ('leads_exec'), ('leads_jobs'), ('leads_audit'), ('leads_eraser'),
  ('leads_bi'), ('leads_operator')
) as r (name);

select * from finish();
rollback;
