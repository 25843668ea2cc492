begin;
select plan(2);

select act_as('alice');
select made_lead('{"email": "ada@example.com", "lead_score": 40}');
select keep('patch', api.update_lead(lead('ada@example.com'), '{"name": "Ada", "lead_score": 82, "email": "ada@example.com"}'));
select make_analyst('ana');

select act_as('ana');
select results_eq(
  $$
    select c.field, c.old_value, c.new_value, c.is_erased, c.changed_via, c.key_id, c.role, c.correlation_id
    from bi.lead_changes as c
    where c.lead_id = lead('ada@example.com') and c.action = 'lead.updated'
    order by c.field
  $$,
  $$
    values
      ('lead_score', '40', '82', false, 'api', key_id('alice'), null, 'a-request'),
      ('name', null, 'Ada', false, 'api', key_id('alice'), null, 'a-request')
  $$,
  'each row has the old value, the new value and the author'
);
select is(
  (select count(distinct c.event_id) from bi.lead_changes as c where c.action = 'lead.updated'), 1::bigint, 'the changes of one event'
);

select * from finish();
rollback;
