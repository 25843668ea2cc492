begin;
select plan(9);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select throws_ok(
  $$update crm.sync set status = 'in_progress', run_at = now()$$, 'PT409', 'refused', 'a lease without a new attempt'
);
select lives_ok(
  $$update crm.sync set status = 'in_progress', attempts = attempts + 1, run_at = now()$$, 'a lease with a new attempt'
);
select lives_ok($$update crm.sync set run_at = now() + interval '1 second'$$, 'a lease is renewed');
select lives_ok($$update crm.sync set attempts = attempts + 1$$, 'a lease is taken over');
select throws_ok('update crm.sync set attempts = 1', 'PT409', 'refused', 'attempts decreases');
select throws_ok('update crm.sync set attempts = 0', 'PT409', 'refused', 'attempts is set to 0');
select throws_ok('update crm.sync set begun_after = 3', '23514', null, 'begun_after is greater than attempts');
alter table crm.sync disable trigger _130_count_up;
select lives_ok('update crm.sync set attempts = 1', 'without the trigger it can decrease');
alter table crm.sync disable trigger _140_lease_by_attempt;
update crm.sync set status = 'pending';
select lives_ok($$update crm.sync set status = 'in_progress'$$, 'without the other trigger a lease needs no attempt');

select * from finish();
rollback;
