begin;
select plan(8);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select throws_ok(
  $$select api.push_lead(lead('ada@example.com'), 'k')$$, 'PT409', 'crm_not_configured', 'there is no connection'
);
select act_as('dba');
select admin.connect_crm(organization(a), 'jobnimbus', a, '{}') from unnest('{alice,bob}'::text[]) as a;
select act_as('bob');
select throws_ok($$select api.push_lead(lead('ada@example.com'), 'k')$$, 'PT404', 'not_found', 'bob has no such lead');
select throws_ok($$select api.push_lead(null)$$, 'PT404', 'not_found', 'a malformed id is no lead');
select act_as('alice', 'read');
select throws_ok(
  $$select api.push_lead(lead('ada@example.com'))$$, 'PT404', 'not_found', 'who only reads pushes nothing'
);
select act_as('alice');
select is(faults($$select api.push_lead(lead('ada@example.com'))$$), '{name required_by_crm}', 'JobNimbus needs a name');
select made_lead('{"email": "eve@example.com", "name": "Eve"}');
select is(
  (api.push_lead(lead('eve@example.com'), 'k')).status, 202, 'what was refused has left the key free'
);
select act_as('dba');
select is((select count(*) from crm.sync), 1::bigint, 'one push');
select is((select s.organization_id from crm.sync as s), organization('alice'), 'of hers');

select * from finish();
rollback;
