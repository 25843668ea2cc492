begin;
select plan(9);

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
    -- BEFORE and FOR EACH STATEMENT: a role that sees no row is refused, too.
    and t.tgtype::integer & 3 = 2
    -- Reviewed: a trigger for each row checks the update of an erasure, and the deletion of what another cell has.
    and substring(pg_get_triggerdef(t.oid), ' WHEN \((.*)\) EXECUTE FUNCTION ')
      is not distinct from case when e.name <> 'truncate' then '(CURRENT_USER <> ''leads_eraser''::name)' end
    and t.tgattr::text = ''
    -- With any session_replication_role.
    and t.tgenabled = 'A'
)
union all
-- FOR EACH ROW, BEFORE DELETE.
select 'departure from ' || g.name
from (values ('audit.event'), ('audit.seal')) as g (name)
where not exists (
  select
  from pg_trigger as t
  where
    t.tgrelid = g.name::regclass
    and t.tgfoid = 'audit.tg_event__check_departure'::regproc
    and t.tgtype::integer = 1 | 2 | 8
    and t.tgqual is null
    and t.tgenabled = 'A'
)
union all
select 'erasure'
where not exists (
  select
  from pg_trigger as t
  where
    t.tgrelid = 'audit.event'::regclass
    and t.tgfoid = 'audit.tg_event__check_erasure'::regproc
    -- FOR EACH ROW, BEFORE UPDATE of any column.
    and t.tgtype::integer = 1 | 2 | 16
    and t.tgqual is null
    and t.tgattr::text = ''
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
    drop trigger _105_refuse_delete on audit.event;
    create trigger _105_refuse_delete before delete on audit.event
      for each statement when (session_user <> 'somebody') execute function audit.tg_refuse('x');
    alter table audit.event enable always trigger _105_refuse_delete
  $$,
  'delete'
);
select is_reported(
  'test.gap_in_the_guard',
  $$
    drop trigger _100_refuse_change on audit.event;
    create trigger _100_refuse_change before update of action on audit.event
      for each statement when (current_user <> 'leads_eraser') execute function audit.tg_refuse('x');
    alter table audit.event enable always trigger _100_refuse_change
  $$,
  'update'
);
select is_reported('test.gap_in_the_guard', 'drop trigger _120_check_erasure on audit.event', 'erasure');
select is_reported(
  'test.gap_in_the_guard', 'drop trigger _125_check_departure on audit.event', 'departure from audit.event'
);
select is_reported(
  'test.gap_in_the_guard', 'alter table audit.seal enable trigger _125_check_departure', 'departure from audit.seal'
);

select * from finish();
rollback;
