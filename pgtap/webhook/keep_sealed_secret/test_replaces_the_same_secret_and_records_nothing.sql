begin;
select plan(5);

select admin.create_organization('Acme', 'live')::text;
select make_webhook('a')::text;
update webhook.endpoint set secret = 'one';
create table test.before as select p.updated_at from webhook.endpoint as p;
create function test.recorded()
returns bigint language sql stable
as $$ select count(*) from audit.event as e where e.action = 'webhook.updated' $$;
create table test.start as select test.recorded() as n;

select webhook.keep_sealed_secret(acme(), webhook('a'), 'one', 'two', 'new')::text;
select results_eq(
  'select p.secret, p.secret_key, p.secret_is_bound, p.previous_secret, p.updated_at from webhook.endpoint as p',
  $$select 'two'::bytea, 'new', true, null::bytea, b.updated_at from test.before as b$$,
  'the current secret is replaced, and no other secret is kept'
);
select is(recorded(), (select s.n from test.start as s), 'which the audit log does not record');

select webhook.rotate_secret(acme(), webhook('a'), 'three', 'new', interval '1 hour')::text;
select is(recorded(), (select s.n + 1 from test.start as s), 'a rotation is recorded');
select results_eq(
  'select p.secret_is_bound, p.previous_secret, p.previous_is_bound from webhook.endpoint as p',
  $$values (false, 'two'::bytea, true)$$,
  'and the new secret is not bound'
);
-- A worker that has read the secrets before the rotation.
select webhook.keep_sealed_secret(acme(), webhook('a'), 'two', 'four', 'new')::text;
select webhook.keep_sealed_secret(acme(), webhook('a'), 'two', 'five', 'new')::text;
select results_eq(
  'select p.secret, p.previous_secret from webhook.endpoint as p', $$values ('three'::bytea, 'four'::bytea)$$,
  'it replaces the previous secret, and none that it has not read'
);

select * from finish();
rollback;
