begin;
select plan(4);

create function test.event(email text)
returns uuid
language sql
security definer
as $$
  select e.id from audit.event as e where e.lead_id = test.lead(email)
$$;

select act_as('bob');
select made_lead('{"email": "bob@example.com"}');
select is((api.get_audit_event(event('bob@example.com'))).status, 200, 'bob can get his event');
select act_as('alice');
select is(api.get_audit_event(event('bob@example.com')), null, 'alice doesn''t');
select is(api.get_audit_event('00000000-0000-7000-8000-000000000000'), null, 'the same result as for an unknown id');
select act_as('stranger');
select is(api.get_audit_event(event('bob@example.com')), null, 'without a key');

select * from finish();
rollback;
