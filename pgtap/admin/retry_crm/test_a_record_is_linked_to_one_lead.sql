begin;
select plan(2);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage)
values (acme(), 'ada@example.com', 'Ada', 'qualified'), (acme(), 'eve@example.com', 'Eve', 'qualified');
select leased()::text;
select crm.settle_attempt(acme(), s.id, 1, 'refused') from crm.sync as s;
select act_as('operator');
select throws_ok('select admin.retry_crm(acme(), null, ''7'')', 'PT422', null, 'a record without a lead');
select act_as('dba');
select is_empty($$select * from crm.sync as s where s.external_id = '7'$$, 'no push has the record');

select * from finish();
rollback;
