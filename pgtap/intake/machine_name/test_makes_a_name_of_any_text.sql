begin;
select plan(8);

select is(intake.machine_name(c.text), c.name, c.text)
from (values
  ('Google Ads', 'google_ads'),
  ('  What''s your e-mail? ', 'what_s_your_e_mail'),
  ('Größe & Alter', 'gro_e_alter'),
  ('Téléphone', 'telephone'),
  ('名前', null),
  ('___', null),
  (repeat('ab', 40), repeat('ab', 32)),
  (repeat('a', 63) || ' b', repeat('a', 63))
) as c (text, name);

select * from finish();
rollback;
