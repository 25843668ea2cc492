-- app.page - a page of a list. It is one expression, which PostgreSQL inlines: a call would copy the rows.
set local role leads_owner;

create or replace function app.page(items text[], page_size integer, next_cursor text)
returns api.answer language sql stable parallel safe
begin atomic
  select row(
    200,
    json_build_object('Next-Cursor', page.next_cursor),
    concat(
      '{"data":[', array_to_string(page.items[:page.page_size], ','), '],"next_cursor":',
      coalesce('"' || page.next_cursor || '"', 'null'), '}'
    )
  )::api.answer;
end;

comment on function app.page(text[], integer, text) is
$$The answer {"data": […], "next_cursor": …}.

items: the rows as JSON, in order; those after page_size are left out. next_cursor: what app.next_cursor has returned. The
API server makes the header Link from the header Next-Cursor. Null: there is no next page.$$;

grant execute on function app.page(text[], integer, text) to leads_exec;
