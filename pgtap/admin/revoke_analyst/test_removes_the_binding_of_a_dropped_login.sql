begin;
select plan(3);

select make_analyst('ana');
select act_as('dba');
do $$
begin
  execute format('drop role %I', login('ana'));
end
$$;
select act_as('migrator');
select is((select a.state from admin.analysts() as a where a.login = login('ana')), 'gone', 'the login is gone');
select lives_ok($$select admin.revoke_analyst(login('ana'))$$, 'it can be revoked');
select is_empty($$select from admin.analysts() as a where a.login = login('ana')$$, 'it isn''t listed any more');

select * from finish();
rollback;
