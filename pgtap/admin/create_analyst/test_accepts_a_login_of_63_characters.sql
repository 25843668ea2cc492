begin;
select plan(1);

select act_as('migrator');
select admin.create_analyst(rpad(login('ana'), 63, '_'), organization('alice'), verifier());
select is(
  (select a.state from admin.analysts(organization('alice')) as a where a.login = rpad(login('ana'), 63, '_')), 'good', 'the longest name'
);

select * from finish();
rollback;
