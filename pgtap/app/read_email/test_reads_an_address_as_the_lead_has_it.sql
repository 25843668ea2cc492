begin;
select plan(5);

select is(app.read_email(c.value), c.expected, c.expected)
from (values
  (' ann x@example.com ', 'ann+x@example.com'),
  (U&'\FEFFann@example.com\200B', 'ann@example.com'),
  ('ann@bücher.example', 'ann@xn--bcher-kva.example'),
  ('ann', 'ann'),
  (null, null)
) as c (value, expected);

select * from finish();
rollback;
