begin;
select plan(9);

select act_as('alice', 'admin');
select keep('before', api.create_key('{"name": "before", "scope": "read"}'));
select is((kept('before')).headers::text, null, 'no header in a database that is no cell');

select act_as('operator');
select admin.set_cell('east');
select act_as('alice', 'admin');
select keep('key', api.create_key('{"name": "a key", "scope": "read"}'));
select is(
  (kept('key')).headers ->> 'Announced',
  concat(organization('alice'), '/', (kept('key')).body::jsonb ->> 'id'),
  'the header that waits for the key'
);
select keep('form', api.create_form('{}'));
select matches((kept('form')).headers ->> 'Announced', concat('^', organization('alice'), '/'), 'of a form');
select ok(
  not auth.is_announced(organization('alice'), ((kept('key')).body::jsonb ->> 'id')::uuid), 'the key is not announced'
);

select act_as('operator');
select lives_ok(
  $$select admin.announce_keys(array[organization('bob')], array[((kept('key')).body::jsonb ->> 'id')::uuid])$$,
  'a key of another organization'
);
select is((select count(*) from admin.unannounced_keys()), 2::bigint, 'the organization must be that of the key');
select lives_ok(
  $$select admin.announce_keys(array_agg(k.organization_id), array_agg(k.key_id)) from admin.unannounced_keys() as k$$,
  'the router knows all keys'
);
select is_empty('select from admin.unannounced_keys()', 'all are announced');
select act_as('alice', 'admin');
select ok(
  auth.is_announced(organization('alice'), ((kept('key')).body::jsonb ->> 'id')::uuid), 'the key is announced'
);

select * from finish();
rollback;
