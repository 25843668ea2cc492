begin;
select plan(5);

create view test.unrecorded_table as
select t.oid::regclass::text as finding
from (
  select c.oid
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  join pg_attribute as a on a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
  where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi') and c.relkind in ('r', 'p')
    -- a partition's rows are recorded by the triggers of its parent
    and not c.relispartition
) as t
where
  -- reviewed: kept answers go after a day and change nothing; attempts are a log of their own; the log itself and its chain
  t.oid::regclass::text not in (
    'app.idempotency_key', 'crm.attempt', 'audit.event', 'audit.unsealed', 'audit.seal'
  )
  and not exists (
    select
    from pg_trigger as g
    join pg_proc as f on f.oid = g.tgfoid
    where
      g.tgrelid = t.oid
      and g.tgname = '_900_record'
      and f.proowner::regrole::text = 'leads_audit'
      -- for each row, after insert, delete and update, of whatever column and whoever
      -- (reviewed: a new score is recorded with the lead that it changes, and none is updated)
      and g.tgtype::integer = case t.oid::regclass::text when 'scoring.score' then 1 | 8 else 1 | 4 | 8 | 16 end
      -- reviewed: an erasure writes an event of its own
      and substring(pg_get_triggerdef(g.oid), ' WHEN \((.*)\) EXECUTE FUNCTION ') is not distinct from case
        when t.oid::regclass::text in ('app.lead', 'scoring.signal', 'scoring.score', 'crm.sync')
        then '(CURRENT_USER <> ''leads_eraser''::name)'
      end
      and g.tgattr::text = ''
      and g.tgenabled in ('O', 'A')
  );

select is_kept('test.unrecorded_table');
select is_reported('test.unrecorded_table', 'drop trigger _900_record on app.lead', 'app.lead');
select is_reported('test.unrecorded_table', 'alter table auth.api_key disable trigger _900_record', 'auth.api_key');
select is_reported(
  'test.unrecorded_table',
  $$
    create or replace trigger _900_record after insert or update of name or delete on app.organization
      for each row execute function audit.tg_record('organization', 'organization_id')
  $$,
  'app.organization'
);
select is_reported('test.unrecorded_table', 'create table app.note (organization_id uuid)', 'app.note');

select * from finish();
rollback;
