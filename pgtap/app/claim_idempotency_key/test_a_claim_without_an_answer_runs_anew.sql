begin;
select plan(3);

select is(app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'request'), null, 'the first');
select is(app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'request'), null, 'its repeat');
select throws_ok(
  $$select app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'another')$$, 'PT422',
  'idempotency_key_reused',
  'another request may not'
);

select * from finish();
rollback;
