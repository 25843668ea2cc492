begin;
select plan(8);

select act_as('operator');
select throws_ok(
  format('select admin.create_key(organization(''alice''), %L, sha256(''x''), %L, %L)', c.scope, c.name, c.expires_at),
  'PT422', c.message, c.why
)
from (values
  ('root', null, null, 'unknown_scope', 'an unknown scope'), (null, null, null, 'unknown_scope', 'no scope'),
  ('read,write', null, null, 'unknown_scope', 'two scopes'),
  ('read', ' ', null, 'invalid_name', 'a blank name'),
  ('read', repeat('a', 256), null, 'invalid_name', 'a name that is too long'),
  ('read', null, now(), 'expired', 'an expiry at the present time'),
  ('read', null, now() - interval '1 day', 'expired', 'an expiry in the past')
) as c (scope, name, expires_at, message, why);
select throws_ok(
  $$select admin.create_key(organization('alice'), 'read', 'a key in clear')$$,
  '23514', 'new row for relation "api_key" violates check constraint "api_key_digest_has_32_bytes"',
  'a key instead of its digest'
);

select * from finish();
rollback;
