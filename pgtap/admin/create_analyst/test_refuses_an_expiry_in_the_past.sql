begin;
select plan(2);

select act_as('migrator');
select throws_ok(
  format('select admin.create_analyst(login(''ana''), organization(''alice''), verifier(), %L)', c.expires_at),
  'PT422', 'expired', c.why
)
from (values (now(), 'now'), (now() - interval '1 day', 'yesterday')) as c (expires_at, why);

select * from finish();
rollback;
