begin;
select plan(2);

select make_analyst('ana');
-- What would stand here if ana's login had been dropped by hand, and another made with its oid.
select act_as('dba');
do $$
begin
  execute format('alter role %I rename to %I', login('ana'), login('ben'));
end
$$;
select act_as('migrator');
select lives_ok($$select admin.bind_analyst(login('ben'), organization('bob'))$$, 'another is bound');
select results_eq(
  $$select a.login, a.organization_id from admin.analysts() as a where a.login in (login('ana'), login('ben'))$$,
  $$values (login('ben'), organization('bob'))$$,
  'and what stood for the first is gone'
);

select * from finish();
rollback;
