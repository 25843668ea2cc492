begin;
select plan(17);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');

select is(faults(format('select api.create_signals(%L, %L)', lead('ada@example.com'), c.body)), c.faults, c.body)
from (values
  ('{}', '{type required}'::text[]),
  ('{"type": 3, "x": 1}', '{type wrong_type,x unknown_field}'),
  ('{"type": "A"}', '{type invalid_name}'),
  ('{"type": "a", "value": [1]}', '{value invalid_value}'),
  ('{"type": "a", "value": {"b": {"c": 1}}}', '{value invalid_value}'),
  ('{"type": "a", "observed_at": "2026-02-30", "dedupe_key": ""}',
    '{dedupe_key invalid_dedupe_key,observed_at invalid_timestamp}'),
  ('{"type": "a", "observed_at": "now"}', '{observed_at invalid_timestamp}'),
  ('{"type": "a", "value": ""}', '{value invalid_value}'),
  ('{"type": "a", "value": {"b": "\u200b"}}', '{value invalid_value}'),
  ('{"type": "a", "value": "x\u0001y", "dedupe_key": "x\u0001y"}', '{dedupe_key invalid_dedupe_key,value invalid_value}'),
  ('{"type": "a", "dedupe_key": "\u200b"}', '{dedupe_key invalid_dedupe_key}'),
  ('{"signals": [' || repeat('{},', 200) || '{}]}', '{signals wrong_type}'),
  ('{"signals": []}', '{signals wrong_type}'),
  ('{"signals": 3, "type": "a"}', '{signals wrong_type,type unknown_field}'),
  ('{"signals": [{"type": "a"}, 3, {"value": 1}]}', '{signals[1] wrong_type,signals[2].type required}')
) as c (body, faults);
select is(
  cardinality(faults(format('select api.create_signals(%L, %L)', lead('ada@example.com'), '{"signals": [' || repeat('{},', 199) || '{}]}'))),
  100,
  'at most 100 errors'
);
select act_as('dba');
select is((select count(*) from scoring.signal), 0::bigint, 'no signal is added');

select * from finish();
rollback;
