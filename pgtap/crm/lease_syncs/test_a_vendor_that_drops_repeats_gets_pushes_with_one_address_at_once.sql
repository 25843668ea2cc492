begin;
select plan(2);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'webhook', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage)
values (acme(), 'ada@example.com', 'Ada', 'qualified'), (acme(), 'ada@example.com', 'Eve', 'qualified');
select is(leased(), '{Ada,Eve}', 'both at once');
select is_empty('select * from crm.sync as s where s.email_key is not null', 'no address is reserved');

select * from finish();
rollback;
