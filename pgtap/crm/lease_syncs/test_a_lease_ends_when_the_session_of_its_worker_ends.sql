begin;
select plan(9);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select leased()::text;
select is((sync('Ada')).leased_by, pg_backend_pid(), 'a lease belongs to a session');
select is(leased(), '{}', 'no other worker gets the push during the session');
update crm.sync set leased_by = 0;
select is((crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada')).verdict, 'go', 'the worker can call from another session');
select is((sync('Ada')).leased_by, pg_backend_pid(), 'the lease then belongs to that session');

update crm.sync set leased_by = 0;
select is(leased(), '{}', 'without the session, an open call is still waited for');
select is((sync('Ada')).attempts, 1, 'and keeps its attempt, because its answer may still arrive');

update crm.attempt set sent_at = now() - interval '1 minute';
update crm.sync set run_at = now() - interval '1 second';
select leased()::text;
select is(
  (crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada')).verdict, 'stop', 'a worker that only lost its connection is stopped after a new lease'
);
update crm.sync set leased_by = 0;
select is(leased(), '{Ada}', 'without the session, a push without a call is leased at once');
select is((sync('Ada')).attempts, 3, 'with a new attempt');

select * from finish();
rollback;
