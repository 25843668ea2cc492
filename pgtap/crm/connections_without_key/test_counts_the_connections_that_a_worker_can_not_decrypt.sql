begin;
select plan(5);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

select admin.connect_crm(organization('alice'), 'hubspot', 'hers', '{}');
select is(crm.connections_without_key('{k,l}'), 0, 'none');
select is(crm.connections_without_key('{l}'), 1, 'the worker has another key');
select is(crm.connections_without_key('{}'), 1, 'the worker has no key; a test organization needs none');
select admin.change_crm_connection(acme(), 'pause');
select is(crm.connections_without_key('{}'), 0, 'a paused connection does not count');
set local session authorization leads_worker;
select is(crm.connections_without_key('{k}'), 0, 'the worker can call it');

select * from finish();
rollback;
