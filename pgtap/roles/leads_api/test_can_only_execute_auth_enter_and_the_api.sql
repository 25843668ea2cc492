begin;
select plan(12);

select act_as('alice', 'admin');
select throws_ok(c.call, '42501', 'permission denied for ' || c.what, c.call)
from (values
  ('select auth.organization_id(''read'')', 'function organization_id'),
  ('select auth.key_id()', 'function key_id'),
  ('select app.lead_etag(1)', 'schema app'),
  ('select app.new_id()', 'schema app'),
  ('select audit.write_event(organization(''alice''), ''x'', null, ''"a":1'')', 'schema audit'),
  ('select admin.organizations()', 'schema admin'),
  ('select api.default_text(0, 1)', 'function default_text'),
  ('create table api.x ()', 'schema api'),
  ('create function auth.x() returns void language sql as ''''', 'schema auth'),
  ('create schema x', 'database ' || current_database()),
  ('create temporary table x ()', null)
) as c (call, what)
where c.what is not null;
select throws_ok('create temporary table x ()', '42501', null, 'create temporary table x ()');
select throws_ok('select lo_create(0)', '42501', 'permission denied for function lo_create', 'select lo_create(0)');

select * from finish();
rollback;
