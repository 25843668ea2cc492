begin;
select plan(6);

create view test.unchecked_arrival as
select format('%s on %s', e.name, c.relation) as finding
from admin.table_class() as c
-- tgtype's bits: row 1, before 2, insert 4, delete 8, update 16, truncate 32.
cross join (values ('row', 1 | 2 | 4 | 8 | 16), ('truncate', 2 | 32)) as e (name, type)
where
  c.class = 'data'
  and not exists (
    select
    from pg_trigger as t
    where
      t.tgrelid = c.relation::regclass
      and t.tgfoid = 'app.tg_check_arrival'::regproc
      and t.tgtype::integer = e.type
      and t.tgqual is null
      and t.tgattr::text = ''
      -- For replicated changes only, so that a request doesn't pay for it.
      and t.tgenabled = 'R'
  );

select is_kept('test.unchecked_arrival');
select is_reported('test.unchecked_arrival', 'drop trigger _050_check_arrival on crm.sync', 'row on crm.sync');
select is_reported(
  'test.unchecked_arrival', 'alter table app.lead enable trigger _060_refuse_arrival', 'truncate on app.lead'
);

-- Without a subscription nothing is refused: a restore, and tests.
set session_replication_role = replica;
insert into app.organization (organization_id, name) values ('0195c9a2-0000-7000-8000-000000000001', 'Acme');
select is(
  (select count(*) from app.organization where organization_id = '0195c9a2-0000-7000-8000-000000000001'), 1::bigint,
  'a superuser inserts a row with session_replication_role = replica'
);
reset session_replication_role;

select is(
  (select count(*) from admin.trigger_findings() where subject ~ 'arrival'), 0::bigint, 'leads doctor finds nothing about them'
);
alter table app.lead disable trigger _050_check_arrival;
select is(
  (select remedy from admin.trigger_findings() where subject = 'trigger _050_check_arrival on app.lead'),
  'alter table app.lead enable replica trigger _050_check_arrival;',
  'leads doctor reports one that is disabled'
);

select finish();
rollback;
