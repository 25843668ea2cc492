begin;
select plan(15);

select act_inside('alice', 'admin');
select results_eq(
  'select o.organization_id from app.organization as o', array[organization('alice')], 'her organization'
);
select results_eq(
  'select distinct s.organization_id from app.pipeline_stage as s', array[organization('alice')], 'its stages'
);
select results_eq(
  'select distinct e.organization_id from audit.event as e', array[organization('alice')], 'its events'
);
select throws_ok(c.statement, '42501', 'permission denied for table ' || c.name, c.statement)
from (values
  ('update app.organization set name = ''x''', 'organization'),
  ('delete from app.pipeline_stage', 'pipeline_stage'),
  ('insert into app.pipeline_stage values (organization(''alice''), ''x'', 1)', 'pipeline_stage'),
  ('delete from audit.event', 'event'),
  ('update audit.event set action = ''x''', 'event'),
  (
    'insert into audit.event (organization_id, action, source, payload, payload_digest) '
    || 'values (organization(''alice''), ''x'', ''sql'', ''{}'', sha256(''''))',
    'event'
  ),
  ('select k.digest from auth.api_key as k', 'api_key')
) as c (statement, name);

select act_inside('stranger');
select is_empty('select o.name from app.organization as o', 'without a claim no organization is visible');
select is_empty('select s.name from app.pipeline_stage as s', 'no stage');
select is_empty('select e.id from audit.event as e', 'no event');
select is_empty('select k.id from auth.claimed_key as k', 'no API key');
select is_empty('select k.id from auth.api_key as k', 'nor in the table of keys');

select * from finish();
rollback;
