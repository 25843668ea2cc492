begin;
select plan(14);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage)
values (acme(), 'ada@example.com', 'Ada', 'qualified'), (acme(), 'ADA@Example.com', 'Eve', 'qualified');
update crm.sync set run_at = now() - interval '2 seconds' where id = (sync('Ada')).id;
update crm.sync set run_at = now() - interval '1 second' where id = (sync('Eve')).id;

create table test.start as select date_trunc('milliseconds', clock_timestamp()) as at;
select is(leased(), '{Ada}', 'one of two, although the addresses differ in case');
select is((sync('Eve')).status || (sync('Eve')).attempts, 'pending0', 'the other push waits');
select ok(
  (sync('Eve')).run_at between (select t.at from test.start as t) and clock_timestamp() + interval '0.5 seconds', 'for at most half a second'
);
select throws_ok(
  $$
    update crm.sync set status = 'in_progress', attempts = 1, run_at = now(), email_key = 'ada@example.com'
    where id = (sync('Eve')).id
  $$,
  '23505', null, 'the index refuses a second push in progress'
);

-- a call with an unknown outcome
select (crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada', 'ada@example.com')).verdict;
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'unknown'), 'pending', 'the first push may have created a record');
update crm.sync set run_at = now() - interval '1 second' where id = (sync('Eve')).id;
select is(leased(), '{}', 'the other push waits, although no worker has the first');

update crm.attempt set sent_at = now() - interval '1 minute';
update crm.sync set run_at = now() - interval '1 second' where id = (sync('Ada')).id;
select is(leased(), '{Ada}', 'the first push is leased first, and searches');
select is(crm.settle_attempt(acme(), (sync('Ada')).id, 2, 'linked', '7'), 'ok', 'it finds its record');

update crm.sync set run_at = now() - interval '1 second' where id = (sync('Eve')).id;
select is(leased(), '{}', 'no worker gets the other push');
select is((sync('Eve')).status || (sync('Eve')).external_id, 'ok7', 'it is linked to the new record');
select results_eq(
  $$select a.outcome from crm.attempt as a where a.sync_id = (sync('Eve')).id$$, array['linked'], 'with an attempt'
);

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Liz', 'qualified');
update crm.sync set last_synced_at = clock_timestamp() - interval '55 seconds' where status = 'ok';
select is(leased(), '{}', 'so is every push until the search shows the record');
insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Mae', 'qualified');
update crm.sync set last_synced_at = clock_timestamp() - interval '66 seconds' where status = 'ok';
select is(leased(), '{Mae}', 'after that a worker searches');
insert into app.lead (organization_id, name, company, pipeline_stage)
values (acme(), 'Nan', 'One', 'qualified'), (acme(), 'Pat', 'One', 'qualified');
select is(leased(), '{Nan,Pat}', 'leads without an address don''t wait for each other');

select * from finish();
rollback;
