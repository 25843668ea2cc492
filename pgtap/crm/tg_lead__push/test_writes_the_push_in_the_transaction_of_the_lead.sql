begin;
select plan(3);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

savepoint change;
insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');
select is((sync('Ada')).status, 'pending', 'the lead and its push');
rollback to savepoint change;
select is_empty('select s.id from crm.sync as s', 'are rolled back together');

alter table app.lead disable trigger _910_push_first_stage;
insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');
select is_empty('select s.id from crm.sync as s', 'without the trigger there is no push');

select * from finish();
rollback;
