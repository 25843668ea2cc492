begin;
select plan(9);

insert into auth.api_key (organization_id, scopes, digest, expires_at, revoked_at)
select organization('alice'), '{read}', sha256(sha256(convert_to(k.key, 'UTF8'))), k.expires_at, k.revoked_at
from (values
  ('expired', now() - interval '1 second', null),
  ('expires now', date_trunc('milliseconds', now()), null),
  ('revoked', null, now() - interval '1 second'),
  ('revoked, and would expire', now() + interval '1 day', now()),
  ('good', now() + interval '1 day', null)
) as k (key, expires_at, revoked_at);
create table test.case as
select c.name, c.claim
from (values
  ('no key', null),
  ('an empty key', ''),
  ('unknown', encode(sha256('unknown'), 'hex')),
  (
    'the stored digest of the digest',
    (select encode(k.digest, 'hex') from auth.api_key as k where k.id = key_id('alice'))
  ),
  ('expired', encode(sha256('expired'), 'hex')),
  ('expires at the present time', encode(sha256('expires now'), 'hex')),
  ('revoked', encode(sha256('revoked'), 'hex')),
  ('revoked, and would expire', encode(sha256('revoked, and would expire'), 'hex'))
) as c (name, claim);
grant select on test.case to public;

select act_as('stranger');
select throws_ok(
  format('select auth.enter(%L, %L, %L, true)', c.claim, 'a-request', 'read'), 'PT401', 'unauthorized', c.name
)
from test.case as c;
select lives_ok($$select auth.enter(encode(sha256('good'), 'hex'), 'a-request', 'read', true)$$, 'a valid key is accepted');

select * from finish();
rollback;
