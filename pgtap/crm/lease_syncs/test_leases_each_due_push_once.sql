begin;
select plan(9);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');
insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'eve@example.com', 'Eve', 'qualified');
update crm.sync set run_at = now() + interval '1 minute' where id = (sync('Eve')).id;

create table test.start as select date_trunc('milliseconds', clock_timestamp()) as at;
create table test.job as select j.* from crm.lease_syncs('{other,k}', 64) as j;
select results_eq(
  'select j.organization_id, j.sync_id, j.attempt, j.vendor, j.credential, j.credential_key from test.job as j',
  $$select acme(), (sync('Ada')).id, 1, 'hubspot', '\x00'::bytea, 'k'$$,
  'only the push that is due'
);
select is((sync('Ada')).status || (sync('Ada')).attempts, 'in_progress1', 'the lease is a new attempt');
select ok(
  (sync('Ada')).run_at between (select t.at from test.start as t) + interval '15 seconds' and clock_timestamp() + interval '15 seconds',
  'for 15 seconds'
);
select results_eq(
  'select a.sync_id, a.number, a.sent_at, a.outcome from crm.attempt as a',
  $$select (sync('Ada')).id, 1, null::timestamptz, null::text$$,
  'the attempt is stored'
);
select is(leased(), '{}', 'no other worker gets the push');
update crm.sync set run_at = now() - interval '1 second';
select is(leased(0), '{}', 'a batch of 0');
select is(leased(1), '{Ada}', 'a batch of 1: the push that is due longest');
select is(leased(), '{Eve}', 'the other push');
select results_eq(
  'select s.attempts, (select count(*) from crm.attempt as a where a.sync_id = s.id) from crm.sync as s order by s.attempts',
  $$values (1, 1::bigint), (2, 2)$$, 'an attempt for each lease'
);

select * from finish();
rollback;
