begin;
select plan(2);

create view test.told as
select upper(m.key) as method, p.key as path, r.key::integer as status, e.key as code
from jsonb_each(api.openapi()::jsonb -> 'paths') as p
cross join lateral jsonb_each(p.value) as m
cross join lateral jsonb_each(m.value -> 'responses') as r
cross join lateral (
  select coalesce(
    api.openapi()::jsonb #> array['components', 'responses', regexp_replace(r.value ->> '$ref', '^#/components/responses/', '')],
    r.value
  ) as value
) as s
cross join lateral jsonb_each(s.value #> '{content,application/problem+json,examples}') as e;

select set_has(
  'select method, path, status, code from test.told',
  'select r.method, r.path, p.status, p.code from api.route as r join api.operation as o on o.function = r.function cross join unnest(o.problems) as c (code) join api.problem as p on p.raised_by = c.code',
  'each error with its status'
);
select is_empty(
  'select o.id, c.code from api.operations() as o cross join unnest(o.problems) as c (code) where not exists (select from api.problem as p where p.raised_by = c.code)',
  'every error of a route exists'
);

select * from finish();
rollback;
