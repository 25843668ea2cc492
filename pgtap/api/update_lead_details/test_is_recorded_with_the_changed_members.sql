begin;
select plan(2);

select act_as('alice');
select made_lead('{"email": "ada@example.com", "details": {"a": 1, "b": 2}}');
select api.update_lead_details(lead('ada@example.com'), '{"phone": "911", "reference": "r", "details": {"b": 3}}');
select act_as('dba');
select is(
  (select e.payload::jsonb -> 'diff' from audit.event as e where e.action = 'lead.updated'),
  '{"phone": {"from": null, "to": "911"}, "reference": {"from": null, "to": "r"}, "details": {"from": {"b": 2}, "to": {"b": 3}}}',
  'the diff'
);
select is(
  audit.erased_payload((select e.payload from audit.event as e where e.action = 'lead.updated'))::jsonb -> 'diff',
  '{"phone": {"erased": true}, "reference": {"erased": true}, "details": {"erased": true}}',
  'an erasure leaves none of the values'
);

select * from finish();
rollback;
