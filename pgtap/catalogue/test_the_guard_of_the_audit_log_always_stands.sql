begin;
select plan(6);

create view test.gap_in_the_guard as
select e.name as finding
from (values ('delete', 8), ('update', 16), ('truncate', 32)) as e (name, bit)
where not exists (
  select
  from pg_trigger as t
  where
    t.tgrelid = 'audit.event'::regclass
    and t.tgfoid = 'audit.tg_refuse'::regproc
    and t.tgtype::integer & e.bit = e.bit
    -- before, and once a statement: who sees no row is refused too
    and t.tgtype::integer & 3 = 2
    and t.tgqual is null
    and t.tgattr::text = ''
    -- whatever session_replication_role says
    and t.tgenabled = 'A'
);

select is_kept('test.gap_in_the_guard');
select is_reported('test.gap_in_the_guard', 'alter table audit.event enable trigger _110_refuse_truncate', 'truncate');
select is_reported('test.gap_in_the_guard', 'alter table audit.event disable trigger _110_refuse_truncate', 'truncate');
select is_reported(
  'test.gap_in_the_guard',
  $$
    create or replace trigger _110_refuse_truncate before truncate on audit.event
      for each statement execute function audit.tg_refuse('x')
  $$,
  'truncate'
);
select is_reported(
  'test.gap_in_the_guard',
  $$
    drop trigger _100_refuse_change on audit.event;
    create trigger _100_refuse_change before update on audit.event
      for each statement execute function audit.tg_refuse('x');
    alter table audit.event enable always trigger _100_refuse_change
  $$,
  'delete'
);
select is_reported(
  'test.gap_in_the_guard',
  $$
    drop trigger _100_refuse_change on audit.event;
    create trigger _100_refuse_change before update of action or delete on audit.event
      for each statement execute function audit.tg_refuse('x');
    alter table audit.event enable always trigger _100_refuse_change;
    create trigger _101_refuse_change before delete on audit.event
      for each statement execute function audit.tg_refuse('x');
    alter table audit.event enable always trigger _101_refuse_change
  $$,
  'update'
);

select * from finish();
rollback;
