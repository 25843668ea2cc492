begin;
select plan(7);

create view test.mapping as
select '{
  "a.b": "name", "What?": "company", "type:email": "email", "a.*": "ignore", "a.c*": "details.c", "100%*": "phone", "*_x": "industry"
}'::jsonb as mapping;
select is(intake.mapped_target(m.mapping, c.path, c.label, c.type), c.target, c.path)
from test.mapping as m
cross join (values
  ('a.b', 'What?', 'email', 'name'),
  ('z', 'What?', 'email', 'company'),
  ('a.z', 'Who?', 'email', 'email'),
  ('a.cd', null, null, 'details.c'),
  ('a.d', null, null, 'ignore'),
  ('100 of', null, null, null),
  ('yx', null, null, null)
) as c (path, label, type, target);

select * from finish();
rollback;
