-- app.read_phone - reads a phone number in a filter.
set local role leads_owner;

create or replace function app.read_phone(value text)
returns text language sql immutable strict parallel safe
begin atomic
  -- In a query, a plus sign that is not percent-encoded arrives as a space.
  select regexp_replace(app.clean_text(read_phone.value), '^(?=[0-9])', case when read_phone.value like ' %' then '+' else '' end);
end;

comment on function app.read_phone(text) is 'The phone number in a filter. A space before the first digit stands for a plus sign.';

grant execute on function app.read_phone(text) to leads_exec;
