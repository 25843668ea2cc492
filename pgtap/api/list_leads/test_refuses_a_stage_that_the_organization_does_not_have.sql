begin;
select plan(3);

select act_as('operator');
select admin.add_stage(organization('bob'), 'bobs_own');
select act_as('alice');
select is(
  faults($$select api.list_leads(pipeline_stage => '{new,lukewarm,bobs_own}')$$),
  array['pipeline_stage unknown_stage', 'pipeline_stage unknown_stage'],
  'each of them, and another organization''s stage is one'
);
select throws_ok($$select api.list_leads(pipeline_stage => '{lukewarm}')$$, 'PT422', 'validation_failed');
select act_as('bob');
select is((api.list_leads(pipeline_stage => '{bobs_own}')).status, 200, 'bob may ask for his own');

select * from finish();
rollback;
