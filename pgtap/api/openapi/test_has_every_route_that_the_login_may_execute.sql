begin;
select plan(4);

create view test.operation as
select upper(m.key) as method, p.key as path, m.value as operation
from jsonb_each(api.openapi()::jsonb -> 'paths') as p
cross join lateral jsonb_each(p.value) as m;

select set_eq(
  'select method, path from test.operation', 'select method, path from api.route where key_parameter is null', 'each route'
);

create function api.count_leads()
returns api.answer
language sql
stable
begin atomic
  select row(200, null, '{"leads": 0}')::api.answer;
end;
revoke execute on function api.count_leads() from public;
comment on function api.count_leads() is E'Count leads.\n\nAll of them.';
insert into api.route (method, path, function, scope) values ('GET', '/lead-count', 'api.count_leads', 'read');

set local session authorization leads_api;
select is_empty('select from jsonb_object_keys(api.openapi()::jsonb -> ''paths'') as p where p = ''/lead-count''', 'a function that the login may not execute is missing');
reset session authorization;
grant execute on function api.count_leads() to leads_api;
set local session authorization leads_api;
select is(
  api.openapi()::jsonb #> '{paths,/lead-count,get}' ->> 'summary', 'Count leads', 'the summary of a new route is its comment'
);
select is(api.openapi()::jsonb #> '{paths,/lead-count,get,tags}', '["Other"]', 'it is in the last chapter');

select * from finish();
rollback;
