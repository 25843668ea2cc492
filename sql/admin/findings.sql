-- admin.findings - lists what is wrong with this database, for leads doctor.
set local role leads_jobs;

create or replace function admin.findings(release integer default null)
returns table (subject text, finding text, remedy text) language sql stable security definer
set search_path = pg_catalog, pg_temp set jit = off
begin atomic
  with drift as (
    select d.* from admin.drift() as d where d.whole is null
  ),
  rule_finding as (
    select f.*, false as is_restorable from admin.role_findings() as f
    union all select f.*, false from admin.row_security_findings() as f
    union all select f.*, true from admin.policy_findings() as f
    union all select f.*, false from admin.analyst_findings() as f
    union all select f.*, true from admin.trigger_findings() as f
    union all select f.*, true from admin.key_findings() as f
    union all select f.*, false from admin.statistics_findings() as f
    union all select f.*, false from admin.function_findings() as f
    union all select f.*, false from admin.grant_findings() as f
    union all select f.*, false from admin.seal_findings() as f
    union all select f.*, false from admin.figure_findings() as f
    union all select f.*, false from admin.webhook_findings() as f
    union all select f.*, false from admin.partition_findings() as f
    union all select f.*, false from admin.api_findings(findings.release) as f
    union all select f.*, false from admin.setting_findings() as f
  )
  select
    f.subject,
    f.finding,
    -- The kept definition restores what the rule's own remedy could only drop.
    case when f.is_restorable then coalesce(d.remedy, f.remedy) else f.remedy end
  from rule_finding as f
  left join drift as d on d.object = f.subject
  union all
  -- An object that breaks a rule is listed once, with the rule's finding.
  select
    d.object,
    case
      when d.object = 'catalogue' and d.change = 'new' then 'No catalogue is kept, so changes can''t be detected.'
      when d.object = 'catalogue' then 'Another version of PostgreSQL kept the catalogue, so changes can''t be detected.'
      when d.change = 'new' then 'No migration has created it.'
      when d.change = 'missing' then 'It doesn''t exist, and no migration has dropped it.'
      else 'It was changed, and not by a migration.'
    end,
    d.remedy
  from drift as d
  where not exists (select from rule_finding as f where f.subject = d.object);
end;

comment on function admin.findings(integer) is
$$What is wrong with this database: one row for each finding.

release: the number of the newest migration that the calling program has; null: versions aren't compared. remedy: SQL, which
ends with a semicolon, or else a command or a sentence. Some things only a superuser can see, and this function doesn't check:
pg_hba.conf, passwords, the libraries that the server loads, and statistics that ANALYZE collected before.$$;

grant execute on function admin.findings(integer) to leads_operator;
