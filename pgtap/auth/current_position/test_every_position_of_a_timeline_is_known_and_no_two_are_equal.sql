begin;
select plan(5);

create table test.seen (position text);
grant select, insert on test.seen to public;

select act_as('stranger');
insert into test.seen select auth.current_position() from generate_series(1, 20);
select matches(min(s.position), '^[A-Za-z0-9+/]{64}$', '64 digits') from test.seen as s;
select is(count(distinct s.position), 20::bigint, 'two positions of the same moment differ') from test.seen as s;
select is(
  count(distinct substr(s.position, 12, 5) || substr(s.position, 34, 5)), 20::bigint, 'also in the nonce and in the LSN'
) from test.seen as s;
select is(
  auth.position_states(array(select s.position from test.seen as s)), array_fill('primary'::text, array[20]),
  'all are authentic'
);
select act_as('dba');
select results_eq(
  'select k.system_identifier, k.timeline from auth.position_key as k',
  $$select c.system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8) from pg_control_system() as c$$,
  'there is one key, of this timeline'
);

select * from finish();
rollback;
