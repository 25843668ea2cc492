begin;
select plan(1);

select act_as('migrator');
select lives_ok($$select admin.drop_analyst('nobody_at_all')$$, 'the end of a revocation that broke off');

select * from finish();
rollback;
