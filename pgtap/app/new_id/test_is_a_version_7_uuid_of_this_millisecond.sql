begin;
select plan(2);

create table test.id as
select clock_timestamp() as before, app.new_id() as id
from generate_series(1, 1000);

select is_empty(
  $$
    select i.id
    from test.id as i
    where i.id::text !~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'
  $$,
  'version 7, variant 2 (RFC 9562)'
);
select is_empty(
  $$
    select *
    from (
      select
        i.before,
        to_timestamp(('x' || translate(left(i.id::text, 13), '-', ''))::bit(48)::bigint / 1000.0) as at
      from test.id as i
    ) as t
    where t.at < date_trunc('milliseconds', t.before) or t.at > clock_timestamp()
  $$,
  'its first 48 bits are the milliseconds since 1970, truncated'
);

select * from finish();
rollback;
