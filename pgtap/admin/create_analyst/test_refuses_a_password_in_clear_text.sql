begin;
select plan(4);

select act_as('migrator');
select throws_ok(
  format('select admin.create_analyst(login(''ana''), organization(''alice''), %L)', c.verifier), 'PT422', 'invalid_verifier', c.why
)
from (values
  ('open sesame', 'a password'), ('', 'none'), ('md5' || md5('open sesame'), 'one of MD5'), (null, 'null')
) as c (verifier, why);

select * from finish();
rollback;
