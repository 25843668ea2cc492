begin;
select plan(6);

create function test.told(organization text, key text)
returns jsonb
language sql
as $$
  select jsonb_build_object(
    'organization_id', test.organization(told.organization),
    'key_id', test.key_id(told.organization, told.key),
    'is_admin', told.key = 'admin'
  )
$$;
create table test.expected as
select told('alice', 'read') as alice, told('bob', 'admin') as bob;
grant select on test.expected to public;

select act_as('stranger');
select is(auth.caller(), null, 'null without a claim');
select auth.enter(claim('alice', 'read'), 'r', null, false);
select is(auth.caller()::jsonb, e.alice, 'alice''s key, without a scope') from test.expected as e;
select auth.enter(claim('bob', 'admin'), 'r', 'read', false);
select is(auth.caller()::jsonb, e.bob, 'bob''s key') from test.expected as e;
select set_config('leads.organization_id', organization('alice')::text, true);
select is(auth.caller()::jsonb, e.bob, 'a setting changes nothing') from test.expected as e;
select auth.enter(encode(sha256('unknown'), 'hex'), 'r', null, false);
select is(auth.caller(), null, 'null for an unknown key');
select act_as('dba');
update auth.api_key set revoked_at = now() where id = key_id('alice', 'read');
select act_as('stranger');
select auth.enter(claim('alice', 'read'), 'r', null, false);
select is(auth.caller(), null, 'null for a revoked key');

select * from finish();
rollback;
