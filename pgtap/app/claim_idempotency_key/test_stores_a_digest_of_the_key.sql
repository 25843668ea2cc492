begin;
select plan(3);

select is(app.claim_idempotency_key(organization('alice'), 'ada@example.com', 100, 'a request'), null, 'a claim');
select is(
  (select array_agg(k.key_digest) from app.idempotency_key as k),
  array[sha256(convert_to(organization('alice') || 'ada@example.com', 'UTF8'))],
  'the digest of organization and key'
);
select is(
  (select array_agg(k.request_digest) from app.idempotency_key as k), array[sha256('a request')],
  'the digest of the request'
);

select * from finish();
rollback;
