-- app.export_page - the text of a page of an export.
set local role leads_owner;

create or replace function app.export_page(
  lines text[],
  format text,
  columns text,
  cursor text,
  has_more boolean,
  last_at timestamptz,
  last_id uuid,
  out body text,
  out next_cursor text,
  out row_count bigint
)
returns record language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  row_count := coalesce((app.cursor_content(export_page.cursor)::json ->> 'rows')::bigint, 0)
    + cardinality(export_page.lines);
  if export_page.has_more then
    next_cursor := app.cursor_text(format(
      '{"created_at":"%s","id":"%s","rows":%s}', app.utc_text(export_page.last_at), export_page.last_id, row_count
    ));
  end if;
  body := concat(
    case when export_page.format = 'csv' and export_page.cursor is null then export_page.columns || E'\r\n' end,
    array_to_string(export_page.lines, ''),
    case
      when export_page.has_more then null
      when export_page.format = 'csv' then
        -- Each record of RFC 4180 has the same number of cells.
        concat('# complete,', row_count, regexp_replace(export_page.columns, '^[^,]*,[^,]*|[^,]', '', 'g'), E'\r\n')
      else format(E'{"complete":true,"rows":%s}\n', row_count)
    end
  );
end $$;

comment on function app.export_page(text[], text, text, text, boolean, timestamptz, uuid) is
$$The page with the header line before its first row, and behind the last row the line that says that the export is complete.

lines: the rows, each with its end. format: ndjson or csv. columns: the header line of CSV. cursor: that of the page; null: the
first page. has_more: whether rows follow. last_at, last_id: the last row of the page. next_cursor: null behind the
last page. row_count: the number of rows so far. The cursor has it, so that no server has to remember it.$$;

grant execute on function app.export_page(text[], text, text, text, boolean, timestamptz, uuid) to leads_exec, leads_jobs;
