begin;
select plan(8);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select throws_ok(
  $$select api.push_lead(lead('ada@example.com'), 'k')$$, 'PT409', 'crm_not_configured', 'without a connection'
);
select act_as('dba');
select admin.connect_crm(organization(a), 'jobnimbus', a, '{}') from unnest('{alice,bob}'::text[]) as a;
select act_as('bob');
select throws_ok($$select api.push_lead(lead('ada@example.com'), 'k')$$, 'PT404', 'not_found', 'another organization');
select throws_ok($$select api.push_lead(null)$$, 'PT404', 'not_found', 'a malformed id');
select act_as('alice', 'read');
select throws_ok(
  $$select api.push_lead(lead('ada@example.com'))$$, 'PT404', 'not_found', 'a key that only reads'
);
select act_as('alice');
select is(faults($$select api.push_lead(lead('ada@example.com'))$$), '{name required_by_crm}', 'JobNimbus needs a name');
select made_lead('{"email": "eve@example.com", "name": "Eve"}');
select is(
  (api.push_lead(lead('eve@example.com'), 'k')).status, 202, 'a refused request leaves the key unused'
);
select act_as('dba');
select is((select count(*) from crm.sync), 1::bigint, 'one push');
select is((select s.organization_id from crm.sync as s), organization('alice'), 'the push belongs to alice''s organization');

select * from finish();
rollback;
