-- admin.setting_findings - findings about the settings of the server, roles and the database.
set local role leads_jobs;

create or replace function admin.setting_findings()
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
begin atomic
  select
    'setting ' || w.name,
    case w.harm
      when 'loss' then 'A power failure can destroy the database.'
      when 'bloat' then 'Autovacuum doesn''t run, so dead rows stay, and tables and indexes grow.'
      when 'corruption' then 'Data that the disk has corrupted isn''t detected.'
      when 'parameters' then 'The server''s log can contain parameters, which are credentials and personal data.'
      when 'rows' then 'The server''s log can contain personal data, because an error''s DETAIL shows the row.'
    end,
    case w.harm
      when 'corruption' then 'Stop the server, and run: pg_checksums --enable -D DATA_FOLDER'
      else format('/* as a superuser */ alter system set %s = %L; select pg_reload_conf();', w.name, w.value)
    end
  from (values
    ('fsync', 'on', 'loss'),
    ('full_page_writes', 'on', 'loss'),
    ('autovacuum', 'on', 'bloat'),
    ('track_counts', 'on', 'bloat'),
    ('data_checksums', 'on', 'corruption'),
    ('log_error_verbosity', 'terse', 'rows'),
    ('log_parameter_max_length', '0', 'parameters'),
    ('log_parameter_max_length_on_error', '0', 'parameters'),
    -- These settings exist only if the server has loaded the library.
    ('auto_explain.log_parameter_max_length', '0', 'parameters'),
    ('pgaudit.log_parameter', 'off', 'parameters')
  ) as w (name, value, harm)
  join pg_catalog.pg_settings as s on s.name = w.name
  where
    s.setting <> w.value
    -- A setting of the database or of all roles is a finding of its own, below.
    and not (s.source in ('database', 'global') and w.name like 'log\_%')
  union all
  select
    'setting temp_file_limit', 'One query can fill the disk with temporary files.',
    '/* as a superuser */ alter system set temp_file_limit = ''4GB''; select pg_reload_conf();'
  from pg_catalog.pg_settings as s
  where s.name = 'temp_file_limit' and s.setting = '-1'
  union all
  select
    'setting max_prepared_transactions',
    'Every login can leave a prepared transaction behind, which keeps its locks after the session has ended.',
    'As a superuser, run: alter system set max_prepared_transactions = 0. Then restart the server.'
  from pg_catalog.pg_settings as s
  where s.name = 'max_prepared_transactions' and s.setting <> '0'
  union all
  select
    'setting synchronous_commit', 'A power failure can lose changes that were acknowledged.',
    '/* as a superuser */ alter system set synchronous_commit = ''on''; select pg_reload_conf();'
  from pg_catalog.pg_settings as s
  where s.name = 'synchronous_commit' and s.setting = 'off' and s.source in ('configuration file', 'command line')
  union all
  select
    'notification queue',
    format(
      'The queue of NOTIFY is %s %% full. From 50 %% on, workers and servers are no longer notified, and only poll.',
      round(q.usage * 100)
    ),
    'End the session that listens within a transaction: the server''s log names its process ("NOTIFY queue is … full").'
  from pg_notification_queue_usage() as q (usage)
  where q.usage > 0.25
  union all
  select
    'database ' || quote_ident(d.datname),
    format(
      'The oldest transaction id that isn''t frozen is %s million transactions old. At about 2,100 million, PostgreSQL '
      'refuses every write.',
      age(d.datfrozenxid) / 1000000
    ),
    'End the session at the top of this list: select pid, usename from pg_stat_activity order by '
    'greatest(age(backend_xid), age(backend_xmin)) desc nulls last. Drop a replication slot that isn''t used. Then run '
    'as a superuser: vacuumdb --all --freeze'
  from pg_catalog.pg_database as d
  where age(d.datfrozenxid) > 500000000
  union all
  select
    'locale of the database',
    'The database knows no letters but A to Z, so a search splits and compares other words wrongly, and finds only some leads.',
    'Create another database with a UTF-8 locale: create database NAME template template0 encoding ''UTF8'' '
    || case
      when current_setting('server_version_num')::integer >= 170000 then
        'locale_provider builtin builtin_locale ''C.UTF-8'' locale ''C'''
      else 'locale_provider libc locale ''C.UTF-8'''
    end
    || '. Restore a dump into it (docs/operations.md). Then run there as a superuser: delete from app.lead_word; '
    'select admin.queue_leads(2000000000);'
  -- The catalogue's columns for it differ between versions and providers.
  where lower(U&'\00C9') <> U&'\00E9' or U&'\00E9' !~ '[[:alpha:]]'
  union all
  select
    format(
      'setting %s of %s', c.name, coalesce(r.name, case s.setdatabase when 0 then 'all roles' else 'the database' end)
    ),
    case
      when c.name like 'leads.%' then 'Every session of the login would begin with a claim.'
      when c.name = 'synchronous_commit' then 'A power failure can lose changes that were acknowledged.'
      when c.name like 'log\_%' then 'The server''s log can contain credentials and personal data.'
      else 'The setting changes what functions do, or as which role they run.'
    end,
    format(
      'alter %s reset %s;',
      case
        when r.oid is null and s.setdatabase = 0 then 'role all'
        when r.oid is null then format('database %I', current_database())
        when s.setdatabase = 0 then format('role %I', r.name)
        else format('role %I in database %I', r.name, current_database())
      end,
      c.name
    )
  from pg_catalog.pg_db_role_setting as s
  left join admin.role as r on r.oid = s.setrole
  cross join lateral (
    select lower(split_part(u.line, '=', 1)) as name, substr(u.line, strpos(u.line, '=') + 1) as value
    from unnest(s.setconfig) as u (line)
  ) as c
  where
    s.setdatabase in (0, (select d.oid from pg_catalog.pg_database as d where d.datname = current_database()))
    and (s.setrole = 0 or r.oid is not null)
    and (
      -- A login can change its own settings, and with any of them make its later sessions fail.
      r.oid is not null
      or c.name in ('search_path', 'row_security', 'session_replication_role', 'role', 'session_authorization')
      or c.name in ('local_preload_libraries', 'session_preload_libraries')
      or c.name like 'leads.%'
      or (c.name = 'synchronous_commit' and c.value = 'off')
      or (c.name in ('log_parameter_max_length', 'log_parameter_max_length_on_error') and c.value <> '0')
      or (c.name = 'log_error_verbosity' and c.value <> 'terse')
    );
end;

comment on function admin.setting_findings() is 'Findings about settings, in the form of admin.findings().';
