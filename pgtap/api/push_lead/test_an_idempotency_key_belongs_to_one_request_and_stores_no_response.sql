begin;
select plan(7);

select admin.connect_crm(organization('alice'), 'hubspot', 'hers', '{}');
select act_as('alice');
select made_lead('{"email": "ada@example.com", "name": "Ada"}');
select made_lead('{"email": "eve@example.com", "name": "Eve"}');
select is((api.push_lead(lead('ada@example.com'), 'k')).status, 202, 'a waiting push');
select throws_ok(
  $$select api.push_lead(lead('eve@example.com'), 'k')$$, 'PT422', 'idempotency_key_reused', 'the same key for another lead'
);
select throws_ok(
  $$select api.create_lead('{"email": "liz@example.com"}', 'k')$$, 'PT422', 'idempotency_key_reused', 'the same key for another request'
);
select act_as('dba');
select is_empty($$select * from crm.lease_syncs('{}', 64)$$, 'a worker simulates the push');
select act_as('alice');
select keep('second', api.push_lead(lead('ada@example.com'), 'k'));
select is((kept('second')).status, 200, 'a repeated request returns the present state');
select is((kept('second')).headers::text, null, 'it isn''t a replayed response');
select act_as('dba');
select is((select count(*) from crm.sync), 1::bigint, 'one push');

select * from finish();
rollback;
