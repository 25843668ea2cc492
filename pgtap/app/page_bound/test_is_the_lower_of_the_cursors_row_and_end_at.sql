begin;
select plan(7);

create function test.encoded(content text)
returns text
language sql
as $$
  select translate(encode(convert_to(content, 'UTF8'), 'base64'), E'+/=\n', '-_')
$$;
set local timezone = 'Asia/Tokyo';

select is(b.created_at::text || ' ' || b.id, c.expected::timestamptz::text || ' ' || c.id, c.why)
from (values
  (
    '{"created_at":"2026-04-27T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}', null,
    '2026-04-27 13:22:05.114Z', '9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18', 'the cursor''s row'
  ),
  (
    null, '2026-04-27 00:00:00Z'::timestamptz, '2026-04-27 00:00:00Z', '00000000-0000-0000-0000-000000000000',
    'end_at, without the rows at that time'
  ),
  (
    '{"created_at":"2026-04-27T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}', '2026-04-27 13:22:05.115Z',
    '2026-04-27 13:22:05.114Z', '9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18', 'the cursor, if it is lower'
  ),
  (
    '{"created_at":"2026-04-27T13:22:05.114Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}', '2026-04-27 13:22:05.114Z',
    '2026-04-27 13:22:05.114Z', '00000000-0000-0000-0000-000000000000', 'end_at, if both have the same time'
  ),
  (
    '{"created_at":"9999-12-31T23:59:59.999Z","id":"ffffffff-ffff-ffff-ffff-ffffffffffff"}', '2026-04-27 13:22:05.114Z',
    '2026-04-27 13:22:05.114Z', '00000000-0000-0000-0000-000000000000', 'end_at, if it is lower'
  ),
  (null, null, 'infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'above every row, if both are null'),
  (
    '{"created_at":"0001-01-01T00:00:00.000Z","id":"00000000-0000-0000-0000-000000000000"}', null,
    '0001-01-01 00:00:00Z', '00000000-0000-0000-0000-000000000000', 'the first possible time'
  )
) as c (content, end_at, expected, id, why)
cross join lateral app.page_bound(encoded(c.content)::api.cursor, c.end_at) as b;

select * from finish();
rollback;
