begin;
select plan(8);

-- A session of the login inserts a lead. The privilege to write is the dba's, as in a SECURITY DEFINER function.
create function test.insert_as_definer(email text)
returns void
language plpgsql
security definer
as $$
begin
  insert into app.lead (organization_id, email) values (test.organization('alice'), insert_as_definer.email);
end
$$;
create function test.event(email text)
returns text
language sql
security definer
as $$
  select concat_ws(' ', e.source, coalesce(e.payload ->> 'key_id', 'null'), e.payload ->> 'role', e.correlation_id)
  from audit.event as e
  where e.lead_id = test.lead(email)
$$;
create role "a ""quoted\ login";

select act_as('alice');
select insert_as_definer('api@example.com');
select is(event('api@example.com'), format('api %s a-request', key_id('alice')), 'the API server''s login with a claim');
select act_as('stranger');
select insert_as_definer('stranger@example.com');
select is(event('stranger@example.com'), 'sql null leads_api', 'the API server''s login without a claim');
select act_as('dba');
set local session authorization leads_worker;
select insert_as_definer('worker@example.com');
select is(event('worker@example.com'), 'worker null leads_worker', 'the worker');
select act_as('operator');
select insert_as_definer('operator@example.com');
select is(event('operator@example.com'), 'system null leads_operator', 'the operator');
select act_as('dba');
select set_config('session_authorization', min(m.member::regrole::text), true)
from pg_auth_members as m
where m.roleid = 'leads_owner'::regrole;
select insert_as_definer('migration@example.com');
select is(event('migration@example.com'), 'system null ' || session_user, 'a migration');
reset session authorization;
select insert_as_definer('dba@example.com');
select is(event('dba@example.com'), 'sql null ' || session_user, 'any other login');
set local session authorization "a ""quoted\ login";
select insert_as_definer('quoted@example.com');
select is(event('quoted@example.com'), 'sql null a "quoted\ login', 'a login with a quoted name');

reset session authorization;
select auth.enter(claim('alice'), 'a-request', 'write', false);
set local "leads.source" = 'system';
select insert_as_definer('liar@example.com');
select is(event('liar@example.com'), 'sql null ' || session_user, 'neither a setting nor a valid claim changes the source');

select * from finish();
rollback;
