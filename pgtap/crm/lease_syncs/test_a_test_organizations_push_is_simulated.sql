begin;
select plan(6);

select admin.connect_crm(organization('alice'), 'hubspot', 'hers', '{}');
select act_as('alice');
select made_lead('{"email": "ada@example.com", "name": "Ada", "pipeline_stage": "qualified"}');
select act_as('dba');
select is_empty($$select * from crm.lease_syncs('{k}', 64)$$, 'no worker gets the push');
select results_eq(
  'select s.status, s.external_id, s.attempts, s.run_at from crm.sync as s',
  $$select 'ok', 'simulated_' || s.id, 1, null::timestamptz from crm.sync as s$$,
  'the push is ok, with a simulated record'
);
select cmp_ok(
  (select s.last_synced_at from crm.sync as s), '>=', now() - interval '1 ms', 'synced now'
);
select results_eq(
  'select a.number, a.outcome, a.sent_at from crm.attempt as a', $$values (1, 'simulated', null::timestamptz)$$,
  'nothing was sent'
);
select act_as('alice');
select made_lead('{"email": "ada@example.com", "name": "Eve", "pipeline_stage": "qualified"}');
select act_as('dba');
select is_empty($$select * from crm.lease_syncs('{}', 64)$$, 'a worker without a key simulates too');
select is(
  (select count(distinct s.external_id) from crm.sync as s where s.external_id = 'simulated_' || s.id), 2::bigint,
  'each lead has its own record'
);

select * from finish();
rollback;
