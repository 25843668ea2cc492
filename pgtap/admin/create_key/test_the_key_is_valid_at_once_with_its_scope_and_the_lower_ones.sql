begin;
select plan(6);

select act_as('operator');
select isnt(
  admin.create_key(
    organization('alice'), c.scope, sha256(sha256(convert_to(c.scope, 'UTF8'))), ' the site ', now() + interval '1 day'
  ),
  null,
  c.scope || ': its id'
)
from (values ('read'), ('write'), ('admin')) as c (scope);
select is(
  (select array_agg(k.name) from admin.keys(organization('alice')) as k where k.name is not null),
  array['the site', 'the site', 'the site'],
  'the names are trimmed'
);

select act_with(encode(sha256('read'), 'hex'), 'read');
select is((api.get_health()).body::jsonb -> 'scopes', '["read"]', 'read');
select act_with(encode(sha256('admin'), 'hex'), 'admin');
select is((api.get_health()).body::jsonb -> 'scopes', '["read", "write", "admin"]', 'the scope admin includes the others');

select * from finish();
rollback;
