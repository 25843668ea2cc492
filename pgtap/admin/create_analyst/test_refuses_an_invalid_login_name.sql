begin;
select plan(11);

select act_as('migrator');
select throws_ok(
  format('select admin.create_analyst(%L, organization(''alice''), verifier())', c.login), 'PT422', 'invalid_login', c.why
)
from (values
  ('', 'an empty name'), (' ana', 'a blank'), ('Ana', 'upper case'), ('1ana', 'a digit at the beginning'), ('ana-b', 'a dash'),
  ('änä', 'letters that aren''t ASCII'), (repeat('a', 64), '64 characters, which PostgreSQL would cut'),
  ('pg_ana', 'the prefix of PostgreSQL'), ('leads_ana', 'the prefix of this application'), (E'ana\n', 'a newline'), ('ana"; drop role leads_api; --', 'SQL')
) as c (login, why);

select * from finish();
rollback;
