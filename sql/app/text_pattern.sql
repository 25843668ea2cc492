-- app.text_pattern - the regular expression of the texts that a client may send.
set local role leads_owner;

create or replace function app.text_pattern()
returns text language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  -- As app.clean_text and app.control_character have them; PostgreSQL cannot store NUL.
  v_trimmed text :=
    '\t\n\r \u00a0\u00ad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff';
  v_invisible text := '\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8';
  v_control text := '\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f';
begin
  return format('^[^%3$s]*[^%3$s%1$s%2$s][^%3$s]*$', v_trimmed, v_invisible, v_control);
end $$;

comment on function app.text_pattern() is
  'A regular expression (ECMA 262) for a text that has a visible character and no control character.';

grant execute on function app.text_pattern() to leads_exec;
