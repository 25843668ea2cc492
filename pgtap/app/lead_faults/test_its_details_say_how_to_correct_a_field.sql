begin;
select plan(6);

select is(
  app.lead_faults(organization('alice'), '{"pipeline_stage": "secret"}')::jsonb,
  '[{
    "field": "pipeline_stage", "code": "unknown_stage",
    "detail": "This must be one of the organization''s pipeline stages: new, contacted, qualified, proposal, won, lost."
  }]',
  'an unknown stage: the stages are listed'
);
select is(
  app.lead_faults(organization('alice'), jsonb_build_object(c.field, c.value)) -> 0 ->> 'detail', c.detail, c.field
)
from (values
  ('name', U&'a\0001b', 'The text has the control character U+0001. Remove it.'),
  ('email', U&'ann@exa\200Bmple.com',
    app.lead_field_rule('email', 254, true) || ' The text has the character U+200B.')
) as c (field, value, detail);
select is(
  json_array_length(app.lead_faults(organization('alice'), (select jsonb_object_agg('x' || n, 1) from generate_series(1, 200) as n))),
  100,
  'at most 100 unknown fields'
);
select is(
  length(app.lead_faults(organization('alice'), jsonb_build_object(repeat('x', 5000), 1)) -> 0 ->> 'field'), 100,
  'an unknown field''s name is cut at 100 characters'
);
select is(app.lead_faults(organization('alice'), '{"name": "Ada"}')::text, null, 'null if there is no error');

select * from finish();
rollback;
