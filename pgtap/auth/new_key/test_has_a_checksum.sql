begin;
select plan(3);

create function test.checksum(stem text)
returns text
language plpgsql
as $$
declare
  v_sum bigint;
  v_digits text := '';
begin
  execute format('select crc32(%L::bytea)', checksum.stem) into v_sum;
  for v_position in 1 .. 6 loop
    v_digits := substr('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', (v_sum % 62)::integer + 1, 1) || v_digits;
    v_sum := v_sum / 62;
  end loop;
  return v_digits;
end $$;

create table test.made as select auth.new_key('test') as key from generate_series(1, 100);
select is(
  (select count(distinct m.key) from test.made as m where m.key ~ '^lk_test_[0-9A-Za-z]{36}$'), 100::bigint,
  'each key has the form'
);
select matches(auth.new_key('live'), '^lk_live_', 'of a live organization');
select case
  when current_setting('server_version_num')::integer < 180000 then skip('PostgreSQL has no function for CRC-32')
  else is_empty(
    'select m.key from test.made as m where right(m.key, 6) <> test.checksum(left(m.key, -6))',
    'and ends with its checksum'
  )
end;

select * from finish();
rollback;
