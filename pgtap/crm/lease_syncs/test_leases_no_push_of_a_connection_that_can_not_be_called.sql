begin;
select plan(9);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

insert into app.lead (organization_id, email, name, pipeline_stage) values (acme(), 'ada@example.com', 'Ada', 'qualified');

select is_empty($$select * from crm.lease_syncs('{l,m}', 64)$$, 'a credential that none of the keys decrypts');
select is_empty($$select * from crm.lease_syncs('{}', 64)$$, 'no keys');
update crm.connection set blocked_until = clock_timestamp() + interval '1 minute';
select is(leased(), '{}', 'the vendor sent Retry-After');
update crm.connection set blocked_until = now(), state = 'paused';
select is(leased(), '{}', 'paused');
create table test.connection as select c.* from crm.connection as c;
select admin.change_crm_connection(acme(), 'disconnect');
select is(leased(), '{}', 'disconnected');
select admin.connect_crm(acme(), 'hubspot', 'another account', '{}', '\x00', 'k');
select is(leased(), '{}', 'another account');
select admin.connect_crm(acme(), 'jobnimbus', 'an account', '{}', '\x00', 'k');
select is(leased(), '{}', 'another vendor');
select is((sync('Ada')).status || (sync('Ada')).attempts, 'pending0', 'the push waits');
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');
select is(leased(), '{Ada}', 'until the connection can be called');

select * from finish();
rollback;
