begin;
select plan(3);

select is(app.stage_filter_faults(organization('alice'), '{new,won}')::text, null, 'no unknown stage');
select is(app.stage_filter_faults(organization('alice'), null)::text, null, 'no filter');
select is(
  app.stage_filter_faults(organization('alice'), '{new,lukewarm}')::jsonb,
  '[{
    "field": "pipeline_stage", "code": "unknown_stage",
    "detail": "There is no pipeline stage \"lukewarm\" in this organization. The stages are: new, contacted, qualified, proposal, won, lost."
  }]',
  'one unknown stage'
);

select * from finish();
rollback;
