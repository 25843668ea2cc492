begin;
select plan(16);

select is(app.ascii_email(c.value), c.expected, c.value)
from (values
  ('Ann@Example.COM', 'Ann@Example.COM'),
  ('ann@bücher.example', 'ann@xn--bcher-kva.example'),
  ('ANN@BÜCHER.Example', 'ANN@xn--bcher-kva.example'),
  ('a@例え。jp', 'a@xn--r8jz45g.jp'),
  ('ann@faß.de', 'ann@xn--fa-hia.de')
) as c (value, expected);

-- Unchanged, so that app.is_email refuses it.
select is(app.ascii_email(c.value), c.value, c.value)
from (values
  ('änn@bücher.example'), ('bücher.example'), ('a@b@bücher.example'), ('a@☃.example'), (U&'a@b\00FC\200Bcher.example'),
  ('a@bü_cher.example'), (U&'a@\03F2.example'), (U&'a@\0130.example'), (''), (null),
  ('a@' || repeat('ü', 253))
) as c (value);

select * from finish();
rollback;
