begin;
select plan(5);

select is(app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'request'), null, 'a claim');
select lives_ok(
  $$select app.keep_answer(organization('alice'), 'a-key', row(202, null, 'pending')::api.answer)$$, 'its answer'
);
select is(app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'request'), null, 'a repeat claims the key again');
select lives_ok(
  $$select app.keep_answer(organization('alice'), null, row(201, null, 'x')::api.answer)$$, 'its answer'
);
select is(
  (select array_agg(k.status) from app.idempotency_key as k), array[null::integer], 'without a key nothing is kept'
);

select * from finish();
rollback;
