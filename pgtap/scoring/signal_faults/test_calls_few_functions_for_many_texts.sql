begin;
select plan(4);

-- A call costs microseconds, and 200 signals can have 12,000 names and texts.
set local track_functions = 'all';

create function test.calls(value jsonb) returns bigint language plpgsql as $$
declare
  v_before bigint := (select coalesce(sum(s.calls), 0) from pg_stat_xact_user_functions as s where s.schemaname in ('app', 'scoring'));
begin
  perform scoring.signal_faults(
    jsonb_build_object('signals', (
      select jsonb_agg(jsonb_build_object('type', 't', 'value', calls.value || jsonb_build_object('n', n::text)))
      from generate_series(1, 200) as n
    ))
  );
  return (select sum(s.calls) from pg_stat_xact_user_functions as s where s.schemaname in ('app', 'scoring')) - v_before;
end $$;

create view test.value as
select jsonb_object_agg('k' || n, 'text') as value from generate_series(1, 29) as n;

select cmp_ok(test.calls(v.value), '>', 0::bigint, 'calls are counted') from test.value as v;
select cmp_ok(test.calls(v.value), '<=', 1000::bigint, 'valid values') from test.value as v;
select cmp_ok(test.calls(v.value || '{"k": " "}'), '<=', 1000::bigint, 'blank texts') from test.value as v;
select cmp_ok(test.calls(v.value || '{"k": "\u0007"}'), '<=', 1500::bigint, 'control characters') from test.value as v;

select * from finish();
rollback;
