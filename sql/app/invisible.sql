-- app.invisible - the characters of which a blank text consists.
set local role leads_owner;

create or replace function app.invisible()
returns text language sql immutable parallel safe
begin atomic
  -- White_Space, and the other characters that app.clean_text removes at the ends. Also invisible:
  -- Default_Ignorable_Code_Point (fillers, variation selectors) and U+2800, an empty Braille pattern.
  -- They are not removed, because an emoji can end with U+FE0F. A control character counts as visible
  -- here: it is an error of its own.
  select
    '\u0009\u000A\u000D\u0020\u00A0\u00AD\u034F\u061C\u115F\u1160\u1680\u17B4\u17B5\u180B-\u180F\u2000-\u200F'
    '\u2028-\u202F\u205F-\u206F\u2800\u3000\u3164\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFF8\U0001BCA0-\U0001BCA3'
    '\U0001D173-\U0001D17A\U000E0000-\U000E0FFF';
end;

comment on function app.invisible() is
  'The characters that are not visible, for brackets in a regular expression of PostgreSQL. A text of them only is blank.';

grant execute on function app.invisible() to leads_exec, leads_jobs, leads_intake, leads_eraser;
