-- app.reference_fault - the error of a reference that another lead has.
set local role leads_owner;

create or replace function app.reference_fault()
returns json language sql immutable parallel safe
begin atomic
  select json_build_array(json_build_object(
    'field', 'reference', 'code', 'reference_in_use',
    'detail', 'Another lead has this reference. Find it with GET /leads?reference=…, or send another reference.'
  ));
end;

comment on function app.reference_fault() is 'A JSON array with the error of a row whose reference another lead has.';

grant execute on function app.reference_fault() to leads_exec, leads_jobs;
