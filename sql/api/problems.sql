-- api.problems - the response for each error. The server reads it with the routes.
set local role leads_exec;

create or replace function api.problems()
returns setof api.problem
language sql
stable
security definer
begin atomic
  select p.* from api.problem as p order by p.raised_by;
end;

comment on function api.problems() is 'The rows of api.problem.';

grant execute on function api.problems() to leads_api;
