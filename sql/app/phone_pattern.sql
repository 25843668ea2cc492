-- app.phone_pattern - the regular expression of the phone numbers that a client may send.
set local role leads_owner;

create or replace function app.phone_pattern()
returns text language sql immutable parallel safe
begin atomic
  select format('^(?:[^0-9%1$s]*[0-9]){3,20}[^0-9%1$s]*$', '\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f');
end;

comment on function app.phone_pattern() is
  'A regular expression (ECMA 262) for a text that has 3 to 20 digits and no control character, as app.is_phone has it.';

grant execute on function app.phone_pattern() to leads_exec;
