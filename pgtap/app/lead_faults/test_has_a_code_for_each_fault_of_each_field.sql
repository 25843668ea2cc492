begin;
select plan(89);

select act_as('operator');
select admin.add_stage(organization('bob'), 'bobs_own');
select act_as('dba');

-- The code of the first error if a lead has only this field; null if there is no error.
create function test.code(field text, value jsonb)
returns text
language sql
as $$
  select app.lead_faults(test.organization('alice'), jsonb_build_object(field, value)) -> 0 ->> 'code'
$$;

select is(code(f.field, c.value), c.code, f.field || ': ' || c.why)
from (values
  ('name', 255), ('company', 255), ('industry', 128), ('company_size', 128), ('pain_points', 10000), ('timeline', 128),
  ('budget_range', 128), ('ai_reasoning', 10000)
) as f (field, max_length)
cross join lateral (values
  (to_jsonb(repeat(U&'\+01F600', f.max_length)), null, 'the maximum length, in characters'),
  (to_jsonb('  ' || repeat('a', f.max_length) || '  '), null, 'white space at the ends does not count'),
  (to_jsonb(repeat('a', f.max_length + 1)), 'too_long', 'one character too many'),
  (to_jsonb(U&' \3000'::text), 'blank', 'blank'),
  ('5', 'wrong_type', 'a number'),
  (to_jsonb(U&'\200B \FEFF'::text), 'blank', 'no visible character'),
  (to_jsonb(U&'a\0001b'::text), 'control_character', 'a control character')
) as c (value, code, why);

select is(code(c.field, c.value), c.code, c.field || ': ' || c.value)
from (values
  ('name', 'null'::jsonb, null), ('email', 'null', null), ('source', 'null', null), ('ai_reasoning', 'null', null),
  ('lead_score', 'null', 'not_nullable'), ('pipeline_stage', 'null', 'not_nullable'),
  ('email', '" ada@example.com "', null), ('email', '"ada"', 'invalid_email'), ('email', '" "', 'blank'),
  ('email', '["a"]', 'wrong_type'),
  ('source', '"google_ads"', null), ('source', '"Google Ads"', 'invalid_name'), ('source', '""', 'blank'),
  ('source', '{}', 'wrong_type'),
  ('lead_score', '0', null), ('lead_score', '100', null), ('lead_score', '87.0', null), ('lead_score', '1e2', null),
  ('lead_score', '-1', 'out_of_range'), ('lead_score', '101', 'out_of_range'),
  ('lead_score', '100.0000001', 'out_of_range'),
  ('lead_score', '1e300', 'out_of_range'), ('lead_score', '3.5', 'not_whole'), ('lead_score', '"87"', 'wrong_type'),
  ('lead_score', 'true', 'wrong_type'),
  ('pipeline_stage', '"won"', null), ('pipeline_stage', '"lukewarm"', 'unknown_stage'),
  ('pipeline_stage', '"bobs_own"', 'unknown_stage'),
  ('id', '1', 'read_only_field'), ('updated_at', 'null', 'read_only_field'), ('revision', '1', 'unknown_field'),
  ('email_key', '"a"', 'unknown_field'), ('', '1', 'unknown_field')
) as c (field, value, code);

select * from finish();
rollback;
