begin;
select plan(3);

select act_as('alice', 'read');
select throws_ok(
  $$select api.create_lead('{"email": "ada@example.com"}')$$, '42501',
  'new row violates row-level security policy for table "lead"'
);
select throws_ok(
  $$select api.create_lead('{"email": "ada@example.com"}', 'a-key')$$,
  '42501', 'new row violates row-level security policy for table "idempotency_key"', 'no idempotency key is stored'
);

select act_as('stranger');
select throws_ok(
  $$select api.create_lead('{"email": "ada@example.com"}')$$,
  '42501', 'new row violates row-level security policy for table "lead"', 'a request without an idempotency key'
);

select * from finish();
rollback;
