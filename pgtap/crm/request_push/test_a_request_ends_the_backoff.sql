begin;
select plan(7);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name) values (acme(), 'ada@example.com', 'Ada');
select (crm.request_push(acme(), lead('ada@example.com'), true)).status;
select leased()::text;
select (crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada', 'ada@example.com')).verdict;
select crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'unknown', message => 'No answer.');
update crm.sync set run_at = now() + interval '1 hour', begun_at = now() - interval '2 hours';
create table test.before as select (sync('Ada')).*;

select results_eq(
  $$select * from crm.request_push(acme(), lead('ada@example.com'), false)$$, 'select * from test.before',
  'a change of the stage leaves the push unchanged'
);
select is((crm.request_push(acme(), lead('ada@example.com'), true)).status, 'pending', 'a request');
select cmp_ok((sync('Ada')).run_at, '<=', clock_timestamp(), 'makes it due');
select results_eq(
  $$select begun_at, begun_after, attempts from crm.sync$$, 'select begun_at, begun_after, attempts from test.before',
  'in the same series of attempts'
);
select is(leased(), '{}', 'a call that may have created a record is still waited for');
update crm.attempt set sent_at = now() - interval '1 minute';
select (crm.request_push(acme(), lead('ada@example.com'), true)).status;
select is(leased(), '{Ada}', 'then the push is leased');
create table test.taken as select (sync('Ada')).*;
select results_eq(
  $$select * from crm.request_push(acme(), lead('ada@example.com'), true)$$, 'select * from test.taken',
  'a request doesn''t shorten a lease'
);

select * from finish();
rollback;
