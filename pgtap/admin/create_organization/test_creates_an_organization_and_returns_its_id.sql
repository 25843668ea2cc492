begin;
select plan(6);

create table test.made (id uuid);
grant all on test.made to public;
select act_as('operator');
insert into test.made select admin.create_organization('  Acme  ', 'live');
select act_as('dba');
select results_eq(
  'select o.name, o.environment from app.organization as o join test.made as m on m.id = o.organization_id',
  $$values ('Acme', 'live')$$,
  'the name is trimmed'
);
select act_as('operator');
select throws_ok(
  format('select admin.create_organization(%L, ''test'')', c.name), 'PT422', 'invalid_name',
  coalesce(quote_literal(c.name), 'null')
)
from (values (''), (' '), (null), (repeat('a', 256))) as c (name);
select throws_ok(
  $$select admin.create_organization('Acme', 'staging')$$,
  '23514', 'new row for relation "organization" violates check constraint "organization_environment_is_live_or_test"'
);

select * from finish();
rollback;
