begin;
select plan(6);

select make_analyst('ana');
-- In another cluster pg_dumpall's roles.sql makes the login anew, and who administers it; the binding has its old oid.
select act_as('dba');
do $$
begin
  execute format('drop role %I', login('ana'));
  execute format('create role %I login in role leads_bi', login('ana'));
  execute format('grant %I to leads_migrator with admin option', login('ana'));
end
$$;
select act_as('ana');
select is(bound_organization(), null, 'it is bound to nothing');

select act_as('migrator');
select is((select a.state from admin.analysts() as a where a.login = login('ana')), 'gone', 'and listed as gone');
select lives_ok($$select admin.revoke_analyst(login('ana'))$$, 'it is revoked');
select lives_ok($$select admin.drop_analyst(login('ana'))$$, 'and dropped');
select lives_ok($$select admin.create_analyst(login('ana'), organization('alice'), verifier())$$, 'and made anew');
select act_as('ana');
select is(bound_organization(), organization('alice'), 'it is bound again');

select * from finish();
rollback;
