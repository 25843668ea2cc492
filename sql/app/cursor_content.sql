-- app.cursor_content - reads the content of a cursor.
set local role leads_owner;

create or replace function app.cursor_content(cursor text)
returns text language sql stable parallel safe
begin atomic
  select convert_from(
    decode(
      translate(cursor_content.cursor, '-_', '+/') || repeat('=', -char_length(cursor_content.cursor) & 3), 'base64'
    ),
    'UTF8'
  );
end;

comment on function app.cursor_content(text) is
  'The content of a cursor, as app.cursor_text got it. The type of the parameter has checked the form of the cursor.';

grant execute on function app.cursor_content(text) to leads_exec, leads_jobs;
