begin;
select plan(13);

select act_as('router');
select throws_ok(c.call, '42501', 'permission denied for ' || c.what, c.call)
from (values
  ('select api.list_leads()', 'schema api'),
  ('select auth.enter(null, null, null, true)', 'schema auth'),
  ('select from app.lead', 'schema app'),
  ('select from audit.event', 'schema audit'),
  ('create table admin.x ()', 'schema admin'),
  ('select admin.organizations()', 'function organizations'),
  ('select admin.revoke_key(gen_random_uuid())', 'function revoke_key'),
  ('select admin.set_cell(null)', 'function set_cell')
) as c (call, what);
select lives_ok(c.call, c.call)
from (values
  ('select admin.cell()'), ('select admin.moves()'), ('select admin.routed_credentials(null, null)'),
  ('select admin.unannounced_keys()'), ('select admin.announce_keys(''{}'', ''{}'')')
) as c (call);

select * from finish();
rollback;
