begin;
select plan(5);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select throws_ok(
  $$select api.update_lead('00000000-0000-7000-8000-000000000000', '{"name": 5')$$, '22P02', null, 'broken JSON'
);
select throws_ok(
  $$select api.update_lead('00000000-0000-7000-8000-000000000000', '{"name": 5}', '"0"')$$,
  'PT422', 'validation_failed', 'then the fields, before the lead and If-Match'
);
select is(
  api.update_lead('00000000-0000-7000-8000-000000000000', '{"email": null}', '"0"'), null, 'then whether the lead exists'
);
select throws_ok(
  $$select api.update_lead(lead('ada@example.com'), '{"email": null}', '"0"')$$, 'PT412', 'precondition_failed',
  'then If-Match'
);
select is(
  faults($$select api.update_lead(lead('ada@example.com'), '{"email": null}')$$),
  array['email contact_required'],
  'then the contact rule'
);

select * from finish();
rollback;
