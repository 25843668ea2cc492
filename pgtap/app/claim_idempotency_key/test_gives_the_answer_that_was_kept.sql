begin;
select plan(8);

select is(
  app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'POST /leads {}'), null, 'the first claims it'
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
  'the second gets status, headers and body, with a header that says so'
);
select throws_ok(
  $$select app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'POST /leads {} ')$$, 'PT422',
  'idempotency_key_reused',
  'a byte more is another request'
);
select is(
  app.claim_idempotency_key(organization('bob'), 'a-key', 100, 'POST /leads {}'), null,
  'another organization may have the same key'
);
select is(
  app.claim_idempotency_key(organization('alice'), 'A-key', 100, 'POST /leads {}'), null, 'a capital makes another key'
);
select is(app.claim_idempotency_key(organization('alice'), null, 100, 'POST /leads {}'), null, 'no key, no claim');
select is((select count(*) from app.idempotency_key), 3::bigint, 'three claims stand');

select * from finish();
rollback;
