-- Analysts in SQL: whose organization a login is bound to, and the views of schema bi.
set local lock_timeout = '5s';
set local row_security = off;

create schema bi authorization leads_owner;

set local role leads_owner;

-- At once, and in the order in which a request takes them: one that waits for a lock of this migration must hold none that this
-- will want. Each request begins with its key.
set local role leads_auth;
lock table auth.api_key in access exclusive mode;
set local role leads_owner;
lock table
  app.organization, app.idempotency_key, app.pipeline_stage, app.lead, scoring.model, scoring.signal,
  scoring.score, crm.connection, crm.sync, crm.attempt, audit.event
in access exclusive mode;

comment on schema bi is 'What an analyst reaches: views, each of the analyst''s own organization alone.';
grant usage on schema bi to leads_bi;
grant create on schema auth to leads_auth;

-- Generated columns: the log is rewritten under an ACCESS EXCLUSIVE lock, some 7 seconds for each million events, and
-- the index below takes 1 more.
alter table audit.event
  add column stage_left text collate "C"
  -- squawk-ignore adding-field-with-default
  generated always as (payload #>> '{diff,pipeline_stage,from}') stored,
  add column stage_entered text collate "C"
  -- squawk-ignore adding-field-with-default
  generated always as (payload #>> '{diff,pipeline_stage,to}') stored;
alter table audit.event
  alter column stage_left set statistics 0,
  alter column stage_entered set statistics 0;

comment on column audit.event.stage_left is 'The pipeline stage that the lead left by this change; null: it left none.';
comment on column audit.event.stage_entered is 'The pipeline stage that the lead entered by this change; null: it entered none.';

-- The views of stages read this index alone. Not concurrently: the table is locked already.
-- squawk-ignore require-concurrent-index-creation
create index event_by_stage_change on audit.event (organization_id, lead_id, created_at, id)
  include (stage_left, stage_entered)
  where stage_left is not null or stage_entered is not null;

set local role leads_auth;

create table auth.analyst (
  organization_id uuid not null,
  role_oid oid not null,
  role_name name not null,
  created_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  expires_at timestamptz(3),
  constraint analyst_pkey primary key (organization_id, role_oid),
  constraint analyst_belongs_to_organization foreign key (organization_id) references app.organization,
  constraint analyst_role_oid_is_unique unique (role_oid)
);

comment on table auth.analyst is 'Analysts'' logins, each bound to one organization.';
comment on column auth.analyst.role_oid is 'The login''s oid in this cluster.';
comment on column auth.analyst.role_name is
  'The login''s name. Both must match: in a restored dump, or once the login was dropped, the oid may be another role''s.';
comment on column auth.analyst.expires_at is 'From this instant on the login sees no row; null: never.';

alter table auth.analyst enable row level security, force row level security;

alter table auth.analyst
  alter column organization_id set statistics 0,
  alter column role_oid set statistics 0,
  alter column role_name set statistics 0,
  alter column created_at set statistics 0,
  alter column expires_at set statistics 0;

set local role leads_owner;

revoke create on schema auth from leads_auth;

reset role;

-- The functions, views, triggers, policies and grants: frozen copies of the files in sql/, as of this migration.
set local row_security = on;

do $$
begin
  execute format('grant leads_audit to %I', session_user);
end
$$;

-- Who owns functions in a schema creates them there, and only now: what runs as them later can't.
set local role leads_owner;
grant create on schema auth to leads_auth;
grant create on schema api to leads_exec;
grant create on schema admin to leads_jobs;
grant create on schema audit to leads_audit;
grant create on schema crm to leads_jobs;
reset role;

-- begin frozen sql/auth/analyst_organization_id.sql
-- auth.analyst_organization_id - the one organization that the login is bound to: what every policy of leads_bi asks.
set local role leads_auth;

create or replace function auth.analyst_organization_id()
returns uuid
language sql
stable
parallel safe
security definer
begin atomic
  select a.organization_id
  from auth.analyst as a
  join pg_catalog.pg_roles as r on r.oid = a.role_oid and r.rolname = a.role_name
  where
    -- Who logged in. No setting says it, and SET ROLE doesn't change it.
    r.rolname = session_user
    and (a.expires_at is null or a.expires_at > clock_timestamp());
end;

comment on function auth.analyst_organization_id() is
  'The organization that session_user is bound to, by oid and name; else null, which no row has.';

grant execute on function auth.analyst_organization_id() to leads_bi;
-- end frozen sql/auth/analyst_organization_id.sql

-- begin frozen sql/api/schema_version.sql
-- api.schema_version - the number of the newest migration.
set local role leads_exec;

create or replace function api.schema_version()
returns integer
language sql
immutable
parallel safe
begin atomic
  select 9;
end;

comment on function api.schema_version() is 'The number of the newest migration that this schema has.';

grant execute on function api.schema_version() to leads_owner, leads_jobs, leads_api;
-- end frozen sql/api/schema_version.sql

-- begin frozen sql/audit/event.policies.sql
-- audit.event - the policies of the audit log.
set local role leads_owner;

drop policy if exists event_exec_select on audit.event;
drop policy if exists event_audit_insert on audit.event;
drop policy if exists event_bi_select on audit.event;
drop policy if exists event_bi_all on audit.event;

create policy event_exec_select on audit.event for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

-- Only the triggers' functions belong to leads_audit, and nobody is a member: the organization comes from the row.
create policy event_audit_insert on audit.event for insert to leads_audit with check (true);

create policy event_bi_select on audit.event for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- The floor under whatever policy is added later.
create policy event_bi_all on audit.event as restrictive for all to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));
-- end frozen sql/audit/event.policies.sql

-- begin frozen sql/audit/event.grants.sql
-- audit.event - who may do what with the audit log.
set local role leads_owner;

-- The owner too: what isn't granted can't be typed by accident. The trigger stops whoever grants it again.
revoke all on audit.event from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on audit.event to leads_exec;
grant insert (organization_id, action, source, correlation_id, lead_id, payload, salt, payload_digest) on audit.event
to leads_audit;
-- What the views of schema bi show; no analyst may enter schema audit.
grant select (
  id, organization_id, action, source, correlation_id, lead_id, payload, created_at, stage_left, stage_entered
) on audit.event to leads_bi;
-- end frozen sql/audit/event.grants.sql

-- begin frozen sql/auth/analyst.policies.sql
-- auth.analyst - the policies of the analysts' bindings.
set local role leads_auth;

drop policy if exists analyst_auth_select on auth.analyst;
drop policy if exists analyst_jobs_select on auth.analyst;
drop policy if exists analyst_jobs_insert on auth.analyst;
drop policy if exists analyst_jobs_delete on auth.analyst;

-- The organization isn't known before the binding is found.
create policy analyst_auth_select on auth.analyst for select to leads_auth using (true);

-- leads bi
create policy analyst_jobs_select on auth.analyst for select to leads_jobs using (true);
create policy analyst_jobs_insert on auth.analyst for insert to leads_jobs with check (true);
create policy analyst_jobs_delete on auth.analyst for delete to leads_jobs using (true);
-- end frozen sql/auth/analyst.policies.sql

-- begin frozen sql/auth/analyst.triggers.sql
-- auth.analyst - the triggers of the analysts' bindings.
set local role leads_auth;

drop trigger if exists _100_refuse_truncate on auth.analyst;
drop trigger if exists _110_refuse_change on auth.analyst;
drop trigger if exists _900_record on auth.analyst;

create trigger _100_refuse_truncate before truncate on auth.analyst
  for each statement execute function audit.tg_refuse('Say "leads bi revoke", so that each is recorded.');

-- A session that was opened for one organization never sees another's rows.
create trigger _110_refuse_change before update on auth.analyst
  for each statement execute function audit.tg_refuse('Revoke the analyst, and make another.');

create trigger _900_record after insert or update or delete on auth.analyst
  for each row execute function audit.tg_record('analyst', 'role_name');
-- end frozen sql/auth/analyst.triggers.sql

-- begin frozen sql/auth/analyst.grants.sql
-- auth.analyst - who may do what with the analysts' bindings.
set local role leads_auth;

revoke all on auth.analyst from leads_owner, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select, insert (organization_id, role_oid, role_name, expires_at), delete on auth.analyst to leads_jobs;
-- end frozen sql/auth/analyst.grants.sql

-- begin frozen sql/app/pipeline_stage.policies.sql
-- app.pipeline_stage - the policies of the stages' table.
set local role leads_owner;

drop policy if exists pipeline_stage_exec_select on app.pipeline_stage;
drop policy if exists pipeline_stage_jobs_select on app.pipeline_stage;
drop policy if exists pipeline_stage_jobs_insert on app.pipeline_stage;
drop policy if exists pipeline_stage_jobs_delete on app.pipeline_stage;
drop policy if exists pipeline_stage_bi_select on app.pipeline_stage;
drop policy if exists pipeline_stage_bi_all on app.pipeline_stage;

create policy pipeline_stage_exec_select on app.pipeline_stage for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy pipeline_stage_jobs_select on app.pipeline_stage for select to leads_jobs using (true);
create policy pipeline_stage_jobs_insert on app.pipeline_stage for insert to leads_jobs with check (true);
create policy pipeline_stage_jobs_delete on app.pipeline_stage for delete to leads_jobs using (true);

create policy pipeline_stage_bi_select on app.pipeline_stage for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- The floor under whatever policy is added later.
create policy pipeline_stage_bi_all on app.pipeline_stage as restrictive for all to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));
-- end frozen sql/app/pipeline_stage.policies.sql

-- begin frozen sql/app/pipeline_stage.grants.sql
-- app.pipeline_stage - who may do what with the stages' table.
set local role leads_owner;

revoke all on app.pipeline_stage from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on app.pipeline_stage to leads_exec;
grant select, insert, delete on app.pipeline_stage to leads_jobs;
grant select (organization_id, name, position) on app.pipeline_stage to leads_bi;
-- end frozen sql/app/pipeline_stage.grants.sql

-- begin frozen sql/app/lead.policies.sql
-- app.lead - the policies of the leads' table.
set local role leads_owner;

drop policy if exists lead_exec_select on app.lead;
drop policy if exists lead_exec_insert on app.lead;
drop policy if exists lead_exec_update on app.lead;
drop policy if exists lead_jobs_select on app.lead;
drop policy if exists lead_jobs_insert on app.lead;
drop policy if exists lead_bi_select on app.lead;
drop policy if exists lead_bi_all on app.lead;

create policy lead_exec_select on app.lead for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy lead_exec_insert on app.lead for insert to leads_exec
  with check (organization_id = (select auth.organization_id('write')));

create policy lead_exec_update on app.lead for update to leads_exec
  using (organization_id = (select auth.organization_id('write')))
  with check (organization_id = (select auth.organization_id('write')));

-- admin.try_scoring_model, admin.backtest_scoring_model
create policy lead_jobs_select on app.lead for select to leads_jobs using (true);
-- admin.load_leads
create policy lead_jobs_insert on app.lead for insert to leads_jobs with check (true);

create policy lead_bi_select on app.lead for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- The floor under whatever policy is added later.
create policy lead_bi_all on app.lead as restrictive for all to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));
-- end frozen sql/app/lead.policies.sql

-- begin frozen sql/app/lead.grants.sql
-- app.lead - who may do what with the leads' table.
set local role leads_owner;

revoke all on app.lead from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant
  select,
  insert (
    organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
    timeline, budget_range, ai_reasoning
  ),
  update (
    name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points, timeline,
    budget_range, ai_reasoning, score_id
  )
on app.lead to leads_exec;

grant select, insert (
  id, organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
  timeline, budget_range, ai_reasoning, qualification_completed_at, created_at, updated_at
) on app.lead to leads_jobs;

-- What the views of schema bi show; no analyst may enter schema app.
grant select (
  id, organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
  timeline, budget_range, ai_reasoning, qualification_completed_at, created_at, updated_at
) on app.lead to leads_bi;
-- end frozen sql/app/lead.grants.sql

-- begin frozen sql/api/list_audit_events.sql
-- api.list_audit_events - GET /audit-log.
set local role leads_exec;

create or replace function api.list_audit_events(
  "limit" api.page_size default 50,
  cursor api.cursor default null,
  action api.any_of default null,
  source api.any_of default null,
  lead_id uuid default null,
  start_at timestamptz default null,
  end_at timestamptz default null
)
returns api.answer
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('read');
  -- One row more than the page tells whether there is a next one.
  v_rows integer := list_audit_events.limit + 1;
  v_at timestamptz;
  v_id uuid;
  v_start_at timestamptz := coalesce(list_audit_events.start_at, '-infinity');
  v_sources text[] := array['api', 'sql', 'worker', 'system'];
  v_items text[];
begin
  perform app.raise_faults(422, 'validation_failed', (
    select json_agg(json_build_object(
      'field', 'source', 'code', 'unknown_source', 'detail', 'The sources are api, sql, worker and system.'
    ))
    where not list_audit_events.source <@ v_sources
  ));

  select b.created_at, b.id into v_at, v_id
  from app.page_bound(list_audit_events.cursor, list_audit_events.end_at) as b;

  -- A statement for each shape of filter: each walks its own index, and several values are one walk each, merged.
  if list_audit_events.lead_id is not null then
    v_items := array(
      select row_to_json(audit.event_item(e))::text
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and e.lead_id = list_audit_events.lead_id
        and (list_audit_events.action is null or e.action = any (list_audit_events.action))
        and (list_audit_events.source is null or e.source = any (list_audit_events.source))
        and (e.created_at, e.id) < (v_at, v_id)
        and e.created_at >= v_start_at
      order by e.created_at desc, e.id desc
      limit v_rows
    );
  elsif list_audit_events.action is not null then
    v_items := array(
      select row_to_json(audit.event_item(p.event))::text
      from (
        select distinct a.value || '/' || s.value as value
        from unnest(list_audit_events.action) as a (value)
        cross join unnest(coalesce(list_audit_events.source, v_sources)) as s (value)
      ) as f
      cross join lateral (
        select e as event, e.created_at, e.id
        from audit.event as e
        where
          e.organization_id = v_organization_id
          and e.action_and_source = f.value
          and (e.created_at, e.id) < (v_at, v_id)
          and e.created_at >= v_start_at
        order by e.created_at desc, e.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  elsif list_audit_events.source is not null then
    v_items := array(
      select row_to_json(audit.event_item(p.event))::text
      from (select distinct u.value from unnest(list_audit_events.source) as u (value)) as s
      cross join lateral (
        select e as event, e.created_at, e.id
        from audit.event as e
        where
          e.organization_id = v_organization_id
          and e.source = s.value
          and (e.created_at, e.id) < (v_at, v_id)
          and e.created_at >= v_start_at
        order by e.created_at desc, e.id desc
        limit v_rows
      ) as p
      order by p.created_at desc, p.id desc
      limit v_rows
    );
  else
    v_items := array(
      select row_to_json(audit.event_item(e))::text
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and (e.created_at, e.id) < (v_at, v_id)
        and e.created_at >= v_start_at
      order by e.created_at desc, e.id desc
      limit v_rows
    );
  end if;

  return app.page_answer(v_items, list_audit_events.limit);
end
$$;

comment on function api.list_audit_events(api.page_size, api.cursor, api.any_of, api.any_of, uuid, timestamptz, timestamptz) is
$$List the audit log, newest first.

Every change of the organization's records, whoever made it: over the API, in SQL, by a worker or by the system. Filters
are exact; several values, separated by commas, mean any of them. start_at is inclusive, end_at exclusive. Actions:
lead.created, lead.updated, lead.scored, lead.deleted; lead.crm_push_requested, lead.crm_pushed, lead.crm_push_failed,
lead.crm_push_skipped; crm_connection.created, crm_connection.updated, crm_connection.deleted; crm_sync.updated,
crm_sync.deleted; signal.created, signal.updated, signal.deleted; score.deleted; scoring_model.created,
scoring_model.updated, scoring_model.deleted; api_key.created, api_key.rotated, api_key.updated, api_key.revoked,
api_key.deleted; analyst.created, analyst.updated, analyst.deleted; organization.created, organization.updated,
organization.deleted; pipeline_stage.created,
pipeline_stage.updated, pipeline_stage.deleted.$$;

grant execute on function
  api.list_audit_events(api.page_size, api.cursor, api.any_of, api.any_of, uuid, timestamptz, timestamptz)
to leads_api;
-- end frozen sql/api/list_audit_events.sql

-- begin frozen sql/bi/leads.sql
-- bi.leads - the leads, field for field as the API has them.
set local role leads_owner;

create or replace view bi.leads with (security_invoker = true) as
select
  l.id,
  l.organization_id,
  l.name,
  l.company,
  l.email,
  l.source,
  l.lead_score,
  l.pipeline_stage,
  l.industry,
  l.company_size,
  l.pain_points,
  l.timeline,
  l.budget_range,
  l.ai_reasoning,
  l.qualification_completed_at,
  l.created_at,
  l.updated_at
from app.lead as l
-- The policy says so too: it holds without this, and this without it.
where l.organization_id = (select auth.analyst_organization_id());

comment on view bi.leads is
  'The organization''s leads as they are now, a row each. Instants are timestamptz, in milliseconds: they print in the '
  'session''s time zone, which is UTC unless it was changed.';
comment on column bi.leads.id is 'The lead''s id, a UUID of version 7.';
comment on column bi.leads.organization_id is 'The organization''s id: the same in every row.';
comment on column bi.leads.name is 'The person''s name; up to 255 characters.';
comment on column bi.leads.company is 'The company''s name; up to 255 characters.';
comment on column bi.leads.email is 'The e-mail address, as it was sent; up to 254 characters.';
comment on column bi.leads.source is 'Where the lead came from, as a machine name such as google_ads; null: not known.';
comment on column bi.leads.lead_score is 'How promising the lead is: a whole number from 0 to 100.';
comment on column bi.leads.pipeline_stage is 'The stage that the lead stands in now.';
comment on column bi.leads.industry is 'The lead''s industry, in the words of the source.';
comment on column bi.leads.company_size is 'The company''s size, in the words of the source.';
comment on column bi.leads.pain_points is 'What troubles the lead; up to 10,000 characters.';
comment on column bi.leads.timeline is 'When the lead wants to act, in words.';
comment on column bi.leads.budget_range is 'What the lead wants to spend, in words.';
comment on column bi.leads.ai_reasoning is 'Why the lead has its score, in words.';
comment on column bi.leads.qualification_completed_at is
  'timestamptz: when the lead first reached the stage "qualified"; null: it has not.';
comment on column bi.leads.created_at is 'timestamptz: when the lead came in.';
comment on column bi.leads.updated_at is 'timestamptz: when the lead was last changed.';

grant select on bi.leads to leads_bi;
-- end frozen sql/bi/leads.sql

-- begin frozen sql/bi/lead_changes.sql
-- bi.lead_changes - one row for each field that changed, from the audit log.
set local role leads_owner;

create or replace view bi.lead_changes with (security_invoker = true) as
select
  e.id as event_id,
  e.organization_id,
  e.lead_id,
  e.created_at as changed_at,
  e.action,
  d.key as field,
  d.value ->> 'from' as old_value,
  d.value ->> 'to' as new_value,
  coalesce((d.value ->> 'erased')::boolean, false) as is_erased,
  e.source,
  (e.payload ->> 'key_id')::uuid as key_id,
  e.payload ->> 'role' as role,
  e.correlation_id
from audit.event as e
cross join lateral json_each(e.payload -> 'diff') as d
where
  e.organization_id = (select auth.analyst_organization_id())
  and e.action in ('lead.created', 'lead.updated', 'lead.scored', 'lead.deleted', 'lead.erased');

comment on view bi.lead_changes is
  'Every change of a lead, a row for each field that changed, from the audit log. Ask for a lead or a period: the whole '
  'log is long. changed_at is timestamptz: it prints in the session''s time zone, which is UTC unless it was changed.';
comment on column bi.lead_changes.event_id is 'The audit event''s id, a UUID of version 7: the rows of one change share it.';
comment on column bi.lead_changes.organization_id is 'The organization''s id: the same in every row.';
comment on column bi.lead_changes.lead_id is 'The lead''s id.';
comment on column bi.lead_changes.changed_at is 'timestamptz: when the change was made.';
comment on column bi.lead_changes.action is 'lead.created, lead.updated, lead.scored, lead.deleted or lead.erased.';
comment on column bi.lead_changes.field is 'The field''s name, as in bi.leads.';
comment on column bi.lead_changes.old_value is 'The value before, as text; an instant in UTC; null: there was none.';
comment on column bi.lead_changes.new_value is 'The value after, as text; an instant in UTC; null: there is none.';
comment on column bi.lead_changes.is_erased is 'Whether the values were erased since, for a person''s right to be forgotten.';
comment on column bi.lead_changes.source is 'Where the change came from: api, sql, worker or system.';
comment on column bi.lead_changes.key_id is 'The id of the API key that made it; null: it came from elsewhere.';
comment on column bi.lead_changes.role is 'The database login that made it; null: it came from the API.';
comment on column bi.lead_changes.correlation_id is 'The X-Request-Id of the request that made it; null outside requests.';

grant select on bi.lead_changes to leads_bi;
-- end frozen sql/bi/lead_changes.sql

-- begin frozen sql/bi/stage_history.sql
-- bi.stage_history - each stay of a lead in a stage: entered, left, duration.
set local role leads_owner;

create or replace view bi.stage_history with (security_invoker = true) as
with stay as (
  select
    e.organization_id,
    e.lead_id,
    e.stage_entered as stage,
    e.created_at as entered_at,
    lead(e.created_at) over lead_in_time as left_at,
    lead(e.stage_entered) over lead_in_time as next_stage
  from audit.event as e
  where
    e.organization_id = (select auth.analyst_organization_id())
    and (e.stage_left is not null or e.stage_entered is not null)
  window lead_in_time as (partition by e.organization_id, e.lead_id order by e.created_at, e.id)
)
select
  s.organization_id,
  s.lead_id,
  s.stage,
  s.entered_at,
  s.left_at,
  s.left_at - s.entered_at as duration,
  s.next_stage
from stay as s
-- Who was deleted or erased left a stage and entered none.
where s.stage is not null;

comment on view bi.stage_history is
  'Each stay of a lead in a stage, from the audit log; of leads since deleted or erased too. Instants are timestamptz: they '
  'print in the session''s time zone, which is UTC unless it was changed.';
comment on column bi.stage_history.organization_id is 'The organization''s id: the same in every row.';
comment on column bi.stage_history.lead_id is 'The lead''s id.';
comment on column bi.stage_history.stage is 'The stage.';
comment on column bi.stage_history.entered_at is
  'timestamptz: when the lead entered it. Of a lead that was imported, the first stage''s is the import.';
comment on column bi.stage_history.left_at is 'timestamptz: when the lead left it; null: it stands there now.';
comment on column bi.stage_history.duration is
  'interval of days, hours and seconds, left_at less entered_at; null: it stands there now. In hours: '
  'extract(epoch from duration) / 3600.';
comment on column bi.stage_history.next_stage is 'The stage after it; null: it stands there now, or was deleted or erased.';

grant select on bi.stage_history to leads_bi;
-- end frozen sql/bi/stage_history.sql

-- begin frozen sql/bi/pipeline_daily.sql
-- bi.pipeline_daily - for each day and stage: leads that entered, left, and stood there at its end.
set local role leads_owner;

create or replace view bi.pipeline_daily with (security_invoker = true) as
with change as (
  select
    e.stage_entered,
    e.stage_left,
    (e.created_at at time zone 'UTC')::date as day,
    count(*) as leads
  from audit.event as e
  where
    e.organization_id = (select auth.analyst_organization_id())
    and (e.stage_left is not null or e.stage_entered is not null)
  group by e.stage_entered, e.stage_left, (e.created_at at time zone 'UTC')::date
),
movement as (
  select m.day, m.stage, sum(m.entered) as entered, sum(m.departed) as departed
  from (
    select c.day, c.stage_entered as stage, c.leads as entered, 0::bigint as departed
    from change as c
    where c.stage_entered is not null
    union all
    select c.day, c.stage_left, 0::bigint, c.leads
    from change as c
    where c.stage_left is not null
  ) as m
  group by m.day, m.stage
),
-- Every day and stage, so that a chart has no holes.
cell as (
  select d.day::date as day, s.stage, s.position
  from (select min(m.day) as first_day from movement as m) as f
  cross join lateral generate_series(
    f.first_day::timestamp, (now() at time zone 'UTC')::date::timestamp, interval '1 day'
  ) as d (day)
  cross join (
    select coalesce(m.stage, p.name) as stage, p.position
    from (select distinct m.stage from movement as m) as m
    full join (
      select p.name, p.position
      from app.pipeline_stage as p
      where p.organization_id = (select auth.analyst_organization_id())
    ) as p on p.name = m.stage
  ) as s
)
select
  c.day,
  c.stage,
  c.position,
  coalesce(m.entered, 0)::bigint as entered,
  coalesce(m.departed, 0)::bigint as departed,
  (sum(coalesce(m.entered, 0) - coalesce(m.departed, 0)) over (partition by c.stage order by c.day))::bigint as leads
from cell as c
left join movement as m on m.day = c.day and m.stage = c.stage;

comment on view bi.pipeline_daily is
  'The pipeline by day, from the audit log: a row for each stage and each day since the first change. Days are those of UTC, '
  'whatever the session''s time zone.';
comment on column bi.pipeline_daily.day is 'The day, from midnight to midnight UTC; the last is today, so far.';
comment on column bi.pipeline_daily.stage is 'The stage.';
comment on column bi.pipeline_daily.position is 'Where the stage stands in the pipeline, from 1; null: it was removed since.';
comment on column bi.pipeline_daily.entered is 'How many times a lead entered the stage on that day.';
comment on column bi.pipeline_daily.departed is 'How many times a lead left it on that day, the deleted and erased too.';
comment on column bi.pipeline_daily.leads is 'How many leads stood in it at the day''s end.';

grant select on bi.pipeline_daily to leads_bi;
-- end frozen sql/bi/pipeline_daily.sql

-- begin frozen sql/bi/source_performance.sql
-- bi.source_performance - what each source brings: leads, qualified, won, conversion, hours to qualify.
set local role leads_owner;

create or replace view bi.source_performance with (security_invoker = true) as
select
  l.source,
  count(*) as leads,
  count(l.qualification_completed_at) as qualified,
  count(*) filter (where l.pipeline_stage = 'won') as won,
  round(count(*) filter (where l.pipeline_stage = 'won')::numeric / count(*), 4) as conversion,
  round(
    (
      percentile_cont(0.5) within group (order by extract(epoch from l.qualification_completed_at - l.created_at)::float8)
      / 3600
    )::numeric,
    2
  ) as median_hours_to_qualify
from app.lead as l
where l.organization_id = (select auth.analyst_organization_id())
group by l.source;

comment on view bi.source_performance is
  'What each source brings, over all of the organization''s leads as they are now: a row for each source, and one for leads '
  'without any.';
comment on column bi.source_performance.source is 'The source; null: leads whose source isn''t known.';
comment on column bi.source_performance.leads is 'How many leads it brought.';
comment on column bi.source_performance.qualified is 'How many of them have reached the stage "qualified", whatever came after.';
comment on column bi.source_performance.won is 'How many of them stand in the stage "won" now.';
comment on column bi.source_performance.conversion is 'won divided by leads, from 0 to 1, to 4 decimals.';
comment on column bi.source_performance.median_hours_to_qualify is
  'The median of the hours from created_at to qualification_completed_at, to 2 decimals, of those that are qualified; '
  'null: none is.';

grant select on bi.source_performance to leads_bi;
-- end frozen sql/bi/source_performance.sql

-- begin frozen sql/bi/score_calibration.sql
-- bi.score_calibration - whether a high score means what it says: the share won, by score band.
set local role leads_owner;

create or replace view bi.score_calibration with (security_invoker = true) as
with counted as (
  select
    -- A score of 100 is in the band from 90.
    least(l.lead_score / 10, 9) as band,
    count(*) as leads,
    count(*) filter (where l.pipeline_stage = 'won') as won,
    count(*) filter (where l.pipeline_stage = 'lost') as lost
  from app.lead as l
  where l.organization_id = (select auth.analyst_organization_id())
  group by least(l.lead_score / 10, 9)
)
select
  b.band * 10 as score_from,
  case b.band when 9 then 100 else b.band * 10 + 9 end as score_to,
  coalesce(c.leads, 0)::bigint as leads,
  coalesce(c.won, 0)::bigint as won,
  coalesce(c.lost, 0)::bigint as lost,
  round(c.won::numeric / nullif(c.won + c.lost, 0), 4) as won_share
from generate_series(0, 9) as b (band)
left join counted as c on c.band = b.band;

comment on view bi.score_calibration is
  'Whether a high score means what it says: ten score bands, with the share won of each, over all leads as they are now.';
comment on column bi.score_calibration.score_from is 'The band''s lowest score: 0, 10, … 90.';
comment on column bi.score_calibration.score_to is 'The band''s highest score, included: 9, 19, … 89, 100.';
comment on column bi.score_calibration.leads is 'How many leads have such a score now.';
comment on column bi.score_calibration.won is 'How many of them stand in the stage "won".';
comment on column bi.score_calibration.lost is 'How many of them stand in the stage "lost".';
comment on column bi.score_calibration.won_share is
  'won divided by won and lost, from 0 to 1, to 4 decimals: of those that are decided; null: none is.';

grant select on bi.score_calibration to leads_bi;
-- end frozen sql/bi/score_calibration.sql

-- begin frozen sql/admin/analysts.sql
-- admin.analysts - leads bi list.
set local role leads_jobs;

create or replace function admin.analysts(organization_id uuid default null)
returns table (
  login text,
  organization_id uuid,
  organization text,
  state text,
  created_at text,
  expires_at text
)
language sql
stable
security definer
begin atomic
  select
    a.role_name::text,
    a.organization_id,
    o.name,
    case
      when r.rolname is distinct from a.role_name then 'gone'
      when not r.rolcanlogin then 'revoked'
      when a.expires_at <= now() then 'expired'
      else 'good'
    end,
    app.utc_text(a.created_at),
    app.utc_text(a.expires_at)
  from auth.analyst as a
  join app.organization as o on o.organization_id = a.organization_id
  left join pg_catalog.pg_roles as r on r.oid = a.role_oid
  where a.organization_id = analysts.organization_id or analysts.organization_id is null
  order by a.created_at, a.role_name;
end;

comment on function admin.analysts(uuid) is
$$The analysts of an organization, or of all where it is null; the oldest first.

state: good; expired; revoked: the login is being removed; gone: the cluster has no such login, say "leads bi revoke".$$;

grant execute on function admin.analysts(uuid) to leads_operator;
-- end frozen sql/admin/analysts.sql

-- begin frozen sql/admin/bind_analyst.sql
-- admin.bind_analyst - binds a login to one organization.
set local role leads_jobs;

create or replace function admin.bind_analyst(login text, organization_id uuid, expires_at timestamptz default null)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization app.organization := admin.organization(bind_analyst.organization_id);
  v_oid oid := (select r.oid from pg_catalog.pg_roles as r where r.rolname = bind_analyst.login);
begin
  -- What stands for a login that was dropped, and whose oid this one has got.
  delete from auth.analyst as a where a.role_oid = v_oid and a.role_name <> bind_analyst.login;
  insert into auth.analyst (organization_id, role_oid, role_name, expires_at)
  values (v_organization.organization_id, v_oid, bind_analyst.login, bind_analyst.expires_at);
end
$$;

comment on function admin.bind_analyst(text, uuid, timestamptz) is
$$Binds a login, by oid and name, to one organization. For admin.create_analyst alone: no login may execute it.

Raises PT404 organization_not_found, and 23505 analyst_role_oid_is_unique for a login that is bound already.$$;
-- end frozen sql/admin/bind_analyst.sql

-- begin frozen sql/admin/create_analyst.sql
-- admin.create_analyst - leads bi create LOGIN.
set local role leads_jobs;

create or replace function admin.create_analyst(
  login text,
  organization_id uuid,
  verifier text,
  expires_at timestamptz default null
)
returns void
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  v_setting text;
begin
  if create_analyst.login collate "C" !~ '^[a-z_][a-z0-9_]{0,62}$' or create_analyst.login ~ '^(pg_|leads_)' then
    raise sqlstate 'PT422' using message = 'invalid_login', hint =
      'A login is 1 to 63 characters: a-z, 0-9 and _, no digit first, and neither pg_ nor leads_ in front. Every login of '
      'the cluster can see the name: keep customers'' names out of it.';
  end if;
  if create_analyst.verifier is null or create_analyst.verifier !~ '^SCRAM-SHA-256\$' then
    raise sqlstate 'PT422' using message = 'invalid_verifier', hint =
      'The verifier must be one of SCRAM-SHA-256 (RFC 5803): a password never comes here.';
  end if;
  if create_analyst.expires_at <= now() then
    raise sqlstate 'PT422' using
      message = 'expired', hint = 'The login would have expired already: give a later time.';
  end if;
  if exists (select from pg_catalog.pg_roles as r where r.rolname = create_analyst.login) then
    raise sqlstate 'PT409' using message = 'login_exists', hint = format(
      'There is a login "%s" already. Choose another name, or say first: leads bi revoke %s',
      create_analyst.login, create_analyst.login
    );
  end if;

  execute format(
    'create role %I login nosuperuser nocreatedb nocreaterole noreplication inherit connection limit 5 password %L '
    'valid until %L',
    create_analyst.login, create_analyst.verifier, coalesce(create_analyst.expires_at::text, 'infinity')
  );
  -- What a session begins with; the analyst may set it otherwise, and sees no more by it.
  foreach v_setting in array array[
    'search_path = bi',
    'timezone = ''UTC''',
    'default_transaction_read_only = on',
    'statement_timeout = ''60s''',
    'lock_timeout = ''5s''',
    -- A transaction that is left open keeps VACUUM from all that was deleted since.
    'idle_in_transaction_session_timeout = ''60s''',
    'idle_session_timeout = ''8h'''
  ]
  loop
    execute format('alter role %I set %s', create_analyst.login, v_setting);
  end loop;
  perform admin.bind_analyst(create_analyst.login, create_analyst.organization_id, create_analyst.expires_at);
  -- PostgreSQL 15 knows no SET FALSE: there the policy alone holds, which asks for session_user.
  execute format(
    'grant leads_bi to %I%s',
    create_analyst.login,
    case when current_setting('server_version_num')::integer >= 160000 then ' with inherit true, set false' end
  );
end
$$;

comment on function admin.create_analyst(text, uuid, text, timestamptz) is
$$Makes a login that reads schema bi, of one organization alone. For the migrating login, which has CREATEROLE.

login: 1 to 63 characters out of a-z, 0-9 and _. verifier: the password's SCRAM-SHA-256 verifier (RFC 5803). expires_at: from
then on the login can't log in and sees no row; null: never. Raises PT404 organization_not_found, PT409 login_exists, PT422
invalid_login, invalid_verifier, expired; 42501 where the caller lacks CREATEROLE, or ADMIN OPTION on leads_bi.$$;
-- end frozen sql/admin/create_analyst.sql

-- begin frozen sql/admin/unbind_analyst.sql
-- admin.unbind_analyst - takes the organization from a login.
set local role leads_jobs;

create or replace function admin.unbind_analyst(login text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from auth.analyst as a where a.role_name = unbind_analyst.login;
end
$$;

comment on function admin.unbind_analyst(text) is
  'Takes its organization from a login, which then sees no row. For admin.revoke_analyst alone: no login may execute it.';
-- end frozen sql/admin/unbind_analyst.sql

-- begin frozen sql/admin/revoke_analyst.sql
-- admin.revoke_analyst - leads bi revoke LOGIN, the first half: from its commit on the login sees nothing.
set local role leads_jobs;

create or replace function admin.revoke_analyst(login text)
returns void
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_ours boolean := exists (
    select
    from pg_catalog.pg_roles as r
    where
      r.rolname = revoke_analyst.login
      -- Who can do more than read isn't an analyst's login, and isn't dropped here.
      and not r.rolsuper and not r.rolcreaterole
      and exists (
        select
        from pg_catalog.pg_auth_members as m
        where m.member = r.oid and m.roleid = 'leads_bi'::regrole
      )
  );
begin
  if not v_is_ours and not exists (select from admin.analysts() as a where a.login = revoke_analyst.login) then
    raise sqlstate 'PT404' using message = 'analyst_not_found', hint = format(
      'There is no analyst "%s". "leads bi list" shows them.', revoke_analyst.login
    );
  end if;
  perform admin.unbind_analyst(revoke_analyst.login);
  if v_is_ours then
    execute format('alter role %I nologin', revoke_analyst.login);
  end if;
end
$$;

comment on function admin.revoke_analyst(text) is
$$Takes its organization from an analyst's login, and bars it: once committed, no new session can be opened.

admin.drop_analyst then ends the login's sessions, in a transaction of its own: an open one of the analyst's may still have
its snapshot. For the migrating login. Raises PT404 analyst_not_found.$$;
-- end frozen sql/admin/revoke_analyst.sql

-- begin frozen sql/admin/drop_analyst.sql
-- admin.drop_analyst - leads bi revoke LOGIN, the second half: ends the sessions, and drops the login.
set local role leads_jobs;

create or replace function admin.drop_analyst(login text)
returns void
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from pg_catalog.pg_roles as r where r.rolname = drop_analyst.login) then
    return;
  end if;
  if
    exists (select from admin.analysts() as a where a.login = drop_analyst.login)
    or not exists (
      select
      from pg_catalog.pg_roles as r
      join pg_catalog.pg_auth_members as m on m.member = r.oid and m.roleid = 'leads_bi'::regrole
      where r.rolname = drop_analyst.login and not r.rolcanlogin and not r.rolsuper and not r.rolcreaterole
    )
  then
    raise sqlstate 'PT409' using message = 'analyst_not_revoked', hint = format(
      '"%s" isn''t a login that was revoked. Say: leads bi revoke %s', drop_analyst.login, drop_analyst.login
    );
  end if;
  -- Who made the role has ADMIN OPTION on it, and to end its sessions needs its rights.
  execute format('grant %I to %I', drop_analyst.login, current_user);
  perform pg_terminate_backend(a.pid, 5000)
  from pg_catalog.pg_stat_activity as a
  where a.usename = drop_analyst.login;
  execute format('drop role %I', drop_analyst.login);
end
$$;

comment on function admin.drop_analyst(text) is
$$Ends a revoked analyst's sessions, waiting up to 5 seconds for each, and drops the login, if it is there. For the
migrating login.

Raises PT409 analyst_not_revoked; 2BP01 for a login that something depends on.$$;
-- end frozen sql/admin/drop_analyst.sql

-- begin frozen sql/admin/catalogue.sql
-- admin.catalogue - every object of our schemas, as the SQL that makes it: what drift is told by.
set local role leads_jobs;

create or replace function admin.catalogue()
returns table (object text, definition text, removal text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set bytea_output = 'hex'
set extra_float_digits = 1
set jit = off
begin atomic
  with our_role as (
    select r.*
    from pg_catalog.pg_roles as r
    where r.rolname in (
      'leads_owner', 'leads_auth', 'leads_exec', 'leads_jobs', 'leads_audit', 'leads_eraser', 'leads_bi', 'leads_api',
      'leads_worker', 'leads_operator'
    )
  ),
  our_schema as (
    select n.oid, quote_ident(n.nspname) as name, n.nspowner::regrole as owner, n.nspacl as acl
    from pg_catalog.pg_namespace as n
    where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi') or n.nspowner in (select r.oid from our_role as r)
  ),
  relation as (
    select
      c.oid, c.oid::regclass::text as name, c.relkind as kind, c.relowner as owner_id, c.relowner::regrole as owner,
      c.relacl as acl, c.relpersistence as persistence, c.relrowsecurity as has_rls,
      c.relforcerowsecurity as forces_rls,
      case c.relkind
        when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' when 'S' then 'sequence'
        else 'table'
      end as noun,
      (select string_agg(o.option, ', ' order by o.option) from unnest(c.reloptions) as o (option)) as options
    from pg_catalog.pg_class as c
    where c.relnamespace in (select s.oid from our_schema as s) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  ),
  attribute as (
    select
      a.attrelid as relation, a.attnum as position, quote_ident(a.attname) as name, a.attacl as acl,
      concat_ws(
        ' ',
        format_type(a.atttypid, a.atttypmod),
        case when a.attcollation <> t.typcollation then 'collate ' || a.attcollation::regcollation end,
        case a.attgenerated when 's' then 'generated always as' when 'v' then 'virtual as' else
          case a.attidentity when 'a' then 'identity always' when 'd' then 'identity' else
            case when d.oid is not null then 'default' end
          end
        end,
        pg_get_expr(d.adbin, d.adrelid),
        case when a.attnotnull then 'not null' end,
        'statistics ' || nullif(a.attstattarget, -1)
      ) as definition
    from pg_catalog.pg_attribute as a
    join pg_catalog.pg_type as t on t.oid = a.atttypid
    left join pg_catalog.pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attnum > 0 and not a.attisdropped
  ),
  routine as (
    select
      p.oid, p.proowner as owner_id, p.proowner::regrole as owner, p.proacl as acl, p.prokind as kind,
      case p.prokind when 'a' then 'aggregate ' when 'p' then 'procedure ' else 'function ' end
      || p.oid::regprocedure as name
    from pg_catalog.pg_proc as p
    where p.pronamespace in (select s.oid from our_schema as s)
  ),
  type as (
    select
      t.oid, format_type(t.oid, null) as name, t.typowner as owner_id, t.typowner::regrole as owner, t.typacl as acl,
      case t.typtype when 'd' then 'domain ' else 'type ' end || format_type(t.oid, null) as noun_and_name,
      case t.typtype
        when 'd' then concat_ws(
          ' ',
          'as', format_type(t.typbasetype, t.typtypmod),
          case when t.typcollation <> b.typcollation then 'collate ' || t.typcollation::regcollation end,
          'default ' || t.typdefault,
          case when t.typnotnull then 'not null' end,
          (
            select string_agg(
              format('constraint %I %s', c.conname, pg_get_constraintdef(c.oid)), ' ' order by c.conname
            )
            from pg_catalog.pg_constraint as c
            where c.contypid = t.oid and c.contype = 'c'
          )
        )
        when 'e' then format(
          'as enum (%s)',
          (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
            from pg_catalog.pg_enum as e where e.enumtypid = t.oid)
        )
        else format(
          'as (%s)',
          (select string_agg(a.name || ' ' || a.definition, ', ' order by a.position)
            from attribute as a where a.relation = t.typrelid)
        )
      end as definition
    from pg_catalog.pg_type as t
    left join pg_catalog.pg_class as c on c.oid = t.typrelid
    left join pg_catalog.pg_type as b on b.oid = t.typbasetype
    where
      t.typnamespace in (select s.oid from our_schema as s)
      and (t.typtype in ('d', 'e') or (t.typtype = 'c' and c.relkind = 'c'))
  ),
  acl as (
    select 'schema ' || s.name as target, '' as "column", s.owner::oid as owner_id, s.acl as items
    from our_schema as s
    union all
    select case r.kind when 'S' then 'sequence ' else 'table ' end || r.name, '', r.owner_id, r.acl
    from relation as r
    union all
    select 'table ' || r.name, format(' (%s)', a.name), r.owner_id, a.acl
    from relation as r
    join attribute as a on a.relation = r.oid
    union all
    select 'routine ' || f.oid::regprocedure, '', f.owner_id, coalesce(f.acl, acldefault('f', f.owner_id))
    from routine as f
    union all
    select 'type ' || t.name, '', t.owner_id, coalesce(t.acl, acldefault('T', t.owner_id))
    from type as t
  ),
  -- What an owner may do goes with the ownership.
  privilege as (
    select
      format('%s%s on %s', lower(x.privilege_type), a."column", a.target) as name,
      case x.grantee when 0 then 'public' else x.grantee::regrole::text end as grantee,
      bool_or(x.is_grantable) as is_grantable
    from acl as a
    cross join lateral aclexplode(a.items) as x
    where x.grantee <> a.owner_id
    group by 1, 2
  )
  select 'server', 'PostgreSQL ' || current_setting('server_version_num')::integer / 10000, null::text

  union all
  select
    'role ' || r.rolname,
    format(
      'alter role %I %s;',
      r.rolname,
      concat_ws(
        ' ',
        case when r.rolsuper then 'superuser' else 'nosuperuser' end,
        case when r.rolinherit then 'inherit' else 'noinherit' end,
        case when r.rolcreaterole then 'createrole' else 'nocreaterole' end,
        case when r.rolcreatedb then 'createdb' else 'nocreatedb' end,
        case when r.rolcanlogin then 'login' else 'nologin' end,
        case when r.rolreplication then 'replication' else 'noreplication' end,
        case when r.rolbypassrls then 'bypassrls' else 'nobypassrls' end
      )
    ),
    null
  from our_role as r

  -- Who is a member of ours isn't here: analysts come and go, and the migrating login has another name elsewhere.
  union all
  select distinct
    format('membership of %I in %s', r.rolname, m.roleid::regrole),
    format('grant %s to %I;', m.roleid::regrole, r.rolname),
    format('revoke %s from %I;', m.roleid::regrole, r.rolname)
  from pg_catalog.pg_auth_members as m
  join our_role as r on r.oid = m.member

  union all
  select 'schema ' || s.name, format('alter schema %s owner to %s;', s.name, s.owner), format('drop schema %s;', s.name)
  from our_schema as s

  union all
  select
    format('grant %s to %s', p.name, p.grantee),
    format('grant %s to %s;', p.name, p.grantee),
    format('revoke %s from %s;', p.name, p.grantee)
  from privilege as p
  union all
  select
    format('grant option for %s to %s', p.name, p.grantee),
    format('grant %s to %s with grant option;', p.name, p.grantee),
    format('revoke grant option for %s from %s;', p.name, p.grantee)
  from privilege as p
  where p.is_grantable

  union all
  select
    format(
      'default privileges of %s on %s%s', d.defaclrole::regrole, t.noun,
      ' in ' || nullif(d.defaclnamespace, 0)::regnamespace
    ),
    (
      select string_agg(
        concat_ws(
          ' ', lower(x.privilege_type), 'to', case x.grantee when 0 then 'public' else x.grantee::regrole::text end
        ), ', ' order by x.privilege_type, x.grantee::regrole::text
      )
      from aclexplode(d.defaclacl) as x
    ),
    null
  from pg_catalog.pg_default_acl as d
  join (values
    ('r'::"char", 'tables'), ('S', 'sequences'), ('f', 'functions'), ('T', 'types'), ('n', 'schemas'),
    ('L', 'large objects')
  ) as t (kind, noun) on t.kind = d.defaclobjtype
  where d.defaclrole in (select r.oid from our_role as r)

  union all
  select
    r.noun || ' ' || r.name,
    case r.kind
      when 'v' then format(
        e'create or replace view %s%s as\n%s\nalter view %1$s owner to %4$s;',
        r.name, ' with (' || r.options || ')', pg_get_viewdef(r.oid), r.owner
      )
      when 'm' then format('owner %s as %s', r.owner, pg_get_viewdef(r.oid))
      when 'S' then format(
        'alter sequence %s as %s start %s increment %s minvalue %s maxvalue %s cache %s %s owner to %s;',
        r.name, s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
        case when s.seqcycle then 'cycle' else 'no cycle' end, r.owner
      )
      else format(
        'alter %s %s %s;',
        r.noun,
        r.name,
        concat_ws(
          ', ',
          format('owner to %s', r.owner),
          case when r.has_rls then 'enable row level security' else 'disable row level security' end,
          case when r.forces_rls then 'force row level security' else 'no force row level security' end,
          case when r.kind = 'r' then case r.persistence when 'u' then 'set unlogged' else 'set logged' end end,
          'set (' || r.options || ')'
        )
      )
    end,
    format('drop %s %s;', r.noun, r.name)
  from relation as r
  left join pg_catalog.pg_sequence as s on s.seqrelid = r.oid

  union all
  select
    format('column %s.%s', r.name, a.name),
    a.definition,
    format('alter table %s drop column %s;', r.name, a.name)
  from relation as r
  join attribute as a on a.relation = r.oid
  where r.kind in ('r', 'p', 'f')

  -- A column's NOT NULL is a constraint from PostgreSQL 18 on; here it stands with the column.
  union all
  select
    format('constraint %I on %s', c.conname, r.name),
    format(
      e'alter table %s drop constraint if exists %I;\nalter table %1$s add constraint %2$I %3$s;',
      r.name, c.conname, pg_get_constraintdef(c.oid)
    ),
    format('alter table %s drop constraint %I;', r.name, c.conname)
  from relation as r
  join pg_catalog.pg_constraint as c on c.conrelid = r.oid
  where c.contype in ('c', 'f', 'p', 'u', 'x')

  union all
  select
    format('index %s on %s', i.indexrelid::regclass, r.name),
    concat_ws(
      e'\n',
      format('drop index if exists %s;', i.indexrelid::regclass),
      pg_get_indexdef(i.indexrelid) || ';',
      case when not i.indisvalid then '-- invalid' end,
      (
        select string_agg(
          format('alter index %s alter column %s set statistics %s;', i.indexrelid::regclass, a.attnum, a.attstattarget),
          e'\n' order by a.attnum
        )
        from pg_catalog.pg_attribute as a
        where a.attrelid = i.indexrelid and a.attstattarget >= 0
      )
    ),
    format('drop index %s;', i.indexrelid::regclass)
  from relation as r
  join pg_catalog.pg_index as i on i.indrelid = r.oid
  where not exists (
    select from pg_catalog.pg_constraint as c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x')
  )

  union all
  select
    format('trigger %I on %s', t.tgname, r.name),
    concat_ws(
      e'\n',
      format('drop trigger if exists %I on %s;', t.tgname, r.name),
      pg_get_triggerdef(t.oid) || ';',
      case t.tgenabled
        when 'A' then format('alter table %s enable always trigger %I;', r.name, t.tgname)
        when 'R' then format('alter table %s enable replica trigger %I;', r.name, t.tgname)
        when 'D' then format('alter table %s disable trigger %I;', r.name, t.tgname)
      end
    ),
    format('drop trigger %I on %s;', t.tgname, r.name)
  from relation as r
  join pg_catalog.pg_trigger as t on t.tgrelid = r.oid
  where not t.tgisinternal

  union all
  select
    format('policy %I on %s', p.polname, r.name),
    format(
      e'drop policy if exists %I on %s;\ncreate policy %1$I on %2$s as %3$s for %4$s to %5$s%6$s%7$s;',
      p.polname,
      r.name,
      case when p.polpermissive then 'permissive' else 'restrictive' end,
      case p.polcmd
        when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all'
      end,
      (
        select string_agg(
          case g.id when 0 then 'public' else g.id::regrole::text end, ', ' order by g.id::regrole::text
        )
        from unnest(p.polroles) as g (id)
      ),
      ' using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
      ' with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'
    ),
    format('drop policy %I on %s;', p.polname, r.name)
  from relation as r
  join pg_catalog.pg_policy as p on p.polrelid = r.oid

  union all
  select
    format('rule %I on %s', w.rulename, r.name),
    pg_get_ruledef(w.oid),
    format('drop rule %I on %s;', w.rulename, r.name)
  from relation as r
  join pg_catalog.pg_rewrite as w on w.ev_class = r.oid
  where w.rulename <> '_RETURN'

  union all
  select
    f.name,
    case when f.kind = 'a' then format('owner %s', f.owner) else
      format(
        e'%s;\nalter routine %s owner to %s;', rtrim(pg_get_functiondef(f.oid), e'\n'), f.oid::regprocedure, f.owner
      )
    end,
    format('drop %s;', f.name)
  from routine as f

  union all
  select
    t.noun_and_name,
    format(e'create %s %s;\nalter %1$s owner to %3$s;', t.noun_and_name, t.definition, t.owner),
    format('drop %s;', t.noun_and_name)
  from type as t

  -- Operators, collations, statistics objects and whatever else can stand in a schema: we have none.
  union all
  select distinct
    format('%s %s', replace(o.type, ' object', ''), o.identity),
    '',
    format('drop %s %s;', replace(o.type, ' object', ''), o.identity)
  from pg_catalog.pg_depend as d
  cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) as o
  where
    d.refclassid = 'pg_catalog.pg_namespace'::regclass
    and d.refobjid in (select s.oid from our_schema as s)
    and d.classid not in (
      'pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_type'::regclass,
      'pg_catalog.pg_default_acl'::regclass
    );
end;

comment on function admin.catalogue() is
$$Every object of our schemas, every grant on one, and our roles: stable text, whatever the session's settings.

definition: the SQL that makes it, or makes it so again, ending with a semicolon; without one, where no single statement
could: what it is, in words. removal: the SQL that takes it away; null for what can't go.$$;
-- end frozen sql/admin/catalogue.sql

-- begin frozen sql/admin/findings.sql
-- admin.findings - leads doctor: what is wrong with this database.
set local role leads_jobs;

create or replace function admin.findings(release integer default null)
returns table (subject text, finding text, remedy text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set quote_all_identifiers = off
set jit = off
begin atomic
  with our_role as (
    select
      e.name, e.kind, e.kind = 'login' as may_log_in,
      r.oid, r.rolcanlogin, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication
    from (values
      ('leads_owner', 'owner'), ('leads_auth', 'owner'), ('leads_exec', 'owner'), ('leads_jobs', 'owner'),
      ('leads_audit', 'sealed'), ('leads_eraser', 'sealed'), ('leads_bi', 'group'),
      ('leads_api', 'login'), ('leads_worker', 'login'), ('leads_operator', 'login')
    ) as e (name, kind)
    left join pg_catalog.pg_roles as r on r.rolname = e.name
  ),
  our_schema as (
    select n.oid, n.nspname as name, n.nspacl as acl
    from pg_catalog.pg_namespace as n
    where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm', 'bi') or n.nspowner in (select r.oid from our_role as r)
  ),
  relation as (
    select
      c.oid, c.oid::regclass::text as name, c.relkind as kind, c.relacl as acl, c.reloptions as options,
      c.relrowsecurity as has_rls, c.relforcerowsecurity as forces_rls
    from pg_catalog.pg_class as c
    where c.relnamespace in (select s.oid from our_schema as s) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  ),
  tenant_table as (
    select r.*, a.attnum as tenant_column
    from relation as r
    join pg_catalog.pg_attribute as a on a.attrelid = r.oid and a.attname = 'organization_id' and not a.attisdropped
    where r.kind in ('r', 'p')
  ),
  routine as (
    select
      p.oid::regprocedure as name, n.nspname as schema, s.oid is not null as is_ours, o.rolname as owner,
      r.oid is not null as is_owner_ours,
      p.prosecdef as is_definer, p.prosqlbody is not null as is_atomic, p.proconfig as settings,
      p.proleakproof as is_leakproof, coalesce(p.proacl, acldefault('f', p.proowner)) as acl
    from pg_catalog.pg_proc as p
    join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
    join pg_catalog.pg_roles as o on o.oid = p.proowner
    left join our_schema as s on s.oid = n.oid
    left join our_role as r on r.oid = o.oid and r.kind in ('owner', 'sealed')
    where s.oid is not null or r.oid is not null
  ),
  membership as (
    select
      m.member, m.roleid::regrole as granted, m.member::regrole as member_name, m.grantor::regrole as grantor, r.kind,
      l.rolname::text as login_name,
      exists (select from our_role as o where o.oid = m.member) as is_member_ours,
      -- PostgreSQL 15 has neither column: there a member inherits, and may SET ROLE.
      coalesce((to_jsonb(m) ->> 'set_option')::boolean, true) as may_set,
      coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) as inherits,
      to_jsonb(m) ? 'set_option' as has_options,
      format('revoke %s from %s granted by %s;', m.roleid::regrole, m.member::regrole, m.grantor::regrole) as removal,
      l.rolcanlogin and (l.rolcreaterole or l.rolsuper) as is_migrating
    from pg_catalog.pg_auth_members as m
    join pg_catalog.pg_roles as l on l.oid = m.member
    left join our_role as r on r.oid = m.roleid
  ),
  drift as (
    select d.* from admin.drift() as d where d.whole is null
  ),

  role_finding as (
    select
      'role ' || r.name as subject, 'The role is missing.' as finding,
      format('create role %I %s;', r.name, case when r.may_log_in then 'login' else 'nologin' end) as remedy
    from our_role as r
    where r.oid is null
    union all
    select
      'role ' || r.name,
      format('It has %s, which none of our roles needs.', a.name),
      format('/* as a superuser */ alter role %I no%s;', r.name, lower(a.name))
    from our_role as r
    cross join lateral (values
      ('SUPERUSER', r.rolsuper), ('BYPASSRLS', r.rolbypassrls), ('CREATEROLE', r.rolcreaterole),
      ('CREATEDB', r.rolcreatedb), ('REPLICATION', r.rolreplication)
    ) as a (name, is_held)
    where a.is_held
    union all
    select
      'role ' || r.name,
      'It can log in, and owns what logins should only call.',
      format('alter role %I nologin;', r.name)
    from our_role as r
    where r.rolcanlogin and not r.may_log_in
    union all
    select 'role ' || r.name, 'It can''t log in.', format('alter role %I login;', r.name)
    from our_role as r
    where not r.rolcanlogin and r.may_log_in
    union all
    select
      format('membership of %s in %s', m.member_name, m.granted),
      'None of our roles is a member of another role: it would have that role''s rights.',
      m.removal
    from membership as m
    where m.is_member_ours
    union all
    select
      format('membership of %s in %s', m.member_name, m.granted),
      case m.kind
        when 'sealed' then 'Nobody acts as this role: its functions alone write, or erase, what the audit log holds.'
        when 'owner' then 'Only the migrating login acts as this role, which owns our objects.'
        else 'The member can act as this login.'
      end,
      m.removal
    from membership as m
    where
      not m.is_member_ours
      -- Who made a role keeps ADMIN OPTION alone, and can't be rid of it.
      and (m.may_set or m.inherits)
      and (m.kind in ('sealed', 'login') or (m.kind = 'owner' and not m.is_migrating))
    union all
    select
      format('membership of %s in %s', m.member_name, m.granted),
      'An analyst who may SET ROLE to the group sheds what is bound to the analyst''s own login.',
      format('grant leads_bi to %s with inherit true, set false granted by %s;', m.member_name, m.grantor)
    from membership as m
    where m.kind = 'group' and m.has_options and m.may_set and not m.is_member_ours
    union all
    select
      'role ' || m.member_name,
      'The analyst is a superuser or has BYPASSRLS: row-level security doesn''t bind the login.',
      format('/* as a superuser */ alter role %s nosuperuser nobypassrls;', m.member_name)
    from membership as m
    join pg_catalog.pg_roles as l on l.oid = m.member
    where m.kind = 'group' and (l.rolsuper or l.rolbypassrls) and not m.is_migrating
  ),

  row_security_finding as (
    select
      'table ' || t.name as subject, 'Row-level security is off: each caller sees all organizations.' as finding,
      format('alter table %s enable row level security;', t.name) as remedy
    from tenant_table as t
    where not t.has_rls
    union all
    select
      'table ' || t.name,
      'Row-level security isn''t forced: it doesn''t bind the table''s owner.',
      format('alter table %s force row level security;', t.name)
    from tenant_table as t
    where not t.forces_rls
    union all
    select
      'view ' || v.name,
      'It reads as its owner, whoever asks.',
      format('alter view %s set (security_invoker = true);', v.name)
    from relation as v
    where v.kind = 'v' and not coalesce(v.options @> array['security_invoker=true'], false)
    union all
    select
      format('%s %s', n.noun, r.name),
      'Row-level security can''t bind a relation of this kind.',
      format('drop %s %s;', n.noun, r.name)
    from relation as r
    join (values ('m'::"char", 'materialized view'), ('f', 'foreign table')) as n (kind, noun) on n.kind = r.kind
    union all
    select
      format('rule %I on %s', w.rulename, r.name),
      'A rule rewrites statements on the table, and may swallow them.',
      format('drop rule %I on %s;', w.rulename, r.name)
    from relation as r
    join pg_catalog.pg_rewrite as w on w.ev_class = r.oid
    where r.kind <> 'v' and r.kind <> 'm' and w.rulename <> '_RETURN'
  ),

  -- What a policy lets pass, and to whom. A restrictive one lets nothing pass.
  passage as (
    select
      t.name as "table", p.polname as name, p.polcmd as command, r.rolname as role, e.expression,
      coalesce(d.remedy, format('drop policy %I on %s;', p.polname, t.name)) as remedy
    from tenant_table as t
    join pg_catalog.pg_policy as p on p.polrelid = t.oid and p.polpermissive
    cross join lateral unnest(p.polroles) as g (id)
    left join pg_catalog.pg_roles as r on r.oid = g.id
    cross join lateral (
      select distinct coalesce(x.expression, 'true') as expression
      from (values
        (pg_get_expr(p.polqual, p.polrelid), p.polcmd <> 'a'),
        (pg_get_expr(coalesce(p.polwithcheck, p.polqual), p.polrelid), p.polcmd not in ('r', 'd'))
      ) as x (expression, is_used)
      where x.is_used
    ) as e
    left join drift as d on d.object = format('policy %I on %s', p.polname, t.name)
  ),
  policy_finding as (
    select
      format('policy %I on %s', p.name, p."table") as subject,
      case
        when p.role is null then 'It lets everybody pass.'
        when p.expression = 'true' then format('It lets %s reach the rows of all organizations.', p.role)
        else format('It isn''t of the reviewed form: %s', p.expression)
      end as finding,
      p.remedy
    from passage as p
    where
      p.role is null
      or not (
        -- The organization isn't known yet, or all are meant: each of these roles owns functions only.
        (p.expression = 'true' and p.role in ('leads_auth', 'leads_jobs', 'leads_audit'))
        or (
          p.role = 'leads_bi'
          and p.command = 'r'
          and p.expression = '(organization_id = ( SELECT auth.analyst_organization_id() AS analyst_organization_id))'
        )
        or (
          p.role = 'leads_exec'
          and p.expression in (
            -- To read, any scope will do.
            select format('(organization_id = ( SELECT auth.organization_id(%L::text) AS organization_id))', s.scope)
            from (values ('read'), ('write'), ('admin')) as s (scope)
            where s.scope <> 'read' or p.command = 'r'
          )
        )
      )
  ),

  -- Who reads schema bi, and what such a login must not be.
  analyst_finding as (
    select
      'role ' || m.member_name as subject,
      'It is bound to no organization, so it reads nothing.' as finding,
      format('revoke leads_bi from %s granted by %s;', m.member_name, m.grantor) as remedy
    from membership as m
    where
      m.kind = 'group'
      and (m.may_set or m.inherits)
      and not m.is_member_ours
      and not m.is_migrating
      and not exists (
        select from auth.analyst as a where a.role_oid = m.member and a.role_name::text = m.login_name
      )
    union all
    select
      'analyst ' || quote_ident(a.role_name),
      'The cluster has no such login, or another one of its name: a dump was restored, or the login was dropped.',
      format('Say: leads bi revoke %s; then, if it is still wanted, leads bi create', a.role_name)
    from auth.analyst as a
    where not exists (
      select from pg_catalog.pg_roles as r where r.oid = a.role_oid and r.rolname = a.role_name
    )
    union all
    select
      format('membership of %s in %s', m.member_name, m.granted),
      'An analyst''s login is a member of leads_bi alone: it would have that role''s rights.',
      m.removal
    from membership as m
    join auth.analyst as a on a.role_oid = m.member
    where m.kind is distinct from 'group'
    union all
    select
      'role ' || quote_ident(r.rolname),
      format('It has %s, which no analyst needs.', x.name),
      format('alter role %I no%s;', r.rolname, lower(x.name))
    from auth.analyst as a
    join pg_catalog.pg_roles as r on r.oid = a.role_oid
    cross join lateral (values
      ('CREATEROLE', r.rolcreaterole), ('CREATEDB', r.rolcreatedb), ('REPLICATION', r.rolreplication)
    ) as x (name, is_held)
    where x.is_held
    union all
    select
      'table ' || t.name,
      'Analysts read it, and no restrictive policy is the floor under those that let pass.',
      format(
        'create policy bi_all on %s as restrictive for all to leads_bi '
        'using (organization_id = (select auth.analyst_organization_id()));',
        t.name
      )
    from tenant_table as t
    where
      exists (
        select
        from pg_catalog.pg_attribute as c
        cross join lateral aclexplode(c.attacl) as x
        join our_role as r on r.oid = x.grantee and r.kind = 'group'
        where c.attrelid = t.oid
        union all
        select
        from aclexplode(t.acl) as x
        join our_role as r on r.oid = x.grantee and r.kind = 'group'
      )
      and not exists (
        select
        from pg_catalog.pg_policy as p
        where
          p.polrelid = t.oid
          and not p.polpermissive
          and p.polcmd = '*'
          and p.polroles = array(select r.oid from our_role as r where r.kind = 'group')
          and pg_get_expr(p.polqual, p.polrelid)
            = '(organization_id = ( SELECT auth.analyst_organization_id() AS analyst_organization_id))'
      )
  ),

  -- Each tenant table's changes are recorded, but for what is no business of the log, and the log itself.
  expected_trigger as (
    select
      t.oid, t.name as "table", '_900_record'::name as trigger, false as is_always,
      -- tgtype's bits: row 1, before 2, insert 4, delete 8, update 16. A new score is recorded with its lead.
      case t.name when 'scoring.score' then 1 | 8 else 1 | 4 | 8 | 16 end as type
    from tenant_table as t
    where t.name not in ('app.idempotency_key', 'crm.attempt', 'audit.event')
    union all
    select t.oid, t.name, g.trigger, g.is_always, null
    from (values
      ('app.lead', '_100_refuse_truncate', false),
      ('app.lead', '_110_check_first_score', false),
      ('app.lead', '_120_check_score', false),
      ('app.lead', '_600_keep_first_score', false),
      ('app.lead', '_610_keep_set_score', false),
      ('app.lead', '_910_push_first_stage', false),
      ('app.lead', '_920_push_stage', false),
      ('auth.api_key', '_100_refuse_truncate', false),
      ('crm.attempt', '_100_refuse_truncate', false),
      ('crm.attempt', '_110_keep_outcome', false),
      ('crm.connection', '_100_refuse_truncate', false),
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
      ('audit.event', '_110_refuse_truncate', true)
    ) as g ("table", trigger, is_always)
    join tenant_table as t on t.name = g."table"
  ),
  trigger_finding as (
    select
      format('trigger %I on %s', e.trigger, e."table") as subject,
      case e.trigger
        when '_900_record' then 'The trigger is missing: changes leave no trace in the audit log.'
        else 'The guard is missing: what must not be changed can be.'
      end as finding,
      coalesce(d.remedy, 'Write it like its neighbours in sql/, in a new migration, and say: leads migrate') as remedy
    from expected_trigger as e
    left join drift as d on d.object = format('trigger %I on %s', e.trigger, e."table")
    where not exists (select from pg_catalog.pg_trigger as t where t.tgrelid = e.oid and t.tgname = e.trigger)
    union all
    select
      format('trigger %I on %s', e.trigger, e."table"),
      'The trigger doesn''t fire after each change: some changes leave no trace in the audit log.',
      coalesce(d.remedy, 'Write it like its neighbours in sql/, in a new migration, and say: leads migrate')
    from expected_trigger as e
    join pg_catalog.pg_trigger as t on t.tgrelid = e.oid and t.tgname = e.trigger
    join pg_catalog.pg_proc as f on f.oid = t.tgfoid
    left join drift as d on d.object = format('trigger %I on %s', e.trigger, e."table")
    where
      e.trigger = '_900_record'
      and (t.tgtype & 31 <> e.type or t.tgqual is not null or t.tgattr::text <> '' or f.pronamespace <> 'audit'::regnamespace)
    union all
    select
      format('trigger %I on %s', t.tgname, r.name),
      case
        when t.tgenabled = 'D' then 'The trigger is disabled.'
        when t.tgenabled = 'R' then 'The trigger fires for replicated changes only.'
        else 'The guard doesn''t fire where session_replication_role says replica.'
      end,
      format(
        'alter table %s enable %strigger %I;', r.name, case when e.is_always then 'always ' end, t.tgname
      )
    from relation as r
    join pg_catalog.pg_trigger as t on t.tgrelid = r.oid
    left join expected_trigger as e on e.oid = r.oid and e.trigger = t.tgname
    where t.tgenabled in ('D', 'R') or (e.is_always and t.tgenabled <> 'A')
  ),

  -- Else EXPLAIN tells one tenant what another has. By name: what is read before the organization is known.
  key as (
    select
      'index' as noun, i.indexrelid::regclass as index, t.name as "table", null::name as name,
      format('index %s on %s', i.indexrelid::regclass, t.name) as subject,
      'The index isn''t led by organization_id: EXPLAIN shows one tenant what another has.' as finding
    from tenant_table as t
    join pg_catalog.pg_index as i on i.indrelid = t.oid
    where
      i.indkey[0] <> t.tenant_column
      and not exists (select from pg_catalog.pg_constraint as c where c.conindid = i.indexrelid and c.conrelid = t.oid)
    union all
    select
      'constraint', null, t.name, c.conname, format('constraint %I on %s', c.conname, t.name),
      case c.contype
        when 'f' then 'The foreign key isn''t led by organization_id: it can refer to another tenant''s row.'
        else 'The key isn''t led by organization_id: EXPLAIN shows one tenant what another has.'
      end
    from tenant_table as t
    join pg_catalog.pg_constraint as c on c.conrelid = t.oid
    left join pg_catalog.pg_index as i on i.indexrelid = c.conindid
    where
      t.tenant_column <> case when c.contype = 'f' then c.conkey[1] when c.contype in ('p', 'u', 'x') then i.indkey[0] end
      and c.conname not in ('api_key_digest_is_unique', 'analyst_role_oid_is_unique')
  ),
  index_finding as (
    select
      k.subject,
      k.finding,
      coalesce(
        d.remedy,
        case k.noun
          when 'index' then format('drop index %s;', k.index)
          else format('alter table %s drop constraint %I;', k."table", k.name)
        end
      ) as remedy
    from key as k
    left join drift as d on d.object = k.subject
    union all
    select
      format('index %s on %s', i.indexrelid::regclass, r.name),
      'The index is invalid: CREATE INDEX CONCURRENTLY broke off, and no query uses it.',
      format('reindex index %s;', i.indexrelid::regclass)
    from relation as r
    join pg_catalog.pg_index as i on i.indrelid = r.oid
    where not i.indisvalid
    union all
    select
      format('column %s.%I', t.name, a.attname),
      'ANALYZE keeps statistics of the column: EXPLAIN shows one tenant what another has.',
      format('alter table %s alter column %I set statistics 0;', t.name, a.attname)
    from tenant_table as t
    join pg_catalog.pg_attribute as a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    where coalesce(a.attstattarget, -1) <> 0
    union all
    select
      format('index %s on %s', i.indexrelid::regclass, t.name),
      'ANALYZE keeps statistics of an expression in the index: EXPLAIN shows one tenant what another has.',
      format('alter index %s alter column %s set statistics 0;', i.indexrelid::regclass, a.attnum)
    from tenant_table as t
    join pg_catalog.pg_index as i on i.indrelid = t.oid
    join pg_catalog.pg_attribute as a on a.attrelid = i.indexrelid
    where i.indkey[a.attnum - 1] = 0 and coalesce(a.attstattarget, -1) <> 0
    union all
    select
      format('statistics %I.%I', n.nspname, s.stxname),
      'ANALYZE keeps statistics of several columns: EXPLAIN shows one tenant what another has.',
      format('drop statistics %I.%I;', n.nspname, s.stxname)
    from tenant_table as t
    join pg_catalog.pg_statistic_ext as s on s.stxrelid = t.oid
    join pg_catalog.pg_namespace as n on n.oid = s.stxnamespace
  ),

  -- Whose rights a SECURITY DEFINER function may have, by schema; the first is the usual one.
  definer as (
    select d.schema, array_agg(d.owner order by d.rank) as owners
    from (values
      ('api', 'leads_exec', 1), ('auth', 'leads_auth', 1), ('audit', 'leads_audit', 1), ('audit', 'leads_eraser', 2),
      ('admin', 'leads_jobs', 1), ('admin', 'leads_owner', 2), ('crm', 'leads_jobs', 1)
    ) as d (schema, owner, rank)
    group by d.schema
  ),
  function_finding as (
    select
      'function ' || f.name as subject,
      'A caller''s search_path, or temporary objects, decide what the names in it mean.' as finding,
      format('alter routine %s set search_path = pg_catalog, pg_temp;', f.name) as remedy
    from routine as f
    where f.is_ours and not f.is_atomic and not coalesce(f.settings @> array['search_path=pg_catalog, pg_temp'], false)
    union all
    select
      format('grant execute on routine %s to public', f.name),
      'Everybody may execute it.',
      format('revoke execute on routine %s from public;', f.name)
    from routine as f
    where
      f.is_ours
      -- By name: the shim's question whether its own login may serve.
      and f.name::text <> 'api.session_faults()'
      and exists (select from aclexplode(f.acl) as x where x.grantee = 0)
    union all
    select
      'function ' || f.name,
      format('It belongs to %s.', f.owner),
      format('alter routine %s owner to %I;', f.name, coalesce(d.owners[1], 'leads_owner'))
    from routine as f
    left join definer as d on d.schema = f.schema
    where f.is_ours and (not f.is_owner_ours or (f.is_definer and not f.owner = any (d.owners)))
    union all
    select
      'function ' || f.name,
      format('It is SECURITY DEFINER, and has the rights of %s; in this schema none needs another''s.', f.owner),
      format('alter routine %s security invoker;', f.name)
    from routine as f
    where f.is_ours and f.is_definer and f.schema not in (select d.schema from definer as d)
    union all
    select
      format('%s %s', k.noun, c.oid::regclass),
      format('It has the rights of %s, and stands outside our schemas.', c.relowner::regrole),
      format('drop %s %s;', k.noun, c.oid::regclass)
    from pg_catalog.pg_class as c
    join our_role as r on r.oid = c.relowner
    join (values ('r'::"char", 'table'), ('p', 'table'), ('v', 'view'), ('m', 'materialized view')) as k (kind, noun)
      on k.kind = c.relkind
    where c.relnamespace not in (select s.oid from our_schema as s)
    union all
    select
      'function ' || f.name,
      format('It has the rights of %s, and stands outside our schemas.', f.owner),
      format('drop routine %s;', f.name)
    from routine as f
    where f.is_owner_ours and not f.is_ours
    union all
    select
      'function ' || f.name,
      'It counts as leakproof: the planner may show it rows that a policy hides.',
      format('/* as a superuser */ alter function %s not leakproof;', f.name)
    from routine as f
    where f.is_ours and f.is_leakproof
    union all
    select
      format('default privileges of %s on functions', r.name),
      'Everybody may execute each function that the role makes.',
      format('alter default privileges for role %I revoke execute on functions from public;', r.name)
    from our_role as r
    left join pg_catalog.pg_default_acl as d on d.defaclrole = r.oid and d.defaclnamespace = 0 and d.defaclobjtype = 'f'
    where
      r.kind in ('owner', 'sealed')
      and r.oid is not null
      and exists (select from aclexplode(coalesce(d.defaclacl, acldefault('f', r.oid))) as x where x.grantee = 0)
  ),

  held as (
    select
      case r.kind when 'S' then 'sequence ' else 'table ' end || r.name as target, false as is_schema,
      lower(x.privilege_type) as privilege, x.grantee
    from relation as r
    cross join lateral aclexplode(r.acl) as x
    union all
    select 'table ' || r.name, false, format('%s (%I)', lower(x.privilege_type), a.attname), x.grantee
    from relation as r
    join pg_catalog.pg_attribute as a on a.attrelid = r.oid
    cross join lateral aclexplode(a.attacl) as x
    union all
    select format('schema %I', s.name), true, lower(x.privilege_type), x.grantee
    from our_schema as s
    cross join lateral aclexplode(s.acl) as x
  ),
  grant_finding as (
    select
      format('grant %s on %s to %s', h.privilege, h.target, r.name) as subject,
      case
        when h.is_schema then 'It can make objects, and so stand in for ours.'
        else 'The login reaches tables by functions alone.'
      end as finding,
      format('revoke %s on %s from %I;', h.privilege, h.target, r.name) as remedy
    from held as h
    join our_role as r on r.oid = h.grantee
    where
      case
        when h.is_schema then h.privilege = 'create' and r.kind in ('login', 'group')
        else r.kind = 'login'
      end
    union all
    select
      format('grant %s on %s to public', h.privilege, h.target),
      'Everybody has it.',
      format('revoke %s on %s from public;', h.privilege, h.target)
    from held as h
    where h.grantee = 0
    union all
    select
      format('grant %s on database to %s', lower(x.privilege_type), coalesce(r.name, 'public')),
      case x.privilege_type
        when 'CREATE' then 'It can make schemas, and so stand in for functions of others.'
        else 'It can make temporary objects, which stand in for others where a search_path is open.'
      end,
      case
        when r.name is null and x.privilege_type = 'TEMPORARY'
        then 'As a superuser, in this database: psql -f app/superuser.sql'
        else format('revoke %s on database %I from %s;', lower(x.privilege_type), d.datname, coalesce(r.name, 'public'))
      end
    from pg_catalog.pg_database as d
    cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) as x
    left join our_role as r on r.oid = x.grantee
    where
      d.datname = current_database()
      and x.privilege_type in ('CREATE', 'TEMPORARY')
      and (x.grantee = 0 or r.kind in ('login', 'group'))
    union all
    select
      format('grant %s on schema public to public', lower(x.privilege_type)),
      'The schema public stays empty, and nobody''s.',
      'As a superuser, in this database: psql -f app/superuser.sql'
    from pg_catalog.pg_namespace as n
    cross join lateral aclexplode(n.nspacl) as x
    where n.nspname = 'public' and x.grantee = 0
    union all
    select
      format('grant execute on function %s to public', f.oid::regprocedure),
      'Everybody can keep data in large objects, which belong to no organization and have no policy.',
      'As a superuser, in this database: psql -f app/superuser.sql'
    from pg_catalog.pg_proc as f
    cross join lateral aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as x
    where
      f.pronamespace = 'pg_catalog'::regnamespace
      and f.proname in ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_export')
      and x.grantee = 0
    union all
    select
      format('grant %s on parameter %s to %s', lower(x.privilege_type), p.parname, coalesce(r.name, 'public')),
      'It can change a setting that is a superuser''s.',
      format(
        '/* as a superuser */ revoke %s on parameter %s from %s;',
        lower(x.privilege_type), p.parname, coalesce(quote_ident(r.name), 'public')
      )
    from pg_catalog.pg_parameter_acl as p
    cross join lateral aclexplode(p.paracl) as x
    left join our_role as r on r.oid = x.grantee
    where x.grantee = 0 or r.oid is not null
  ),

  setting_finding as (
    select
      'setting ' || w.name as subject,
      case w.harm
        when 'loss' then 'A power cut can destroy the database.'
        when 'decay' then 'What a disk has spoilt isn''t noticed.'
        when 'parameters' then 'The server''s log can show parameters, which are credentials and personal data.'
        when 'rows' then 'The server''s log can show personal data: the DETAIL of an error holds the row.'
      end as finding,
      case w.harm
        when 'decay' then 'Stop the server, and say: pg_checksums --enable -D DATA_FOLDER'
        else format('As a superuser: alter system set %s = %L; then: select pg_reload_conf();', w.name, w.good)
      end as remedy
    from (values
      ('fsync', 'on', 'loss'),
      ('full_page_writes', 'on', 'loss'),
      ('data_checksums', 'on', 'decay'),
      ('log_error_verbosity', 'terse', 'rows'),
      ('log_parameter_max_length', '0', 'parameters'),
      ('log_parameter_max_length_on_error', '0', 'parameters'),
      -- Of libraries that the server may load.
      ('auto_explain.log_parameter_max_length', '0', 'parameters'),
      ('pgaudit.log_parameter', 'off', 'parameters')
    ) as w (name, good, harm)
    join pg_catalog.pg_settings as s on s.name = w.name
    where s.setting <> w.good
    union all
    select
      'setting synchronous_commit', 'A power cut can lose what was acknowledged.',
      'As a superuser: alter system set synchronous_commit = ''on''; then: select pg_reload_conf();'
    from pg_catalog.pg_settings as s
    where s.name = 'synchronous_commit' and s.setting = 'off' and s.source in ('configuration file', 'command line')
    union all
    select
      format(
        'setting %s of %s', c.name, coalesce(r.name, case s.setdatabase when 0 then 'all roles' else 'the database' end)
      ),
      case
        when c.name like 'leads.%' then 'Each session of the login would begin with a claim.'
        when c.name = 'synchronous_commit' then 'A power cut can lose what was acknowledged.'
        when c.name like 'log\_%' then 'The server''s log can show credentials and personal data.'
        else 'It changes what our functions mean, or who is asking.'
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
    left join our_role as r on r.oid = s.setrole
    cross join lateral (
      select lower(split_part(u.line, '=', 1)) as name, substr(u.line, strpos(u.line, '=') + 1) as value
      from unnest(s.setconfig) as u (line)
    ) as c
    where
      s.setdatabase in (0, (select d.oid from pg_catalog.pg_database as d where d.datname = current_database()))
      and (s.setrole = 0 or r.oid is not null)
      and (
        -- One of our logins may set anything that it may set at all, and so break each later session of its own.
        r.oid is not null
        or c.name in ('search_path', 'row_security', 'session_replication_role', 'role', 'session_authorization')
        or c.name in ('local_preload_libraries', 'session_preload_libraries')
        or c.name like 'leads.%'
        or (c.name = 'synchronous_commit' and c.value = 'off')
        or (c.name in ('log_parameter_max_length', 'log_parameter_max_length_on_error') and c.value <> '0')
        or (c.name = 'log_error_verbosity' and c.value <> 'terse')
      )
  ),

  found as (
    select * from role_finding
    union all select * from row_security_finding
    union all select * from policy_finding
    union all select * from analyst_finding
    union all select * from trigger_finding
    union all select * from index_finding
    union all select * from function_finding
    union all select * from grant_finding
    union all select * from admin.api_findings(findings.release)
    union all select * from setting_finding
  )
  select f.subject, f.finding, f.remedy from found as f
  union all
  -- What a rule has named already isn't named again.
  select
    d.object,
    case
      when d.object = 'catalogue' and d.change = 'new' then 'None is kept: what somebody has changed can''t be told.'
      when d.object = 'catalogue' then 'Another PostgreSQL kept it: what somebody has changed can''t be told.'
      when d.change = 'new' then 'No migration has made it.'
      when d.change = 'missing' then 'It is missing: no migration has taken it away.'
      else 'It isn''t what the migrations have made.'
    end,
    d.remedy
  from drift as d
  where not exists (select from found as f where f.subject = d.object);
end;

comment on function admin.findings(integer) is
$$What is wrong with this database: a row for each finding, with SQL that mends it (ending with a semicolon), or words.

release: the number of the newest migration that the asking program has; null: versions aren't compared. What it can't
see, for want of a superuser's rights: pg_hba.conf, passwords, what libraries the server loads, kept statistics.$$;

grant execute on function admin.findings(integer) to leads_operator;
-- end frozen sql/admin/findings.sql

set local role leads_owner;
revoke create on schema auth from leads_auth;
revoke create on schema api from leads_exec;
revoke create on schema admin from leads_jobs;
revoke create on schema audit from leads_audit;
revoke create on schema crm from leads_jobs;
reset role;

do $$
begin
  execute format('revoke leads_audit from %I', session_user);
end
$$;
