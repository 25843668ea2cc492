begin;
select act_as('alice');
select auth.enter(claim('alice'), 'a-request', 'read', true);
commit;

begin;
select plan(4);

set local session authorization leads_api;
select is(current_setting('leads.key_digest', true), '', 'the claim is empty');
select is(current_setting('leads.request_id', true), '', 'the request''s id is empty');
select is(api.get_health(), null, 'the next transaction has no key');
select is(current_setting('transaction_read_only'), 'off', 'the next transaction may write');

select * from finish();
rollback;
