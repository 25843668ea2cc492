begin;
select plan(5);

create table test.seen (position text);
grant select, insert on test.seen to public;

select act_as('stranger');
insert into test.seen select auth.current_position();
select is(
  auth.position_states(array[s.position, 'x', '', s.position || 'A', left(s.position, 63), null, s.position]),
  '{primary,invalid,invalid,invalid,invalid,invalid,primary}',
  'only the whole text is a position'
) from test.seen as s;
select is(
  (
    select array_agg(distinct r.states[1])
    from test.seen as s
    cross join generate_series(12, 64) as p (place)
    cross join lateral auth.position_states(
      array[overlay(s.position placing case substr(s.position, p.place, 1) when 'A' then 'B' else 'A' end from p.place for 1)]
    ) as r (states)
  ),
  '{invalid}',
  'with any other digit behind the id of the key, it is not authentic'
);
select is(auth.position_states(array[repeat('A', 64)]), '{unknown}', 'a position with the id of no key is unknown');
select is(auth.position_states('{}'), '{}', 'no positions');

select act_as('dba');
update auth.position_key set system_identifier = system_identifier + 1;
select act_as('stranger');
select is(
  auth.position_states(array[s.position]), '{unknown}', 'a position of another cluster, of which this one is a copy, is unknown'
) from test.seen as s;

select * from finish();
rollback;
