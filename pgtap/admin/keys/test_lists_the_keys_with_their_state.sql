begin;
select plan(3);

select act_as('dba');
update auth.api_key set expires_at = date_trunc('milliseconds', now()) where id = key_id('alice', 'read');
update auth.api_key set revoked_at = '2026-01-01 09:00:00+09' where id = key_id('alice', 'admin');

select act_as('operator');
select results_eq(
  $$select k.id, k.scopes, k.state, k.revoked_at from admin.keys(organization('alice')) as k order by k.scopes$$,
  $$
    values
      (key_id('alice', 'read'), array['read'], 'expired', null),
      (key_id('alice', 'write'), array['read', 'write'], 'active', null),
      (key_id('alice', 'admin'), array['read', 'write', 'admin'], 'revoked', '2026-01-01T00:00:00.000Z')
  $$,
  'alice''s keys'
);
select is((select count(*) from admin.keys()), 6::bigint, 'the keys of all organizations');
select is(
  (select count(*) from admin.keys('00000000-0000-7000-8000-000000000000')), 0::bigint, 'an unknown organization has no keys'
);

select * from finish();
rollback;
