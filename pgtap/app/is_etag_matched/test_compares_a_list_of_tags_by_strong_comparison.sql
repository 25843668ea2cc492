begin;
select plan(16);

select is(app.is_etag_matched(c.if_match, '"5.6"'), c.expected, coalesce(c.if_match, 'no header'))
from (values
  (null, true), ('*', true), (' * ', true), ('"5.6"', true), ('"4.6", "5.6"', true), ('"4.6","5.6","7.6"', true),
  ('"5.6" ', true),
  ('"4.6"', false), ('W/"5.6"', false), ('W/"5.6", "4.6"', false), ('W/"4.6", "5.6"', true), ('5.6', false),
  ('', false), ('""', false),
  ('"*"', false), ('"15.6"', false)
) as c (if_match, expected);

select * from finish();
rollback;
