begin;
select plan(4);

select act_as('operator');
select admin.connect_crm(organization('alice'), 'hubspot', 'hers', '{}', push_stage => 'won');
select throws_ok($$select admin.remove_stage(organization('alice'), 'won')$$, 'PT409', 'stage_pushes', 'alice''s stage starts pushes');
select is(
  hint($$select admin.remove_stage(organization('alice'), 'won')$$),
  'A lead that enters "won" is pushed to the CRM. First run leads crm connect with another --push-stage.',
  'the hint'
);
select lives_ok($$select admin.remove_stage(organization('alice'), 'qualified')$$, 'another doesn''t');
select admin.connect_crm(organization('alice'), 'hubspot', 'hers', '{}', push_stage => 'proposal');
select lives_ok($$select admin.remove_stage(organization('alice'), 'won')$$, 'it can be removed when another stage starts pushes');

select * from finish();
rollback;
