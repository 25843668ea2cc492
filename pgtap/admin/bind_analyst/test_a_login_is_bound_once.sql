begin;
select plan(2);

select make_analyst('ana');
select throws_ok(
  format('select admin.bind_analyst(login(''ana''), organization(%L))', a.actor), '23505', null, 'to ' || a.actor
)
from (values ('alice'), ('bob')) as a (actor);

select * from finish();
rollback;
