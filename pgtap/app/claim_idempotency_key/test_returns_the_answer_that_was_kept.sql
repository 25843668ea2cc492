begin;
select plan(8);

select is(
  app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'POST /leads {}'), null, 'the first request claims the key'
);
select lives_ok(
  $$
    select app.keep_answer(
      organization('alice'), 'a-key', row(201, '{"Location": "/x", "ETag": "\"1\""}', '{"b" : 1, "a":2}')::api.answer
    )
  $$,
  'its answer is kept'
);
select is(
  app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'POST /leads {}')::text,
  row(
    201, '{"ETag": "\"1\"", "Location": "/x", "Idempotency-Replayed": "true"}', '{"b" : 1, "a":2}'
  )::text,
  'the second request gets the kept status, headers and body, with Idempotency-Replayed'
);
select throws_ok(
  $$select app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'POST /leads {} ')$$, 'PT422',
  'idempotency_key_reused',
  'one more byte makes another request'
);
select is(
  app.claim_idempotency_key(organization('bob'), 'a-key', 100, 'POST /leads {}'), null,
  'another organization can use the same key'
);
select is(
  app.claim_idempotency_key(organization('alice'), 'A-key', 100, 'POST /leads {}'), null, 'keys are case-sensitive'
);
select is(app.claim_idempotency_key(organization('alice'), null, 100, 'POST /leads {}'), null, 'without a key there is no claim');
select is((select count(*) from app.idempotency_key), 3::bigint, 'there are three claims');

select * from finish();
rollback;
