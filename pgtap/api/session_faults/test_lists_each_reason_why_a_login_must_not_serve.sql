begin;
select plan(7);

create role test_superuser superuser;
create role test_bypassrls bypassrls;
create role test_owner;
grant leads_exec to test_owner;
create role test_deputy;
grant test_owner to test_deputy;
create role test_bystander;
create function test.faults_of(login text)
returns text[]
language plpgsql
as $$
declare
  v_faults text[];
begin
  perform set_config('session_authorization', login, true);
  v_faults := array(select api.session_faults());
  reset session authorization;
  return v_faults;
end
$$;
grant usage on schema api to test_bypassrls, test_owner, test_deputy, test_bystander;

select is(faults_of(c.login), c.expected, c.login)
from (values
  ('leads_api', '{}'::text[]),
  ('leads_worker', '{}'),
  ('test_bystander', '{}'),
  ('test_superuser', array['The login "test_superuser" is a superuser, so row-level security doesn''t apply.']),
  ('test_bypassrls', array['The login "test_bypassrls" has BYPASSRLS, so row-level security doesn''t apply.']),
  ('test_owner', array['The login "test_owner" is a member of leads_exec, which owns objects.']),
  ('test_deputy', array['The login "test_deputy" is a member of leads_exec, which owns objects.'])
) as c (login, expected);

select * from finish();
rollback;
