begin;
select plan(5);

select set_eq(format('select unnest(%L::text[])', app.lead_words(c.name, c.company, c.email)), c.words, c.description)
from (values
  ('Sarah O''Brien', 'Acme-Roofing 24', null, array['sarah', 'o', 'brien', 'acme', 'roofing', '24'], 'a name and a company'),
  (null, null, 'Sarah.M+x@Mail.example.com', array['sarah', 'm', 'x', 'mail', 'example', 'com', 'sarah.m+x@mail.example.com'], 'an address, whole and in parts'),
  (U&'J\00FCrgen', null, null, array[U&'j\00FCrgen'], 'letters beyond ASCII'),
  ('Ada ADA ada', 'Ada', null, array['ada'], 'each word once')
) as c (name, company, email, words, description);
select is(app.lead_words(null, null, null), '{}', 'no value');

select * from finish();
rollback;
