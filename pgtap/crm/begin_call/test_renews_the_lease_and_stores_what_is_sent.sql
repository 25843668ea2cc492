begin;
select plan(12);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select leased()::text;
update crm.sync set run_at = clock_timestamp() + interval '1 second';
create table test.start as select date_trunc('milliseconds', clock_timestamp()) as at;
select is((crm.begin_call(acme(), (sync('Ada')).id, 1)).verdict, 'go', 'a search');
select ok(
  (sync('Ada')).run_at between (select t.at from test.start as t) + interval '15 seconds' and clock_timestamp() + interval '15 seconds',
  'renews the lease to 15 seconds'
);
select results_eq(
  'select a.sent_at, a.email, a.display_name from crm.attempt as a', $$values (null::timestamptz, null::text, null::text)$$,
  'a search stores nothing in the attempt'
);

update crm.sync set run_at = clock_timestamp() + interval '1 second';
update test.start set at = date_trunc('milliseconds', clock_timestamp());
select is((crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada Byron', 'Ada@example.com')).verdict, 'go', 'a call that creates a record');
select cmp_ok((sync('Ada')).run_at, '>=', (select t.at from test.start as t) + interval '15 seconds', 'renews the lease too');
select results_eq(
  'select a.email, a.display_name, a.outcome from crm.attempt as a', $$values ('Ada@example.com', 'Ada Byron', null::text)$$,
  'the data that is sent is stored'
);
select ok(
  (select a.sent_at between t.at and clock_timestamp() from crm.attempt as a cross join test.start as t),
  'with the time'
);

select is((crm.begin_call(acme(), (sync('Ada')).id, 1)).verdict, 'go', 'the next call means that the previous one was answered');
select is((select a.sent_at from crm.attempt as a), null, 'and created nothing');

select (crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada', 'ada@example.com')).verdict;
update crm.attempt set sent_at = now() - interval '1 minute';
update crm.sync set run_at = now() - interval '1 second';
select leased()::text;
select (crm.begin_call(acme(), (sync('Ada')).id, 2)).verdict;
select is(
  (select a.outcome from crm.attempt as a where a.number = 1), null, 'a search leaves the previous attempt open'
);
select (crm.begin_call(acme(), (sync('Ada')).id, 2, 'Ada', 'ada@example.com')).verdict;
select results_eq(
  'select a.number, a.outcome, a.sent_at is null from crm.attempt as a order by a.number',
  $$values (1, null::text, false), (2, null, false)$$,
  'every attempt that was sent stays open until its outcome is known'
);
select is((sync('Ada')).attempts, 2, 'a call is not a new attempt');

select * from finish();
rollback;
