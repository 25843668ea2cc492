-- app.read_email - reads an address in a filter.
set local role leads_owner;

create or replace function app.read_email(value text)
returns text language sql immutable strict parallel safe
begin atomic
  -- In a query, a plus sign that is not percent-encoded arrives as a space.
  select app.ascii_email(replace(app.clean_text(read_email.value), ' ', '+'));
end;

comment on function app.read_email(text) is
  'The address in a filter by email, as the lead has it. A space between other characters stands for a plus sign.';

grant execute on function app.read_email(text) to leads_exec, leads_jobs;
