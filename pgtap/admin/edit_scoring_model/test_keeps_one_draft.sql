begin;
select plan(6);

select act_as('operator');
select is(admin.edit_scoring_model(organization('alice'), '{"base": 0.5, "rules": []}'), 1, 'the first draft');
select is(admin.edit_scoring_model(organization('alice'), '{"base": 0.6, "rules": []}'), 1, 'the same draft is changed');
select is(admin.activate_scoring_model(organization('alice')), 1, 'activated');
select is(admin.edit_scoring_model(organization('alice'), '{"base": 0.7, "rules": []}'), 2, 'the next draft has the next version');
select is(
  faults($$select admin.edit_scoring_model(organization('alice'), '{"base": 5, "rules": []}')$$), '{base out_of_range}',
  'an error is reported'
);
select results_eq(
  $$
    select m.model, m.version, m.state, (m.document ->> 'base')::numeric
    from admin.scoring_models(organization('alice')) as m
  $$,
  $$values ('own', 2, 'draft', 0.7), ('own', 1, 'active', 0.6), ('default', 1, 'unused', 0.55)$$,
  'all versions are listed, the newest first'
);

select * from finish();
rollback;
