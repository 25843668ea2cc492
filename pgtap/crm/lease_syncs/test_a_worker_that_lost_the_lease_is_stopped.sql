begin;
select plan(13);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select is(leased(), '{Ada}', 'one worker leases the push');
update crm.sync set run_at = now() - interval '1 second';
select is(leased(), '{Ada}', 'after the lease has ended, another worker does');
select is((sync('Ada')).attempts, 2, 'with a higher number');
create table test.before as select (sync('Ada')).*;

select is((crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada')).verdict, 'stop', 'the first worker can''t call');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'created', '7'), null, 'or report an outcome');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'unauthorized'), null, 'or an invalid credential');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 3, 'created', '7'), null, 'nor can a worker with a future number');
select results_eq($$select (sync('Ada')).*$$, 'select * from test.before', 'the push is unchanged');
select is_empty(
  'select * from crm.attempt as a where (a.sent_at, a.outcome) is distinct from (null, null)', 'its attempts are unchanged'
);
select is_empty($$select * from crm.connection as c where c.state <> 'active'$$, 'the connection is unchanged');

select is((crm.begin_call(acme(), (sync('Ada')).id, 2, 'Ada')).verdict, 'go', 'the second worker can call');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 2, 'created', '7'), 'ok', 'and report the outcome');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 2, 'created', '8'), null, 'once');

select * from finish();
rollback;
