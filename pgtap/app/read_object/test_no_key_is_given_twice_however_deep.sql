begin;
select plan(4);

create function test.outcome(body text)
returns text
language plpgsql
as $$
begin
  perform app.read_object(body);
  return 'read';
exception
  when sqlstate 'PT400' or statement_too_complex then
    return sqlstate;
end
$$;

select is(outcome(repeat('{"a":', 30) || '{"b": 1, "b": 2}' || repeat('}', 30)), 'PT400', '31 deep');
select is_empty(
  $$
    select d
    from generate_series(0, 40) as d
    cross join (values ('{"a":', '}'), ('[', ']')) as n (opening, closing)
    where outcome('{"c":' || repeat(n.opening, d) || '{"b": 1, "b": 2}' || repeat(n.closing, d) || '}') = 'read'
  $$,
  'what is read has none, at whatever depth'
);
select is(outcome(repeat('{"a":', 30) || '{"b": 1}' || repeat('}', 30)), 'read', 'without one it is read, 31 deep');
select is(outcome(repeat('{"a":', 33) || 'null' || repeat('}', 33)), '54001', 'and no deeper than 32');

select * from finish();
rollback;
