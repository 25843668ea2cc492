begin;
select plan(17);

select is(app.csv_cell(c.value), c.cell, c.description)
from (values
  (null, '', 'null'),
  ('', '', 'an empty text'),
  ('Ada', 'Ada', 'a plain text'),
  ('a=b', 'a=b', 'a formula''s sign inside a text'),
  ('=1+1', '"''=1+1"', 'an equals sign'),
  ('+15550100', '"''+15550100"', 'a plus sign'),
  ('-1', '"''-1"', 'a minus sign'),
  ('@SUM(A1)', '"''@SUM(A1)"', 'an at sign'),
  (E'\t=1', E'"''\t=1"', 'a tab'),
  (E'\r=1', E'"''\r=1"', 'a carriage return'),
  (E'\n=1', E'"''\n=1"', 'a line feed'),
  (U&'\FF1D1', U&'"''\FF1D1"', 'a full-width equals sign'),
  ('="a"', '"''=""a"""', 'a formula with quotation marks'),
  ('a "b"', '"a ""b"""', 'quotation marks'),
  ('a,b', '"a,b"', 'a comma'),
  ('a;b', '"a;b"', 'a semicolon, which some spreadsheets take for a comma'),
  (E'a\r\nb', E'"a\r\nb"', 'a line break')
) as c (value, cell, description);

select * from finish();
rollback;
