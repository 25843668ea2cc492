begin;
select plan(6);

insert into app.lead (organization_id, email, created_at)
select
  organization('alice'),
  format('a%s@example.com', s),
  timestamptz '2026-04-27 13:22:05.114Z' + interval '1 second' * s
from generate_series(1, 5) as s;

select act_as('alice');
select keep('page', api.list_leads(2));
select is(
  convert_from(decode(translate((kept('page')).body::json ->> 'next_cursor', '-_', '+/') || '==', 'base64'), 'UTF8'),
  format('{"created_at":"2026-04-27T13:22:09.114Z","id":"%s"}', lead('a4@example.com')),
  'compact JSON in base64url'
);
select is(
  (kept('page')).headers ->> 'Next-Cursor', (kept('page')).body::json ->> 'next_cursor',
  'the header has the same cursor'
);
select is((api.list_leads(4)).body::json ->> 'next_cursor' is null, false, 'there is a next page if one more lead exists');
select is((api.list_leads(5)).body::json ->> 'next_cursor', null, 'a full page without more leads is the last one');
select is((api.list_leads(5)).headers ->> 'Next-Cursor', null, 'the last page has no header');
select is((api.list_leads()).body::json ->> 'next_cursor', null, 'a page that isn''t full is the last one');

select * from finish();
rollback;
