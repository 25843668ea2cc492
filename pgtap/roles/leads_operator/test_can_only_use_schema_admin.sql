begin;
select plan(6);

select act_as('operator');
select throws_ok(c.call, '42501', 'permission denied for ' || c.what, c.call)
from (values
  ('select api.list_leads()', 'schema api'),
  ('select auth.enter(null, null, null, true)', 'schema auth'),
  ('select from app.lead', 'schema app'),
  ('select from audit.event', 'schema audit'),
  ('create table admin.x ()', 'schema admin')
) as c (call, what);
select lives_ok('select admin.organizations()', 'it can call a function of schema admin');

select * from finish();
rollback;
