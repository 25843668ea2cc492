-- app.joined_faults - two lists of errors as one.
set local role leads_owner;

create or replace function app.joined_faults(first json, second json)
returns json language sql immutable parallel safe
begin atomic
  select case
    when joined_faults.first is null then joined_faults.second
    when joined_faults.second is null then joined_faults.first
    else (left(joined_faults.first::text, -1) || ',' || substr(joined_faults.second::text, 2))::json
  end;
end;

comment on function app.joined_faults(json, json) is
  'A JSON array with the errors of both arrays, neither of which is empty. Null is an array without errors.';

grant execute on function app.joined_faults(json, json) to leads_exec, leads_jobs;
