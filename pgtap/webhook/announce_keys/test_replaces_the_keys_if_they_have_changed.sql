begin;
select plan(5);

select webhook.announce_keys('{k1}', array[decode(repeat('01', 32), 'hex')]);
select results_eq(
  'select k.key_id, k.is_current from webhook.sealing_key as k', $$values ('k1', true)$$, 'the first key is the current one'
);
select is((select k.id from api.sealing_key() as k), 'k1', 'and the API seals to it');
create temporary table before as select k.ctid as place from webhook.sealing_key as k;

select webhook.announce_keys('{k1}', array[decode(repeat('01', 32), 'hex')]);
select results_eq(
  'select k.ctid from webhook.sealing_key as k', 'select b.place from before as b',
  'the same announcement changes nothing'
);

select webhook.announce_keys('{k2,k1}', array[decode(repeat('02', 32), 'hex'), decode(repeat('01', 32), 'hex')]);
select results_eq(
  'select k.key_id, k.is_current from webhook.sealing_key as k order by k.key_id',
  $$values ('k1', false), ('k2', true)$$,
  'a new key comes first'
);
select throws_ok(
  $$select webhook.announce_keys('{k3}', array['\x01'::bytea])$$, '23514', null, 'a key has 32 bytes'
);

select * from finish();
rollback;
