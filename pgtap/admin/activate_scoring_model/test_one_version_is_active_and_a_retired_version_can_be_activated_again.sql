begin;
select plan(7);

select act_as('operator');
select throws_ok(
  $$select admin.activate_scoring_model(organization('alice'))$$, 'PT404', 'model_not_found', 'there is no draft'
);
select (admin.edit_scoring_model(organization('alice'), '{"base": 0.5, "rules": []}'))::text;
select (admin.activate_scoring_model(organization('alice')))::text;
select matches(
  hint($$select admin.activate_scoring_model(organization('alice'))$$), 'There is no draft. Version 1 is active since',
  'the draft is already active'
);
select throws_ok(
  $$select admin.activate_scoring_model(organization('alice'), 1)$$, 'PT409', 'model_is_active', 'an active version can''t be activated again by its number'
);
select throws_ok(
  $$select admin.activate_scoring_model(organization('alice'), 9)$$, 'PT404', 'model_not_found', 'a version that doesn''t exist'
);
select (admin.edit_scoring_model(organization('alice'), '{"base": 0.6, "rules": []}'))::text;
select is(admin.activate_scoring_model(organization('alice')), 2, 'the next draft is activated');
select is(admin.activate_scoring_model(organization('alice'), 1), 1, 'the first version is activated again');
select act_as('dba');
select set_eq(
  'select m.version, m.state from scoring.model as m', $$values (1, 'active'), (2, 'retired')$$, 'one version is active'
);

select * from finish();
rollback;
