begin;
select plan(3);

-- A cursor contains milliseconds. With a finer column, rows between two pages would be lost.
create view test.instant_of_another_precision as
select format('%s.%s %s', c.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod)) as finding
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
join pg_attribute as a on a.attrelid = c.oid
where
  n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook')
  and c.relkind in ('r', 'p')
  and not a.attisdropped
  and (
    (a.atttypid = 'timestamptz'::regtype and a.atttypmod <> 3)
    or a.atttypid in ('timestamp'::regtype, 'time'::regtype, 'timetz'::regtype)
  );

select is_kept('test.instant_of_another_precision');
select is_reported(
  'test.instant_of_another_precision', 'alter table app.lead add column seen_at timestamptz',
  'app.lead.seen_at timestamp with time zone'
);
select is_reported(
  'test.instant_of_another_precision', 'alter table app.lead add column seen_at timestamp(3)',
  'app.lead.seen_at timestamp(3) without time zone'
);

select * from finish();
rollback;
