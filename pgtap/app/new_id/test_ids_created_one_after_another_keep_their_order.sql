begin;
select plan(2);

-- One id per statement, as in a transaction that writes rows, so that at least a microsecond passes between two ids.
create table test.id (made bigint generated always as identity, id uuid);
do $$
begin
  for v_number in 1 .. 3000 loop
    insert into test.id (id) values (app.new_id());
  end loop;
end
$$;
select is_empty(
  $$
    select *
    from (select i.id, lag(i.id) over (order by i.made) as former from test.id as i) as t
    where t.id <= t.former
  $$,
  'each id is greater than the previous one'
);
select cmp_ok(
  (select count(*) from (select left(i.id::text, 13) from test.id as i group by 1 having count(*) > 1) as t), '>',
  0::bigint,
  'some ids are of the same millisecond'
);

select * from finish();
rollback;
