-- app.control_character - the first control character of a text.
set local role leads_owner;

create or replace function app.control_character(value text)
returns text language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  return substring(control_character.value collate "C" from '[\u0001-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]');
end $$;

comment on function app.control_character(text) is
  'The first of U+0001 to U+001F and U+007F to U+009F in the text, except tab, line feed and carriage return. Null: there '
  'is none. No text of a client may have one.';

grant execute on function app.control_character(text) to leads_exec, leads_jobs, leads_intake;
