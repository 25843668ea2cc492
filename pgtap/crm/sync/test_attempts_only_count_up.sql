begin;
select plan(9);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select throws_ok(
  $$update crm.sync set status = 'in_progress', run_at = now()$$, 'PT409', 'refused', 'a lease without a new attempt'
);
select lives_ok(
  $$update crm.sync set status = 'in_progress', attempts = attempts + 1, run_at = now()$$, 'a lease with one'
);
select lives_ok($$update crm.sync set run_at = now() + interval '1 second'$$, 'it is renewed');
select lives_ok($$update crm.sync set attempts = attempts + 1$$, 'and taken over');
select throws_ok('update crm.sync set attempts = 1', 'PT409', 'refused', 'it never counts down');
select throws_ok('update crm.sync set attempts = 0', 'PT409', 'refused', 'nor begins anew');
select throws_ok('update crm.sync set begun_after = 3', '23514', null, 'a round has begun by now');
alter table crm.sync disable trigger _130_count_up;
select lives_ok('update crm.sync set attempts = 1', 'the trigger alone keeps it');
alter table crm.sync disable trigger _140_lease_by_attempt;
update crm.sync set status = 'pending';
select lives_ok($$update crm.sync set status = 'in_progress'$$, 'as does that of the lease');

select * from finish();
rollback;
