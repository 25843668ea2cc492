begin;
select plan(9);

select act_inside('alice', 'admin');
select results_eq(
  'select distinct k.organization_id from auth.api_key as k', array[organization('alice')], 'alice sees her own keys'
);
select is_empty(
  $$update auth.api_key set revoked_at = now() where organization_id = organization('bob') returning id$$,
  'and can''t change bob''s'
);
select throws_ok(
  $$insert into auth.api_key (organization_id, scopes, digest) values (organization('bob'), '{read}', sha256('x'))$$,
  '42501', 'new row violates row-level security policy for table "api_key"', 'nor add one'
);
select throws_ok(
  'select k.digest from auth.api_key as k', '42501', 'permission denied for table api_key', 'no digest can be read'
);
select throws_ok(
  $$update auth.api_key set scopes = '{read,write,admin}'$$, '42501', 'permission denied for table api_key',
  'and no scope changed'
);
select act_inside('alice', 'write');
select is_empty('select k.id from auth.api_key as k', 'with the scope write no key is visible');
select is_empty('select u.key_id from auth.key_use as u', 'and no use of one');
select act_inside('stranger');
select is_empty('select k.id from auth.api_key as k', 'without a claim no key is visible');

select act_inside('alice', 'admin');
update auth.api_key as k set revoked_at = now() where k.id = key_id('alice', 'admin');
select is_empty('select k.id from auth.api_key as k', 'a request that revokes its own key sees nothing afterwards');

select * from finish();
rollback;
