begin;
select plan(2);

select act_as('alice');
select made_lead('{"email": "ada@example.com"}');
select is((api.get_lead(lead('ada@example.com'))).status, 200, 'the valid key');
select act_as('dba');
update auth.api_key set revoked_at = now() where id = key_id('alice');
set local session authorization leads_api;
select set_config('leads.key_digest', claim('alice'), true);
select is(api.get_lead(lead('ada@example.com')), null, 'the revoked key, without another call of auth.enter');

select * from finish();
rollback;
