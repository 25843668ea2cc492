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

select is(outcome(repeat('{"a":', 30) || '{"b": 1, "b": 2}' || repeat('}', 30)), 'PT400', 'a duplicate key at depth 31');
select is_empty(
  $$
    select d
    from generate_series(0, 40) as d
    cross join (values ('{"a":', '}'), ('[', ']')) as n (opening, closing)
    where outcome('{"c":' || repeat(n.opening, d) || '{"b": 1, "b": 2}' || repeat(n.closing, d) || '}') = 'read'
  $$,
  'no object with a duplicate key is accepted, at any depth'
);
select is(outcome(repeat('{"a":', 30) || '{"b": 1}' || repeat('}', 30)), 'read', 'without a duplicate key it is accepted');
select is(outcome(repeat('{"a":', 33) || 'null' || repeat('}', 33)), '54001', 'more than 32 levels are refused');

select * from finish();
rollback;
