begin;
select plan(3);

select act_inside('alice', 'admin');
select lives_ok($$select auth.lock_admin_keys(organization('alice'))$$, 'a valid key');
update auth.api_key as k set revoked_at = now() where k.id = key_id('alice', 'admin');
select throws_ok(
  $$select auth.lock_admin_keys(organization('alice'))$$, 'PT401', 'unauthorized', 'a key that was revoked in the meantime'
);
select throws_ok(
  $$select auth.lock_admin_keys(auth.organization_id('admin'))$$, 'PT401', 'unauthorized',
  'also if the organization is unknown for that reason'
);

select * from finish();
rollback;
