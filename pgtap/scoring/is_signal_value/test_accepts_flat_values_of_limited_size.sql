begin;
select plan(22);

select is(scoring.is_signal_value(c.value::jsonb), c.expected, left(c.value, 40))
from (values
  ('true', true), ('false', true), ('null', true), ('3.5', true), ('"x"', true), ('{}', true),
  ('{"a": 1, "b": null, "c": "x", "d": false}', true),
  ('[]', false), ('{"a": []}', false), ('{"": 1}', false),
  ('"' || repeat('x', 1001) || '"', false),
  ('1e41', false),
  ('1e39', true), ('1e40', false), ('-1e38', true), ('-1e39', false), ('1e131071', false), ('1e-16383', false),
  ('1e-38', true), ('1e-39', false), ('{"a": 1e131071}', false), ('{"a": "' || repeat('x', 1001) || '"}', false)
) as c (value, expected);

select * from finish();
rollback;
