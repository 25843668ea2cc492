begin;
select plan(1);

select act_as('migrator');
select throws_ok(
  $$select admin.create_analyst(login('ana'), '00000000-0000-7000-8000-000000000000', verifier())$$,
  'PT404', 'organization_not_found', 'unknown'
);

select * from finish();
rollback;
