begin;
select plan(8);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select leased()::text;
select (crm.begin_call(acme(), (sync('Ada')).id, 1, 'Ada')).verdict;
select throws_ok($$update crm.attempt set outcome = 'lost'$$, '23514', null, 'an unknown outcome');
select throws_ok('update crm.attempt set display_name = null', '23514', null, 'a sent attempt without its data');
select throws_ok('update crm.attempt set number = 0', '23514', null, 'the number 0');
select lives_ok($$update crm.attempt set outcome = 'not_made'$$, 'an outcome can be set');
select throws_ok($$update crm.attempt set outcome = 'created'$$, 'PT409', 'refused', 'it can''t be changed');
select throws_ok('update crm.attempt set outcome = null', 'PT409', 'refused', 'or removed');
select lives_ok($$update crm.attempt set message = 'No.'$$, 'the message can be added');
alter table crm.attempt disable trigger _110_keep_outcome;
select lives_ok('update crm.attempt set outcome = null', 'without the trigger it can be changed');

select * from finish();
rollback;
