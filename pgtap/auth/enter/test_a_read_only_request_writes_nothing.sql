begin;
select plan(4);

select act_as('alice');
select auth.enter(claim('alice'), 'a-request', 'write', false);
select lives_ok($$select api.create_lead('{"email": "ada@example.com"}')$$, 'a request that may write');
select auth.enter(claim('alice'), 'a-request', 'read', true);
select throws_ok(
  $$select api.create_lead('{"email": "eve@example.com"}')$$,
  '25006', 'cannot execute INSERT in a read-only transaction', 'a read-only request with a key that has the scope write'
);
select throws_ok(
  $$select set_config('transaction_read_only', 'off', true)$$,
  '25001', 'cannot set transaction read-write mode inside a read-only transaction', 'read-only mode can''t be ended'
);
select is(json_array_length((api.list_leads()).body::json -> 'data'), 1, 'a read-only request can read');

select * from finish();
rollback;
