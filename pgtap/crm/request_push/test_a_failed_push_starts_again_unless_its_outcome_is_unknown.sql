begin;
select plan(10);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name) values (acme(), 'ada@example.com', 'Ada');
create view test.standing as
select s.status, s.error_code, s.error, s.attempts, s.begun_after, s.run_at <= clock_timestamp() as is_due from crm.sync as s;
select (crm.request_push(acme(), lead('ada@example.com'), true)).status;
select leased()::text;
select crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'refused', message => 'No.');
update crm.sync set begun_at = now() - interval '3 days';

select results_eq(
  'select * from test.standing', $$values ('failed', 'rejected', 'No.', 1, 0, null::boolean)$$, 'the push has failed'
);
select (crm.request_push(acme(), lead('ada@example.com'), true)).status;
select results_eq(
  'select * from test.standing', $$values ('pending', null, null, 1, 1, true)$$, 'a request starts it again'
);
select cmp_ok((sync('Ada')).begun_at, '>', now() - interval '1 minute', 'with 24 hours to try');

select leased()::text;
select crm.settle_attempt(acme(), (sync('Ada')).id, 2, 'refused', message => 'No.');
select (crm.request_push(acme(), lead('ada@example.com'), false)).status;
select results_eq(
  'select * from test.standing', $$values ('pending', null, null, 2, 2, true)$$, 'so does a change of the stage'
);

update crm.sync set status = 'failed', error_code = 'gave_up', run_at = null;
select is((crm.request_push(acme(), lead('ada@example.com'), true)).status, 'pending', 'a request starts a push that gave up');

select leased()::text;
select is(
  crm.settle_attempt(acme(), (sync('Ada')).id, 3, 'undecided', message => 'Two of them.'), 'failed', 'an unknown outcome'
);
create table test.before as select (sync('Ada')).*;
select is((select b.error_code from test.before as b), 'outcome_unknown', 'the error code');
select results_eq(
  $$select * from crm.request_push(acme(), lead('ada@example.com'), true)$$, 'select * from test.before',
  'a request leaves it unchanged'
);
select results_eq(
  $$select * from crm.request_push(acme(), lead('ada@example.com'), false)$$, 'select * from test.before',
  'so does a change of the stage'
);
select is_empty($$select * from crm.lease_syncs('{k}', 64)$$, 'no worker gets the push');

select * from finish();
rollback;
