begin;
select plan(4);

select act_as('operator');
select admin.connect_crm(organization('alice'), 'hubspot', 'portal 1', '{}');
select act_as('alice');
select made_lead('{"email": "ada@example.com", "pipeline_stage": "qualified"}');
select keep('id', row(0, null, lead('ada@example.com')::text)::api.answer);
select act_as('dba');
update crm.sync set status = 'in_progress', run_at = now() + interval '50 seconds', attempts = attempts + 1;
select act_as('alice', 'admin');
select keep('waiting', api.delete_lead(((kept('id')).body)::uuid));
select is((kept('waiting')).status, 202, 'a worker is calling the CRM');
select ok(((kept('waiting')).headers ->> 'Retry-After')::integer between 1 and 60, 'Retry-After says when to repeat');
select act_as('dba');
update crm.sync set status = 'ok', external_id = '4711', run_at = null, last_synced_at = now();
select act_as('alice', 'admin');
select keep('erased', api.delete_lead(((kept('id')).body)::uuid));
select is((kept('erased')).status, 200, 'then it is erased');
select is(
  (kept('erased')).body::jsonb -> 'copies',
  '[{"vendor": "hubspot", "account": "portal 1", "status": "ok", "external_id": "4711", "may_have_made": []}]', 'the record to erase in the CRM'
);

select * from finish();
rollback;
