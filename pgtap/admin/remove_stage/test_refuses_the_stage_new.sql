begin;
select plan(1);

select act_as('operator');
select throws_ok($$select admin.remove_stage(organization('alice'), 'new')$$, 'PT409', 'stage_new_is_needed');

select * from finish();
rollback;
