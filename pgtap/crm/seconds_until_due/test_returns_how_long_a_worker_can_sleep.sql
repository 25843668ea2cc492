begin;
select plan(8);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

select is(crm.seconds_until_due('{k}'), null, 'no push waits');
insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select cmp_ok(crm.seconds_until_due('{k}'), '<=', 0.0, 'a push is due');
select is(crm.seconds_until_due('{l}'), null, 'a push whose credential the worker can''t decrypt does not count');
-- run_at is rounded to milliseconds, so it can be half a millisecond later
update crm.sync set run_at = clock_timestamp() + interval '1 minute';
select ok(crm.seconds_until_due('{k}') between 30 and 60.001, 'until the push is due');
update crm.connection set blocked_until = clock_timestamp() + interval '2 minutes';
select ok(crm.seconds_until_due('{k}') between 90 and 120.001, 'until Retry-After ends');
update crm.connection set state = 'paused';
select is(crm.seconds_until_due('{k}'), null, 'a paused connection does not count');
update crm.connection set state = 'active', blocked_until = null;
update crm.sync set run_at = now() - interval '1 second';
select leased()::text;
select ok(crm.seconds_until_due('{k}') between 1 and 15.001, 'until a lease ends');
select format('It is %s.', crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'created', '7'));
select is(crm.seconds_until_due('{k}'), null, 'a push that is ok is not due');

select * from finish();
rollback;
