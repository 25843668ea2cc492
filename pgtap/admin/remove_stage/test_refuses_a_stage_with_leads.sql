begin;
select plan(4);

select act_as('alice');
select made_lead('{"email": "ada@example.com", "pipeline_stage": "won"}');
select act_as('operator');
select throws_ok(
  $$select admin.remove_stage(organization('alice'), 'won')$$, 'PT409', 'stage_has_leads', 'alice''s stage has a lead'
);
select is(
  hint($$select admin.remove_stage(organization('alice'), 'won')$$),
  'The stage "won" has leads. First move them to another stage.',
  'the hint'
);
select lives_ok($$select admin.remove_stage(organization('bob'), 'won')$$, 'bob''s stage has no leads');
select act_as('alice');
select keep('patch', api.update_lead(lead('ada@example.com'), '{"pipeline_stage": "new"}'));
select act_as('operator');
select lives_ok($$select admin.remove_stage(organization('alice'), 'won')$$, 'it can be removed when the lead has another stage');

select * from finish();
rollback;
