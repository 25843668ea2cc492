-- app.page_answer - a page of a list, with the cursor of the next page.
set local role leads_owner;

create or replace function app.page_answer(items text[], page_size integer)
returns api.answer language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
declare
  v_cursor text := app.next_cursor(page_answer.items, page_answer.page_size);
begin
  return app.page(page_answer.items, page_answer.page_size, v_cursor);
end $$;

comment on function app.page_answer(text[], integer) is
$$The answer {"data": […], "next_cursor": …}.

items: the rows as JSON, in order; one more than page_size if there is a next page.$$;

grant execute on function app.page_answer(text[], integer) to leads_exec;
