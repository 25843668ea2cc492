begin;
select plan(11);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage)
select acme(), n || '@example.com', n, 'qualified' from generate_series(1, 8) as n;
-- The shortest and the longest delay of 8 pushes with that number of attempts and that age. The delays begin between two
-- readings of the clock: the shortest one is counted from the first reading, and the longest one from the second.
create function test.delays(tries integer, age interval)
returns numeric[]
language plpgsql
volatile
as $$
declare
  v_before timestamptz;
begin
  update crm.sync
  set
    status = 'in_progress', attempts = attempts + delays.tries, begun_after = attempts,
    run_at = clock_timestamp() + interval '15 seconds', begun_at = clock_timestamp() - delays.age;
  insert into crm.attempt (organization_id, sync_id, number, connection_revision, outcome, message)
  select s.organization_id, s.id, n, 1, case when n < s.attempts then 'not_made' end, 'Bad gateway.'
  from crm.sync as s
  cross join lateral generate_series(s.begun_after + 1, s.attempts) as n;
  v_before := date_trunc('milliseconds', clock_timestamp());
  perform crm.settle_attempt(acme(), s.id, s.attempts, 'not_made', message => 'Bad gateway.') from crm.sync as s;
  return (
    select
      array[
        extract(epoch from min(s.run_at) - v_before), extract(epoch from max(s.run_at) - clock_timestamp()), count(*),
        extract(epoch from max(s.run_at) - min(s.run_at))
      ]
    from crm.sync as s
    where s.status = 'pending'
  );
end
$$;
create table test.sample as
select t.*, delays(t.tries, t.age::interval) as delays
from (values
  (1, '1 second', 1.0), (2, '1 second', 2.0), (4, '10 seconds', 8.0), (9, '5 minutes', 10.0), (40, '9 minutes', 10.0),
  (40, '30 minutes', 40.0), (60, '4 hours', 3600.0), (60, '23 hours', 3600.0)
) as t (tries, age, seconds);

select ok(
  s.delays[1] >= s.seconds / 2
  and s.delays[2] <= s.seconds
  and s.delays[3] = 8,
  format('try %s after %s: from half of %s seconds, to all of it', s.tries, s.age, s.seconds)
)
from test.sample as s;
select cmp_ok(
  (select s.delays[4] from test.sample as s where s.age = '9 minutes'), '>', 0.1, 'the delays differ'
);

update crm.sync
set
  status = 'in_progress', attempts = attempts + 1, begun_after = attempts, begun_at = clock_timestamp(),
  run_at = clock_timestamp() + interval '15 seconds';
insert into crm.attempt (organization_id, sync_id, number, connection_revision) select s.organization_id, s.id, s.attempts, 1 from crm.sync as s;
select (crm.begin_call(acme(), s.id, s.attempts, 'A name')).verdict from crm.sync as s;
select crm.settle_attempt(acme(), s.id, s.attempts, 'unknown') from crm.sync as s;
select is_empty(
  $$
    select s.run_at, a.sent_at
    from crm.sync as s
    join crm.attempt as a on a.sync_id = s.id and a.number = s.attempts
    where s.run_at < a.sent_at + interval '10 seconds'
  $$,
  'no search before a record can appear in it'
);
select is((select count(*) from crm.attempt as a where a.sent_at is not null and a.outcome is null), 8::bigint, 'for all pushes');

select * from finish();
rollback;
