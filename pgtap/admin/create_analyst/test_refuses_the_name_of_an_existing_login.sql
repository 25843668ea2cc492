begin;
select plan(3);

select make_analyst('ana');
select throws_ok(
  $$select admin.create_analyst(login('ana'), organization('bob'), verifier())$$, 'PT409', 'login_exists', 'an analyst''s'
);
select throws_ok(
  $$select admin.create_analyst('postgres', organization('bob'), verifier())$$, 'PT409', 'login_exists', 'the name of a login that isn''t an analyst''s'
);
select act_as('ana');
select is(bound_organization(), organization('alice'), 'the existing login is unchanged');

select * from finish();
rollback;
