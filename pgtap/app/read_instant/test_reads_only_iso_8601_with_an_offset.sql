begin;
select plan(15);

set local timezone = 'Asia/Tokyo';
select is(app.read_instant(c.value), c.expected::timestamptz, c.value)
from (values
  ('2026-04-27', '2026-04-27 00:00:00Z'),
  ('2026-04-27T13:22:05Z', '2026-04-27 13:22:05Z'),
  ('2026-04-27T13:22:05.1149+02:00', '2026-04-27 11:22:05.114Z'),
  ('2026-04-27t13:22:05z', '2026-04-27 13:22:05Z'),
  ('2024-02-29', '2024-02-29 00:00:00Z'),
  ('2026-02-29', null),
  ('2026-04-27T13:22:05', null),
  ('2026-04-27T24:00:00Z', null),
  ('2026-04-27 13:22:05Z', null),
  ('0000-01-01', null),
  ('9999-12-31T23:59:59.9999-01:00', null),
  ('now', null),
  ('infinity', null),
  (E'2026-04-27\n', null),
  ('', null)
) as c (value, expected);

select * from finish();
rollback;
