begin;
select plan(6);

create table test.item as
select array(
  select format(
    '{"id":"00000000-0000-7000-8000-%s","name":"a, \"b\" \u00e4","created_at":"2026-04-27T13:22:05.%sZ"}',
    lpad(s::text, 12, '0'), 100 + s
  )
  from generate_series(1, 3) as s
) as items;

select is(
  (app.page_answer(i.items, 2)).body,
  format(
    '{"data":[%s,%s],"next_cursor":"%s"}', i.items[1], i.items[2],
    (app.page_answer(i.items, 2)).headers ->> 'Next-Cursor'
  ),
  'the rows are unchanged, byte for byte'
)
from test.item as i;
select is(
  (app.page_bound(((app.page_answer(i.items, 2)).headers ->> 'Next-Cursor')::api.cursor, null))::text,
  '("2026-04-27 22:22:05.102+09",00000000-0000-7000-8000-000000000002)',
  'the cursor contains the last row of the page'
)
from test.item as i
cross join set_config('timezone', 'Asia/Tokyo', true);
select is(
  (app.page_answer(i.items, 3)).body, format('{"data":[%s],"next_cursor":null}', array_to_string(i.items, ',')),
  'without an extra row there is no cursor'
)
from test.item as i;
select is((app.page_answer('{}', 50)).body, '{"data":[],"next_cursor":null}', 'an empty page');
select is((app.page_answer('{}', 50)).status, 200, 'is a success too');
select doesnt_match(
  (app.page_answer(i.items, 1)).headers ->> 'Next-Cursor', '[^A-Za-z0-9_-]', 'the cursor is base64url, unpadded, on one line'
)
from test.item as i;

select * from finish();
rollback;
