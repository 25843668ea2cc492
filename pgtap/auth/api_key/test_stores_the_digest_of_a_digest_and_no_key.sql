begin;
select plan(2);

select is(
  (select k.digest from auth.api_key as k where k.id = key_id('alice', 'read')),
  sha256(sha256('the read key of alice')), 'alice''s key'
);
select is_empty(
  $$
    select *
    from auth.api_key as k
    where to_jsonb(k)::text like '%the read key of alice%'
      or to_jsonb(k)::text like '%' || claim('alice', 'read') || '%'
  $$,
  'neither the key nor its claim is stored'
);

select * from finish();
rollback;
