begin;
select plan(17);

select is(scoring.value_fault(c.value::jsonb), null, c.value)
from (values
  ('true'), ('false'), ('null'), ('3.5'), ('"false"'), ('" x\u200b"'), ('{}'), ('{"a": null, "b": " x ", "c": 0}')
) as c (value);
select is(scoring.value_fault(null), null, 'no value');

select ok(scoring.value_fault(c.value::jsonb) like '%' || c.fault || '%', c.value)
from (values
  ('[]', 'This must be'),
  ('""', 'is blank'),
  ('" \u200b"', 'is blank'),
  ('{"a": ""}', 'is blank'),
  ('{" ": 1}', 'is blank'),
  ('"a\u0001b"', 'U+0001'),
  ('{"a": "a\u0085b"}', 'U+0085'),
  ('{"a\u000b": 1}', 'U+000B')
) as c (value, fault);

select * from finish();
rollback;
