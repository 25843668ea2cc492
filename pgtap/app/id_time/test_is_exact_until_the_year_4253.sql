begin;
select plan(6);

-- 9007199254740992 microseconds are 2^53, in the year 2255; 72057594037927936 are 2^56.
select is(
  app.id_time((lpad(to_hex(c.ms), 12, '0') || '70008000000000000000')::uuid),
  timestamptz 'epoch' + make_interval(hours => (c.ms / 3600000)::integer, secs => (c.ms % 3600000) / 1000.0),
  'the time of ' || c.ms
)
from (values (0), (1), (9007199254741), (9007199254743), (72057594037925), (72057594037927)) as c (ms);

select * from finish();
rollback;
