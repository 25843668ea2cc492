begin;
select plan(4);

select act_as('operator');
select results_eq(
  $$select k.organization_id, k.environment, k.scopes from admin.good_key(key_id('alice')) as k$$,
  $$values (organization('alice'), 'test', array['read', 'write'])$$,
  'a valid key'
);
select throws_ok(
  $$select admin.good_key('00000000-0000-7000-8000-000000000000')$$, 'PT404', 'key_not_found', 'an unknown key'
);
select act_as('dba');
update auth.api_key set expires_at = now() - interval '1 second' where id = key_id('alice', 'read');
update auth.api_key set revoked_at = now() where id = key_id('alice', 'admin');
select act_as('operator');
select throws_ok($$select admin.good_key(key_id('alice', 'read'))$$, 'PT409', 'key_not_valid', 'an expired key');
select throws_ok($$select admin.good_key(key_id('alice', 'admin'))$$, 'PT409', 'key_not_valid', 'a revoked key');

select * from finish();
rollback;
