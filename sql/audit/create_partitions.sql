-- audit.create_partitions - creates a year's partitions of the audit log and its seals.
set local role leads_owner;

create or replace function audit.create_partitions(year integer)
returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
  v_table text;
  v_partition text;
  v_column name;
begin
  foreach v_table in array array['event', 'seal'] loop
    v_partition := v_table || '_' || create_partitions.year;
    continue when to_regclass('audit.' || v_partition) is not null;
    -- Of two sessions, the second waits here, and then finds the partition.
    execute format('lock table audit.%I in share update exclusive mode', v_table);
    continue when to_regclass('audit.' || v_partition) is not null;

    -- Not CREATE TABLE … PARTITION OF, which would block every reader and writer of the log.
    execute format(
      'create table audit.%I (like audit.%I including defaults including generated including constraints '
      'including indexes including storage)',
      v_partition, v_table
    );
    if v_table = 'seal' then
      execute format(
        'alter table audit.%I add constraint %I unique (organization_id, position)',
        v_partition, v_partition || '_position_is_unique'
      );
    end if;
    -- Without a policy nobody reads or writes the partition by its own name, its owner included.
    execute format('alter table audit.%I enable row level security, force row level security', v_partition);
    for v_column in
      select a.attname
      from pg_catalog.pg_attribute as a
      where a.attrelid = to_regclass('audit.' || v_partition) and a.attnum > 0
    loop
      execute format('alter table audit.%I alter column %I set statistics 0', v_partition, v_column);
    end loop;
    -- A statement on the partition fires only the partition's own statement triggers.
    execute format(
      'create trigger _100_refuse_change before update or delete or truncate on audit.%I '
      'for each statement execute function audit.tg_refuse(%L)',
      v_partition, format('Use audit.%s, which is append-only.', v_table)
    );
    execute format('alter table audit.%I enable always trigger _100_refuse_change', v_partition);
    execute format(
      'comment on table audit.%I is %L',
      v_partition, format('The rows of audit.%s of the year %s in UTC.', v_table, create_partitions.year)
    );
    execute format(
      'alter table audit.%I attach partition audit.%I for values from (%L) to (%L)',
      v_table, v_partition,
      create_partitions.year || '-01-01 00:00:00Z', create_partitions.year + 1 || '-01-01 00:00:00Z'
    );
  end loop;
end $$;

comment on function audit.create_partitions(integer) is
$$Creates the partitions of audit.event and audit.seal for a year in UTC, unless they exist.

A partition has what PostgreSQL does not copy from the parent: row-level security, statistics 0 on every column, and a
trigger that refuses UPDATE, DELETE and TRUNCATE by the partition's name. Raises 55P03 if a lock cannot be had in 2 seconds.$$;

grant execute on function audit.create_partitions(integer) to leads_jobs;
