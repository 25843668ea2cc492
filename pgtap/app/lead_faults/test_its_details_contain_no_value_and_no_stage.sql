begin;
select plan(3);

select is(
  app.lead_faults(organization('alice'), '{"pipeline_stage": "secret"}')::jsonb,
  '[{
    "field": "pipeline_stage", "code": "unknown_stage",
    "detail": "This must be one of the organization''s pipeline stages."
  }]',
  'the field error'
);
select is(
  length(app.lead_faults(organization('alice'), jsonb_build_object(repeat('x', 5000), 1)) -> 0 ->> 'field'), 100,
  'an unknown field''s name is cut at 100 characters'
);
select is(app.lead_faults(organization('alice'), '{"name": "Ada"}')::text, null, 'null if there is no error');

select * from finish();
rollback;
