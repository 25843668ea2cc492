begin;
select plan(9);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select leased()::text;
select is((sync('Ada')).leased_by, pg_backend_pid(), 'a lease is of a session');
select is(leased(), '{}', 'while that lives nobody else gets it');
update crm.sync set leased_by = 0;
select is((crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada')).verdict, 'go', 'a worker may call from another session');
select is((sync('Ada')).leased_by, pg_backend_pid(), 'whose lease it is then');

update crm.sync set leased_by = 0;
select is(leased(), '{}', 'gone: what it may have made is waited out');
select is((sync('Ada')).attempts, 1, 'and stays its own, should the answer still come');

update crm.attempt set sent_at = now() - interval '1 minute';
update crm.sync set run_at = now() - interval '1 second';
select leased()::text;
select is(
  (crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada')).verdict, 'stop', 'were it only cut off, it would be stopped by then'
);
update crm.sync set leased_by = 0;
select is(leased(), '{Ada}', 'gone: what it has not begun is another''s at once');
select is((sync('Ada')).attempts, 3, 'by a new attempt');

select * from finish();
rollback;
