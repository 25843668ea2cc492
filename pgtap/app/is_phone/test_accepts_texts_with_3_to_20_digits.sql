begin;
select plan(14);

select is(app.is_phone(c.value), c.is_phone, coalesce(left(c.value, 30), 'null'))
from (values
  ('(555) 010-0199', true), ('+1 555 010 0199 ext. 12', true), ('911', true), (U&'555\2011010\20110199', true),
  ('12345678901234567890', true), (repeat('1', 21), false), ('12', false), ('call me', false), ('', false), (' 911', false),
  ('911 ', false), (rpad('911', 64, '.'), true), (rpad('911', 65, '.'), false), (null, null)
) as c (value, is_phone);

select * from finish();
rollback;
