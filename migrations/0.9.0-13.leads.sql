-- Keys, organizations and leads: policies, triggers, grants, checks of bodies.
--
-- Locks: none that matter; every object is new.
-- Duration: no rows exist yet.
-- Phase: baseline
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;
grant create on schema crm to leads_jobs;
reset role;

-- begin frozen sql/auth/api_key.policies.sql
-- auth.api_key - the policies of the API keys.
set local role leads_auth;
call app.drop_policies('auth.api_key');

-- The organization is known only after the row is read.
create policy api_key_auth_select on auth.api_key for select to leads_auth using (true);

create policy api_key_jobs_select on auth.api_key for select to leads_jobs using (true);
create policy api_key_jobs_insert on auth.api_key for insert to leads_jobs with check (true);
create policy api_key_jobs_update on auth.api_key for update to leads_jobs using (true) with check (true);
-- begin frozen sql/auth/api_key.triggers.sql
-- auth.api_key - the triggers of the API keys.
set local role leads_auth;
call app.drop_triggers('auth.api_key');

create trigger _100_refuse_truncate before truncate on auth.api_key
  for each statement execute function audit.tg_refuse('Revoke keys instead, which records each change.');

create trigger _120_keep_identity before update on auth.api_key
  for each row when ((old.organization_id, old.id, old.created_at) is distinct from (new.organization_id, new.id, new.created_at))
  execute function audit.tg_refuse('organization_id, id and created_at never change.');

create trigger _900_record after insert or update or delete on auth.api_key
  for each row execute function audit.tg_record('api_key', 'id');
-- begin frozen sql/auth/api_key.grants.sql
-- auth.api_key - the privileges on the API keys.
set local role leads_auth;
revoke all on auth.api_key from leads_owner, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select (organization_id, id, name, scopes, created_at, expires_at, revoked_at, rotated_from) on auth.api_key to leads_jobs;
grant insert (organization_id, id, name, scopes, digest, expires_at, rotated_from) on auth.api_key to leads_jobs;
grant update (name, expires_at, revoked_at) on auth.api_key to leads_jobs;
-- begin frozen sql/auth/analyst.policies.sql
-- auth.analyst - the policies of the analysts' logins.
set local role leads_auth;
call app.drop_policies('auth.analyst');

-- The organization is known only after the row is read.
create policy analyst_auth_select on auth.analyst for select to leads_auth using (true);

-- leads bi
create policy analyst_jobs_select on auth.analyst for select to leads_jobs using (true);
create policy analyst_jobs_insert on auth.analyst for insert to leads_jobs with check (true);
create policy analyst_jobs_delete on auth.analyst for delete to leads_jobs using (true);
-- begin frozen sql/auth/analyst.triggers.sql
-- auth.analyst - the triggers of the analysts' logins.
set local role leads_auth;
call app.drop_triggers('auth.analyst');

create trigger _100_refuse_truncate before truncate on auth.analyst
  for each statement execute function audit.tg_refuse('Use "leads bi revoke", which records each change.');

-- An open session of an analyst must not change to another organization.
create trigger _110_refuse_change before update on auth.analyst
  for each statement execute function audit.tg_refuse('Revoke the analyst and create another one.');

create trigger _900_record after insert or update or delete on auth.analyst
  for each row execute function audit.tg_record('analyst', 'role_name');
-- begin frozen sql/auth/analyst.grants.sql
-- auth.analyst - the privileges on the analysts' logins.
set local role leads_auth;
revoke all on auth.analyst from leads_owner, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select, insert (organization_id, role_oid, role_name, expires_at), delete on auth.analyst to leads_jobs;
-- begin frozen sql/app/tg_organization__add_pipeline_stages.sql
-- app.tg_organization__add_pipeline_stages - adds six stages to a new organization.
set local role leads_owner;

create or replace function app.tg_organization__add_pipeline_stages()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  insert into app.pipeline_stage (organization_id, name, position)
  select new.organization_id, s.name, s.position
  from unnest(array['new', 'contacted', 'qualified', 'proposal', 'won', 'lost']) with ordinality as s (name, position);
  return null;
end $$;

comment on function app.tg_organization__add_pipeline_stages() is 'Adds the six initial stages to a new organization.';
-- begin frozen sql/app/tg_pipeline_stage__keep_new.sql
-- app.tg_pipeline_stage__keep_new - keeps the stage "new", the initial stage of every lead.
set local role leads_owner;

create or replace function app.tg_pipeline_stage__keep_new()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  raise sqlstate 'PT409' using
    message = 'stage_new_is_needed',
    hint = 'The stage "new" can''t be removed or renamed: it is the initial stage of every lead.';
end $$;

comment on function app.tg_pipeline_stage__keep_new() is 'Refuses to remove or rename the stage "new".';
-- begin frozen sql/app/tg_lead__stamp.sql
-- app.tg_lead__stamp - sets the revision and the times of a lead.
set local role leads_owner;

create or replace function app.tg_lead__stamp()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'INSERT' then
    new.revision := 1;
    if new.pipeline_stage = 'qualified' then
      new.qualification_completed_at := coalesce(new.qualification_completed_at, new.created_at);
    end if;
    return new;
  end if;

  -- Generated columns are computed later. An update that changes nothing else ends here.
  new.email_key := old.email_key;
  new.pipeline_stage_and_source := old.pipeline_stage_and_source;
  if new is not distinct from old then
    return new;
  end if;

  if (new.organization_id, new.id, new.created_at) is distinct from (old.organization_id, old.id, old.created_at) then
    raise sqlstate 'PT409' using
      message = 'lead_identity_is_fixed',
      hint = 'organization_id, id and created_at of a lead never change.';
  end if;

  new.qualification_completed_at := old.qualification_completed_at;
  -- The clock can be set back, and a transaction that began earlier can write later.
  new.updated_at := greatest(date_trunc('milliseconds', now()), old.updated_at);
  if new.pipeline_stage = 'qualified' then
    new.qualification_completed_at := coalesce(old.qualification_completed_at, new.updated_at);
  end if;
  new.revision := old.revision + 1;
  return new;
end $$;

comment on function app.tg_lead__stamp() is
  'Increments revision, sets updated_at, and sets qualification_completed_at when the lead first reaches the stage '
  '"qualified". An UPDATE cannot set these columns itself.';
-- begin frozen sql/app/organization.policies.sql
-- app.organization - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('app.organization');

create policy organization_exec_select on app.organization for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy organization_jobs_select on app.organization for select to leads_jobs using (true);
create policy organization_jobs_insert on app.organization for insert to leads_jobs with check (true);
-- admin.seal_events locks the row.
create policy organization_jobs_update on app.organization for update to leads_jobs using (true) with check (true);

-- leads erase
create policy organization_eraser_select on app.organization for select to leads_eraser using (true);
create policy organization_eraser_update on app.organization for update to leads_eraser using (true) with check (true);
-- begin frozen sql/app/organization.triggers.sql
-- app.organization - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('app.organization');

create trigger _500_add_pipeline_stages after insert on app.organization
  for each row execute function app.tg_organization__add_pipeline_stages();

create trigger _120_keep_identity before update on app.organization
  for each row when ((old.organization_id, old.created_at) is distinct from (new.organization_id, new.created_at))
  execute function audit.tg_refuse('organization_id and created_at never change.');

create trigger _900_record after insert or update or delete on app.organization
  for each row execute function audit.tg_record('organization', 'organization_id');
-- begin frozen sql/app/organization.grants.sql
-- app.organization - the privileges on the table.
set local role leads_owner;
revoke all on app.organization from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant references on app.organization to leads_auth;
grant select on app.organization to leads_exec;
-- admin.seal_events locks the row, which requires UPDATE on a column that never changes.
grant select, insert (organization_id, name, environment), update (organization_id) on app.organization to leads_jobs;

grant select (organization_id, erased_at), update (name, erased_at) on app.organization to leads_eraser;
-- begin frozen sql/app/pipeline_stage.policies.sql
-- app.pipeline_stage - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('app.pipeline_stage');

create policy pipeline_stage_exec_select on app.pipeline_stage for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy pipeline_stage_jobs_select on app.pipeline_stage for select to leads_jobs using (true);
create policy pipeline_stage_jobs_insert on app.pipeline_stage for insert to leads_jobs with check (true);
create policy pipeline_stage_jobs_delete on app.pipeline_stage for delete to leads_jobs using (true);

create policy pipeline_stage_bi_select on app.pipeline_stage for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- Restrictive, so that no policy that is added later can show more. The operands are swapped, so
-- that the planner keeps two conditions. With two, EXPLAIN ANALYZE always runs both subselects, not
-- only after a row of any organization has passed the analyst's conditions.
create policy pipeline_stage_bi_all on app.pipeline_stage as restrictive for all to leads_bi
  using ((select auth.analyst_organization_id()) = organization_id);

-- leads erase
create policy pipeline_stage_eraser_select on app.pipeline_stage for select to leads_eraser using (true);
create policy pipeline_stage_eraser_delete on app.pipeline_stage for delete to leads_eraser using (true);
-- begin frozen sql/app/pipeline_stage.triggers.sql
-- app.pipeline_stage - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('app.pipeline_stage');

create trigger _500_keep_new before delete on app.pipeline_stage
  for each row when (old.name = 'new' and current_user <> 'leads_eraser')
  execute function app.tg_pipeline_stage__keep_new();

create trigger _510_keep_new before update on app.pipeline_stage
  for each row when (old.name = 'new' and new.name <> 'new') execute function app.tg_pipeline_stage__keep_new();

create trigger _120_keep_identity before update on app.pipeline_stage
  for each row when (old.organization_id is distinct from new.organization_id)
  execute function audit.tg_refuse('organization_id never changes.');

create trigger _900_record after insert or update or delete on app.pipeline_stage
  for each row execute function audit.tg_record('pipeline_stage', 'name');
-- begin frozen sql/app/pipeline_stage.grants.sql
-- app.pipeline_stage - the privileges on the table.
set local role leads_owner;
revoke all on app.pipeline_stage from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on app.pipeline_stage to leads_exec;
grant select, insert, delete on app.pipeline_stage to leads_jobs;
grant select (organization_id, name, position) on app.pipeline_stage to leads_bi;

grant select (organization_id), delete on app.pipeline_stage to leads_eraser;
-- begin frozen sql/scoring/tg_lead__check_score.sql
-- scoring.tg_lead__check_score - refuses a score_id that doesn't match the history.
set local role leads_owner;

create or replace function scoring.tg_lead__check_score()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (
    select
    from scoring.score as s
    where
      s.organization_id = new.organization_id
      and s.id = new.score_id
      and s.lead_id = new.id
      and s.kind = 'scored'
      and (s.lead_score, s.ai_reasoning) is not distinct from (new.lead_score, new.ai_reasoning)
  ) then
    raise sqlstate 'PT409' using
      message = 'refused',
      hint = 'score_id must name a score of this lead with the same lead_score and ai_reasoning. Insert a row into '
        'scoring.score instead: this sets score_id.';
  end if;
  return new;
end $$;

comment on function scoring.tg_lead__check_score() is
  'Raises PT409 refused unless score_id is a row of the lead''s history that a model made, with the same score and reasons.';
-- begin frozen sql/scoring/tg_lead__keep_score.sql
-- scoring.tg_lead__keep_score - adds a score that was written to the lead to its history.
set local role leads_owner;

create or replace function scoring.tg_lead__keep_score()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  insert into scoring.score (organization_id, lead_id, kind, lead_score, ai_reasoning, created_at)
  values (
    new.organization_id, new.id, 'set', new.lead_score, new.ai_reasoning,
    -- clock_timestamp(), as for a model's score. A lead can be loaded with its own times.
    least(
      case tg_op when 'INSERT' then new.updated_at end, date_trunc('milliseconds', clock_timestamp())
    )
  );
  return null;
end $$;

comment on function scoring.tg_lead__keep_score() is
  'Adds a score that was written to the lead, with its reasons, to the history, as a row of kind "set".';
-- begin frozen sql/crm/request_push.sql
-- crm.request_push - adds a lead's push to the outbox, or returns its state.
set local role leads_jobs;

create or replace function crm.request_push(organization_id uuid, lead_id uuid, is_asked boolean)
returns crm.sync_values language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := request_push.organization_id;
  v_lead_id uuid := request_push.lead_id;
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_connection record;
  v_lead record;
  v_skipped text;
  v_sync crm.sync_values;
begin
  select c.vendor, c.account, c.state, v.title, v.needs_name into v_connection
  from crm.connection as c
  join crm.vendor as v on v.name = c.vendor
  where c.organization_id = v_organization_id;
  if not found then
    return null;
  end if;
  select l.name, l.company, l.email_key into v_lead
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = v_lead_id;

  select s.* into v_sync
  from crm.sync as s
  where
    s.organization_id = v_organization_id
    and s.lead_id = v_lead_id
    and s.vendor = v_connection.vendor
    and s.account = v_connection.account;
  -- There is nothing to do. The row isn't locked: a worker would wait for this transaction.
  if
    v_sync.status in ('ok', 'in_progress')
    or v_sync.error_code = 'outcome_unknown'
    or (v_sync.status = 'pending' and not (request_push.is_asked and v_sync.run_at > v_now))
  then
    return v_sync;
  end if;

  if v_connection.needs_name and v_lead.name is null and v_lead.company is null then
    if request_push.is_asked then
      raise sqlstate 'PT422' using message = 'validation_failed', detail = json_build_array(json_build_object(
        'field', 'name', 'code', 'required_by_crm',
        'detail', format('%s needs a name or a company. Give the lead one, and push it again.', v_connection.title)
      ))::text;
    end if;
    v_skipped := 'incomplete';
  elsif v_connection.state = 'paused' and not request_push.is_asked then
    v_skipped := 'paused';
  end if;

  -- Of 50 simultaneous requests, one inserts the row and the others find it.
  insert into crm.sync as s (organization_id, lead_id, vendor, account, status, error_code, run_at, email_key)
  values (
    v_organization_id,
    v_lead_id,
    v_connection.vendor,
    v_connection.account,
    case when v_skipped is null then 'pending' else 'skipped' end,
    v_skipped,
    case when v_skipped is null then v_now end,
    v_lead.email_key
  )
  on conflict (organization_id, lead_id, vendor, account) do update
  set
    status = excluded.status,
    error_code = excluded.error_code,
    error = null,
    run_at = excluded.run_at,
    begun_at = case when s.status = 'pending' then s.begun_at else v_now end,
    begun_after = case when s.status = 'pending' then s.begun_after else s.attempts end
  where
    case s.status
      -- A request ends the backoff. crm.lease_syncs still waits for calls that may create a record.
      when 'pending' then request_push.is_asked and s.run_at > v_now
      when 'failed' then s.error_code <> 'outcome_unknown' and v_skipped is null
      when 'skipped' then v_skipped is null
      else false
    end
  returning s.* into v_sync;
  if not found then
    select s.* into v_sync
    from crm.sync as s
    where
      s.organization_id = v_organization_id
      and s.lead_id = v_lead_id
      and s.vendor = v_connection.vendor
      and s.account = v_connection.account;
  end if;
  return v_sync;
end $$;

comment on function crm.request_push(uuid, uuid, boolean) is
$$Adds the lead's push to the outbox of the organization's connection, or returns its state. The caller notifies the workers.

is_asked: whether a client requested the push, and not a change of the stage. If so: the push waits while the connection
is paused, instead of being skipped; a push in its backoff becomes due now; a lead without the fields that the vendor needs
raises PT422 validation_failed, instead of being skipped. A failed or skipped push starts again. A push that is ok, or whose
outcome is unknown, stays unchanged. Null: the organization has no connection.$$;

grant execute on function crm.request_push(uuid, uuid, boolean) to leads_exec;
-- begin frozen sql/crm/tg_lead__push.sql
-- crm.tg_lead__push - requests a push when a lead enters the push_stage of the connection.
set local role leads_jobs;

create or replace function crm.tg_lead__push()
returns trigger language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- A definer function, because the role that changes the lead can't read connections.
  if exists (
    select
    from crm.connection as c
    where c.organization_id = new.organization_id and c.push_stage = new.pipeline_stage
  ) then
    perform crm.request_push(new.organization_id, new.id, false);
  end if;
  return null;
end $$;

comment on function crm.tg_lead__push() is
  'Requests the push of a lead that has entered the push_stage of the connection, in the same transaction.';

grant execute on function crm.tg_lead__push() to leads_owner;
-- begin frozen sql/app/lead.policies.sql
-- app.lead - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('app.lead');

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

-- Restrictive, so that no policy that is added later can show more. The operands are swapped, so
-- that the planner keeps two conditions. With two, EXPLAIN ANALYZE always runs both subselects, not
-- only after a row of any organization has passed the analyst's conditions.
create policy lead_bi_all on app.lead as restrictive for all to leads_bi
  using ((select auth.analyst_organization_id()) = organization_id);

-- leads erase
create policy lead_eraser_select on app.lead for select to leads_eraser using (true);
create policy lead_eraser_update on app.lead for update to leads_eraser using (true) with check (true);
create policy lead_eraser_delete on app.lead for delete to leads_eraser using (true);
-- begin frozen sql/app/lead.triggers.sql
-- app.lead - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('app.lead');

-- TRUNCATE fires no row trigger, so that the audit log would not record it.
create trigger _100_refuse_truncate before truncate on app.lead
  for each statement execute function audit.tg_refuse('Delete leads with DELETE, so that each is recorded.');

create trigger _110_check_first_score before insert on app.lead
  for each row when (new.score_id is not null) execute function scoring.tg_lead__check_score();

create trigger _120_check_score before update on app.lead
  for each row when (old.score_id is distinct from new.score_id) execute function scoring.tg_lead__check_score();

create trigger _500_stamp before insert or update on app.lead
  for each row execute function app.tg_lead__stamp();

create trigger _600_keep_first_score after insert on app.lead
  for each row when (new.lead_score <> 0 or new.ai_reasoning is not null)
  execute function scoring.tg_lead__keep_score();

create trigger _610_keep_set_score after update on app.lead
  for each row
  when (
    (old.lead_score, old.ai_reasoning) is distinct from (new.lead_score, new.ai_reasoning)
    and old.score_id is not distinct from new.score_id
  )
  execute function scoring.tg_lead__keep_score();

-- An erasure records lead.erased, without values.
create trigger _900_record after insert or update or delete on app.lead
  for each row when (current_user <> 'leads_eraser') execute function audit.tg_lead__record();

-- After _900_record, so that the event of the change comes before the event of the push.
create trigger _910_push_first_stage after insert on app.lead
  for each row execute function crm.tg_lead__push();

create trigger _920_push_stage after update on app.lead
  for each row when (old.pipeline_stage is distinct from new.pipeline_stage) execute function crm.tg_lead__push();
-- begin frozen sql/app/lead.grants.sql
-- app.lead - the privileges on the table.
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

-- The columns that the views of schema bi show. Analysts have no USAGE on schema app.
grant select (
  id, organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
  timeline, budget_range, ai_reasoning, qualification_completed_at, created_at, updated_at
) on app.lead to leads_bi;

-- leads erase locks the row, which requires UPDATE on a column. organization_id never changes.
grant select (organization_id, id, pipeline_stage), update (organization_id), delete on app.lead to leads_eraser;
-- begin frozen sql/app/idempotency_key.policies.sql
-- app.idempotency_key - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('app.idempotency_key');

create policy idempotency_key_exec_all on app.idempotency_key for all to leads_exec
  using (organization_id = (select auth.organization_id('write')))
  with check (organization_id = (select auth.organization_id('write')));

-- admin.delete_expired_answers
create policy idempotency_key_jobs_select on app.idempotency_key for select to leads_jobs using (true);
create policy idempotency_key_jobs_delete on app.idempotency_key for delete to leads_jobs using (true);

-- leads erase
create policy idempotency_key_eraser_select on app.idempotency_key for select to leads_eraser using (true);
create policy idempotency_key_eraser_update on app.idempotency_key for update to leads_eraser using (true) with check (true);
create policy idempotency_key_eraser_delete on app.idempotency_key for delete to leads_eraser using (true);
-- begin frozen sql/app/idempotency_key.grants.sql
-- app.idempotency_key - the privileges on the table.
set local role leads_owner;
revoke all on app.idempotency_key from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select, insert, update, delete on app.idempotency_key to leads_exec;
grant select (organization_id, key_digest, created_at), delete on app.idempotency_key to leads_jobs;

grant select (organization_id, headers, body), update (request_digest, status, headers, body), delete on app.idempotency_key
to leads_eraser;
-- begin frozen sql/app/read_instant.sql
-- app.read_instant - reads a time that a request sends as text.
set local role leads_owner;

create or replace function app.read_instant(value text)
returns timestamptz language plpgsql stable parallel safe security invoker
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
declare
  v_instant timestamptz;
begin
  if
    read_instant.value collate "C"
    !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))?$'
  then
    return null;
  end if;
  -- PostgreSQL accepts offsets below 16 hours only, and RFC 3339 permits offsets up to 23:59.
  v_instant := date_trunc(
    'milliseconds',
    regexp_replace(read_instant.value, '([Zz]|[+-][0-9]{2}:[0-9]{2})$', '')::timestamp at time zone 'UTC'
    - coalesce(substring(read_instant.value from '[+-][0-9]{2}:[0-9]{2}$')::interval, interval '0')
  );
  if v_instant >= '0001-01-01 00:00:00Z' and v_instant < '10000-01-01 00:00:00Z' then
    return v_instant;
  end if;
  return null;
exception
  -- A day that does not exist, such as February 30.
  when datetime_field_overflow then
    return null;
end $$;

comment on function app.read_instant(text) is
  'The time in an ISO 8601 text: YYYY-MM-DD (midnight UTC), or a date and time with Z or an offset, in the years 1 to '
  '9999. Truncated to milliseconds. Null: the text is no such time.';

grant execute on function app.read_instant(text) to leads_exec;
-- begin frozen sql/app/raise_faults.sql
-- app.raise_faults - refuses a request with all its field errors.
set local role leads_owner;

create or replace function app.raise_faults(status integer, code text, errors json)
returns void language plpgsql immutable security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  if raise_faults.errors is not null then
    raise exception using
      errcode = 'PT' || raise_faults.status,
      message = raise_faults.code,
      detail = raise_faults.errors::text;
  end if;
end $$;

comment on function app.raise_faults(integer, text, json) is
  'Raises PT<status> with the code as its message and the errors, a JSON array of {field, code, detail}, as its detail. '
  'Does nothing if errors is null.';

grant execute on function app.raise_faults(integer, text, json) to leads_exec;
-- begin frozen sql/app/duplicate_keys.sql
-- app.duplicate_keys - the keys that occur twice in a JSON object. jsonb keeps only the last value.
set local role leads_owner;

create or replace function app.duplicate_keys(value json)
returns setof text language sql immutable parallel safe
begin atomic
  -- Each level is parsed again: without a limit, 60 KB of nested objects would take half a minute.
  with recursive node as (
    select duplicate_keys.value as value, 1 as depth
    union all
    select c.value, node.depth + 1
    from node
    cross join lateral (
      select o.value from json_each(case when json_typeof(node.value) = 'object' then node.value end) as o
      union all
      select a.value from json_array_elements(case when json_typeof(node.value) = 'array' then node.value end) as a
    ) as c
    where json_typeof(c.value) in ('object', 'array') and node.depth < 32
  )
  select distinct o.key
  from node
  cross join lateral (
    select p.key
    from json_each(case when json_typeof(node.value) = 'object' then node.value end) as p
    group by p.key
    having count(*) > 1
  ) as o;
end;

comment on function app.duplicate_keys(json) is
  'The keys that occur more than once in one object, up to 32 levels deep. (IS JSON WITH UNIQUE KEYS needs PostgreSQL 16 '
  'and does not name the keys.)';

grant execute on function app.duplicate_keys(json) to leads_exec;
-- begin frozen sql/app/read_object.sql
-- app.read_object - reads the body of a request, a JSON object.
set local role leads_owner;

create or replace function app.read_object(body text)
returns jsonb language plpgsql immutable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  -- Fails for invalid JSON, a NUL, a lone surrogate or deep nesting: see SQLSTATEs in api.problem.
  v_object jsonb := read_object.body::jsonb;
begin
  if jsonb_typeof(v_object) <> 'object' then
    perform app.raise_faults(400, 'invalid_body', json_build_array(json_build_object(
      'field', 'body', 'code', 'not_an_object', 'detail', 'The body must be a JSON object.'
    )));
  end if;
  -- Almost every body is flat: no key occurs twice if jsonb has as many keys as json.
  if
    jsonb_path_exists(v_object, '$.* ? (@.type() == "object" || @.type() == "array")')
    or (select count(*) from json_object_keys(read_object.body::json))
      <> (select count(*) from jsonb_object_keys(v_object))
  then
    if jsonb_path_exists(v_object, 'strict $.**{33}') then
      raise statement_too_complex;
    end if;
    perform app.raise_faults(400, 'invalid_body', (
      select json_agg(json_build_object(
        'field', left(k.key, 100), 'code', 'duplicate_key', 'detail', 'The body has this key more than once.'
      ) order by k.key)
      from app.duplicate_keys(read_object.body::json) as k (key)
    ));
  end if;
  return v_object;
end $$;

comment on function app.read_object(text) is
  'The body as jsonb. Raises PT400 invalid_body if it is no object or has a key twice (RFC 8259, section 4), and
  54001 if a value is nested in more than 32 objects and arrays.';

grant execute on function app.read_object(text) to leads_exec;
-- begin frozen sql/app/lead_field.rows.sql
-- app.lead_field - the fields of a lead that a client may send.
set local role leads_owner;
delete from app.lead_field;

-- The kind and the limit are read from the column's CHECK and from the functions that it calls:
-- a limit is written only there.
insert into app.lead_field (name, kind, max_length, is_nullable)
select
  a.attname,
  k.kind,
  case k.kind
    when 'text' then (regexp_match(c.checks, 'app\.is_text\([^,]+, ([0-9]+)\)'))[1]::integer
    when 'email' then (regexp_match(c.is_email, 'char_length\(value\) <= ([0-9]+)'))[1]::integer
    when 'name' then (regexp_match(c.is_name, '\{0,([0-9]+)\}'))[1]::integer + 1
  end,
  not a.attnotnull
from unnest(array[
  'name',
  'company',
  'email',
  'source',
  'lead_score',
  'pipeline_stage',
  'industry',
  'company_size',
  'pain_points',
  'timeline',
  'budget_range',
  'ai_reasoning'
]) as f (name)
join pg_catalog.pg_attribute as a on a.attrelid = 'app.lead'::regclass and a.attname = f.name
cross join lateral (
  select
    string_agg(pg_get_constraintdef(k.oid), ' ') as checks,
    (select p.prosrc from pg_catalog.pg_proc as p where p.oid = 'app.is_email(text)'::regprocedure) as is_email,
    (select p.prosrc from pg_catalog.pg_proc as p where p.oid = 'app.is_name(text)'::regprocedure) as is_name
  from pg_catalog.pg_constraint as k
  where k.conrelid = a.attrelid and k.contype = 'c' and k.conkey = array[a.attnum]
) as c
cross join lateral (
  select case
    when a.attname = 'lead_score' then 'score'
    when a.attname = 'pipeline_stage' then 'stage'
    when c.checks ~ 'app\.is_email\(' then 'email'
    when c.checks ~ 'app\.is_name\(' then 'name'
    when c.checks ~ 'app\.is_text\(' then 'text'
  end as kind
) as k;
-- begin frozen sql/app/lead_field.grants.sql
-- app.lead_field - the privileges on the table.
set local role leads_owner;
revoke all on app.lead_field
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on app.lead_field to leads_exec;
-- begin frozen sql/app/lead_field_rule.sql
-- app.lead_field_rule - the sentence that tells a client what a field of a lead must be.
set local role leads_owner;

create or replace function app.lead_field_rule(kind text, max_length integer, is_nullable boolean)
returns text language sql immutable parallel safe
begin atomic
  select
    'This must be '
    || case kind
      when 'text' then format('a text of 1 to %s characters', ltrim(to_char(max_length, '999,999,999')))
      when 'email' then 'an e-mail address such as ada@example.com (a domain in ASCII, with a dot)'
      when 'name' then format('1 to %s characters out of a-z, 0-9, _ and -, beginning with a-z or 0-9', max_length)
      when 'score' then 'a whole number from 0 to 100'
      when 'stage' then 'one of the organization''s pipeline stages'
    end
    || case when is_nullable then ', or null.' else '.' end;
end;

comment on function app.lead_field_rule(text, integer, boolean) is
$$The detail of a fault of a lead's field, as an English sentence.

kind, max_length, is_nullable: as in app.lead_field.$$;

grant execute on function app.lead_field_rule(text, integer, boolean) to leads_exec;
-- begin frozen sql/app/lead_faults.sql
-- app.lead_faults - the faults of the fields that a client sends for a lead.
set local role leads_owner;

create or replace function app.lead_faults(organization_id uuid, fields jsonb)
returns json language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    with field as (
      select
        s.key as name,
        s.ordinality as position,
        s.value,
        jsonb_typeof(s.value) as type,
        app.trim_text(s.value #>> '{}') as text,
        f.kind,
        f.max_length,
        f.is_nullable
      from jsonb_each(lead_faults.fields) with ordinality as s (key, value, ordinality)
      left join app.lead_field as f on f.name = s.key
    ),
    checked as (
      select
        f.*,
        case
          when f.kind is null and f.name in (
            'id', 'organization_id', 'qualification_completed_at', 'created_at', 'updated_at'
          ) then 'read_only_field'
          when f.kind is null then 'unknown_field'
          when f.type = 'null' then case when not f.is_nullable then 'not_nullable' end
          when f.type <> case when f.kind = 'score' then 'number' else 'string' end then 'wrong_type'
          when f.kind = 'score' then
            case
              when (f.value #>> '{}')::numeric not between 0 and 100 then 'out_of_range'
              when (f.value #>> '{}')::numeric % 1 <> 0 then 'not_whole'
            end
          when f.text = '' then 'blank'
          when char_length(f.text) > f.max_length then 'too_long'
          when f.kind = 'email' and not app.is_email(f.text) then 'invalid_email'
          when f.kind = 'name' and not app.is_name(f.text) then 'invalid_name'
          when f.kind = 'stage' and not exists (
            select from app.pipeline_stage as p
            where p.organization_id = lead_faults.organization_id and p.name = f.text
          ) then 'unknown_stage'
        end as code
      from field as f
    )
    select json_agg(
      json_build_object(
        'field', left(c.name, 100),
        'code', c.code,
        'detail', case c.code
          when 'read_only_field' then 'This field is set by the server. Leave it out.'
          when 'unknown_field' then 'This field does not exist. Leave it out.'
          else app.lead_field_rule(c.kind, c.max_length, c.is_nullable)
        end
      )
      order by c.position
    )
    from checked as c
    where c.code is not null
  );
end $$;

comment on function app.lead_faults(uuid, jsonb) is
$$The faults of the fields of a lead that a client sends.

fields: a JSON object. Returns a JSON array of {field, code, detail}, in the order of the fields; null if there is no fault.
Codes: read_only_field, unknown_field, not_nullable, wrong_type, out_of_range, not_whole, blank, too_long, invalid_email,
invalid_name, unknown_stage. The CHECKs and the foreign key of app.lead refuse the same values from any writer.$$;

grant execute on function app.lead_faults(uuid, jsonb) to leads_exec;
-- begin frozen sql/app/lead_from.sql
-- app.lead_from - a lead with the fields that a client sends.
set local role leads_owner;

create or replace function app.lead_from(fields jsonb, base app.lead_values)
returns app.lead_values
language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_fields jsonb;
begin
  select jsonb_object_agg(
    f.key,
    case jsonb_typeof(f.value)
      when 'string' then to_jsonb(app.trim_text(f.value #>> '{}'))
      -- 87.0 is 87: the text "87.0" is no integer.
      when 'number' then to_jsonb((f.value #>> '{}')::numeric::integer)
      else f.value
    end
  )
  into v_fields
  from jsonb_each(lead_from.fields) as f;
  return jsonb_populate_record(lead_from.base, coalesce(v_fields, '{}'));
end $$;

comment on function app.lead_from(jsonb, app.lead_values) is
$$The lead base, changed by the fields that a client sends.

fields: a JSON object without faults (app.lead_faults). White space at the ends of texts is removed. A field that is left
out keeps the value of base; null clears it.$$;

grant execute on function app.lead_from(jsonb, app.lead_values) to leads_exec;
-- begin frozen sql/app/contact_fault.sql
-- app.contact_fault - the field error of a lead without contact data.
set local role leads_owner;

create or replace function app.contact_fault()
returns json language sql immutable parallel safe
begin atomic
  select json_build_array(json_build_object(
    'field', 'email',
    'code', 'contact_required',
    'detail', 'A lead needs an email, or a name and a company.'
  ));
end;

comment on function app.contact_fault() is 'The entry in errors for a lead without an email, or a name and a company.';

grant execute on function app.contact_fault() to leads_exec;
-- begin frozen sql/app/stage_filter_faults.sql
-- app.stage_filter_faults - the stages in a filter that the organization doesn't have.
set local role leads_owner;

create or replace function app.stage_filter_faults(organization_id uuid, stages text[])
returns json language sql stable parallel safe
begin atomic
  select json_agg(json_build_object(
    'field', 'pipeline_stage',
    'code', 'unknown_stage',
    'detail', format('There is no pipeline stage "%s" in this organization.', left(s.name, 100))
  ))
  from unnest(stage_filter_faults.stages) as s (name)
  where not exists (
    select from app.pipeline_stage as p
    where p.organization_id = stage_filter_faults.organization_id and p.name = s.name
  );
end;

comment on function app.stage_filter_faults(uuid, text[]) is
  'A field error for each stage that the organization doesn''t have. Null: it has all of them.';

grant execute on function app.stage_filter_faults(uuid, text[]) to leads_exec;
-- begin frozen sql/app/is_etag_matched.sql
-- app.is_etag_matched - whether an If-Match header permits a change.
set local role leads_owner;

create or replace function app.is_etag_matched(if_match text, etag text)
returns boolean language sql immutable parallel safe
begin atomic
  -- A weak tag never matches: its W/ stays in front of it.
  select
    is_etag_matched.if_match is null
    or btrim(is_etag_matched.if_match, E' \t') = '*'
    or exists (
      select from regexp_matches(is_etag_matched.if_match, '(?:W/)?"[^"]*"', 'g') as t (tag)
      where t.tag[1] = is_etag_matched.etag
    );
end;

comment on function app.is_etag_matched(text, text) is
  'Whether If-Match (RFC 9110, section 13.1.1), a list of entity tags or *, matches the tag of the record. True if '
  'if_match is null. The comparison is strong: a weak tag never matches.';

grant execute on function app.is_etag_matched(text, text) to leads_exec;
-- begin frozen sql/app/claim_idempotency_key.sql
-- app.claim_idempotency_key - gives all requests with one Idempotency-Key one effect.
set local role leads_owner;

create or replace function app.claim_idempotency_key(
  organization_id uuid,
  idempotency_key text,
  wait integer,
  request text
)
returns api.answer language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := claim_idempotency_key.organization_id;
  v_key_digest bytea := sha256(convert_to(v_organization_id || claim_idempotency_key.idempotency_key, 'UTF8'));
  v_request_digest bytea := sha256(convert_to(claim_idempotency_key.request, 'UTF8'));
  v_lock_timeout text := current_setting('lock_timeout');
  v_is_claimed boolean;
  v_kept app.idempotency_key;
begin
  if claim_idempotency_key.idempotency_key is null then
    return null;
  end if;

  -- A second request waits here for the transaction of the first one. Then it finds the answer, or
  -- claims the key itself if the first one rolled back.
  begin
    perform set_config('lock_timeout', greatest(claim_idempotency_key.wait, 1)::text, true);
    insert into app.idempotency_key as k (organization_id, key_digest, request_digest)
    values (v_organization_id, v_key_digest, v_request_digest)
    on conflict (organization_id, key_digest) do update
    set
      request_digest = excluded.request_digest,
      status = null,
      headers = null,
      body = null,
      created_at = excluded.created_at
    where k.created_at < now() - interval '24 hours' or (k.status is null and k.request_digest = excluded.request_digest);
    v_is_claimed := found;
  exception
    when lock_not_available then
      raise sqlstate 'PT409' using message = 'idempotency_in_progress';
  end;
  perform set_config('lock_timeout', v_lock_timeout, true);

  if v_is_claimed then
    -- Each claim deletes a few expired rows that no other transaction has locked.
    delete from app.idempotency_key as k
    where k.organization_id = v_organization_id and k.key_digest in (
      select e.key_digest
      from app.idempotency_key as e
      where e.organization_id = v_organization_id and e.created_at < now() - interval '24 hours'
      order by e.created_at
      limit 10
      for update skip locked
    );
    return null;
  end if;

  select k.* into v_kept
  from app.idempotency_key as k
  where k.organization_id = v_organization_id and k.key_digest = v_key_digest;
  if v_kept.request_digest is null then
    raise sqlstate 'PT409' using message = 'erased';
  end if;
  if v_kept.request_digest is distinct from v_request_digest then
    raise sqlstate 'PT422' using message = 'idempotency_key_reused';
  end if;
  return row(
    v_kept.status,
    (v_kept.headers::jsonb || '{"Idempotency-Replayed": "true"}')::json,
    v_kept.body
  )::api.answer;
end $$;

comment on function app.claim_idempotency_key(uuid, text, integer, text) is
$$Claims the key for this transaction, or returns the answer that is kept for it.

wait: milliseconds to wait for a transaction that has claimed the key, at least 1. request: method, path and body, raw.
Returns the kept answer. Null: the key is claimed (or idempotency_key is null); keep the answer with app.keep_answer.
Raises PT409 idempotency_in_progress and erased, and PT422 idempotency_key_reused for another request with the same key.
The caller raises an error for a later fault, so that the rollback removes the claim.$$;

grant execute on function app.claim_idempotency_key(uuid, text, integer, text) to leads_exec;
-- begin frozen sql/app/keep_answer.sql
-- app.keep_answer - keeps an answer under the Idempotency-Key that this transaction claimed.
set local role leads_owner;

create or replace function app.keep_answer(organization_id uuid, idempotency_key text, answer api.answer)
returns void language sql volatile
begin atomic
  update app.idempotency_key as k
  set status = (keep_answer.answer).status, headers = (keep_answer.answer).headers, body = (keep_answer.answer).body
  where
    k.organization_id = keep_answer.organization_id
    and k.key_digest = sha256(convert_to(keep_answer.organization_id || keep_answer.idempotency_key, 'UTF8'))
    and (keep_answer.answer).status <> 202;
end;

comment on function app.keep_answer(uuid, text, api.answer) is
  'Keeps the answer for 24 hours, in the transaction of the change. A 202 is not kept. Does nothing if the key is null.';

grant execute on function app.keep_answer(uuid, text, api.answer) to leads_exec;
-- begin frozen sql/app/page_bound.sql
-- app.page_bound - the upper bound (created_at, id) of a page, exclusive.
set local role leads_owner;

create or replace function app.page_bound(cursor api.cursor, end_at timestamptz, out created_at timestamptz, out id uuid)
returns record language sql immutable parallel safe
set timezone = 'UTC'
begin atomic
  with bound as (
    select (c.content ->> 'created_at')::timestamptz as created_at, (c.content ->> 'id')::uuid as id
    from (
      select convert_from(
        decode(
          translate(page_bound.cursor, '-_', '+/') || repeat('=', (4 - char_length(page_bound.cursor) % 4) % 4),
          'base64'
        ),
        'UTF8'
      )::json as content
    ) as c
    where page_bound.cursor is not null
    union all
    -- end_at is exclusive: the bound is the smallest possible id at that time.
    select page_bound.end_at, '00000000-0000-0000-0000-000000000000'
    where page_bound.end_at is not null
    union all
    select 'infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff'
  )
  select bound.created_at, bound.id from bound order by bound.created_at, bound.id limit 1;
end;

comment on function app.page_bound(api.cursor, timestamptz) is
  'The lower one of the cursor''s row and end_at, exclusive. If both are null, it is above every row.';

grant execute on function app.page_bound(api.cursor, timestamptz) to leads_exec;
-- begin frozen sql/app/page_answer.sql
-- app.page_answer - a page of a list, with the cursor of the next page.
set local role leads_owner;

create or replace function app.page_answer(items text[], page_size integer)
returns api.answer language sql immutable parallel safe
begin atomic
  with last as (
    select page_answer.items[page_size]::json as item
    where cardinality(page_answer.items) > page_size
  ),
  next as (
    select translate(
      encode(
        convert_to('{"created_at":"' || (last.item ->> 'created_at') || '","id":"' || (last.item ->> 'id') || '"}', 'UTF8'),
        'base64'
      ),
      E'+/=\n',
      '-_'
    ) as cursor
    from last
  )
  select row(
    200,
    json_build_object('Next-Cursor', next.cursor),
    '{"data":[' || array_to_string(page_answer.items[:page_size], ',') || '],"next_cursor":'
      || coalesce('"' || next.cursor || '"', 'null') || '}'
  )::api.answer
  from (select) as page
  left join next on true;
end;

comment on function app.page_answer(text[], integer) is
$$The answer {"data": […], "next_cursor": …}.

items: the rows as JSON, in order; one more than page_size if there is a next page. The cursor is unpadded base64url
(RFC 4648, section 5) of compact JSON with created_at and id of the last row of the page. The API server makes the
header Link from the header Next-Cursor. Null: there is no next page.$$;

grant execute on function app.page_answer(text[], integer) to leads_exec;
-- begin frozen sql/app/lead_etag.sql
-- app.lead_etag - the entity tag of a lead.
set local role leads_owner;

create or replace function app.lead_etag(revision integer)
returns text language sql stable parallel safe
begin atomic
  select '"' || revision || '.' || api.schema_version() || '"';
end;

comment on function app.lead_etag(integer) is
  'A strong entity tag (RFC 9110, section 8.8.3). It changes with every change of the lead, and with the version of the '
  'schema, which may show the lead differently.';

grant execute on function app.lead_etag(integer) to leads_exec;
-- begin frozen sql/app/lead_item.sql
-- app.lead_item - a lead as a list and the answer to POST show it.
set local role leads_owner;

create or replace function app.lead_item(lead app.lead_values)
returns api.lead_item language sql stable parallel safe
begin atomic
  select row(
    lead.id, lead.organization_id, lead.name, lead.company, lead.email, lead.source, lead.lead_score,
    lead.pipeline_stage, lead.industry, lead.company_size, app.utc_text(lead.created_at), app.utc_text(lead.updated_at)
  )::api.lead_item;
end;

comment on function app.lead_item(app.lead_values) is 'The 12 fields of a lead that a list shows, in the order of the body.';

grant execute on function app.lead_item(app.lead_values) to leads_exec;
-- begin frozen sql/app/lead_whole.sql
-- app.lead_whole - a lead as GET /leads/{id} shows it.
set local role leads_owner;

create or replace function app.lead_whole(lead app.lead_values)
returns api.lead language sql stable parallel safe
begin atomic
  select row(
    lead.id, lead.organization_id, lead.name, lead.company, lead.email, lead.source, lead.lead_score,
    lead.pipeline_stage, lead.industry, lead.company_size, lead.pain_points, lead.timeline, lead.budget_range,
    lead.ai_reasoning, app.utc_text(lead.qualification_completed_at), app.utc_text(lead.created_at),
    app.utc_text(lead.updated_at)
  )::api.lead;
end;

comment on function app.lead_whole(app.lead_values) is 'All 17 fields of a lead, in the order of the body.';

grant execute on function app.lead_whole(app.lead_values) to leads_exec, leads_jobs;
-- begin frozen sql/app/lead_change.sql
-- app.lead_change - a lead as the answer to PATCH shows it.
set local role leads_owner;

create or replace function app.lead_change(lead app.lead_values)
returns api.lead_change language sql stable parallel safe
begin atomic
  select row(
    lead.id, lead.organization_id, lead.name, lead.company, lead.email, lead.source, lead.lead_score,
    lead.pipeline_stage, app.utc_text(lead.updated_at)
  )::api.lead_change;
end;

comment on function app.lead_change(app.lead_values) is 'The 9 fields of a lead that the answer to PATCH shows, in the order of the body.';

grant execute on function app.lead_change(app.lead_values) to leads_exec;
-- end frozen

set local role leads_owner;
revoke create on schema crm from leads_jobs;
reset role;
