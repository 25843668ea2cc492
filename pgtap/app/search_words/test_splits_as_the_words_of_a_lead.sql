begin;
select plan(7);

select set_eq(format('select unnest(%L::text[])', app.search_words(c.q)), c.words, c.description)
from (values
  ('Sar  MIT', array['sar', 'mit'], 'words in lower case'),
  ('o''brien', array['o', 'brien'], 'a word with a quote'),
  ('sarah.m', array['sarah', 'm'], 'a part of an address without @'),
  ('Sarah.M@ex', array['sarah.m@ex'], 'the beginning of an address'),
  ('@example.com', array['example', 'com'], 'a domain'),
  ('a A a', array['a'], 'each word once')
) as c (q, words, description);
select is(app.search_words(' .% '), '{}', 'no word');

select * from finish();
rollback;
