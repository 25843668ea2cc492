begin;
select plan(6);

create view test.parameter as
select p.key || ' ' || (a.value ->> 'name') as finding, a.value
from jsonb_each(api.openapi()::jsonb -> 'paths') as p
cross join lateral jsonb_each(p.value) as m
cross join lateral jsonb_array_elements(coalesce(m.value -> 'parameters', '[]')) as a;

select is_empty('select finding from test.parameter where value ->> ''description'' is null', 'each parameter has a description');
select is_empty(
  'select s.key, f.key from jsonb_each(api.openapi()::jsonb #> ''{components,schemas}'') as s cross join lateral jsonb_each(s.value -> ''properties'') as f where f.value ->> ''description'' is null',
  'each field has a description'
);
select is_empty(
  'select t.name from (select answer as name from api.operation union select request from api.operation) as t where t.name is not null and not exists (select from api.shape as s where s.type = t.name)',
  'each type has a row in api.shape'
);
select is_empty(
  'select s.type from api.shape as s where to_regtype(s.type) is null or (s.relation is not null and to_regclass(s.relation) is null)',
  'the types and tables of api.shape exist'
);
select is_empty(
  'select r.function from api.route as r where r.key_parameter is null and not exists (select from api.operation as o where o.function = r.function)',
  'each route has documentation'
);
select is_empty(
  'select o.function from api.operation as o where o.tag not in (select t.name from api.tag as t) or not exists (select from api.route as r where r.function = o.function)',
  'each documentation has a route and a chapter'
);

select * from finish();
rollback;
