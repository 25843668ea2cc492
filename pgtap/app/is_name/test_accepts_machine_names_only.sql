begin;
select plan(14);

select is(app.is_name(c.value), c.expected, coalesce(quote_literal(c.value), 'null'))
from (values
  ('a', true), ('0', true), ('google_ads', true), ('a-b', true), (repeat('a', 64), true), (repeat('a', 65), false),
  ('', false),
  ('_a', false), ('-a', false), ('A', false), ('a b', false), (E'a\n', false), (U&'\00E4', false), (null, null)
) as c (value, expected);

select * from finish();
rollback;
