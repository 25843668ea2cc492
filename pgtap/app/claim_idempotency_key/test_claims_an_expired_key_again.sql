begin;
select plan(6);

select is(app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'request'), null, 'claimed');
select lives_ok(
  $$select app.keep_answer(organization('alice'), 'a-key', row(201, '{}', 'old')::api.answer)$$, 'its answer'
);

update app.idempotency_key set created_at = date_trunc('milliseconds', now()) - interval '23 hours 59 minutes';
select is((app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'request')).body, 'old', 'the answer is kept for a day');

update app.idempotency_key set created_at = now() - interval '24 hours 1 second';
select is(
  app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'another'), null, 'then any request can claim the key'
);
select is(
  (select array_agg(row(k.status, k.headers, k.body)::text) from app.idempotency_key as k), array['(,,)'],
  'the old answer is deleted'
);
select is(
  (select array_agg(k.created_at) from app.idempotency_key as k), array[date_trunc('milliseconds', now())],
  'the 24 hours begin again'
);

select * from finish();
rollback;
