begin;
select plan(2);

select make_analyst('ana');
-- The binding looks as if ana's login had been dropped by hand and another login had its oid.
select act_as('dba');
do $$
begin
  execute format('alter role %I rename to %I', login('ana'), login('ben'));
end
$$;
select act_as('migrator');
select lives_ok($$select admin.bind_analyst(login('ben'), organization('bob'))$$, 'the new login is bound');
select results_eq(
  $$select a.login, a.organization_id from admin.analysts() as a where a.login in (login('ana'), login('ben'))$$,
  $$values (login('ben'), organization('bob'))$$,
  'the binding of the dropped login is deleted'
);

select * from finish();
rollback;
