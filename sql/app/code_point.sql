-- app.code_point - names a character that may be invisible.
set local role leads_owner;

create or replace function app.code_point("character" text)
returns text language sql immutable parallel safe
begin atomic
  select 'U+' || lpad(upper(to_hex(c.number)), greatest(4, length(to_hex(c.number))), '0')
  from (select ascii("character") as number) as c
  where "character" is not null;
end;

comment on function app.code_point(text) is 'The first character as Unicode writes it, such as U+200B. Null for null.';

grant execute on function app.code_point(text) to leads_exec, leads_intake, leads_jobs;
