begin;
select plan(2);

create table test.relation as
select c.oid::regclass::text as name, c.relkind as kind
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook', 'yoyo') and c.relkind in ('r', 'p', 'v');
grant select on test.relation to public;
create function test.refusal(statement text)
returns text
language plpgsql
as $$
begin
  execute statement;
  return null;
exception
  when others then
    return sqlstate;
end
$$;
create table test.attempt as
select r.name, format(s.statement, r.name) as statement
from test.relation as r
cross join (values
  ('select from %s'), ('table %s'), ('delete from %s'), ('truncate %s'), ('lock table %s in access share mode')
) as s (statement)
where r.kind = 'r' or s.statement <> 'truncate %s';
grant select on test.attempt to public;

select act_as('alice', 'admin');
select is_empty(
  $$select a.statement from test.attempt as a where refusal(a.statement) is distinct from '42501'$$,
  'not even with a key of the scope admin'
);
select cmp_ok((select count(*) from test.relation), '>=', 8::bigint, 'the number of tables and views');

select * from finish();
rollback;
