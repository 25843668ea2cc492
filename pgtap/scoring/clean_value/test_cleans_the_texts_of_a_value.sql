begin;
select plan(7);

select is(scoring.clean_value(c.value::jsonb), c.expected::jsonb, c.value)
from (values
  ('true', 'true'), ('null', 'null'), ('1.50', '1.50'), ('{}', '{}'),
  ('" yes\u200b"', '"yes"'),
  ('{"a": "\ufeffx ", " b": 1, "c": null}', '{"a": "x", " b": 1, "c": null}'),
  (null, null)
) as c (value, expected);

select * from finish();
rollback;
