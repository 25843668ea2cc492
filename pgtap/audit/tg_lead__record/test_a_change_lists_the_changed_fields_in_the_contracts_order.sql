begin;
select plan(1);

select act_as('alice');
select made_lead('{"email": "ada@example.com", "pipeline_stage": "contacted", "lead_score": 87, "name": "Ada"}');
select keep(
  'patch', api.update_lead(lead('ada@example.com'), '{"lead_score": 92, "pipeline_stage": "won", "name": "Ada"}')
);
select act_as('dba');
select is(
  (select replace(e.payload::text, ' ', '') from audit.event as e where e.action = 'lead.updated'),
  format(
    '{"lead_id":"%s","diff":{"pipeline_stage":{"from":"contacted","to":"won"},"lead_score":{"from":87,"to":92}},'
    '"key_id":"%s"}',
    lead('ada@example.com'), key_id('alice')
  ),
  'only the changed fields'
);

select * from finish();
rollback;
