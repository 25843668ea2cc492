begin;
select plan(7);

select act_as('operator');
select (admin.edit_scoring_model(organization('alice'), '{"base": 0.5, "rules": []}'))::text;
select (admin.activate_scoring_model(organization('alice')))::text;

select act_as('dba');
select throws_ok($$update scoring.model set document = '{"base": 0.6, "rules": []}'$$, 'PT409', 'refused', 'its rules can''t change');
select throws_ok($$update scoring.model set state = 'draft', activated_at = null$$, 'PT409', 'refused', 'it can''t become a draft again');
select throws_ok($$update scoring.model set version = 2$$, 'PT409', 'refused', 'its number can''t change');
select throws_ok('delete from scoring.model', 'PT409', 'refused', 'it can''t be deleted');
select throws_ok('truncate scoring.model', 'PT409', 'refused', 'the table can''t be truncated');
select throws_ok(
  format(
    'insert into scoring.model (organization_id, version, state, document, activated_at) values (%L, 2, ''active'', ''{"base": 0.5, "rules": []}'', now())',
    organization('alice')
  ),
  '23505', null, 'no two versions are active'
);
select throws_ok(
  format('insert into scoring.model (organization_id, version, document) values (%L, 2, ''{"base": 5}'')', organization('alice')),
  '23514', null, 'an invalid model is refused in SQL too'
);

select * from finish();
rollback;
