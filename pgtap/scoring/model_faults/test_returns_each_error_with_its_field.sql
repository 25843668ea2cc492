begin;
select plan(31);

create function test.model_faults(rule text, rest text default '')
returns text[]
language sql
as $$
  select array(
    select f.field || ' ' || f.code
    from json_to_recordset(scoring.model_faults(
      format('{"base": 0.5, %s "rules": [%s]}', rest, rule)::jsonb
    )) as f (field text, code text)
  )
$$;

select is(scoring.model_faults(d.document)::text, null, 'a default model has no error') from scoring.default_model as d;
select is(model_faults('{"name": "a", "signal": "s", "label": "A", "weight": 0.1' || c.more || '}', c.rest), c.faults, c.more)
from (values
  ('', '', '{}'::text[]),
  (', "operator": "is"', '', '{"rules[0].operator unknown_operator"}'),
  (', "operator": "equals"', '', '{"rules[0].value invalid_value"}'),
  (', "operator": "equals", "value": false', '', '{"rules[0].value invalid_value"}'),
  (', "operator": "one_of", "value": []', '', '{"rules[0].value invalid_value"}'),
  (', "operator": "at_least", "value": "3"', '', '{"rules[0].value invalid_value"}'),
  (', "operator": "present", "value": 3', '', '{"rules[0].value invalid_value"}'),
  (', "operator": "absent", "half_life_hours": 3', '', '{"rules[0].half_life_hours not_allowed"}'),
  (', "half_life_hours": 0', '', '{"rules[0].half_life_hours out_of_range"}'),
  (', "field": "name"', '', '{"rules[0].signal signal_or_field"}'),
  (', "group": "g"', '', '{"rules[0].group unknown_group"}'),
  (', "group": "g"', '"groups": {"g": {"cap": 0.2}},', '{}'),
  (', "group": "g"', '"groups": {"g": {"cap": 2}},', '{"groups.g.cap out_of_range"}'),
  (', "key": 3', '', '{"rules[0].key not_allowed"}'),
  (', "colour": 3', '', '{"rules[0].colour unknown_key"}'),
  ('', '"colour": 3,', '{"colour unknown_key"}'),
  ('', '"rescore_on_signal": 1,', '{"rescore_on_signal wrong_type"}')
) as c (more, rest, faults);
select is(model_faults(c.rule), c.faults, c.rule)
from (values
  ('3', '{"rules[0] wrong_type"}'::text[]),
  (
    '{}',
    '{"rules[0].label invalid_label","rules[0].name invalid_name","rules[0].signal signal_or_field","rules[0].weight out_of_range"}'
  ),
  ('{"name": "a", "signal": "s", "label": "A", "weight": 1.01}', '{"rules[0].weight out_of_range"}'),
  ('{"name": "a", "signal": "s", "label": "A", "weight": 0.001}', '{"rules[0].weight out_of_range"}'),
  ('{"name": "a", "signal": "s", "label": "A", "weight": "0.1"}', '{"rules[0].weight out_of_range"}'),
  (
    '{"name": "a", "signal": "s", "label": "A", "weight": 0.1}, {"name": "a", "field": "sex", "label": "A", "weight": 0.1}',
    '{"rules[1].field unknown_field","rules[1].name duplicate_name"}'
  ),
  (
    '{"name": "a", "field": "name", "operator": "at_least", "value": 3, "label": "A", "weight": 0.1}',
    '{"rules[0].operator not_allowed"}'
  ),
  ('{"name": "a", "field": "phone", "label": "A", "weight": 0.1}', '{}'),
  ('{"name": "a", "field": "details", "key": "roof_age", "operator": "at_least", "value": 10, "label": "A", "weight": 0.1}', '{}'),
  ('{"name": "a", "field": "details", "label": "A", "weight": 0.1}', '{"rules[0].key required"}'),
  ('{"name": "a", "field": "details", "key": 3, "label": "A", "weight": 0.1}', '{"rules[0].key not_allowed"}'),
  ('{"name": "a", "field": "phone", "key": "x", "label": "A", "weight": 0.1}', '{"rules[0].key not_allowed"}')
) as c (rule, faults);
select is(
  (select string_agg(f.code, ' ') from json_to_recordset(scoring.model_faults('[]')) as f (code text)), 'wrong_type',
  'a document that is not an object'
);

select * from finish();
rollback;
