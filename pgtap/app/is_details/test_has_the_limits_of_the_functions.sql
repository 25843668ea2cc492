begin;
select plan(21);

-- The CHECK and the functions that report the errors agree.
select is(
  array[
    app.is_details(c.details),
    not exists (select from app.details_faults(c.details)) and app.details_size_faults(c.details) is null
  ],
  array[c.is_good, c.is_good],
  c.why
)
from (values
  ('{"a": "x", "b": 1, "c": true, "d": false, "e": 1.5}'::jsonb, true, 'texts, numbers and booleans'),
  (jsonb_build_object(rpad('a', 64, '_'), 1), true, 'the longest name'),
  (jsonb_build_object(rpad('a', 65, '_'), 1), false, 'a longer name'),
  ('{"A": 1}', false, 'an upper-case name'), ('{"1a": 1}', false, 'a name that begins with a digit'),
  ('{"a-b": 1}', false, 'a hyphen'), ('{"": 1}', false, 'an empty name'),
  (jsonb_build_object('a', repeat('x', 1000)), true, 'the longest text'),
  (jsonb_build_object('a', repeat('x', 1001)), false, 'a longer text'),
  ('{"a": ""}', false, 'an empty text'), ('{"a": {}}', false, 'an object'), ('{"a": []}', false, 'a list'),
  (jsonb_build_object('a', repeat('9', 40)::numeric), true, 'the longest number'),
  (jsonb_build_object('a', repeat('9', 41)::numeric), false, 'a longer number'),
  (jsonb_build_object('a', 1e-38), true, '40 characters'), (jsonb_build_object('a', 1e-39), false, '41 characters'),
  ((select jsonb_object_agg('a' || n, n) from generate_series(1, 50) as n), true, '50 members'),
  ((select jsonb_object_agg('a' || n, n) from generate_series(1, 51) as n), false, '51 members'),
  ((select jsonb_object_agg('a' || n, repeat('x', 1000)) from generate_series(1, 16) as n), true, 'almost 16 KiB'),
  ((select jsonb_object_agg('a' || n, repeat('x', 1000)) from generate_series(1, 17) as n), false, 'more than 16 KiB')
) as c (details, is_good, why);
select is(app.is_details('{"a": null}'), false, 'null is not stored');

select * from finish();
rollback;
