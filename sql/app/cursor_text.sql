-- app.cursor_text - writes the content of a cursor as a text for a query.
set local role leads_owner;

create or replace function app.cursor_text(content text)
returns text language sql stable parallel safe
begin atomic
  -- The base64 of the characters in a cursor has neither + nor /. encode() breaks lines.
  select rtrim(replace(encode(convert_to(cursor_text.content, 'UTF8'), 'base64'), E'\n', ''), '=');
end;

comment on function app.cursor_text(text) is 'The content of a cursor, compact JSON, as unpadded base64url (RFC 4648, section 5).';

grant execute on function app.cursor_text(text) to leads_exec, leads_jobs;
