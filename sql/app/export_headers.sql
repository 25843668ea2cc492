-- app.export_headers - the headers of a page of an export.
set local role leads_owner;

create or replace function app.export_headers(name text, format text, next_cursor text)
returns json language sql immutable parallel safe
begin atomic
  select json_build_object(
    'Content-Type',
    case export_headers.format when 'csv' then 'text/csv; charset=utf-8; header=present' else 'application/x-ndjson' end,
    'Content-Disposition', format('attachment; filename="%s.%s"', export_headers.name, export_headers.format),
    'Next-Cursor', export_headers.next_cursor
  );
end;

comment on function app.export_headers(text, text, text) is
$$The media type, the name of the file, and the cursor of the next page.

name: that of the file without its suffix. format: ndjson or csv. next_cursor: null behind the last page.$$;

grant execute on function app.export_headers(text, text, text) to leads_exec;
