begin;
select plan(8);

create function test.cursor(content text)
returns boolean language sql
as $$ select api.is_export_cursor(app.cursor_text(content)) $$;

select ok(test.cursor('{"created_at":"2026-01-01T12:00:00.000Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18","rows":500}'), 'a cursor');
select ok(not test.cursor(c.content), c.description)
from (values
  ('{"created_at":"2026-01-01T12:00:00.000Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18"}', 'a cursor of a list'),
  ('{"created_at":"2026-01-01T12:00:00.000Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18","rows":0}', 'no rows'),
  ('{"created_at":"2026-01-01T12:00:00.000Z","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18","rows":-1}', 'a negative number'),
  ('{"created_at":"now","id":"9f1c8a32-4d65-4e2b-8a91-3c0e7d4b2f18","rows":1}', 'a time in another form'),
  ('{"created_at":"2026-01-01T12:00:00.000Z","id":"x","rows":1}', 'an id in another form')
) as c (content, description);
select ok(not api.is_export_cursor('%'), 'no base64url');
select ok(not api.is_export_cursor(repeat('a', 201)), 'a long text');

select * from finish();
rollback;
