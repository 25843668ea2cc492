begin;
select plan(9);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select leased()::text;
select (crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada Byron', 'ada@example.com')).verdict;
-- the worker has ended
create function test.after(elapsed interval)
returns text[]
language sql
volatile
begin atomic
  update crm.attempt set sent_at = date_trunc('milliseconds', clock_timestamp()) - after.elapsed where outcome is null;
  update crm.sync set run_at = now() - interval '1 second';
  select leased();
end;
select is(after('2 seconds'), '{}', 'before the 5 seconds of a call and the 5 seconds of HubSpot end');
select is((sync('Ada')).status, 'in_progress', 'its answer may still arrive');
select is(
  (sync('Ada')).run_at, (select a.sent_at + interval '10 seconds' from crm.attempt as a), 'the push is postponed to their end'
);
select is((sync('Ada')).attempts, 1, 'without a new attempt');
update crm.connection set settle_seconds = 17;
select is(after('11 seconds'), '{}', 'a connection can have a longer time');
create table test.job as
select null::crm.job as job where false;
update crm.attempt set sent_at = now() - interval '22 seconds';
update crm.sync set run_at = now() - interval '1 second';
insert into test.job select j from crm.lease_syncs('{k}', 64) as j;
select is((sync('Ada')).attempts, 2, 'after the time');
select is(
  (select (j.job).open_attempts::jsonb from test.job as j),
  '[{"email": "ada@example.com", "display_name": "Ada Byron"}]', 'with the data that was sent, to search for'
);
update crm.attempt set outcome = 'settled' where number = 1;
update crm.attempt set sent_at = now(), display_name = 'Ada', outcome = 'not_made' where number = 2;
update crm.sync set run_at = now() - interval '1 second';
truncate test.job;
insert into test.job select j from crm.lease_syncs('{k}', 64) as j;
select is((sync('Ada')).attempts, 3, 'an attempt with a known outcome is not waited for');
select is((select (j.job).open_attempts::jsonb from test.job as j), '[]', 'or searched for');

select * from finish();
rollback;
