-- app.clean_text - a text as it is stored, from the text that a client sends.
set local role leads_owner;

-- In SQL and without settings, so that the planner replaces a call by the expression: a request can
-- have 12,000 texts.
create or replace function app.clean_text(value text)
returns text language sql immutable parallel safe
begin atomic
  -- White_Space without the control characters that no text may have; soft hyphen, Arabic letter mark,
  -- Mongolian vowel separator; zero width, joiners and directions (U+200B to U+200F, U+202A to U+202E,
  -- U+2060 to U+206F); U+FEFF.
  select case
    when clean_text.value collate "C" !~ ('[^' || app.invisible() || ']') then left(clean_text.value, 0)
    else btrim(
      clean_text.value,
      U&' \0009\000A\000D\00A0\1680\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200A\2028\2029\202F\205F\3000'
      || U&'\00AD\061C\180E\200B\200C\200D\200E\200F\202A\202B\202C\202D\202E'
      || U&'\2060\2061\2062\2063\2064\2065\2066\2067\2068\2069\206A\206B\206C\206D\206E\206F\FEFF'
    )
  end;
end;

comment on function app.clean_text(text) is
  'The text without white space and invisible characters at its ends; empty if no character of it is visible. Every text '
  'of a client is stored like this. Null for null.';

grant execute on function app.clean_text(text) to leads_exec, leads_jobs, leads_intake, leads_eraser;
