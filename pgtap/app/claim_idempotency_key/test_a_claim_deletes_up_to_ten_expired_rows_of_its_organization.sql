begin;
select plan(6);

insert into app.idempotency_key (organization_id, key_digest, request_digest, created_at)
select
  organization(a.actor),
  sha256(convert_to(s::text, 'UTF8')),
  sha256(''),
  now() - interval '25 hours' + s * interval '1 second'
from generate_series(1, 25) as s
cross join (values ('alice'), ('bob')) as a (actor);

select is(app.claim_idempotency_key(organization('alice'), 'a-key', 100, 'request'), null, 'a claim');
select is(
  (select count(*) from app.idempotency_key as k where k.organization_id = organization('alice')), 16::bigint,
  '10 of 25 rows are deleted'
);
select is(
  (select min(k.created_at) from app.idempotency_key as k where k.organization_id = organization('alice')),
  (now() - interval '25 hours' + interval '11 seconds')::timestamptz(3), 'the oldest rows'
);
select is(
  (select count(*) from app.idempotency_key as k where k.organization_id = organization('bob')), 25::bigint,
  'the rows of another organization stay'
);
select is(
  (
    select count(*)
    from generate_series(1, 2) as s
    where app.claim_idempotency_key(organization('alice'), 'key ' || s, 100, 'request') is null
  ),
  2::bigint, 'two more claims'
);
select is(
  (
    select count(*)
    from app.idempotency_key as k
    where k.organization_id = organization('alice') and k.created_at < now() - interval '24 hours'
  ),
  0::bigint, 'delete all expired rows'
);

select * from finish();
rollback;
