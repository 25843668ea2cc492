-- app.clean_text - a text as it is stored, from the text that a client sends.
set local role leads_owner;

create or replace function app.clean_text(value text)
returns text language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  -- White_Space without the control characters that no text may have; soft hyphen, Arabic letter mark,
  -- Mongolian vowel separator; zero width, joiners and directions (U+200B to U+200F, U+202A to U+202E,
  -- U+2060 to U+206F); U+FEFF.
  v_text text := btrim(
    clean_text.value,
    U&' \0009\000A\000D\00A0\1680\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200A\2028\2029\202F\205F\3000'
    '\00AD\061C\180E\200B\200C\200D\200E\200F\202A\202B\202C\202D\202E'
    '\2060\2061\2062\2063\2064\2065\2066\2067\2068\2069\206A\206B\206C\206D\206E\206F\FEFF'
  );
begin
  -- Also invisible: Default_Ignorable_Code_Point (fillers, variation selectors) and U+2800, an empty
  -- Braille pattern. They are not removed, because an emoji can end with U+FE0F. A control character
  -- counts as visible here: it is an error of its own.
  if
    v_text collate "C" ~ (
      '[^\u0009\u000A\u000D\u0020\u00A0\u00AD\u034F\u061C\u115F\u1160\u1680\u17B4\u17B5\u180B-\u180F\u2000-\u200F'
      '\u2028-\u202F\u205F-\u206F\u2800\u3000\u3164\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFF8\U0001BCA0-\U0001BCA3'
      '\U0001D173-\U0001D17A\U000E0000-\U000E0FFF]'
    )
  then
    return v_text;
  end if;
  return left(v_text, 0);
end $$;

comment on function app.clean_text(text) is
  'The text without white space and invisible characters at its ends; empty if no character of it is visible. Every text '
  'of a client is stored like this. Null for null.';

grant execute on function app.clean_text(text) to leads_exec, leads_jobs;
