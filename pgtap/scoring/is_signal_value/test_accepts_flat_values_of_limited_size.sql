begin;
select plan(12);

select is(scoring.is_signal_value(c.value::jsonb), c.expected, left(c.value, 40))
from (values
  ('true', true), ('false', true), ('null', true), ('3.5', true), ('"x"', true), ('{}', true),
  ('{"a": 1, "b": null, "c": "x", "d": false}', true),
  ('[]', false), ('{"a": []}', false), ('{"": 1}', false),
  ('"' || repeat('x', 1001) || '"', false),
  ('1e41', false)
) as c (value, expected);

select * from finish();
rollback;
