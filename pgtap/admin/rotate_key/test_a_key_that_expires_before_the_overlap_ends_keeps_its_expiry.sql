begin;
select plan(1);

select act_as('dba');
update auth.api_key set expires_at = date_trunc('seconds', now()) + interval '5 minutes' where id = key_id('alice');
select act_as('operator');
select admin.rotate_key(key_id('alice'), sha256(sha256('the new key')), '1 hour')::text;
select is(
  (select array_agg(distinct k.expires_at) from admin.keys(organization('alice')) as k where k.expires_at is not null),
  array[to_char(
    (date_trunc('seconds', now()) + interval '5 minutes') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
  )],
  'the new key has the same expiry'
);

select * from finish();
rollback;
