begin;
select act_as('alice');
select auth.enter(claim('alice'), 'a-request', 'read', true);
commit;

begin;
select plan(4);

set local session authorization leads_api;
select is(current_setting('leads.key_digest', true), '', 'the claim is gone');
select is(current_setting('leads.request_id', true), '', 'the request''s id too');
select is(api.get_health(), null, 'the next one is nobody');
select is(current_setting('transaction_read_only'), 'off', 'and may write');

select * from finish();
rollback;
