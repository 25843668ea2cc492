begin;
select plan(20);

create function test.proven(actor text, key text, scope text)
returns uuid
language plpgsql
as $$
declare
  v_id uuid;
begin
  perform act_inside(actor, key);
  v_id := auth.organization_id(scope);
  perform act_as('dba');
  return v_id;
end
$$;
select is(
  proven(a.actor, k.key, s.scope),
  case when strpos(k.holds, s.scope) > 0 then organization(a.actor) end,
  format('the %s key of %s, asked for %s', k.key, a.actor, s.scope)
)
from (values ('alice'), ('bob')) as a (actor)
cross join (values ('read', 'read'), ('write', 'read, write'), ('admin', 'read, write, admin')) as k (key, holds)
cross join (values ('read'), ('write'), ('admin')) as s (scope);
select act_inside('stranger');
select is(auth.organization_id('read'), null, 'without a key');
select act_inside('alice');
select is(auth.organization_id(null), null, 'without a scope');

select * from finish();
rollback;
