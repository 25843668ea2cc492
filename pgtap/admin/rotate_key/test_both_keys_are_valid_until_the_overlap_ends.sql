begin;
select plan(7);

create table test.new_key (id uuid);
grant all on test.new_key to public;
select act_as('dba');
update auth.api_key set name = 'the site', expires_at = '2099-01-01' where id = key_id('alice');
select act_as('operator');
insert into test.new_key select admin.rotate_key(key_id('alice'), sha256(sha256('the new key')), '1 hour');

select act_with(encode(sha256('the new key'), 'hex'), 'write');
select is((api.get_health()).body::json -> 'scopes' ->> 1, 'write', 'the new key is valid and has the old key''s scopes');
select act_as('alice');
select is((api.get_health()).status, 200, 'the old key is valid');

select act_as('dba');
select results_eq(
  $$
    select k.name, k.scopes, k.expires_at, k.rotated_from
    from auth.api_key as k
    where k.id = (select n.id from test.new_key as n)
  $$,
  $$values ('the site', array['read', 'write'], '2099-01-01'::timestamptz(3), key_id('alice'))$$,
  'the new key has the old key''s name, scopes and expiry'
);
select cmp_ok(
  (select k.expires_at from auth.api_key as k where k.id = key_id('alice')), '<=', now() + interval '1 hour',
  'the old key expires when the overlap ends'
);
select cmp_ok(
  (select k.expires_at from auth.api_key as k where k.id = key_id('alice')), '>',
  now() + interval '59 minutes 59 seconds', 'the old key doesn''t expire earlier'
);
update auth.api_key set expires_at = expires_at - interval '1 hour 1 second' where id = key_id('alice');
select throws_ok($$select act_as('alice')$$, 'PT401', 'unauthorized', 'the old key is refused after the overlap');
select act_with(encode(sha256('the new key'), 'hex'), 'write');
select is((api.get_health()).status, 200, 'the new key is still valid');

select * from finish();
rollback;
