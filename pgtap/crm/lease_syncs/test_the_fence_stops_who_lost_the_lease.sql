begin;
select plan(13);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select is(leased(), '{Ada}', 'one worker takes it');
update crm.sync set run_at = now() - interval '1 second';
select is(leased(), '{Ada}', 'and, as its lease ends, another');
select is((sync('Ada')).attempts, 2, 'with a higher number');
create table test.before as select (sync('Ada')).*;

select is((crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada')).verdict, 'stop', 'the first may call no more');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'created', '7'), null, 'nor say what came of it');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'unauthorized'), null, 'nor that the credential is no good');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 3, 'created', '7'), null, 'nor does who guesses');
select results_eq($$select (sync('Ada')).*$$, 'select * from test.before', 'the push is as it was');
select is_empty(
  'select * from crm.attempt as a where (a.sent_at, a.outcome) is distinct from (null, null)', 'and so are its attempts'
);
select is_empty($$select * from crm.connection as c where c.state <> 'active'$$, 'and the connection');

select is((crm.begin_call(acme(), (sync('Ada')).id, 2, 'Ada')).verdict, 'go', 'the second may call');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 2, 'created', '7'), 'ok', 'and tells');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 2, 'created', '8'), null, 'once');

select * from finish();
rollback;
