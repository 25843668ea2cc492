begin;
select plan(3);

select act_as('operator');
select admin.add_stage(organization('bob'), 'bobs_own');
select act_as('alice');
select is(
  faults($$select api.list_leads(pipeline_stage => '{new,lukewarm,bobs_own}')$$),
  array['pipeline_stage unknown_stage', 'pipeline_stage unknown_stage'],
  'each unknown stage, including another organization''s'
);
select throws_ok($$select api.list_leads(pipeline_stage => '{lukewarm}')$$, 'PT422', 'validation_failed');
select act_as('bob');
select is((api.list_leads(pipeline_stage => '{bobs_own}')).status, 200, 'bob can filter by his own stage');

select * from finish();
rollback;
