begin;
select plan(4);

select is(audit.details_change(c.old_details, c.new_details)::jsonb, c.change, c.why)
from (values
  (null::jsonb, '{"a": 1}'::jsonb, '{"from": null, "to": {"a": 1}}'::jsonb, 'new'),
  ('{"a": 1, "b": 2}', '{"a": 1, "b": 3}', '{"from": {"b": 2}, "to": {"b": 3}}', 'changed'),
  ('{"a": 1, "b": 2}', '{"a": 1}', '{"from": {"b": 2}, "to": null}', 'removed'),
  ('{"a": false}', '{"a": 0}', '{"from": {"a": false}, "to": {"a": 0}}', 'another type')
) as c (old_details, new_details, change, why);

select * from finish();
rollback;
