begin;
select plan(3);

select is(app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'request'), null, 'the first request claims the key');
select is(app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'request'), null, 'a repeat claims it again');
select throws_ok(
  $$select app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'another')$$, 'PT422',
  'idempotency_key_reused',
  'another request can''t'
);

select * from finish();
rollback;
