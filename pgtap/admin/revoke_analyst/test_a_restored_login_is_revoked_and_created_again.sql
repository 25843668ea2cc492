begin;
select plan(7);

select make_analyst('ana');
-- In another cluster, pg_dumpall's roles.sql creates the login and its administrator again. The binding has the old oid.
select act_as('dba');
do $$
begin
  execute format('drop role %I', login('ana'));
  execute format('create role %I login in role leads_bi', login('ana'));
  execute format('grant %I to leads_migrator with admin option', login('ana'));
end
$$;
select act_as('ana');
select is(bound_organization(), null, 'it isn''t bound');

select act_as('migrator');
select is((select a.state from admin.analysts() as a where a.login = login('ana')), 'gone', 'its state is gone');
select lives_ok($$select admin.revoke_analyst(login('ana'))$$, 'it can be revoked');
select lives_ok($$select admin.disable_analyst(login('ana'))$$, 'it can be disabled');
select lives_ok($$select admin.drop_analyst(login('ana'))$$, 'it can be dropped');
select lives_ok($$select admin.create_analyst(login('ana'), organization('alice'), verifier())$$, 'it can be created again');
select act_as('ana');
select is(bound_organization(), organization('alice'), 'it is bound again');

select * from finish();
rollback;
