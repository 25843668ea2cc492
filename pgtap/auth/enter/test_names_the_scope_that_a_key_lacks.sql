begin;
select plan(11);

select act_as('stranger');
select lives_ok(
  format('select auth.enter(%L, %L, %L, false)', claim('alice', c.key), 'a-request', c.scope),
  c.key || ' does for ' || c.scope
)
from (values
  ('read', 'read'), ('write', 'read'), ('write', 'write'), ('admin', 'read'), ('admin', 'write'),
  ('admin', 'admin')
) as c (key, scope);
select throws_ok(
  format('select auth.enter(%L, %L, %L, false)', claim('alice', c.key), 'a-request', c.scope), 'PT403',
  'insufficient_scope',
  c.key || ' doesn''t for ' || c.scope
)
from (values ('read', 'write'), ('read', 'admin'), ('write', 'admin'), ('admin', 'everything')) as c (key, scope);
select is(
  hint($$select auth.enter(claim('alice', 'read'), 'a-request', 'write', false)$$),
  'This key lacks the scope "write". Use a key that has it.',
  'the hint'
);

select * from finish();
rollback;
