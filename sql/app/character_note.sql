-- app.character_note - names the first unusual character of a text that is refused.
set local role leads_owner;

create or replace function app.character_note(value text)
returns text language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce(
    ' The text has the character '
    || app.code_point(substring(character_note.value collate "C" from '[^ -~]')) || '.',
    ''
  );
end $$;

comment on function app.character_note(text) is
  'A sentence, after a space, with the code point of the first character that is not printable ASCII: it may be invisible. '
  'Empty if there is none.';

grant execute on function app.character_note(text) to leads_exec, leads_intake, leads_jobs;
