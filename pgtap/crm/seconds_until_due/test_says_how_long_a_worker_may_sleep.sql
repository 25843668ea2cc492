begin;
select plan(8);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

select is(crm.seconds_until_due('{k}'), null, 'for good, as nothing waits');
insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select cmp_ok(crm.seconds_until_due('{k}'), '<=', 0.0, 'not at all');
select is(crm.seconds_until_due('{l}'), null, 'what another worker''s key decrypts is none of its business');
-- kept in milliseconds, and so up to half a millisecond later
update crm.sync set run_at = clock_timestamp() + interval '1 minute';
select ok(crm.seconds_until_due('{k}') between 30 and 60.001, 'until it is due');
update crm.connection set blocked_until = clock_timestamp() + interval '2 minutes';
select ok(crm.seconds_until_due('{k}') between 90 and 120.001, 'until the vendor may be called again');
update crm.connection set state = 'paused';
select is(crm.seconds_until_due('{k}'), null, 'paused');
update crm.connection set state = 'active', blocked_until = null;
update crm.sync set run_at = now() - interval '1 second';
select leased()::text;
select ok(crm.seconds_until_due('{k}') between 1 and 15.001, 'until a lease ends');
select format('It is %s.', crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'created', '7'));
select is(crm.seconds_until_due('{k}'), null, 'what is through is due no more');

select * from finish();
rollback;
