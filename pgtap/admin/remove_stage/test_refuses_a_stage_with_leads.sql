begin;
select plan(4);

select act_as('alice');
select made_lead('{"email": "ada@example.com", "pipeline_stage": "won"}');
select act_as('operator');
select throws_ok(
  $$select admin.remove_stage(organization('alice'), 'won')$$, 'PT409', 'stage_has_leads', 'hers has one'
);
select is(
  hint($$select admin.remove_stage(organization('alice'), 'won')$$),
  'The stage "won" has leads. First move them to another stage.',
  'and says what to do'
);
select lives_ok($$select admin.remove_stage(organization('bob'), 'won')$$, 'bob''s has none');
select act_as('alice');
select keep('patch', api.update_lead(lead('ada@example.com'), '{"pipeline_stage": "new"}'));
select act_as('operator');
select lives_ok($$select admin.remove_stage(organization('alice'), 'won')$$, 'once the lead has moved it may go');

select * from finish();
rollback;
