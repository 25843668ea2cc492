begin;
select plan(7);

create function test.uses()
returns table (key_id uuid, seconds_ago double precision)
language sql
as $$
  select u.key_id, round(extract(epoch from now() - u.last_used_at))::double precision from auth.key_use as u
$$;

create table test.stored as
select encode(k.digest, 'hex') as digest from auth.api_key as k where k.id = key_id('alice', 'write');
grant select on test.stored to public;

select act_as('stranger');
select lives_ok(
  $$
    select auth.record_key_uses(
      array[claim('bob', 'admin'), claim('alice', 'read'), claim('alice', 'read')], '{30,20,10}'
    )
  $$,
  'the uses of two keys, one of which was used twice'
);
select lives_ok(
  $$
    select auth.record_key_uses(
      array[repeat('0', 64), 'x', '', null, key_id('alice', 'write')::text, upper(claim('alice', 'write')), s.digest],
      '{1,1,1,1,1,1,1}'
    )
    from test.stored as s
  $$,
  'claims of no key, and the digest that the database stores'
);

select act_as('dba');
select bag_eq(
  'select * from uses()',
  $$values (key_id('bob', 'admin'), 30::double precision), (key_id('alice', 'read'), 10)$$,
  'the last use of each, and of no other'
);
select act_as('stranger');
do $$ begin perform auth.record_key_uses(array[claim('bob', 'admin'), claim('alice', 'read')], '{5,15}'); end $$;
do $$ begin perform auth.record_key_uses(array[claim('bob', 'write'), claim('bob', 'read')], '{-100,null}'); end $$;
select act_as('dba');
select bag_eq(
  'select * from uses()',
  $$values (key_id('bob', 'admin'), 5::double precision), (key_id('alice', 'read'), 10), (key_id('bob', 'write'), 0)$$,
  'a later use replaces an earlier one, an earlier one nothing; none is in the future'
);

update auth.api_key set revoked_at = now() - interval '2 seconds' where id = key_id('bob', 'admin');
update auth.api_key set expires_at = now() - interval '3 seconds' where id = key_id('alice', 'read');
select act_as('stranger');
do $$ begin perform auth.record_key_uses(array[claim('bob', 'admin'), claim('alice', 'read')], '{0,0}'); end $$;
select act_as('dba');
select results_eq(
  $$select seconds_ago from uses() where key_id in (key_id('bob', 'admin'), key_id('alice', 'read')) order by 1$$,
  'values (2::double precision), (3)',
  'a key is not used after its end'
);

select act_as('operator');
select is(
  (select count(*) from admin.keys() where last_used_at ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$'), 3::bigint, 'the operator sees them'
);
select is((select count(*) from admin.keys() where last_used_at is null), 3::bigint, 'null for a key that was never used');

select * from finish();
rollback;
