begin;
select plan(9);

select admin.connect_crm(organization('alice'), 'hubspot', 'hers', '{}');
select act_as('alice');
select made_lead('{"email": "ada@example.com", "name": "Ada"}');
select is(
  (api.get_crm_sync(lead('ada@example.com'))).body, format('{"id":"%s","crm_sync":null}', lead('ada@example.com')),
  'a lead that was never pushed'
);
select (api.push_lead(lead('ada@example.com'))).status::text;
select act_as('alice', 'read');
select keep('pending', api.get_crm_sync(lead('ada@example.com')));
select is(
  (kept('pending')).body,
  format(
    '{"id":"%s","crm_sync":{"vendor":"hubspot","external_id":null,"status":"pending","last_synced_at":null}}',
    lead('ada@example.com')
  ),
  'a waiting push'
);
select is((kept('pending')).status, 200, 'the status of the response is 200');
select act_as('bob');
select is((api.get_crm_sync(lead('ada@example.com'))).status, null, 'another organization');
select act_as('stranger');
select is((api.get_crm_sync(lead('ada@example.com'))).status, null, 'without a key');

select act_as('dba');
update crm.sync set status = 'in_progress', attempts = 1;
select act_as('alice', 'read');
select is((api.get_crm_sync(lead('ada@example.com'))).body::jsonb #>> '{crm_sync,status}', 'in_progress', 'a push in progress');
select act_as('dba');
update crm.sync set status = 'failed', error_code = 'rejected', run_at = null;
select act_as('alice', 'read');
select is((api.get_crm_sync(lead('ada@example.com'))).body::jsonb #>> '{crm_sync,status}', 'failed', 'a failed push');

select act_as('operator');
select admin.connect_crm(organization('alice'), 'webhook', 'another', '{}');
select act_as('alice', 'read');
select is(
  (api.get_crm_sync(lead('ada@example.com'))).body::jsonb #>> '{crm_sync,vendor}', 'hubspot',
  'with another connection, the push of the previous one'
);
select act_as('alice');
select (api.push_lead(lead('ada@example.com'))).status::text;
select is(
  (api.get_crm_sync(lead('ada@example.com'))).body::jsonb #>> '{crm_sync,vendor}', 'webhook', 'after a push with the other connection, the new push'
);

select * from finish();
rollback;
