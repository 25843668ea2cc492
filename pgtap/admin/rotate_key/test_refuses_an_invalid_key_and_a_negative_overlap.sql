begin;
select plan(3);

select act_as('operator');
select throws_ok(
  $$select admin.rotate_key(key_id('alice'), sha256('x'), '-1 second')$$, 'PT422', 'invalid_overlap',
  'a negative overlap'
);
select throws_ok(
  $$select admin.rotate_key('00000000-0000-7000-8000-000000000000', sha256('x'))$$, 'PT404', 'key_not_found',
  'an unknown key'
);
select admin.revoke_key(key_id('alice'));
select throws_ok(
  $$select admin.rotate_key(key_id('alice'), sha256('x'))$$, 'PT409', 'key_not_valid', 'a revoked key'
);

select * from finish();
rollback;
