begin;
select plan(1);

select act_as('migrator');
select lives_ok($$select admin.drop_analyst('nobody_at_all')$$, 'an interrupted revocation can be completed');

select * from finish();
rollback;
