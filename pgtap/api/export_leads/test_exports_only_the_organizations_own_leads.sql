begin;
select plan(6);

select act_as('alice');
select made_lead('{"email": "own@example.com", "name": "=1", "phone": "+1 555 010 0188", "details": {"a": 1}}');
select act_as('bob');
select made_lead('{"email": "foreign@example.com"}');

select act_as('alice', 'read');
select matches(
  (api.export_leads()).body,
  '^\{"id":"[^"]+","organization_id":"[^"]+","name":"=1",.*"phone":"\+1 555 010 0188","reference":null,"details":\{"a": 1\}\}\n\{"complete":true,"rows":1\}\n$',
  'the lead, and the line that says that it is complete'
);
select matches(
  (api.export_leads('csv')).body,
  E'^id,organization_id,name,[^\n]*,details\r\n[^\n]*,"''=1",,own@example\\.com,[^\n]*\r\n# complete,1,{18}\r\n$',
  'the same as CSV'
);
select is((api.export_leads()).headers ->> 'Next-Cursor', null, 'there is no other page');
select is((api.export_leads(email => '{foreign@example.com}')).body, E'{"complete":true,"rows":0}\n', 'no lead of another organization');
select throws_ok($$select api.export_leads('xml')$$, '23514', null, 'an unknown format');
select throws_ok(
  $$select api.export_leads(pipeline_stage => '{nowhere}', phone => 'x')$$, 'PT422', 'validation_failed', 'filters that no lead can have'
);

select * from finish();
rollback;
