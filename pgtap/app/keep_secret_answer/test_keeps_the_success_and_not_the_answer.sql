begin;
select plan(8);

select is(app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'POST /forms {}'), null, 'a claim');
select lives_ok(
  $$select app.keep_secret_answer(organization('alice'), 'a-key', 201, '11111111-1111-7111-8111-111111111111')$$,
  'its answer showed a secret'
);
select throws_ok(
  $$select app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'POST /forms {}')$$, 'PT409',
  'secret_already_shown', 'a repeat gets an error'
);
select matches(
  hint($$select app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'POST /forms {}')$$),
  '11111111-1111-7111-8111-111111111111', 'which names the object'
);
select throws_ok(
  $$select app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'POST /forms {"name": "x"}')$$, 'PT422',
  'idempotency_key_reused', 'another request with the key gets the usual error'
);
select results_eq(
  'select k.status, k.headers::text, k.body from app.idempotency_key as k', $$values (201, null::text, null::text)$$,
  'nothing of the answer is kept'
);
update app.idempotency_key set created_at = now() - interval '25 hours';
select is(
  app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'POST /forms {}'), null,
  'after 24 hours, a repeat claims the key again'
);
select is((select k.object_id from app.idempotency_key as k), null, 'and the row forgets the object');

select * from finish();
rollback;
