begin;
select plan(8);

-- RFC 3492, section 7.1.
select is(app.punycode(c.label), c.expected, c.expected)
from (values
  ('他们为什么不说中文', 'ihqwcrb4cv8a8dqg056pqjye'),
  ('Pročprostěnemluvíčesky', 'Proprostnemluvesky-uyb24dma41a'),
  ('почемужеонинеговорятпорусски', 'b1abfaaepdrnnbgefbadotcwatmq2g4l'),
  ('3年B組金八先生', '3B-ww4c5e180e575a65lsy2b'),
  ('MajiでKoiする5秒前', 'MajiKoi5-783gue6qz075azm5e'),
  ('そのスピードで', 'd9juau41awczczp'),
  ('ü', 'tda'),
  ('-ü-', '---xka')
) as c (label, expected);

select * from finish();
rollback;
