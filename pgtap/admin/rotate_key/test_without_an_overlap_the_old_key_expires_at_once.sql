begin;
select plan(2);

select act_as('operator');
select admin.rotate_key(key_id('alice'), sha256(sha256('the new key')), '0')::text;
select throws_ok($$select act_as('alice')$$, 'PT401', 'unauthorized', 'the old key is refused in the same transaction');
select act_with(encode(sha256('the new key'), 'hex'), 'write');
select is((api.get_health()).status, 200, 'the new key is valid');

select * from finish();
rollback;
