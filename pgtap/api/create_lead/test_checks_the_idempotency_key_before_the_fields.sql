begin;
select plan(3);

select act_as('alice');
select is((api.create_lead('{"email": "ada@example.com"}', 'a-key')).status, 201, 'the first request');
select throws_ok(
  $$select api.create_lead('{"email": 5}', 'a-key')$$, 'PT422', 'idempotency_key_reused',
  'the second request, which has errors, too'
);
select throws_ok(
  $$select api.create_lead('5', 'a-key')$$, 'PT400', 'invalid_body', 'a body that isn''t an object is refused earlier'
);

select * from finish();
rollback;
