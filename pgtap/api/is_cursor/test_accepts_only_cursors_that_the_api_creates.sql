begin;
select plan(50);

create function test.encoded(content text)
returns text
language sql
as $$
  select translate(encode(convert_to(content, 'UTF8'), 'base64'), E'+/=\n', '-_')
$$;

select is(
  api.is_cursor(
    'eyJjcmVhdGVkX2F0IjoiMjAyNi0wNC0yN1QxMzoyMjowNS4xMTRaIiwiaWQiOiI5ZjFjOGEzMi00ZDY1LTRlMmItOGE5MS0zYzBlN2Q0YjJmMTgifQ'
  ),
  true,
  'the contract''s example'
);
select is(api.is_cursor(encoded(c.content)), true, c.content)
from (values
  ('{"created_at":"0001-01-01T00:00:00.000Z","id":"00000000-0000-0000-0000-000000000000"}'),
  ('{"created_at":"9999-12-31T23:59:59.999Z","id":"ffffffff-ffff-ffff-ffff-ffffffffffff"}'),
  ('{"created_at":"2024-02-29T00:00:00.000Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"2000-02-29T00:00:00.000Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}')
) as c (content);

select is(api.is_cursor(encoded(c.content)), false, replace(c.content, E'\n', '\n'))
from (values
  ('{"created_at":"2026-02-30T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"2026-02-29T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"1900-02-29T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"2026-04-31T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"0000-04-27T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"2026-00-27T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"2026-13-27T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"2026-04-00T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"2026-04-32T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"2026-04-27T24:00:00.000Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"2026-04-27T13:60:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"2026-04-27T13:22:60.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"2026-04-27T13:22:05Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"2026-04-27T13:22:05.1145Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"2026-04-27T13:22:05.114+00:00","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"2026-04-27 13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"12026-04-27T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"infinity","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":null,"id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"2026-04-27T13:22:05.114Z","id":"9F1C8A32-4D65-4E2B-8A91-3C0E7D4B2F18"}'),
  ('{"created_at":"2026-04-27T13:22:05.114Z","id":"9f1c8a324d654e2b8a913c0e7d4b2f18"}'),
  ('{"created_at":"2026-04-27T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f1"}'),
  ('{"created_at":"2026-04-27T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f1g"}'),
  ('{"created_at":"2026-04-27T13:22:05.114Z","id":5}'),
  ('{"id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18","created_at":"2026-04-27T13:22:05.114Z"}'),
  ('{"created_at": "2026-04-27T13:22:05.114Z", "id": "9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{"created_at":"2026-04-27T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18","a":1}'),
  ('{"created_at":"2026-04-27T13:22:05.114Z"}'),
  (E'{"created_at":"2026-04-27T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}\n'),
  (' {"created_at":"2026-04-27T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}'),
  ('{}'), ('[]'),
  (U&'{"created_at":"\0662\0660\0662\0666-04-27T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}')
) as c (content);

select is(api.is_cursor(c.value), false, c.why)
from (values
  ('', 'nothing'),
  (
    'eyJjcmVhdGVkX2F0IjoiMjAyNi0wNC0yN1QxMzoyMjowNS4xMTRaIiwiaWQiOiI5ZjFjOGEzMi00ZDY1LTRlMmItOGE5MS0zYzBlN2Q0YjJmMTgifQ==',
    'padded'
  ),
  (
    E'eyJjcmVhdGVkX2F0IjoiMjAyNi0wNC0yN1QxMzoyMjowNS4xMTRaIiwiaWQiOiI5ZjFjOGEzMi00ZDY1LTRlMmItOGE5MS0zYzBlN2Q0YjJmMTgifQ\n',
    'with a newline at the end'
  ),
  (
    'eyJjcmVhdGVkX2F0IjoiMjAyNi0wNC0yN1QxMzoyMjowNS4xMTRaIiwiaWQiOiI5ZjFjOGEzMi00ZDY1LTRlMmItOGE5MS0zYzBlN2Q0YjJmMTgif',
    'truncated, so that it isn''t base64'
  ),
  ('+/+/', 'base64, not base64url'), ('e30 ', 'a space'), (U&'e30\00E4', 'a character that base64url doesn''t have'),
  ('____', 'bytes that aren''t UTF-8'), ('AAAA', 'a NUL character'),
  (repeat('e30', 1000), 'huge')
) as c (value, why);
select is(api.is_cursor(null), null, 'null');

-- A session keeps each time zone whose name it has read.
create table test.time_zones as
select sum(m.total_bytes) as bytes from pg_backend_memory_contexts as m where m.name = 'Timezones';
do $$
begin
  perform api.is_cursor(encoded('{"created_at":"2026-01-01 ' || repeat(chr(64 + n), 11) || '+1","id":"'))
  from generate_series(1, 26) as n;
end $$;
select is(
  (select sum(m.total_bytes) from pg_backend_memory_contexts as m where m.name = 'Timezones'),
  (select t.bytes from test.time_zones as t),
  'no text is read as a time zone'
);

select * from finish();
rollback;
