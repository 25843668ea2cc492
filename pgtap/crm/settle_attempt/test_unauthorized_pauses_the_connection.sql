begin;
select plan(9);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage)
values
  (acme(), 'ada@example.com', 'Ada', 'qualified'), (acme(), 'eve@example.com', 'Eve', 'qualified'),
  (acme(), 'liz@example.com', 'Liz', 'qualified');
create view test.connected as select c.state, c.fault from crm.connection as c;
select leased()::text;
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'refused', message => 'No.'), 'failed', 'a refused lead');
select results_eq('select * from test.connected', $$values ('active', null::text)$$, 'does not pause the connection');
select is(
  crm.settle_attempt(acme(), (sync('Eve')).id, 1, 'unauthorized', message => 'Invalid token.'), 'failed', 'a refused credential'
);
select results_eq('select * from test.connected', $$values ('paused', 'Invalid token.')$$, 'pauses it');
select crm.settle_attempt(acme(), (sync('Liz')).id, 1, 'unauthorized', message => 'Once more.');
select results_eq('select * from test.connected', $$values ('paused', 'Invalid token.')$$, 'the first message stays');

select admin.change_crm_connection(acme(), 'resume');
select results_eq('select * from test.connected', $$values ('active', null::text)$$, 'an operator resumes it');
select is(admin.retry_crm(acme()), 3, 'and pushes the leads again');
select leased()::text;
select crm.settle_attempt(acme(), (sync('Liz')).id, 2, 'unauthorized');
select results_eq(
  'select * from test.connected', $$values ('paused', 'The vendor refused the credential.')$$, 'a default message'
);

-- a push with an open attempt waits for a valid credential, to search for its record
select admin.change_crm_connection(acme(), 'resume');
select (crm.begin_call(acme(), (sync('Eve')).id, 2, 'Eve')).verdict;
select crm.settle_attempt(acme(), (sync('Eve')).id, 2, 'unknown');
update crm.attempt set sent_at = now() - interval '1 minute' where sent_at is not null;
update crm.sync set run_at = now() - interval '1 second' where id = (sync('Eve')).id;
select leased()::text;
select is(
  crm.settle_attempt(acme(), (sync('Eve')).id, 3, 'unauthorized'), 'pending', 'a push with an open attempt waits instead'
);

select * from finish();
rollback;
