begin;
select plan(5);

create role some_login;
create role some_migrator;
grant leads_owner to some_migrator;
create role some_deputy;
grant some_migrator to some_deputy;

select is(audit.is_migrating_login(), false, 'a superuser');
set local session authorization leads_api;
select is(pg_has_role(session_user, 'leads_owner', 'member'), false, 'the API server''s login');
reset session authorization;
create function test.asked(login text)
returns boolean
language plpgsql
as $$
declare
  v_answer boolean;
begin
  grant execute on function audit.is_migrating_login() to public;
  grant usage on schema audit to public;
  perform set_config('session_authorization', login, true);
  v_answer := audit.is_migrating_login();
  reset session authorization;
  return v_answer;
end
$$;
select is(asked('some_login'), false, 'any other login');
select is(asked('some_migrator'), true, 'a member of leads_owner');
select is(asked('some_deputy'), false, 'a member of a member');

select * from finish();
rollback;
