begin;
select plan(5);

create function test.traced(email text, organization text default 'alice')
returns text
language sql
security definer
as $$
  select crm.trace_id(test.organization(traced.organization), s.id) from crm.sync as s where s.lead_id = test.lead(traced.email)
$$;

select act_as('operator');
select admin.connect_crm(organization('alice'), 'jobnimbus', 'account', '{"record_type_name": "Customer", "status_name": "Lead"}');

select act_as('alice');
select made_lead('{"email": "ada@example.com", "name": "Ada"}');
select is(traced('ada@example.com'), null, 'there is no push');
select auth.enter(claim('alice'), 'r-1 ' || repeat('a', 32), 'write', false);
select keep('patch', api.update_lead(lead('ada@example.com'), '{"pipeline_stage": "qualified"}'));
select is(traced('ada@example.com'), repeat('a', 32), 'the change that has caused the push');
select auth.enter(claim('alice'), 'r-2 ' || repeat('b', 32), 'write', false);
select keep('second', api.update_lead(lead('ada@example.com'), '{"company": "Ada Ltd"}'));
select is(traced('ada@example.com'), repeat('a', 32), 'not a later change');
select is(traced('ada@example.com', 'bob'), null, 'not with another organization');
select auth.enter(claim('alice'), 'r-3', 'write', false);
select made_lead('{"email": "eve@example.com", "name": "Eve", "pipeline_stage": "qualified"}');
select is(traced('eve@example.com'), null, 'a request without a trace');

select * from finish();
rollback;
