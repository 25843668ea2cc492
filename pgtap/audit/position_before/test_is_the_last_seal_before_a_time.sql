begin;
select plan(12);

select act_as('dba');
select audit.create_partitions(2026);
-- Seals at each minute.
insert into audit.seal (organization_id, position, event_id, event_hash, hash, created_at, sealed_at)
select
  organization('alice'), n, e.id, sha256('x'), sha256('x'), app.id_time(e.id), timestamptz '2026-05-01 00:00Z' + interval '1 minute' * n
from generate_series(1, 100) as n
cross join lateral (select ('01a00000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid as id) as e;
select is(
  audit.position_before(organization('alice'), timestamptz '2026-05-01 00:00Z' + interval '1 second' * s.seconds),
  s.position, s.seconds::text
)
from (values
  (0, 0::bigint), (59, 0), (60, 0), (61, 1), (120, 1), (121, 2), (3000, 49), (3001, 50), (5999, 99), (6000, 99), (6001, 100)
) as s (seconds, position);
select is(audit.position_before(organization('bob'), now()), 0::bigint, 'no seal');

select * from finish();
rollback;
