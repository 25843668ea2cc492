-- app.next_cursor - the cursor of the page after a page.
set local role leads_owner;

create or replace function app.next_cursor(items text[], page_size integer)
returns text language sql stable parallel safe
begin atomic
  select case when next_cursor.items[next_cursor.page_size + 1] is not null then
    app.cursor_text(
      '{"created_at":"' || (next_cursor.items[next_cursor.page_size]::json ->> 'created_at')
      || '","id":"' || (next_cursor.items[next_cursor.page_size]::json ->> 'id') || '"}'
    )
  end;
end;

comment on function app.next_cursor(text[], integer) is
$$The cursor (app.cursor_text) with created_at and id of the last row of the page.

items: the rows as JSON, in order; one more than page_size if there is a next page. Null: there is none.$$;

grant execute on function app.next_cursor(text[], integer) to leads_exec;
