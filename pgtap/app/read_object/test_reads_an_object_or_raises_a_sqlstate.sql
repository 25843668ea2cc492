begin;
select plan(25);

select is(app.read_object('{"a": [1, {"b": null}]}'), '{"a": [1, {"b": null}]}'::jsonb, 'an object');
select is(app.read_object(E' \n{}\t'), '{}'::jsonb, 'an empty object');

select throws_ok(format('select app.read_object(%L)', c.body), 'PT400', 'invalid_body', c.body)
from (values ('[]'), ('null'), ('5'), ('"{}"'), ('true')) as c (body);

select throws_ok(format('select app.read_object(%L)', c.body), '22P02', null, c.why)
from (values
  ('', 'empty'), ('{', 'cut off'), ('{"a": 1,}', 'an extra comma'), ('{a: 1}', 'a key without quotes'),
  ('{"a": NaN}', 'not a number'),
  ('{} {}', 'two objects'), ('{"a": "\ud800"}', 'a lone surrogate'), ('{"a": 01}', 'a leading zero')
) as c (body, why);

select throws_ok($$select app.read_object('{"a": "\u0000"}')$$, '22P05', null, 'a NUL');
select throws_ok($$select app.read_object('{"a": 1e999999}')$$, '22003', null, 'a number out of range');
select throws_ok(
  format('select app.read_object(%L)', '{"a":' || repeat('[', 30000) || repeat(']', 30000) || '}'), '54001', null,
  'very deep nesting'
);
select is(
  faults($$select app.read_object('{"b": 1, "a": {"c": 1, "c": 2}, "b": 2}')$$),
  array['b duplicate_key', 'c duplicate_key'],
  'all duplicate keys'
);
select throws_ok($$select app.read_object('{"b": 1, "b": 2}')$$, 'PT400', 'invalid_body');

select is(
  jsonb_array_length(app.read_object('{"a": [' || repeat('{},', 497) || '{}]}') -> 'a'), 498, '500 objects and arrays'
);
select throws_ok(
  format('select app.read_object(%L)', '{"a": [' || repeat('{},', 498) || '{}]}'), '54001', null,
  'more than 500 objects and arrays'
);
select throws_ok(
  format('select app.read_object(%L)', '{"a": [' || repeat('[],', 2000)), '22P02', null, 'many brackets, but no JSON'
);
select is(
  app.read_object(format('{"a": [%s]}', to_json(repeat('[{"\:,', 1000)))) -> 'a' ->> 0, repeat('[{"\:,', 1000),
  'brackets, quotes, backslashes and colons in a text do not count'
);
select is(
  faults(format('select app.read_object(%L)', repeat('{"a":', 10) || '{"b": 1, "b": 2}' || repeat('}', 10))),
  array['body duplicate_key'],
  'a duplicate key below the levels whose keys are named'
);

select * from finish();
rollback;
