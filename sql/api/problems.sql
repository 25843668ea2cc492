-- api.problems - the answers to errors, which the server reads when it starts.
set local role leads_exec;

create or replace function api.problems()
returns table (
  raised_by text,
  status integer,
  code text,
  title text,
  detail text,
  field text,
  field_code text
)
language sql
stable
security definer
begin atomic
  select p.raised_by, p.status, p.code, p.title, p.detail, p.field, p.field_code
  from api.problem as p
  order by p.raised_by;
end;

comment on function api.problems() is 'The rows of api.problem.';

grant execute on function api.problems() to leads_api;
