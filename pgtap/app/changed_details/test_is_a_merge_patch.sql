begin;
select plan(9);

select is(app.changed_details(c.base::jsonb, c.patch::jsonb), c.changed::jsonb, concat(c.base, ' + ', c.patch))
from (values
  (null, '{"a": 1}', '{"a": 1}'), ('{"a": 1}', '{"b": 2}', '{"a": 1, "b": 2}'), ('{"a": 1}', '{"a": "x"}', '{"a": "x"}'),
  ('{"a": 1, "b": 2}', '{"a": null}', '{"b": 2}'), ('{"a": 1}', '{"a": null}', null), (null, '{"a": null}', null),
  ('{"a": 1}', '{}', '{"a": 1}'), (null, '{}', null), (null, '{"a": "  x "}', '{"a": "x"}')
) as c (base, patch, changed);

select * from finish();
rollback;
