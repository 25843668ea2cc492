begin;
select plan(16);

select is(app.is_plain_text(c.value, 5), c.expected, coalesce(quote_literal(c.value), 'null'))
from (values
  ('a', true), ('abcde', true), ('abcdef', false), ('', false), ('a b', true), (' a', false), ('a ', false), (E'a\nb', true),
  (E'a\n', false), (E'a\u0001b', false), (E'a\u0085b', false), (U&'\200Ba', false), (U&'a\FEFF', false), (U&'J\00F6rg', true),
  (U&'\+01F600\+01F600', true), (null, null)
) as c (value, expected);

select * from finish();
rollback;
