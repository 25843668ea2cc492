begin;
select plan(33);

select is(scoring.value_fault(c.value::jsonb), null, c.value)
from (values
  ('true'), ('false'), ('null'), ('3.5'), ('"false"'), ('" x\u200b"'), ('{}'), ('{"a": null, "b": " x ", "c": 0}'),
  -- A quotation mark, a backslash or an escape in a text is neither an end nor a control character.
  ('"\" \""'), ('"{\""'), ('{"a \"": "\" ", "b{": "{\"\""}'), ('{"a ": "b {", "c{": 1}'), ('"\\t"'), ('{"\\n": "\\r"}'),
  ('"\\u0001"'), ('{"\\b": "\\f"}'), ('"a\tb\n"')
) as c (value);
select is(scoring.value_fault(null), null, 'no value');

select ok(scoring.value_fault(c.value::jsonb) like '%' || c.fault || '%', c.value)
from (values
  ('""', 'is blank'),
  ('" \u200b"', 'is blank'),
  ('{"a": ""}', 'is blank'),
  ('{" ": 1}', 'is blank'),
  ('{"a": 1, "b": "\t\n\r"}', 'is blank'),
  ('{"a": "\u0001", "b": " "}', 'is blank'),
  ('{"\u2800": "x\""}', 'is blank'),
  ('{"a": "\\\"", "b": "\ufe0f"}', 'is blank'),
  ('"a\u0001b"', 'U+0001'),
  ('{"a": "a\u0085b"}', 'U+0085'),
  ('{"a\u000b": 1}', 'U+000B'),
  ('"\\\b"', 'U+0008'),
  ('{"a": "\\f\f"}', 'U+000C'),
  ('{"a": "\u007f", "b\u0001": 1}', 'U+007F')
) as c (value, fault);

select is_empty(
  $$
    select chr(n)
    from generate_series(1, 1114111) as n
    where
      n not between 55296 and 57343
      and (coalesce(scoring.value_fault(to_jsonb(chr(n))), '') ~ 'blank') <> (app.clean_text(chr(n)) = '')
  $$,
  'agrees with app.clean_text about what is blank'
);

select * from finish();
rollback;
