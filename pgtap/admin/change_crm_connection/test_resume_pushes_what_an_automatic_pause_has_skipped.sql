begin;
select plan(9);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

-- The worker pauses the connection.
insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');
select leased()::text;
select crm.settle_attempt(acme(), (sync('Ada')).id, 1, 'unauthorized', message => 'Invalid token.');
insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'eve@example.com', 'Eve', 'qualified');
create function test.state(name text)
returns text
language sql
stable
begin atomic
  select concat_ws(' ', s.status, s.error_code, s.error) from sync(state.name) as s;
end;
select is(state('Eve'), 'skipped paused Invalid token.', 'the reason of an automatic pause is stored');

-- An operator pauses it.
select admin.change_crm_connection(acme(), 'pause');
insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'liz@example.com', 'Liz', 'qualified');
select is(state('Liz'), 'skipped paused', 'an operator''s pause has no reason');

-- A push of another account
select admin.connect_crm(acme(), 'hubspot', 'another account', '{}', '\x00', 'k');
select is(state('Eve'), 'skipped paused Invalid token.', 'a connection to another account doesn''t push');

select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');
select is(state('Eve'), 'pending', 'a connection to the same account pushes');
select is(state('Liz'), 'skipped paused', 'except what an operator''s pause has skipped');
select is(state('Ada'), 'failed rejected Invalid token.', 'and what has failed');

update crm.connection set state = 'paused', fault = 'Invalid token.' where organization_id = acme();
insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'zoe@example.com', 'Zoe', 'qualified');
select act_as('operator');
select admin.change_crm_connection(acme(), 'resume');
select act_as('dba');
select is(state('Zoe'), 'pending', 'resume pushes');
select is(state('Liz'), 'skipped paused', 'except what an operator''s pause has skipped');
select set_eq('select unnest(leased())', $$values ('Eve'), ('Zoe')$$, 'a worker gets the pushes');

select * from finish();
rollback;
