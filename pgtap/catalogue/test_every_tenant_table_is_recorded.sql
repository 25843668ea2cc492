begin;
select plan(5);

create view test.unrecorded_table as
select t.oid::regclass::text as finding
from (
  select c.oid
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  join pg_attribute as a on a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
  where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi', 'intake', 'webhook') and c.relkind in ('r', 'p')
    -- The triggers of the parent record a partition's rows.
    and not c.relispartition
) as t
where
  -- Reviewed: kept responses and submissions of forms, which expire; words, which are copies of a lead's values; figures of
  -- stages, which are copies of the log; attempts, which are a log; the addresses of clients; imports, whose rows are never committed;
  -- deliveries of events, and who received them; the last uses of keys, and new keys until the
  -- router knows them; the moves between cells; the audit log and its chain.
  t.oid::regclass::text not in (
    'app.idempotency_key', 'app.lead_word', 'app.unindexed_lead', 'intake.submission', 'intake.client', 'crm.attempt',
    'app.stage_stay', 'app.stage_day', 'app.stage_progress', 'app.uncounted_seal',
    'admin.lead_import', 'admin.import_row', 'webhook.delivery', 'webhook.recipient', 'auth.key_use', 'auth.unannounced_key',
    'webhook.unqueued_batch', 'app.placement', 'audit.event', 'audit.unsealed', 'audit.seal'
  )
  and not exists (
    select
    from pg_trigger as g
    join pg_proc as f on f.oid = g.tgfoid
    where
      g.tgrelid = t.oid
      and g.tgname = '_900_record'
      and f.proowner::regrole::text = 'leads_audit'
      -- For each row, after INSERT, DELETE and UPDATE of any column by any role.
      -- Reviewed: a new score is recorded with its lead, and scores are never updated.
      and g.tgtype::integer = case t.oid::regclass::text when 'scoring.score' then 1 | 8 else 1 | 4 | 8 | 16 end
      -- Reviewed: an erasure writes its own event.
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
