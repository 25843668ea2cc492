begin;
select plan(5);

select admin.create_organization('Acme', 'live')::text;
select admin.connect_crm(acme(), 'hubspot', 'an account', '{}', '\x00', 'k');

select admin.connect_crm(organization('alice'), 'hubspot', 'hers', '{}');
select is(crm.connections_without_key('{k,l}'), 0, 'none');
select is(crm.connections_without_key('{l}'), 1, 'its key is another');
select is(crm.connections_without_key('{}'), 1, 'there is none; a test organization needs none');
select admin.change_crm_connection(acme(), 'pause');
select is(crm.connections_without_key('{}'), 0, 'paused, it isn''t called');
set local session authorization leads_worker;
select is(crm.connections_without_key('{k}'), 0, 'the worker may ask');

select * from finish();
rollback;
