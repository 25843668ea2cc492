begin;
select plan(2);

select act_as('operator');
select throws_ok(
  $$select admin.create_analyst(login('ana'), organization('alice'), verifier())$$, '42501', null, 'the operator can''t execute it'
);
select make_analyst('ana');
select act_as('ana');
select throws_ok(
  $$select admin.create_analyst(login('ben'), organization('alice'), verifier())$$, '42501', null, 'an analyst can''t execute it'
);

select * from finish();
rollback;
