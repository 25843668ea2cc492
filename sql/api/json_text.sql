-- api.json_text - a text as a JSON string.
set local role leads_exec;

create or replace function api.json_text(content text)
returns text language sql stable parallel safe
begin atomic
  select to_json(json_text.content)::text;
end;

comment on function api.json_text(text) is 'The JSON string of a text, as text. Null for null.';
