begin;
select plan(3);

select make_analyst('ana');
select act_as('migrator');
select admin.revoke_analyst(login('ana'));
select admin.disable_analyst(login('ana'));
select lives_ok($$select admin.drop_analyst(login('ana'))$$, 'dropped');
select hasnt_role(login('ana')::name, 'the login doesn''t exist');
select lives_ok($$select admin.create_analyst(login('ana'), organization('bob'), verifier())$$, 'the name can be used again');

select * from finish();
rollback;
