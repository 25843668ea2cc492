begin;
select plan(9);

select is(app.is_text(c.value, 3), c.expected, coalesce(quote_literal(c.value), 'null'))
from (values
  ('a', true), ('abc', true), ('abcd', false), ('', false), (U&'\+01F600\+01F600\+01F600', true), (' a', false),
  (E'a\n', false),
  ('a c', true), (null, null)
) as c (value, expected);

select * from finish();
rollback;
