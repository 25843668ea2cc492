begin;
select plan(2);

create view test.told as
select upper(m.key) as method, p.key as path, r.key::integer as status, e.key as code
from jsonb_each(api.openapi()::jsonb -> 'paths') as p
cross join lateral jsonb_each(p.value) as m
cross join lateral jsonb_each(m.value -> 'responses') as r
cross join lateral jsonb_each(r.value #> '{content,application/problem+json,examples}') as e;

select set_has(
  'select method, path, status, code from test.told',
  'select r.method, r.path, p.status, p.code from api.route as r cross join unnest(r.problems) as c (code) join api.problem as p on p.raised_by = c.code',
  'with its status'
);
select is_empty(
  'select r.method, r.path, c.code from api.route as r cross join unnest(r.problems) as c (code) where not exists (select from api.problem as p where p.raised_by = c.code)',
  'no route names an error that there isn''t'
);

select * from finish();
rollback;
