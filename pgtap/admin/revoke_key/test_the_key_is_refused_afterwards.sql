begin;
select plan(5);

select act_as('alice');
select is((api.get_health()).status, 200, 'the key is valid');
select act_as('operator');
select admin.revoke_key(key_id('alice'));
select throws_ok($$select act_as('alice')$$, 'PT401', 'unauthorized', 'the revoked key is refused');
select act_as('alice', 'read');
select is((api.get_health()).status, 200, 'the organization''s other keys are valid');
select act_as('operator');
select throws_ok($$select admin.revoke_key(key_id('alice'))$$, 'PT409', 'key_not_valid', 'a revoked key can''t be revoked again');
select throws_ok(
  $$select admin.revoke_key('00000000-0000-7000-8000-000000000000')$$, 'PT404', 'key_not_found', 'an unknown key'
);

select * from finish();
rollback;
