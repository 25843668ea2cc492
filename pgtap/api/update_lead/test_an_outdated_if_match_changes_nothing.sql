begin;
select plan(4);

select act_as('alice');
select made_lead('{"name": "Ada", "email": "ada@example.com"}');
select keep('first', api.get_lead(lead('ada@example.com')));

select is(
  (api.update_lead(lead('ada@example.com'), '{"name": "Eve"}', (kept('first')).headers ->> 'ETag')).status, 200,
  'the present ETag is accepted'
);
select throws_ok(
  $$select api.update_lead(lead('ada@example.com'), '{"name": "Mallory"}', (kept('first')).headers ->> 'ETag')$$,
  'PT412', 'precondition_failed', 'the same ETag is outdated afterwards'
);
select throws_ok(
  $$select api.update_lead(lead('ada@example.com'), '{"name": "Eve"}', (kept('first')).headers ->> 'ETag')$$,
  'PT412', 'precondition_failed', 'also for a patch that changes nothing'
);
select is((api.get_lead(lead('ada@example.com'))).body::json ->> 'name', 'Eve', 'the name has the first change');

select * from finish();
rollback;
