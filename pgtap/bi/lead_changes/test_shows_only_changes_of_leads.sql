begin;
select plan(4);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select act_as('bob');
select made_lead('{"email": "bea@example.com"}');
select act_as('operator');
select isnt(admin.create_key(organization('alice'), 'read', sha256('another')), null, 'a key is created');
select make_analyst('ana');

select act_as('dba');
select isnt_empty(
  $$select from audit.event as e where e.organization_id = organization('alice') and e.action = 'api_key.created'$$,
  'the creation is an event'
);
select act_as('ana');
select results_eq(
  'select distinct c.action from bi.lead_changes as c', array['lead.created'], 'the view doesn''t show it or its digest'
);
select results_eq(
  $$select c.new_value from bi.lead_changes as c where c.field = 'email'$$, array['ada@example.com'], 'the view doesn''t show bob''s lead'
);

select * from finish();
rollback;
