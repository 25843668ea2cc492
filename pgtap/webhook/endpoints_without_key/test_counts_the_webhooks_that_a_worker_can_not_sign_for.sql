begin;
select plan(5);

select admin.create_organization('Acme', 'live')::text;
insert into webhook.endpoint (organization_id, url, position, secret, secret_key)
select id, 'https://example.com/hook', 0, '\x00', 'k' from unnest(array[acme(), organization('alice')]) as id;

select is(webhook.endpoints_without_key('{k,l}'), 0, 'none');
select is(webhook.endpoints_without_key('{l}'), 1, 'the worker has another key');
select is(webhook.endpoints_without_key('{}'), 1, 'the worker has no key; a test organization needs none');
update webhook.endpoint set state = 'disabled', disabled_reason = 'request', disabled_at = now();
select is(webhook.endpoints_without_key('{}'), 0, 'a disabled webhook does not count');
set local session authorization leads_worker;
select is(webhook.endpoints_without_key('{k}'), 0, 'the worker can call it');

select * from finish();
rollback;
