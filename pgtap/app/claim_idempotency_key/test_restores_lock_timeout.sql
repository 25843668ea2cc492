begin;
select plan(4);

set local lock_timeout = '7s';
select is(app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'request'), null, 'a claim');
select is(current_setting('lock_timeout'), '7s', 'lock_timeout is restored');
select throws_ok(
  $$select app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'other')$$, 'PT422', 'idempotency_key_reused'
);
select is(current_setting('lock_timeout'), '7s', 'after an error too');

select * from finish();
rollback;
