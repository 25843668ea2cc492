begin;
select plan(11);

select admin.connect_crm(organization('alice'), 'hubspot', 'hers', '{}');
select act_as('alice');
select made_lead('{"email": "ada@example.com", "name": "Ada"}');
select keep('first', api.push_lead(lead('ada@example.com')));
select is((kept('first')).status, 202, 'a waiting push');
select is((kept('first')).headers::jsonb, '{"Retry-After": "1"}', 'Retry-After is a second');
select is(
  (kept('first')).body,
  format(
    '{"id":"%s","crm_sync":{"vendor":"hubspot","external_id":null,"status":"pending","last_synced_at":null}}',
    lead('ada@example.com')
  ),
  'the body'
);
select is((api.push_lead(lead('ada@example.com'))).body, (kept('first')).body, 'a repeated request returns the same');
select act_as('dba');
select is_empty($$select * from crm.lease_syncs('{}', 64)$$, 'a worker simulates the push');
select act_as('alice');
select keep('second', api.push_lead(lead('ada@example.com')));
select is((kept('second')).status, 200, 'the record exists');
select is((kept('second')).headers::text, null, 'without Retry-After');
select keep('third', api.push_lead(lead('ada@example.com')));
select is((kept('third')).body, (kept('second')).body, 'a third request returns the same');
select act_as('dba');
select is(
  (kept('third')).body::jsonb -> 'crm_sync',
  (
    select jsonb_build_object(
      'vendor', 'hubspot', 'external_id', 'simulated_' || s.id, 'status', 'ok', 'last_synced_at', app.utc_text(s.last_synced_at)
    )
    from crm.sync as s
  ),
  'the body has the record'
);
select is((select count(*) from crm.sync), 1::bigint, 'one push');
select is((select count(*) from crm.attempt), 1::bigint, 'one attempt');

select * from finish();
rollback;
