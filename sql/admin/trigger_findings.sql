-- admin.trigger_findings - the findings about triggers that record or refuse changes.
set local role leads_jobs;

create or replace function admin.trigger_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  -- tgtype's bits: row 1, before 2, insert 4, delete 8, update 16.
  with expected_trigger as (
    select
      t.oid, t.name as "table", t.root, t.is_partition, '_900_record'::name as name, false as is_always,
      -- A new score is recorded with its lead, and a score is never updated.
      case t.name when 'scoring.score' then 1 | 8 else 1 | 4 | 8 | 16 end as type,
      -- An erasure writes its own event.
      case
        when t.name in ('app.lead', 'scoring.signal', 'scoring.score', 'crm.sync')
        then '(CURRENT_USER <> ''leads_eraser''::name)'
      end as condition
    from admin.tenant_table as t
    where
      not t.is_partition
      -- Kept answers and submissions of forms expire; words and figures of stages are copies; attempts are a log of their own; imports have no
      -- personal data, and their rows are not committed; deliveries are copies of the log; a key's last use is no change of
      -- the key; the moves between cells; and the audit log.
      and t.name not in (
        'app.idempotency_key', 'app.lead_word', 'app.unindexed_lead', 'intake.submission', 'intake.client', 'crm.attempt',
        'app.stage_stay', 'app.stage_day', 'app.stage_progress', 'app.uncounted_seal',
        'admin.lead_import', 'admin.import_row', 'webhook.delivery', 'webhook.recipient', 'auth.key_use', 'auth.unannounced_key',
        'webhook.unqueued_batch',
        'app.placement', 'audit.event', 'audit.unsealed', 'audit.seal'
      )
    union all
    select t.oid, t.name, t.root, t.is_partition, g.trigger, g.is_always, null, null
    from (values
      ('app.lead', '_100_refuse_truncate', false),
      ('app.lead', '_110_check_first_score', false),
      ('app.lead', '_120_check_score', false),
      ('app.lead', '_600_keep_first_score', false),
      ('app.lead', '_610_keep_set_score', false),
      ('app.lead', '_910_push_first_stage', false),
      ('app.lead', '_920_push_stage', false),
      ('app.lead_word', '_100_refuse_truncate', false),
      ('app.unindexed_lead', '_100_refuse_truncate', false),
      ('app.stage_stay', '_100_refuse_truncate', false),
      ('app.stage_day', '_100_refuse_truncate', false),
      ('app.stage_progress', '_100_refuse_truncate', false),
      ('app.uncounted_seal', '_100_refuse_truncate', false),
      ('app.placement', '_100_refuse_truncate', false),
      ('auth.api_key', '_100_refuse_truncate', false),
      ('auth.key_use', '_100_refuse_truncate', false),
      ('auth.unannounced_key', '_100_refuse_truncate', false),
      ('auth.api_key', '_950_announce', false),
      ('crm.attempt', '_100_refuse_truncate', false),
      ('crm.attempt', '_110_keep_outcome', false),
      ('crm.connection', '_100_refuse_truncate', false),
      ('intake.form', '_100_refuse_truncate', false),
      ('intake.form', '_120_keep_identity', false),
      ('intake.submission', '_100_refuse_truncate', false),
      ('webhook.endpoint', '_100_refuse_truncate', false),
      ('webhook.endpoint', '_120_keep_identity', false),
      ('webhook.endpoint', '_500_stamp', false),
      ('webhook.endpoint', '_800_queue', false),
      ('webhook.endpoint', '_810_queue_enabled', false),
      ('webhook.delivery', '_100_refuse_truncate', false),
      ('webhook.delivery', '_110_keep_event', false),
      ('webhook.delivery', '_130_count_up', false),
      ('webhook.recipient', '_100_refuse_truncate', false),
      ('webhook.unqueued_batch', '_100_refuse_truncate', false),
      ('crm.sync', '_100_refuse_truncate', false),
      ('crm.sync', '_110_keep_identity', false),
      ('crm.sync', '_120_keep_outcome', false),
      ('crm.sync', '_130_count_up', false),
      ('crm.sync', '_140_lease_by_attempt', false),
      ('scoring.model', '_100_refuse_truncate', false),
      ('scoring.model', '_130_keep_active', false),
      ('scoring.model', '_140_keep_history', false),
      ('scoring.score', '_100_refuse_truncate', false),
      ('scoring.score', '_110_refuse_change', false),
      ('scoring.score', '_120_check', false),
      ('scoring.score', '_500_apply', false),
      ('scoring.signal', '_100_refuse_truncate', false),
      ('audit.event', '_100_refuse_change', true),
      ('audit.event', '_105_refuse_delete', true),
      ('audit.event', '_110_refuse_truncate', true),
      ('audit.event', '_120_check_erasure', true),
      ('audit.event', '_125_check_departure', true),
      ('audit.seal', '_100_refuse_change', true),
      ('audit.seal', '_105_refuse_delete', true),
      ('audit.seal', '_110_refuse_truncate', true),
      ('audit.seal', '_125_check_departure', true),
      ('audit.unsealed', '_100_refuse_truncate', false)
    ) as g ("table", trigger, is_always)
    join admin.tenant_table as t on t.name = g."table"
    union all
    select t.oid, t.name, t.root, t.is_partition, g.trigger, false, null, null
    from admin.table_class() as c
    join admin.tenant_table as t on t.name = c.relation
    cross join (values ('_050_check_arrival'), ('_060_refuse_arrival')) as g (trigger)
    where c.class = 'data'
    union all
    -- A statement that names a partition fires the partition's statement triggers, not the parent's.
    select t.oid, t.name, t.root, t.is_partition, '_100_refuse_change', true, null, null
    from admin.tenant_table as t
    where t.is_partition and t.root in ('audit.event', 'audit.seal')
  )
  select
    format('trigger %I on %s', e.name, e."table"),
    case e.name
      when '_900_record' then 'The trigger doesn''t exist: the audit log doesn''t record changes of the table.'
      else 'The trigger doesn''t exist: changes that must be refused or checked are not.'
    end,
    case
      -- The kept catalogue and the migrations have no partitions: see audit.create_partitions.
      when e.is_partition then format(
        'create trigger %1$I before update or delete or truncate on %2$s for each statement '
        'execute function audit.tg_refuse(%3$L); alter table %2$s enable always trigger %1$I;',
        e.name, e."table", format('Use %s, which is append-only.', e.root)
      )
      else 'Create the trigger in a new migration, like the triggers of similar tables in sql/. Then run: leads migrate'
    end
  from expected_trigger as e
  where not exists (select from pg_catalog.pg_trigger as t where t.tgrelid = e.oid and t.tgname = e.name)
  union all
  select
    format('trigger %I on %s', e.name, e."table"),
    'The trigger doesn''t fire for every change, so the audit log doesn''t record all of them.',
    'Create the trigger in a new migration, like the triggers of similar tables in sql/. Then run: leads migrate'
  from expected_trigger as e
  join pg_catalog.pg_trigger as t on t.tgrelid = e.oid and t.tgname = e.name
  join pg_catalog.pg_proc as f on f.oid = t.tgfoid
  where
    e.name = '_900_record'
    and (
      t.tgtype & 31 <> e.type
      or e.condition is distinct from substring(pg_get_triggerdef(t.oid), ' WHEN \((.*)\) EXECUTE FUNCTION ')
      or t.tgattr::text <> ''
      or f.pronamespace <> 'audit'::regnamespace
    )
  union all
  select
    format('trigger %I on %s', t.tgname, r.name),
    case
      when t.tgenabled = 'D' then 'The trigger is disabled.'
      when t.tgenabled = 'R' then 'The trigger fires for replicated changes only.'
      else 'The trigger doesn''t fire if session_replication_role is replica.'
    end,
    format(
      'alter table %s enable %strigger %I;',
      r.name,
      case when e.is_always then 'always ' when t.tgname in ('_050_check_arrival', '_060_refuse_arrival') then 'replica ' end,
      t.tgname
    )
  from admin.relation as r
  join pg_catalog.pg_trigger as t on t.tgrelid = r.oid
  left join expected_trigger as e on e.oid = r.oid and e.name = t.tgname
  where
    (
      case
        -- They check what a subscription brings.
        when t.tgname in ('_050_check_arrival', '_060_refuse_arrival') then t.tgenabled in ('D', 'O')
        else t.tgenabled in ('D', 'R')
      end
      or (e.is_always and t.tgenabled <> 'A')
    )
    -- admin.partition_findings compares the trigger of a partition with that of its parent table.
    and (t.tgparentid = 0 or t.tgisinternal);
end;

comment on function admin.trigger_findings() is
$$Findings about triggers that don't exist or don't always fire, in the form of admin.findings().

If a kept definition of the trigger exists, admin.findings() uses it as the remedy.$$;
