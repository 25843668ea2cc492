begin;
select plan(4);

select is(app.character_note(c.value), c.expected, c.expected)
from (values
  ('Google Ads', ''),
  (U&'google_ads\200B', ' The text has the character U+200B.'),
  (U&'\0001\200B', ' The text has the character U+0001.'),
  (null, '')
) as c (value, expected);

select * from finish();
rollback;
