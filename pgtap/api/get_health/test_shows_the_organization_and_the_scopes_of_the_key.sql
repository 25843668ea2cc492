begin;
select plan(3);

select act_as('alice', 'write');
select is(
  (api.get_health()).body,
  format(
    '{"status":"ok","organization_id":"%s","environment":"test","scopes":["read","write"]}', organization('alice')
  ),
  'a key with the scope write'
);
select act_as('bob', 'read');
select is(
  (api.get_health()).body,
  format('{"status":"ok","organization_id":"%s","environment":"test","scopes":["read"]}', organization('bob')),
  'a key with the scope read'
);
select act_as('stranger');
select is(api.get_health(), null, 'without a key');

select * from finish();
rollback;
