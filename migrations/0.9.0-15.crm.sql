-- CRM pushes.
--
-- Locks: none that matter; every object is new.
-- Duration: no rows exist yet.
-- Phase: baseline
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;
grant create on schema crm to leads_jobs;
reset role;

-- begin frozen sql/crm/vendor.rows.sql
-- crm.vendor - the CRMs.
set local role leads_owner;
delete from crm.vendor;

insert into crm.vendor (name, title, has_search, needs_name, settle_seconds, calls_at_once, calls, call_seconds)
values
  -- Its limit is undocumented: Retry-After and the backoff answer its 429.
  ('jobnimbus', 'JobNimbus', true, true, 10, 8, null, null),
  -- https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines
  ('hubspot', 'HubSpot', true, false, 5, 8, 190, 10),
  -- https://www.standardwebhooks.com: the receiver drops repeats by webhook-id.
  ('webhook', 'Webhook', false, false, 0, 8, null, null);
-- begin frozen sql/crm/vendor.grants.sql
-- crm.vendor - the privileges on the table.
set local role leads_owner;
revoke all on crm.vendor
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on crm.vendor to leads_jobs;
-- begin frozen sql/crm/connection.policies.sql
-- crm.connection - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('crm.connection');

-- GET /crm-connections, which requires the scope admin.
create policy connection_exec_select on crm.connection for select to leads_exec
  using (organization_id = (select auth.organization_id('admin')));

-- The worker's functions, and leads crm.
create policy connection_jobs_select on crm.connection for select to leads_jobs using (true);
create policy connection_jobs_insert on crm.connection for insert to leads_jobs with check (true);
create policy connection_jobs_update on crm.connection for update to leads_jobs using (true) with check (true);
create policy connection_jobs_delete on crm.connection for delete to leads_jobs using (true);
-- begin frozen sql/crm/connection.triggers.sql
-- crm.connection - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('crm.connection');

create trigger _100_refuse_truncate before truncate on crm.connection
  for each statement execute function audit.tg_refuse('Use "leads crm disconnect", which records each change.');

-- The audit log doesn't record revision, nor the times that change with the vendor's answers.
create trigger _900_record after insert or update or delete on crm.connection
  for each row execute function audit.tg_record('crm_connection', 'id', 'revision', 'blocked_until', 'paced_until');
-- begin frozen sql/crm/connection.grants.sql
-- crm.connection - the privileges on the table.
set local role leads_owner;
revoke all on crm.connection
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select (
  organization_id, id, vendor, account, state, fault, push_stage, settings, settle_seconds, created_at
) on crm.connection to leads_exec;

grant
  select,
  insert (organization_id, vendor, account, push_stage, settings, settle_seconds, credential, credential_key),
  update (
    vendor, account, state, fault, push_stage, settings, settle_seconds, revision, credential, credential_key,
    blocked_until, paced_until
  ),
  delete
on crm.connection to leads_jobs;
-- begin frozen sql/crm/sync.policies.sql
-- crm.sync - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('crm.sync');

create policy sync_exec_select on crm.sync for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

-- crm.request_push, the worker's functions, and leads crm.
create policy sync_jobs_select on crm.sync for select to leads_jobs using (true);
create policy sync_jobs_insert on crm.sync for insert to leads_jobs with check (true);
create policy sync_jobs_update on crm.sync for update to leads_jobs using (true) with check (true);

-- leads erase
create policy sync_eraser_select on crm.sync for select to leads_eraser using (true);
create policy sync_eraser_update on crm.sync for update to leads_eraser using (true) with check (true);
create policy sync_eraser_delete on crm.sync for delete to leads_eraser using (true);
-- begin frozen sql/crm/sync.triggers.sql
-- crm.sync - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('crm.sync');

create trigger _100_refuse_truncate before truncate on crm.sync
  for each statement execute function audit.tg_refuse('Syncs can''t be truncated: their leads would be pushed a second time.');

create trigger _110_keep_identity before update on crm.sync
  for each row
  when (
    (old.organization_id, old.id, old.lead_id, old.vendor, old.account)
    is distinct from (new.organization_id, new.id, new.lead_id, new.vendor, new.account)
  )
  execute function audit.tg_refuse('organization_id, id, lead_id, vendor and account never change.');

create trigger _120_keep_outcome before update on crm.sync
  for each row
  when (old.status = 'ok' and (old.status, old.external_id) is distinct from (new.status, new.external_id))
  execute function audit.tg_refuse('A sync that is ok keeps its record: otherwise a second record would be created.');

create trigger _130_count_up before update on crm.sync
  for each row when (new.attempts < old.attempts)
  execute function audit.tg_refuse('attempts is the fencing token and never decreases.');

-- Only a new attempt takes a lease. A worker that holds a lease can only renew it.
create trigger _140_lease_by_attempt before update on crm.sync
  for each row
  when (new.status = 'in_progress' and old.status <> 'in_progress' and new.attempts = old.attempts)
  execute function audit.tg_refuse('A lease is a new attempt: increment attempts.');

create trigger _900_record after insert or update or delete on crm.sync
  for each row when (current_user <> 'leads_eraser') execute function audit.tg_sync__record();
-- begin frozen sql/crm/sync.grants.sql
-- crm.sync - the privileges on the table.
set local role leads_owner;
revoke all on crm.sync
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on crm.sync to leads_exec;

grant
  select,
  insert (organization_id, lead_id, vendor, account, status, error_code, run_at, email_key),
  update (
    status, external_id, error_code, error, run_at, leased_by, attempts, begun_at, begun_after, email_key,
    last_synced_at
  )
on crm.sync to leads_jobs;

grant select, update (organization_id), delete on crm.sync to leads_eraser;
-- begin frozen sql/crm/attempt.policies.sql
-- crm.attempt - the row-level security policies of the table.
set local role leads_owner;
call app.drop_policies('crm.attempt');

-- The worker's functions, and leads crm.
create policy attempt_jobs_select on crm.attempt for select to leads_jobs using (true);
create policy attempt_jobs_insert on crm.attempt for insert to leads_jobs with check (true);
create policy attempt_jobs_update on crm.attempt for update to leads_jobs using (true) with check (true);

-- leads erase
create policy attempt_eraser_select on crm.attempt for select to leads_eraser using (true);
create policy attempt_eraser_delete on crm.attempt for delete to leads_eraser using (true);
-- begin frozen sql/crm/attempt.triggers.sql
-- crm.attempt - the triggers of the table.
set local role leads_owner;
call app.drop_triggers('crm.attempt');

create trigger _100_refuse_truncate before truncate on crm.attempt
  for each statement execute function audit.tg_refuse('Attempts can''t be truncated: each may have created a record at the vendor.');

create trigger _110_keep_outcome before update on crm.attempt
  for each row when (old.outcome is not null and old.outcome is distinct from new.outcome)
  execute function audit.tg_refuse('The outcome of an attempt never changes.');
-- begin frozen sql/crm/attempt.grants.sql
-- crm.attempt - the privileges on the table.
set local role leads_owner;
revoke all on crm.attempt
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant
  select,
  insert (organization_id, sync_id, number, connection_revision),
  update (email, display_name, sent_at, outcome, http_status, message)
on crm.attempt to leads_jobs;

grant select, delete on crm.attempt to leads_eraser;
-- begin frozen sql/crm/wake_worker.sql
-- crm.wake_worker - notifies the workers that the lead's push is due.
set local role leads_jobs;

create or replace function crm.wake_worker(organization_id uuid, lead_id uuid)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  -- Only if a push waits: transactions that notify wait for each other at commit.
  if exists (
    select
    from crm.sync as s
    where s.organization_id = wake_worker.organization_id and s.lead_id = wake_worker.lead_id and s.status = 'pending'
  ) then
    perform pg_notify('leads_crm', '');
  end if;
end $$;

comment on function crm.wake_worker(uuid, uuid) is
  'Sends NOTIFY leads_crm, without data, if the lead has a pending push. Functions call it, not triggers. Workers find '
  'changes made in SQL by polling.';

grant execute on function crm.wake_worker(uuid, uuid) to leads_exec, leads_jobs;
-- begin frozen sql/crm/account_in_force.sql
-- crm.account_in_force - the vendor and the account that an organization is connected to.
set local role leads_jobs;

create or replace function crm.account_in_force(organization_id uuid)
returns table (vendor text, account text) language sql stable parallel safe security definer
begin atomic
  select c.vendor, c.account
  from crm.connection as c
  where c.organization_id = account_in_force.organization_id;
end;

comment on function crm.account_in_force(uuid) is
  'Vendor and account of the organization''s connection: the only columns that keys without the scope admin can read.';

grant execute on function crm.account_in_force(uuid) to leads_exec;
-- begin frozen sql/crm/sync_in_force.sql
-- crm.sync_in_force - a lead's sync with the current connection, or else its latest sync.
set local role leads_jobs;

create or replace function crm.sync_in_force(organization_id uuid, lead_id uuid)
returns crm.sync_values
language plpgsql stable parallel safe security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_sync crm.sync_values;
begin
  select s.* into v_sync
  from crm.sync as s
  left join crm.account_in_force(sync_in_force.organization_id) as c on c.vendor = s.vendor and c.account = s.account
  where s.organization_id = sync_in_force.organization_id and s.lead_id = sync_in_force.lead_id
  order by (c.vendor is not null) desc, s.created_at desc, s.id desc
  limit 1;
  return v_sync;
end $$;

comment on function crm.sync_in_force(uuid, uuid) is
$$The lead's sync with the organization's current connection, or else its latest sync with an earlier connection.

Null: the lead was never pushed.$$;

grant execute on function crm.sync_in_force(uuid, uuid) to leads_exec;
-- begin frozen sql/crm/sync_item.sql
-- crm.sync_item - a lead's sync as the API shows it.
set local role leads_jobs;

create or replace function crm.sync_item(lead_id uuid, sync crm.sync_values)
returns api.lead_sync language sql stable parallel safe
begin atomic
  select row(
    lead_id,
    case when (sync).id is not null then
      row((sync).vendor, (sync).external_id, (sync).status, app.utc_text((sync).last_synced_at))::api.crm_sync
    end
  )::api.lead_sync;
end;

comment on function crm.sync_item(uuid, crm.sync_values) is 'The lead''s id and the four fields of its sync; crm_sync is null if there is no sync.';

grant execute on function crm.sync_item(uuid, crm.sync_values) to leads_exec;
-- begin frozen sql/crm/push_answer.sql
-- crm.push_answer - the response for the state of a push.
set local role leads_jobs;

create or replace function crm.push_answer(lead_id uuid, sync crm.sync_values)
returns api.answer language plpgsql stable security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_title text;
  v_is_paused boolean;
  v_blocked_until timestamptz;
  v_seconds integer;
  v_sync crm.sync_values := push_answer.sync;
begin
  select v.title into v_title from crm.vendor as v where v.name = (sync).vendor;
  case
    when (sync).status in ('pending', 'in_progress') then
      select c.state = 'paused', c.blocked_until into v_is_paused, v_blocked_until
      from crm.connection as c
      where c.organization_id = (sync).organization_id and c.vendor = (sync).vendor and c.account = (sync).account;
      v_seconds := case
        -- Until an operator resumes it.
        when coalesce(v_is_paused, true) then 60
        when (sync).status = 'in_progress' then 1
        else greatest(1, ceil(extract(epoch from greatest((sync).run_at, v_blocked_until) - clock_timestamp())))
      end;
      -- Clients see one state, pending, whether or not a worker has leased the push.
      v_sync.status := 'pending';
      return row(
        202, json_build_object('Retry-After', v_seconds::text), row_to_json(crm.sync_item(lead_id, v_sync))::text
      )::api.answer;
    when (sync).status = 'ok' then
      return row(200, null, row_to_json(crm.sync_item(lead_id, sync))::text)::api.answer;
    when (sync).error_code = 'outcome_unknown' then
      raise sqlstate 'PT409' using message = 'crm_outcome_unknown';
    when (sync).error_code = 'rejected' then
      raise sqlstate 'PT502' using
        message = 'crm_rejected',
        hint = format('%s refused the lead: %s', v_title, coalesce((sync).error, 'it gave no reason.'));
    else
      raise sqlstate 'PT502' using message = 'crm_unavailable', hint = format(
        '%s could not be reached for a day: %s. Push the lead again.', v_title, coalesce((sync).error, 'it gave no reason')
      );
  end case;
end $$;

comment on function crm.push_answer(uuid, crm.sync_values) is
$$200 with the record's id if the push is ok, 202 while it is pending or in progress.

Raises PT502 crm_rejected with the vendor's reason, PT502 crm_unavailable, and PT409 crm_outcome_unknown.$$;

grant execute on function crm.push_answer(uuid, crm.sync_values) to leads_exec;
-- begin frozen sql/crm/open_until.sql
-- crm.open_until - until when the open attempts of a sync can still create a record at the vendor.
set local role leads_jobs;

create or replace function crm.open_until(organization_id uuid, sync_id uuid, settle_seconds integer)
returns timestamptz language sql stable security invoker
begin atomic
  -- A call lasts 5 seconds at the most.
  select max(a.sent_at) + make_interval(secs => 5 + open_until.settle_seconds)
  from crm.attempt as a
  where
    a.organization_id = open_until.organization_id
    and a.sync_id = open_until.sync_id
    and a.sent_at is not null
    and a.outcome is null;
end;

comment on function crm.open_until(uuid, uuid, integer) is
  'sent_at of the last open attempt, plus the deadline of a call, plus settle_seconds: no search before that time. Null: no '
  'attempt is open.';
-- begin frozen sql/crm/contact.sql
-- crm.contact - the data of a lead for the CRM.
set local role leads_jobs;

create or replace function crm.contact(lead app.lead_values, sync_id uuid)
returns json language sql stable security invoker
begin atomic
  select json_build_object(
    'lead_id', (lead).id,
    'sync_id', contact.sync_id,
    'display_name', coalesce((lead).name, (lead).company, (lead).email),
    'name', (lead).name,
    'company', (lead).company,
    'email', (lead).email,
    'source', (lead).source,
    'description', concat_ws(
      E'\n',
      format('Score %s, stage %s.', (lead).lead_score, (lead).pipeline_stage),
      'Reasons: ' || (lead).ai_reasoning,
      'Timeline: ' || (lead).timeline,
      'Budget: ' || (lead).budget_range,
      'Industry: ' || (lead).industry,
      'Company size: ' || (lead).company_size,
      'Pain points: ' || (lead).pain_points
    ),
    'lead', app.lead_whole(lead)
  );
end;

comment on function crm.contact(app.lead_values, uuid) is
  'The fields of the lead that an adapter sends, with display_name (the name, else the company, else the e-mail address), '
  'description (one line for each known field) and the whole lead as the API shows it.';
-- begin frozen sql/crm/settle_attempt.sql
-- crm.settle_attempt - records the outcome of an attempt and decides what happens next.
set local role leads_jobs;

create or replace function crm.settle_attempt(
  organization_id uuid,
  sync_id uuid,
  attempt integer,
  outcome text,
  external_id text default null,
  http_status integer default null,
  message text default null,
  retry_after double precision default null
)
returns text language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := settle_attempt.organization_id;
  v_outcome text := settle_attempt.outcome;
  v_message text := app.trim_text(left(app.trim_text(settle_attempt.message), 1000));
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_sync crm.sync;
  v_attempt crm.attempt;
  v_settle_seconds integer;
  v_has_search boolean;
  v_open_until timestamptz;
  v_age numeric;
  v_tries integer;
  v_failures integer;
  v_delay numeric;
  v_error_code text;
begin
  if (
    v_outcome in ('created', 'linked', 'simulated', 'refused', 'unauthorized', 'not_made', 'unknown', 'undecided')
  ) is not true then
    raise sqlstate 'PT422' using message = 'unknown_outcome', hint = format('There is no outcome "%s".', v_outcome);
  end if;
  v_message := nullif(v_message, '');
  if v_outcome in ('created', 'linked', 'simulated') and app.is_text(settle_attempt.external_id, 255) is not true then
    v_outcome := 'undecided';
    v_message := 'The vendor returned an id that can''t be stored. An id must have 1 to 255 characters.';
  end if;
  -- The outcome of an older attempt is ignored. The newer attempt finds its record at the vendor.
  select s.* into v_sync
  from crm.sync as s
  where
    s.organization_id = v_organization_id
    and s.id = settle_attempt.sync_id
    and s.attempts = settle_attempt.attempt
    and s.status = 'in_progress'
  for no key update;
  if not found then
    return null;
  end if;

  update crm.attempt as a
  set
    outcome = case v_outcome
      when 'unknown' then null
      when 'unauthorized' then 'refused'
      when 'undecided' then 'not_made'
      else v_outcome
    end,
    -- The attempt stays open even after a search: the vendor may have an earlier attempt's record.
    sent_at = case when v_outcome = 'unknown' and a.display_name is not null then coalesce(a.sent_at, v_now) else a.sent_at end,
    http_status = settle_attempt.http_status,
    message = v_message
  where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number = v_sync.attempts
  returning a.* into v_attempt;

  if v_outcome in ('created', 'linked', 'simulated') then
    update crm.attempt as a
    set outcome = 'settled'
    where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.outcome is null;
    update crm.sync as s
    set
      status = 'ok', external_id = settle_attempt.external_id, last_synced_at = v_now, run_at = null, error_code = null,
      error = null
    where s.organization_id = v_organization_id and s.id = v_sync.id;
    return 'ok';
  end if;

  -- Retry-After applies to the whole connection. A 429 without Retry-After counts as 0.25 seconds.
  select v.has_search, coalesce(c.settle_seconds, v.settle_seconds) into v_has_search, v_settle_seconds
  from crm.vendor as v
  left join crm.connection as c
    on c.organization_id = v_organization_id and c.vendor = v.name and c.account = v_sync.account
  where v.name = v_sync.vendor;
  update crm.connection as c
  set blocked_until = greatest(
    c.blocked_until,
    v_now + make_interval(secs => least(greatest(coalesce(settle_attempt.retry_after, 0.25), 0), 3600))
  )
  where
    c.organization_id = v_organization_id and c.vendor = v_sync.vendor and c.account = v_sync.account
    and (settle_attempt.retry_after is not null or settle_attempt.http_status = 429);
  if v_outcome = 'unauthorized' then
    update crm.connection as c
    set state = 'paused', fault = coalesce(v_message, 'The vendor refused the credential.')
    where
      c.organization_id = v_organization_id and c.vendor = v_sync.vendor and c.account = v_sync.account
      and c.state = 'active'
      and c.revision = v_attempt.connection_revision;
    -- If the connection has a new credential, the refusal of the old one doesn't pause it.
    perform
    from crm.connection as c
    where c.organization_id = v_organization_id and c.revision = v_attempt.connection_revision;
    v_outcome := case when found then v_outcome else 'not_made' end;
  end if;
  if v_outcome = 'refused' and v_attempt.display_name is not null then
    -- The searches before this call found no record of the earlier attempts.
    update crm.attempt as a
    set outcome = 'settled'
    where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.outcome is null;
  end if;

  v_open_until := crm.open_until(v_organization_id, v_sync.id, v_settle_seconds);
  v_age := extract(epoch from v_now - v_sync.begun_at);
  v_tries := v_sync.attempts - v_sync.begun_after;
  v_error_code := case
    when v_outcome = 'undecided' then 'outcome_unknown'
    -- An unauthorized push with open attempts waits until the connection is resumed.
    when v_outcome in ('refused', 'unauthorized') then
      case when v_open_until is null or not v_has_search then 'rejected' when v_outcome = 'refused' then 'outcome_unknown' end
    when v_age >= 86400 and v_tries >= 20 then
      case when v_open_until is null or not v_has_search then 'gave_up' else 'outcome_unknown' end
  end;
  if v_error_code is not null then
    update crm.sync as s
    set status = 'failed', error_code = v_error_code, error = v_message, run_at = null
    where s.organization_id = v_organization_id and s.id = v_sync.id;
    return 'failed';
  end if;

  -- The delay is 1, 2, 4, 8, then 10 seconds. After ten minutes it doubles every ten minutes, up to
  -- an hour. Half is random, so that pushes spread out. Attempts of dead workers don't count.
  select count(*) into v_failures
  from crm.attempt as a
  where
    a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number > v_sync.begun_after
    and (a.message is not null or a.outcome = 'not_made');
  v_delay := least(
    2 ^ least(greatest(v_failures - 1, 0), 12)::numeric, 10 * 2 ^ least(greatest(v_age - 600, 0) / 600, 20), 3600
  ) * (0.5 + random()::numeric / 2);
  update crm.sync as s
  set
    status = 'pending',
    run_at = greatest(v_now + make_interval(secs => v_delay::double precision), v_open_until),
    error = v_message
  where s.organization_id = v_organization_id and s.id = v_sync.id;
  return 'pending';
end $$;

comment on function crm.settle_attempt(uuid, uuid, integer, text, text, integer, text, double precision) is
$$Records the outcome of an attempt. Returns the sync's new status, or null if another worker has the lease.

outcome:
- created, linked (to an existing record): the sync is ok, with external_id.
- simulated: as created, for a test organization.
- refused: the sync is failed.
- unauthorized: the sync is failed, and the connection is paused.
- not_made: no record was created; the push is tried again.
- unknown: a record may have been created; the push is tried again after settle_seconds.
- undecided: the vendor's search can't tell; the sync is failed until an operator decides.

retry_after: the seconds that the whole connection waits, at most 3,600. A push fails after 24 hours and 20 attempts. Raises
PT422 unknown_outcome.$$;

grant execute on function crm.settle_attempt(uuid, uuid, integer, text, text, integer, text, double precision) to leads_worker;
-- begin frozen sql/crm/lease_syncs.sql
-- crm.lease_syncs - leases due pushes to a worker, for 15 seconds each.
set local role leads_jobs;

create or replace function crm.lease_syncs(key_ids text[], batch integer, running jsonb default '{}')
returns setof crm.job language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  -- One time for the whole call, so that a postponed push isn't due again in it. A variable,
  -- because an index can't be searched for a volatile value.
  v_started timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_left integer := least(greatest(lease_syncs.batch, 0), 64);
  v_seen uuid[] := '{}';
  v_connection record;
  v_reserved jsonb;
  v_due record;
  v_now timestamptz;
  v_open_until timestamptz;
  v_recent record;
  v_postponed_until timestamptz;
  v_external_id text;
  v_free integer;
begin
  -- A session that has ended probably belonged to a killed worker: its leases end now. The number of
  -- the attempt stops a worker that only lost its connection; its open calls are still waited for.
  with gone as (
    select s.organization_id, s.id
    from crm.connection as c
    join crm.sync as s on s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account
    where
      s.status = 'in_progress'
      and s.run_at > v_started
      and not exists (select from pg_catalog.pg_stat_activity as a where a.pid = s.leased_by)
      and (crm.open_until(s.organization_id, s.id, c.settle_seconds) > v_started) is not true
    for no key update of s skip locked
  )
  update crm.sync as s
  set run_at = v_started
  from gone as g
  where s.organization_id = g.organization_id and s.id = g.id;

  while v_left > 0 loop
    -- Each connection once. The lock prevents two workers from choosing among the same syncs. A
    -- connection that another worker has locked is skipped.
    select
      c.organization_id, c.vendor, c.account, c.revision, c.settings, c.settle_seconds, c.credential, c.credential_key,
      v.has_search, o.environment,
      v.calls_at_once - coalesce((lease_syncs.running ->> c.organization_id::text)::integer, 0) as free
    into v_connection
    from crm.connection as c
    join crm.vendor as v on v.name = c.vendor
    join app.organization as o on o.organization_id = c.organization_id
    cross join lateral (
      select s.run_at
      from crm.sync as s
      where
        s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account
        and s.run_at <= v_started
      order by s.run_at
      limit 1
    ) as d
    where
      c.state = 'active'
      and c.organization_id <> all (v_seen)
      and (c.blocked_until is null or c.blocked_until <= v_started)
      and (o.environment = 'test' or c.credential_key = any (lease_syncs.key_ids))
      and v.calls_at_once > coalesce((lease_syncs.running ->> c.organization_id::text)::integer, 0)
    order by d.run_at, c.organization_id
    limit 1
    for no key update of c skip locked;
    exit when not found;

    v_seen := v_seen || v_connection.organization_id;
    v_free := least(v_connection.free, v_left);
    -- The addresses of pushes with open attempts, each with the oldest such push. A failed push
    -- keeps its address reserved until the vendor's search shows what it may have created.
    select jsonb_object_agg(r.email_key, r.id) into v_reserved
    from (
      select s.email_key, min(s.id::text) as id
      from crm.attempt as a
      join crm.sync as s on s.organization_id = a.organization_id and s.id = a.sync_id
      where
        a.organization_id = v_connection.organization_id
        and a.sent_at is not null
        and a.outcome is null
        and s.vendor = v_connection.vendor
        and s.account = v_connection.account
        and s.email_key is not null
        and (
          s.status in ('pending', 'in_progress')
          or a.sent_at + make_interval(secs => 5 + v_connection.settle_seconds) > v_started
        )
      group by s.email_key
    ) as r;

    for v_due in
      select s.*, l.email_key as lead_email_key, row(l.*)::app.lead_values as lead
      from crm.sync as s
      join app.lead as l on l.organization_id = s.organization_id and l.id = s.lead_id
      where
        s.organization_id = v_connection.organization_id
        and s.vendor = v_connection.vendor
        and s.account = v_connection.account
        and s.run_at <= v_started
      order by s.run_at, s.id
      limit 4 * v_free
      for no key update of s skip locked
    loop
      v_now := date_trunc('milliseconds', clock_timestamp());
      v_open_until := crm.open_until(v_due.organization_id, v_due.id, v_connection.settle_seconds);
      if v_open_until > v_now then
        -- The push is postponed: the answer to an earlier call may still arrive.
        update crm.sync as s
        set run_at = v_open_until
        where s.organization_id = v_due.organization_id and s.id = v_due.id;
        continue;
      end if;

      v_postponed_until := null;
      v_external_id := case v_connection.environment when 'test' then 'simulated_' || v_due.id end;
      if v_connection.has_search and v_due.lead_email_key is not null and v_external_id is null then
        if exists (
          select
          from crm.sync as s
          where
            s.organization_id = v_due.organization_id
            and s.vendor = v_due.vendor
            and s.account = v_due.account
            and s.email_key = v_due.lead_email_key
            and s.status = 'in_progress'
            and s.id <> v_due.id
        )
        or (
          v_reserved ->> v_due.lead_email_key <> v_due.id::text
          and (v_open_until is null or v_reserved ->> v_due.lead_email_key < v_due.id::text)
        ) then
          -- Another push has this address, or may have created its record. The interval grows.
          v_postponed_until := v_now + least(greatest((v_now - v_due.begun_at) / 8, interval '0.25 seconds'), interval '10 seconds');
        else
          -- A record that was just created, which the vendor's search may not show yet.
          select s.external_id, s.last_synced_at into v_recent
          from crm.sync as s
          where
            s.organization_id = v_due.organization_id
            and s.email_key = v_due.lead_email_key
            and s.vendor = v_due.vendor
            and s.account = v_due.account
            and s.status = 'ok'
            and s.last_synced_at > v_now - make_interval(secs => 60 + v_connection.settle_seconds)
          order by s.last_synced_at desc
          limit 1;
          if v_open_until is null then
            v_external_id := v_recent.external_id;
          elsif v_recent.last_synced_at + make_interval(secs => v_connection.settle_seconds) > v_now then
            -- This push may have created a record with an older address: the search must show both.
            v_postponed_until := v_recent.last_synced_at + make_interval(secs => v_connection.settle_seconds);
          end if;
        end if;
      end if;
      if v_postponed_until is not null then
        update crm.sync as s
        set status = 'pending', run_at = v_postponed_until
        where s.organization_id = v_due.organization_id and s.id = v_due.id;
        continue;
      end if;

      update crm.sync as s
      set
        status = 'in_progress',
        run_at = v_now + interval '15 seconds',
        leased_by = pg_backend_pid(),
        attempts = s.attempts + 1,
        email_key = case when v_connection.has_search then v_due.lead_email_key end
      where s.organization_id = v_due.organization_id and s.id = v_due.id;
      insert into crm.attempt (organization_id, sync_id, number, connection_revision)
      values (v_due.organization_id, v_due.id, v_due.attempts + 1, v_connection.revision);
      v_left := v_left - 1;
      if v_external_id is not null then
        perform crm.settle_attempt(
          v_due.organization_id, v_due.id, v_due.attempts + 1,
          case v_connection.environment when 'test' then 'simulated' else 'linked' end, v_external_id
        );
        exit when v_left = 0;
        continue;
      end if;

      return query
      select
        v_due.organization_id,
        v_due.id,
        v_due.attempts + 1,
        v_due.vendor,
        v_connection.settings::json,
        v_connection.credential,
        v_connection.credential_key,
        crm.contact(v_due.lead, v_due.id),
        (
          select coalesce(json_agg(json_build_object('email', a.email, 'display_name', a.display_name) order by a.number), '[]')
          from crm.attempt as a
          where
            a.organization_id = v_due.organization_id
            and a.sync_id = v_due.id
            and a.sent_at is not null
            and a.outcome is null
        ),
        -- A vendor's search can be case-sensitive, and another lead may have another spelling.
        array(
          select distinct a.email
          from crm.sync as s
          join crm.attempt as a on a.organization_id = s.organization_id and a.sync_id = s.id
          where
            s.organization_id = v_due.organization_id
            and s.email_key = v_due.lead_email_key
            and s.vendor = v_due.vendor
            and s.account = v_due.account
            and s.status = 'ok'
            and a.outcome = 'created'
            and lower(a.email collate "C") = v_due.lead_email_key
          limit 8
        );
      v_free := v_free - 1;
      exit when v_free = 0 or v_left = 0;
    end loop;
  end loop;
end $$;

comment on function crm.lease_syncs(text[], integer, jsonb) is
$$Leases up to batch (1 to 64) pushes that are due, of the connections whose credential one of the keys decrypts.

Each lease is a new attempt. Its number is the fencing token. A lease ends after 15 seconds, unless crm.begin_call renews
it, and when the worker's session ends. running: how many pushes of each organization the worker already has, such as
{"<organization_id>": 3}; a connection never has more than calls_at_once. Not leased: a push with open attempts that have not
settled, a push whose address another push has, and a push that waits for Retry-After. If another lead with the same
address has just got a record, the lead is linked to it. A push of a test organization is simulated. The result contains neither of these pushes.$$;

grant execute on function crm.lease_syncs(text[], integer, jsonb) to leads_worker;
-- begin frozen sql/crm/seconds_until_due.sql
-- crm.seconds_until_due - how long a worker can sleep.
set local role leads_jobs;

create or replace function crm.seconds_until_due(key_ids text[])
returns numeric language sql stable security definer
begin atomic
  select extract(epoch from min(greatest(d.run_at, c.blocked_until)) - clock_timestamp())
  from crm.connection as c
  join app.organization as o on o.organization_id = c.organization_id
  cross join lateral (
    select s.run_at
    from crm.sync as s
    where
      s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account and s.run_at is not null
    order by s.run_at
    limit 1
  ) as d
  where c.state = 'active' and (o.environment = 'test' or c.credential_key = any (seconds_until_due.key_ids));
end;

comment on function crm.seconds_until_due(text[]) is
  'Seconds until the next push is due or a lease ends. Negative: a push is due. Null: no push waits.';

grant execute on function crm.seconds_until_due(text[]) to leads_worker;
-- begin frozen sql/crm/connections_without_key.sql
-- crm.connections_without_key - the number of connections that a worker can't serve.
set local role leads_jobs;

create or replace function crm.connections_without_key(key_ids text[])
returns integer language sql stable security definer
begin atomic
  select count(*)::integer
  from crm.connection as c
  join app.organization as o on o.organization_id = c.organization_id
  where
    c.state = 'active'
    and o.environment = 'live'
    and c.credential_key <> all (connections_without_key.key_ids);
end;

comment on function crm.connections_without_key(text[]) is
  'The number of active connections whose credential none of the keys decrypts, for example after the loss of a key.';

grant execute on function crm.connections_without_key(text[]) to leads_worker;
-- begin frozen sql/crm/begin_call.sql
-- crm.begin_call - permits a call to a vendor and renews the lease.
set local role leads_jobs;

create or replace function crm.begin_call(
  organization_id uuid,
  sync_id uuid,
  attempt integer,
  display_name text default null,
  email text default null
)
returns crm.permission language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := begin_call.organization_id;
  v_sync crm.sync;
  v_attempt crm.attempt;
  v_connection record;
  v_now timestamptz;
  v_at timestamptz;
  v_spacing interval;
begin
  -- A worker with an older attempt stops here.
  select s.* into v_sync
  from crm.sync as s
  where
    s.organization_id = v_organization_id
    and s.id = begin_call.sync_id
    and s.attempts = begin_call.attempt
    and s.status = 'in_progress'
  for no key update;
  if not found then
    return row('stop', null)::crm.permission;
  end if;
  select a.* into v_attempt
  from crm.attempt as a
  where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number = v_sync.attempts;
  if v_attempt.sent_at is not null then
    -- Another call of this attempt: the previous call was answered and created nothing.
    update crm.attempt as a
    set sent_at = null
    where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number = v_sync.attempts;
  end if;

  -- If the vendor limits the rate, calls take turns: all workers share the connection's rate.
  perform
  from crm.connection as c
  join crm.vendor as v on v.name = c.vendor
  where c.organization_id = v_organization_id and v.calls is not null
  for no key update of c;
  select c.state, c.revision, c.blocked_until, c.paced_until, v.calls, v.call_seconds into v_connection
  from crm.connection as c
  join crm.vendor as v on v.name = c.vendor
  where c.organization_id = v_organization_id and c.vendor = v_sync.vendor and c.account = v_sync.account;
  v_now := date_trunc('milliseconds', clock_timestamp());
  v_at := greatest(v_now, v_connection.blocked_until);
  if v_connection.calls is not null then
    -- An even rate of nine tenths of the limit, with bursts of one tenth: no period of call_seconds
    -- has more calls. Rounded up to whole milliseconds, the precision of paced_until.
    v_spacing := make_interval(secs => ceil(1000 * v_connection.call_seconds / (0.9 * v_connection.calls)) / 1000);
    v_at := greatest(v_at, v_connection.paced_until - v_spacing * (0.1 * v_connection.calls));
  end if;

  if
    v_connection.state is distinct from 'active'
    or v_connection.revision <> v_attempt.connection_revision
    or v_at > v_now + interval '2 seconds'
  then
    -- Paused, disconnected, connected with another credential, or a long wait: the lease is returned.
    update crm.attempt as a
    set outcome = 'not_made'
    where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number = v_sync.attempts;
    update crm.sync as s
    set status = 'pending', run_at = greatest(v_at, v_now)
    where s.organization_id = v_organization_id and s.id = v_sync.id;
    return row('stop', null)::crm.permission;
  end if;
  if v_at > v_now then
    return row('wait', extract(epoch from v_at - v_now))::crm.permission;
  end if;

  if v_connection.calls is not null then
    update crm.connection as c
    set paced_until = greatest(c.paced_until, v_now) + v_spacing
    where c.organization_id = v_organization_id;
  end if;
  update crm.sync as s
  set run_at = v_now + interval '15 seconds', leased_by = pg_backend_pid()
  where s.organization_id = v_organization_id and s.id = v_sync.id;
  if begin_call.display_name is not null then
    update crm.attempt as a
    set sent_at = v_now, email = begin_call.email, display_name = begin_call.display_name
    where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number = v_sync.attempts;
  end if;
  return row('go', null)::crm.permission;
end $$;

comment on function crm.begin_call(uuid, uuid, integer, text, text) is
$$Permits one call to the vendor and renews the lease to 15 seconds.

The call must end within 5 seconds. attempt: the fencing token. display_name, email: the data of a call that creates a
record; they are committed with the time before the call. Null: the call only reads. Verdicts: go; wait (the vendor's rate
limit: ask again after wait_seconds, at most 2); stop (another worker has the lease, or the lease was returned because the
connection is paused or gone or the wait is longer: the worker drops the push).$$;

grant execute on function crm.begin_call(uuid, uuid, integer, text, text) to leads_worker;
-- end frozen

set local role leads_owner;
revoke create on schema crm from leads_jobs;
reset role;
