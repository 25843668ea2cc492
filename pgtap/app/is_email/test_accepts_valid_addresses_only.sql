begin;
select plan(49);

select is(app.is_email(c.value), true, c.value)
from (values
  ('ada@example.com'), ('Ada.Lovelace@Example.COM'), ('ada+leads@example.com'), ('a@b.co'), ('1@2.de'),
  ('!#$%&''*+/=?^_`{|}~-@example.com'), ('.ada.@example.com'), ('a..b@example.com'), ('ada@xn--bcher-kva.example'),
  ('ada@a-b.c-d.example'), (repeat('a', 64) || '@example.com'), ('ada@' || repeat('a', 63) || '.com'),
  ('ada@' || repeat(repeat('a', 61) || '.', 4) || 'as'), ('ada@127.0.0.1')
) as c (value);

select is(app.is_email(c.value), false, quote_literal(c.value))
from (values
  (''), ('ada'), ('@'), ('ada@'), ('@example.com'), ('ada@example'), ('ada@localhost'), ('ada@@example.com'),
  ('a@da@example.com'),
  ('ada @example.com'), (' ada@example.com'), ('ada@example.com '), (E'ada@example.com\n'), ('ada@exa mple.com'),
  ('"ada"@example.com'), ('"ada lovelace"@example.com'), ('ada@[127.0.0.1]'), ('ada@-example.com'),
  ('ada@example-.com'),
  ('ada@example..com'), ('ada@.example.com'), ('ada@example.com.'), ('ada@exam_ple.com'), (U&'ada@b\00FCcher.example'),
  (U&'\00E4da@example.com'), (U&'ada@example\3002com'), ('Ada <ada@example.com>'), ('ada@example.com,eve@example.com'),
  ('(ada)@example.com'),
  ('ada;eve@example.com'), ('mailto:ada@example.com'), (repeat('a', 65) || '@example.com'),
  ('ada@' || repeat('a', 64) || '.com'),
  ('ada@' || repeat(repeat('a', 61) || '.', 4) || 'asd')
) as c (value);

select is(app.is_email(null), null, 'null for null');

select * from finish();
rollback;
