begin;
select plan(8);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select leased()::text;
select (crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada')).verdict;
select throws_ok($$update crm.attempt set outcome = 'lost'$$, '23514', null, 'an outcome that there isn''t');
select throws_ok('update crm.attempt set display_name = null', '23514', null, 'sent, without what was');
select throws_ok('update crm.attempt set number = 0', '23514', null, 'no attempt');
select lives_ok($$update crm.attempt set outcome = 'not_made'$$, 'it has one');
select throws_ok($$update crm.attempt set outcome = 'created'$$, 'PT409', 'refused', 'not another');
select throws_ok('update crm.attempt set outcome = null', 'PT409', 'refused', 'nor none');
select lives_ok($$update crm.attempt set message = 'No.'$$, 'what was said may be added');
alter table crm.attempt disable trigger _110_keep_outcome;
select lives_ok('update crm.attempt set outcome = null', 'the trigger alone keeps it');

select * from finish();
rollback;
