-- app.page_answer - a page of a list, with the cursor of the next page.
set local role leads_owner;

create or replace function app.page_answer(items text[], page_size integer)
returns api.answer language sql immutable parallel safe
begin atomic
  with last as (
    select page_answer.items[page_size]::json as item
    where cardinality(page_answer.items) > page_size
  ),
  next as (
    select translate(
      encode(
        convert_to('{"created_at":"' || (last.item ->> 'created_at') || '","id":"' || (last.item ->> 'id') || '"}', 'UTF8'),
        'base64'
      ),
      E'+/=\n',
      '-_'
    ) as cursor
    from last
  )
  select row(
    200,
    json_build_object('Next-Cursor', next.cursor),
    '{"data":[' || array_to_string(page_answer.items[:page_size], ',') || '],"next_cursor":'
      || coalesce('"' || next.cursor || '"', 'null') || '}'
  )::api.answer
  from (select) as page
  left join next on true;
end;

comment on function app.page_answer(text[], integer) is
$$The answer {"data": […], "next_cursor": …}.

items: the rows as JSON, in order; one more than page_size if there is a next page. The cursor is unpadded base64url
(RFC 4648, section 5) of compact JSON with created_at and id of the last row of the page. The API server makes the
header Link from the header Next-Cursor. Null: there is no next page.$$;

grant execute on function app.page_answer(text[], integer) to leads_exec;
