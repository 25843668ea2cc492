-- app.contact_fault - the field error of a lead without contact data.
set local role leads_owner;

create or replace function app.contact_fault()
returns json language sql immutable parallel safe
begin atomic
  select json_build_array(json_build_object(
    'field', 'email',
    'code', 'contact_required',
    'detail', 'A lead needs an email, or a name and a company.'
  ));
end;

comment on function app.contact_fault() is 'The entry in errors for a lead without an email, or a name and a company.';

grant execute on function app.contact_fault() to leads_exec;
