begin;
select plan(20);

select is(
  coalesce(scoring.signal_faults(json_build_object('type', 't', 'value', c.value::json)::jsonb)::text ~ 'This must be true', false),
  not scoring.is_signal_value(c.value::jsonb),
  left(c.value, 40)
)
from (values
  ('true'), ('null'), ('3.5'), ('"x"'), ('{}'), ('{"a": 1, "b": null, "c": "x", "d": false}'),
  ('[]'), ('{"a": []}'), ('{"a": {}}'), ('{"": 1}'), ('{"' || repeat('k', 65) || '": 1}'),
  ('"' || repeat('x', 1001) || '"'), ('{"a": "' || repeat('x', 1001) || '"}'),
  ('1e39'), ('1e40'), ('{"a": 1e131071}'), ('{"a": 1e-39}'), ('{"a": 1e-38}'),
  ((select json_object_agg('k' || n, n)::text from generate_series(1, 32) as n)),
  ((select json_object_agg('k' || n, n)::text from generate_series(1, 33) as n))
) as c (value);

select * from finish();
rollback;
