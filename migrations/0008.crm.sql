-- The CRM: connections, syncs (which are the outbox), and what each attempt sent.
set local lock_timeout = '5s';
set local row_security = off;

create schema crm authorization leads_owner;

set local role leads_owner;

comment on schema crm is 'Pushing leads to a CRM, once and only once.';
grant usage on schema crm to leads_exec, leads_jobs, leads_audit, leads_worker;
grant usage on schema admin to leads_worker;

create table crm.vendor (
  name text not null,
  title text not null,
  has_search boolean not null,
  needs_name boolean not null,
  settle_seconds integer not null,
  calls_at_once integer not null,
  calls integer,
  call_seconds integer,
  constraint vendor_pkey primary key (name),
  constraint vendor_name_is_name check (app.is_name(name)),
  constraint vendor_settles_within_an_hour check (settle_seconds between 0 and 3600),
  constraint vendor_takes_1_to_64_calls_at_once check (calls_at_once between 1 and 64),
  constraint vendor_limits_calls_by_number_and_time check (
    (calls is null) = (call_seconds is null) and calls > 0 and call_seconds > 0
  )
);

comment on table crm.vendor is 'The CRMs that there is an adapter for, the same for all organizations.';
comment on column crm.vendor.title is 'What people call it.';
comment on column crm.vendor.has_search is
  'Whether a record can be looked up by its e-mail address: two leads with one address then share a record. Where it '
  'can''t, the vendor drops repeats by the sync''s id.';
comment on column crm.vendor.needs_name is 'Whether an address alone is not enough: a name or a company is needed.';
comment on column crm.vendor.settle_seconds is
  'Seconds after a call''s deadline by which the vendor has finished it and shows its record in a look-up; a connection '
  'may say otherwise.';
comment on column crm.vendor.calls_at_once is 'So many calls of one connection does a worker have under way at the most.';
comment on column crm.vendor.calls is 'So many calls the vendor takes within call_seconds; null: it doesn''t say.';

create table crm.connection (
  organization_id uuid not null,
  id uuid not null default app.new_id(),
  vendor text not null,
  account text not null,
  state text not null default 'active',
  fault text,
  push_stage text not null default 'qualified',
  settings jsonb not null default '{}',
  settle_seconds integer not null,
  revision integer not null default 1,
  credential bytea,
  credential_key text,
  blocked_until timestamptz(3),
  paced_until timestamptz(3),
  created_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  constraint connection_pkey primary key (organization_id),
  constraint connection_belongs_to_organization foreign key (organization_id) references app.organization,
  constraint connection_vendor_is_name check (app.is_name(vendor)),
  constraint connection_account_is_text_of_1_to_255 check (app.is_text(account, 255)),
  constraint connection_state_is_active_or_paused check (state in ('active', 'paused')),
  constraint connection_has_a_fault_only_when_it_is_paused check (fault is null or state = 'paused'),
  constraint connection_push_stage_exists
    foreign key (organization_id, push_stage) references app.pipeline_stage (organization_id, name),
  constraint connection_settings_are_an_object check (jsonb_typeof(settings) = 'object'),
  constraint connection_settles_within_an_hour check (settle_seconds between 0 and 3600),
  constraint connection_credential_says_its_key check ((credential is null) = (credential_key is null))
);

comment on table crm.connection is 'An organization''s connection to its CRM: one at most.';
comment on column crm.connection.account is
  'Which of the vendor''s accounts it opens: the same one, connected again, takes up its syncs.';
comment on column crm.connection.state is 'active, or paused: by an operator, or because the vendor refused the credential.';
comment on column crm.connection.fault is 'Why it was paused, in the vendor''s words; null: by an operator.';
comment on column crm.connection.push_stage is 'A lead that enters this stage is pushed by itself.';
comment on column crm.connection.settings is 'What the vendor''s adapter needs besides the credential.';
comment on column crm.connection.settle_seconds is 'As of the vendor, for this account.';
comment on column crm.connection.revision is 'Counts how often it was made: an attempt with an older credential says nothing of this one.';
comment on column crm.connection.credential is
  'The vendor''s key, AES-256-GCM: a nonce of 12 bytes, then the ciphertext with its tag. What decrypts it is in the '
  'environment of the worker and the operator alone. Null: a test organization''s, whose pushes are simulated.';
comment on column crm.connection.credential_key is 'The id of the key that decrypts the credential.';
comment on column crm.connection.blocked_until is 'The vendor said Retry-After: no worker calls it before.';
comment on column crm.connection.paced_until is 'When the calls granted so far would have come at an even pace.';

create table crm.sync (
  organization_id uuid not null,
  id uuid not null default app.new_id(),
  lead_id uuid not null,
  vendor text not null,
  account text not null,
  status text not null default 'pending',
  external_id text,
  error_code text,
  error text,
  run_at timestamptz(3),
  leased_by integer,
  attempts integer not null default 0,
  begun_at timestamptz(3) not null default date_trunc('milliseconds', clock_timestamp()),
  begun_after integer not null default 0,
  email_key text collate "C",
  last_synced_at timestamptz(3),
  created_at timestamptz(3) not null default date_trunc('milliseconds', now()),
  constraint sync_pkey primary key (organization_id, id),
  constraint sync_belongs_to_lead
    foreign key (organization_id, lead_id) references app.lead (organization_id, id) on delete cascade,
  constraint sync_vendor_is_name check (app.is_name(vendor)),
  constraint sync_is_the_only_one_of_lead_and_account unique (organization_id, lead_id, vendor, account),
  constraint sync_status_is_known check (status in ('pending', 'in_progress', 'ok', 'failed', 'skipped')),
  constraint sync_runs_at_a_time_until_it_ends check ((status in ('pending', 'in_progress')) = (run_at is not null)),
  constraint sync_has_an_external_id_when_it_is_ok check ((status = 'ok') = (external_id is not null)),
  constraint sync_has_a_time_when_it_is_ok check ((status = 'ok') = (last_synced_at is not null)),
  constraint sync_says_why_it_failed check ((status in ('failed', 'skipped')) = (error_code is not null)),
  constraint sync_error_code_is_known check (
    case status
      when 'failed' then error_code in ('rejected', 'outcome_unknown', 'gave_up')
      when 'skipped' then error_code in ('paused', 'incomplete')
      else error_code is null
    end
  ),
  constraint sync_error_is_text_of_1_to_1000 check (app.is_text(error, 1000)),
  constraint sync_external_id_is_text_of_1_to_255 check (app.is_text(external_id, 255)),
  constraint sync_counts_attempts check (attempts >= begun_after and begun_after >= 0)
);

comment on table crm.sync is
  'A lead in a CRM: the state of its push, and the outbox of those that are due. Written in the lead''s own transaction.';
comment on column crm.sync.vendor is 'The CRM, as of the connection when the push was asked for.';
comment on column crm.sync.account is 'The vendor''s account.';
comment on column crm.sync.status is
  'pending: waits for run_at. in_progress: a worker has it until run_at. ok: it has its record, for good. failed, '
  'skipped: nothing more happens by itself; error_code says why.';
comment on column crm.sync.external_id is 'The record''s id at the vendor.';
comment on column crm.sync.error_code is
  'rejected: the vendor refused. outcome_unknown: a record may have been made, and the vendor''s search can''t tell. '
  'gave_up: no answer in 24 hours and 20 attempts. paused: the connection was, at the stage''s change. incomplete: the '
  'lead lacked what the vendor needs.';
comment on column crm.sync.error is 'The vendor''s own words.';
comment on column crm.sync.run_at is 'pending: when it is due. in_progress: when its lease ends.';
comment on column crm.sync.leased_by is
  'in_progress: the process id of the worker''s session. Once that is gone, its lease ends.';
comment on column crm.sync.attempts is 'Counts the attempts; the fencing token: who holds an older one writes nothing.';
comment on column crm.sync.begun_at is 'When this round of attempts began: what the backoff and its end go by.';
comment on column crm.sync.begun_after is 'How many attempts the rounds before had.';
comment on column crm.sync.email_key is
  'The lead''s address at the last attempt, A-Z in lower case: pushes of one account and address go one after another.';
comment on column crm.sync.last_synced_at is 'When the record was made or linked.';

create index sync_by_run_at on crm.sync (organization_id, vendor, account, run_at) where run_at is not null;
create index sync_by_email_key on crm.sync (organization_id, email_key, vendor, account);
-- One address is never with two workers.
create unique index sync_by_email_key_in_progress on crm.sync (organization_id, vendor, account, email_key)
  where status = 'in_progress';

create table crm.attempt (
  organization_id uuid not null,
  sync_id uuid not null,
  number integer not null,
  connection_revision integer not null,
  email text,
  display_name text,
  sent_at timestamptz(3),
  outcome text,
  http_status integer,
  message text,
  created_at timestamptz(3) not null default date_trunc('milliseconds', clock_timestamp()),
  constraint attempt_pkey primary key (organization_id, sync_id, number),
  constraint attempt_belongs_to_sync
    foreign key (organization_id, sync_id) references crm.sync (organization_id, id) on delete cascade,
  constraint attempt_number_is_positive check (number > 0),
  constraint attempt_keeps_what_was_sent check (sent_at is null or display_name is not null),
  constraint attempt_outcome_is_known check (
    outcome in ('created', 'linked', 'simulated', 'refused', 'not_made', 'settled', 'dismissed')
  ),
  constraint attempt_message_is_text_of_1_to_1000 check (app.is_text(message, 1000))
);

comment on table crm.attempt is
  'The attempts of a sync. One that was sent and has no outcome may have made a record: it is open.';
-- What may have made a record, and holds its address.
create index attempt_by_open on crm.attempt (organization_id, sync_id) where sent_at is not null and outcome is null;

comment on column crm.attempt.number is 'What the sync''s attempts counted.';
comment on column crm.attempt.connection_revision is 'Which revision of the connection it is made with.';
comment on column crm.attempt.email is 'The address that was sent.';
comment on column crm.attempt.display_name is 'The name that was sent.';
comment on column crm.attempt.sent_at is 'Committed right before the call that makes the record; null: there was none.';
comment on column crm.attempt.outcome is
  'created, linked, simulated: the sync is ok by it. refused: by the vendor. not_made: nothing was made, for sure. settled: a '
  'later attempt found what it had made, or that it had made nothing. dismissed: a person said so. Null: unknown yet.';
comment on column crm.attempt.http_status is 'The status of the last answer; null: there was none.';
comment on column crm.attempt.message is 'What went wrong, in the vendor''s words.';

alter table crm.connection enable row level security, force row level security;
alter table crm.sync enable row level security, force row level security;
alter table crm.attempt enable row level security, force row level security;

alter table crm.connection
  alter column organization_id set statistics 0,
  alter column id set statistics 0,
  alter column vendor set statistics 0,
  alter column account set statistics 0,
  alter column state set statistics 0,
  alter column fault set statistics 0,
  alter column push_stage set statistics 0,
  alter column settings set statistics 0,
  alter column settle_seconds set statistics 0,
  alter column revision set statistics 0,
  alter column credential set statistics 0,
  alter column credential_key set statistics 0,
  alter column blocked_until set statistics 0,
  alter column paced_until set statistics 0,
  alter column created_at set statistics 0;
alter table crm.sync
  alter column organization_id set statistics 0,
  alter column id set statistics 0,
  alter column lead_id set statistics 0,
  alter column vendor set statistics 0,
  alter column account set statistics 0,
  alter column status set statistics 0,
  alter column external_id set statistics 0,
  alter column error_code set statistics 0,
  alter column error set statistics 0,
  alter column run_at set statistics 0,
  alter column leased_by set statistics 0,
  alter column attempts set statistics 0,
  alter column begun_at set statistics 0,
  alter column begun_after set statistics 0,
  alter column email_key set statistics 0,
  alter column last_synced_at set statistics 0,
  alter column created_at set statistics 0;
alter table crm.attempt
  alter column organization_id set statistics 0,
  alter column sync_id set statistics 0,
  alter column number set statistics 0,
  alter column connection_revision set statistics 0,
  alter column email set statistics 0,
  alter column display_name set statistics 0,
  alter column sent_at set statistics 0,
  alter column outcome set statistics 0,
  alter column http_status set statistics 0,
  alter column message set statistics 0,
  alter column created_at set statistics 0;

create type crm.job as (
  organization_id uuid,
  sync_id uuid,
  attempt integer,
  vendor text,
  settings json,
  credential bytea,
  credential_key text,
  contact json,
  open_attempts json,
  spellings text[]
);
comment on type crm.job is 'A leased sync, with all that its push needs.';

create type crm.permission as (
  verdict text,
  wait_seconds numeric
);
comment on type crm.permission is
  'Whether a call to the vendor may be made. go; wait: ask again after wait_seconds; stop: the lease is lost or given back.';

create type api.crm_sync as (
  vendor text,
  external_id text,
  status text,
  last_synced_at api.utc_time
);
comment on type api.crm_sync is 'The state of a lead''s push to the CRM, as the API shows it.';

create type api.lead_sync as (
  id uuid,
  crm_sync api.crm_sync
);
comment on type api.lead_sync is 'What a push answers: id is the lead''s; crm_sync is null for a lead that was never pushed.';

create type api.crm_connection as (
  id uuid,
  organization_id uuid,
  vendor text,
  account text,
  state text,
  fault text,
  push_stage text,
  settle_seconds integer,
  settings json,
  created_at api.utc_time
);
comment on type api.crm_connection is 'A connection to a CRM, as the API shows it: all but the credential.';

-- The route table has some 20 rows.
alter table api.route
  add column wait_seconds integer,
  add column wait_function text;

-- squawk-ignore constraint-missing-not-valid
alter table api.route add constraint route_waits_for_at_most_a_minute check (wait_seconds between 1 and 60);
-- squawk-ignore constraint-missing-not-valid
alter table api.route add constraint route_waits_by_a_function check ((wait_seconds is null) = (wait_function is null));

comment on column api.route.wait_seconds is
  'An answer that another transaction makes: how long a 202 waits for it, without a connection. One whose Retry-After is '
  'longer than what is left doesn''t wait.';
comment on column api.route.wait_function is
  'The function that is asked for it: it only reads, and takes its arguments by name out of the route''s.';

reset role;

-- Its row has three columns more; a server of the release before reads its columns by their names.
set local role leads_exec;
-- squawk-ignore ban-drop-function
drop function if exists api.routes();
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

-- begin frozen sql/api/schema_version.sql
-- api.schema_version - the number of the newest migration.
set local role leads_exec;

create or replace function api.schema_version()
returns integer
language sql
immutable
parallel safe
begin atomic
  select 8;
end;

comment on function api.schema_version() is 'The number of the newest migration that this schema has.';

grant execute on function api.schema_version() to leads_owner, leads_jobs, leads_api;
-- end frozen sql/api/schema_version.sql

-- begin frozen sql/audit/tg_record.sql
-- audit.tg_record - writes the change of a small table's row to the log, whoever makes it.
set local role leads_audit;

create or replace function audit.tg_record()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_entity text := tg_argv[0];
  v_key text := tg_argv[1];
  v_left_out text[] := coalesce(tg_argv[2:], '{}');
  v_old jsonb := to_jsonb(old);
  v_new jsonb := to_jsonb(new);
  v_row jsonb := coalesce(v_new, v_old);
  v_diff text;
  v_action text := case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'updated' else 'deleted' end;
begin
  with field as (
    select
      a.attnum as position,
      a.attname as name,
      case
        when a.atttypid = 'timestamptz'::regtype then to_jsonb(app.utc_text((v_old ->> a.attname)::timestamptz))
        -- Enough to see that a key was exchanged.
        when a.attname in ('digest', 'credential') then to_jsonb(left(v_old ->> a.attname, 10))
        else nullif(v_old -> a.attname, 'null')
      end as old_value,
      case
        when a.atttypid = 'timestamptz'::regtype then to_jsonb(app.utc_text((v_new ->> a.attname)::timestamptz))
        when a.attname in ('digest', 'credential') then to_jsonb(left(v_new ->> a.attname, 10))
        else nullif(v_new -> a.attname, 'null')
      end as new_value
    from pg_catalog.pg_attribute as a
    where
      a.attrelid = tg_relid
      and a.attnum > 0
      and not a.attisdropped
      and a.attname not in ('organization_id', 'id', 'created_at')
      and (a.attname not in ('digest', 'credential') or tg_op = 'UPDATE')
      and a.attname <> all (v_left_out)
  )
  select string_agg(
    concat(to_json(f.name), ':', json_build_object('from', f.old_value, 'to', f.new_value)), ',' order by f.position
  )
  into v_diff
  from field as f
  where f.old_value is distinct from f.new_value;
  if tg_op = 'UPDATE' and v_diff is null then
    return null;
  end if;

  if v_new ->> 'rotated_from' is not null and tg_op = 'INSERT' then
    v_action := 'rotated';
  elsif v_new ->> 'revoked_at' is not null and v_old ->> 'revoked_at' is null and tg_op = 'UPDATE' then
    v_action := 'revoked';
  end if;

  perform audit.write_event(
    (v_row ->> 'organization_id')::uuid,
    v_entity || '.' || v_action,
    (v_row ->> 'lead_id')::uuid,
    concat(to_json(v_entity || case when v_key = 'id' then '_id' else '' end), ':', v_row -> v_key, ',"diff":{', v_diff, '}')
  );
  return null;
end
$$;

comment on function audit.tg_record() is
$$Writes <entity>.created, .updated or .deleted with a diff of the row's columns; for a key also .rotated and .revoked.

Arguments: the entity's name, the column that names the row, and columns that are no business of the log. organization_id, id,
created_at are left out of the diff too, and so is a digest or a credential, unless it was exchanged: then its first 4 bytes stand. For tables that change seldom: it reads the row as JSON.$$;

grant execute on function audit.tg_record() to leads_owner, leads_auth;
-- end frozen sql/audit/tg_record.sql

-- begin frozen sql/audit/tg_sync__record.sql
-- audit.tg_sync__record - writes what becomes of a lead's push to the log, whoever makes it so.
set local role leads_audit;

create or replace function audit.tg_sync__record()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_row crm.sync := case when tg_op = 'DELETE' then old else new end;
  v_action text := case
    when tg_op = 'DELETE' then 'crm_sync.deleted'
    when tg_op = 'UPDATE' and new.status in ('pending', 'in_progress') and old.status in ('pending', 'in_progress') then null
    when tg_op = 'UPDATE' and new.status = old.status then
      case
        when (old.external_id, old.error_code, old.error, old.last_synced_at)
          is distinct from (new.external_id, new.error_code, new.error, new.last_synced_at) then 'crm_sync.updated'
      end
    when new.status in ('pending', 'in_progress') then 'lead.crm_push_requested'
    when new.status = 'ok' then 'lead.crm_pushed'
    when new.status = 'failed' then 'lead.crm_push_failed'
    when new.status = 'skipped' then 'lead.crm_push_skipped'
  end;
begin
  -- Leases and delays are no change that anybody must know of; crm.attempt has them.
  if v_action is null then
    return null;
  end if;
  perform audit.write_event(
    v_row.organization_id,
    v_action,
    v_row.lead_id,
    concat_ws(
      ',',
      '"lead_id":"' || v_row.lead_id || '"',
      '"sync_id":"' || v_row.id || '"',
      '"vendor":' || to_json(v_row.vendor),
      '"external_id":' || coalesce(to_json(v_row.external_id)::text, 'null'),
      '"attempts":' || v_row.attempts,
      '"error_code":' || to_json(v_row.error_code),
      case when v_row.error_code is not null then '"error":' || coalesce(to_json(v_row.error)::text, 'null') end
    )
  );
  return null;
end
$$;

comment on function audit.tg_sync__record() is
  'Writes lead.crm_push_requested, lead.crm_pushed, lead.crm_push_failed or lead.crm_push_skipped as the status changes, '
  'with vendor, external_id and attempts, and for the latter two error_code and the vendor''s words; crm_sync.updated and '
  'crm_sync.deleted for what nothing of ours does.';

grant execute on function audit.tg_sync__record() to leads_owner;
-- end frozen sql/audit/tg_sync__record.sql

-- begin frozen sql/crm/request_push.sql
-- crm.request_push - puts a lead's push into the outbox, or finds how it stands.
set local role leads_jobs;

create or replace function crm.request_push(organization_id uuid, lead_id uuid, is_asked boolean)
returns crm.sync
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization_id uuid := request_push.organization_id;
  v_lead_id uuid := request_push.lead_id;
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_connection record;
  v_lead record;
  v_skipped text;
  v_sync crm.sync;
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
  -- Nothing is to be done, and the row isn't locked: a worker would wait for this transaction.
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

  -- 50 that ask at once make one row; the rest of them find it.
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
      -- Who asks doesn't wait for the backoff; what may have been made is still waited out, by who leases.
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
end
$$;

comment on function crm.request_push(uuid, uuid, boolean) is
$$Puts the lead's push into the outbox of the organization's connection; a repeat finds how it stands. The caller notifies.

is_asked: somebody asked for it: then a paused connection makes it wait, where the stage's change would be skipped; one that
waits for its backoff is due now; and a lead that lacks what the vendor needs is PT422 validation_failed. What failed or
was skipped begins anew; what is ok, or has an unknown outcome, stays as it is. Null: the organization has no connection.$$;

grant execute on function crm.request_push(uuid, uuid, boolean) to leads_exec;
-- end frozen sql/crm/request_push.sql

-- begin frozen sql/crm/tg_lead__push.sql
-- crm.tg_lead__push - has a lead pushed by itself when it enters the stage that its organization's connection names.
set local role leads_jobs;

create or replace function crm.tg_lead__push()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  -- With its owner's rights: whoever changes the lead, in SQL too, reads no connection.
  if exists (
    select
    from crm.connection as c
    where c.organization_id = new.organization_id and c.push_stage = new.pipeline_stage
  ) then
    perform crm.request_push(new.organization_id, new.id, false);
  end if;
  return null;
end
$$;

comment on function crm.tg_lead__push() is
  'Asks for the push of a lead that has entered the connection''s push_stage, in the lead''s own transaction.';

grant execute on function crm.tg_lead__push() to leads_owner;
-- end frozen sql/crm/tg_lead__push.sql

-- begin frozen sql/app/lead.triggers.sql
-- app.lead - the triggers of the leads' table.
set local role leads_owner;

drop trigger if exists _100_refuse_truncate on app.lead;
drop trigger if exists _110_check_first_score on app.lead;
drop trigger if exists _120_check_score on app.lead;
drop trigger if exists _500_stamp on app.lead;
drop trigger if exists _600_keep_first_score on app.lead;
drop trigger if exists _610_keep_set_score on app.lead;
drop trigger if exists _900_record on app.lead;
drop trigger if exists _910_push_first_stage on app.lead;
drop trigger if exists _920_push_stage on app.lead;

-- TRUNCATE fires no row trigger: leads would go without a trace.
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

create trigger _900_record after insert or update or delete on app.lead
  for each row execute function audit.tg_lead__record();

-- Behind the record, whose event then stands before that of the push.
create trigger _910_push_first_stage after insert on app.lead
  for each row execute function crm.tg_lead__push();

create trigger _920_push_stage after update on app.lead
  for each row when (old.pipeline_stage is distinct from new.pipeline_stage) execute function crm.tg_lead__push();
-- end frozen sql/app/lead.triggers.sql

-- begin frozen sql/app/idempotency_key.policies.sql
-- app.idempotency_key - the policies of the kept answers' table.
set local role leads_owner;

drop policy if exists idempotency_key_exec_all on app.idempotency_key;
drop policy if exists idempotency_key_jobs_select on app.idempotency_key;
drop policy if exists idempotency_key_jobs_delete on app.idempotency_key;

create policy idempotency_key_exec_all on app.idempotency_key for all to leads_exec
  using (organization_id = (select auth.organization_id('write')))
  with check (organization_id = (select auth.organization_id('write')));

-- admin.delete_expired_answers
create policy idempotency_key_jobs_select on app.idempotency_key for select to leads_jobs using (true);
create policy idempotency_key_jobs_delete on app.idempotency_key for delete to leads_jobs using (true);
-- end frozen sql/app/idempotency_key.policies.sql

-- begin frozen sql/app/idempotency_key.grants.sql
-- app.idempotency_key - who may do what with the kept answers' table.
set local role leads_owner;

revoke all on app.idempotency_key from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select, insert, update, delete on app.idempotency_key to leads_exec;
grant select (organization_id, key_digest, created_at), delete on app.idempotency_key to leads_jobs;
-- end frozen sql/app/idempotency_key.grants.sql

-- begin frozen sql/app/lead_whole.sql
-- app.lead_whole - a lead as GET of the one lead shows it.
set local role leads_owner;

create or replace function app.lead_whole(lead app.lead)
returns api.lead
language sql
stable
parallel safe
begin atomic
  select row(
    lead.id, lead.organization_id, lead.name, lead.company, lead.email, lead.source, lead.lead_score,
    lead.pipeline_stage, lead.industry, lead.company_size, lead.pain_points, lead.timeline, lead.budget_range,
    lead.ai_reasoning, app.utc_text(lead.qualification_completed_at), app.utc_text(lead.created_at),
    app.utc_text(lead.updated_at)
  )::api.lead;
end;

comment on function app.lead_whole(app.lead) is 'All 17 fields of a lead, in the order of the body.';

grant execute on function app.lead_whole(app.lead) to leads_exec, leads_jobs;
-- end frozen sql/app/lead_whole.sql

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
-- end frozen sql/crm/vendor.rows.sql

-- begin frozen sql/crm/vendor.grants.sql
-- crm.vendor - who may do what with the vendors' table.
set local role leads_owner;

revoke all on crm.vendor
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on crm.vendor to leads_jobs;
-- end frozen sql/crm/vendor.grants.sql

-- begin frozen sql/crm/connection.policies.sql
-- crm.connection - the policies of the connections' table.
set local role leads_owner;

drop policy if exists connection_exec_select on crm.connection;
drop policy if exists connection_jobs_select on crm.connection;
drop policy if exists connection_jobs_insert on crm.connection;
drop policy if exists connection_jobs_update on crm.connection;
drop policy if exists connection_jobs_delete on crm.connection;

-- What stands behind an admin's route.
create policy connection_exec_select on crm.connection for select to leads_exec
  using (organization_id = (select auth.organization_id('admin')));

-- The worker's functions, and leads crm.
create policy connection_jobs_select on crm.connection for select to leads_jobs using (true);
create policy connection_jobs_insert on crm.connection for insert to leads_jobs with check (true);
create policy connection_jobs_update on crm.connection for update to leads_jobs using (true) with check (true);
create policy connection_jobs_delete on crm.connection for delete to leads_jobs using (true);
-- end frozen sql/crm/connection.policies.sql

-- begin frozen sql/crm/connection.triggers.sql
-- crm.connection - the triggers of the connections' table.
set local role leads_owner;

drop trigger if exists _100_refuse_truncate on crm.connection;
drop trigger if exists _900_record on crm.connection;

create trigger _100_refuse_truncate before truncate on crm.connection
  for each statement execute function audit.tg_refuse('Say "leads crm disconnect", so that each is recorded.');

-- Blocks and the pace come and go with the vendor's answers.
create trigger _900_record after insert or update or delete on crm.connection
  for each row execute function audit.tg_record('crm_connection', 'id', 'revision', 'blocked_until', 'paced_until');
-- end frozen sql/crm/connection.triggers.sql

-- begin frozen sql/crm/connection.grants.sql
-- crm.connection - who may do what with the connections' table.
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
-- end frozen sql/crm/connection.grants.sql

-- begin frozen sql/crm/sync.policies.sql
-- crm.sync - the policies of the syncs' table.
set local role leads_owner;

drop policy if exists sync_exec_select on crm.sync;
drop policy if exists sync_jobs_select on crm.sync;
drop policy if exists sync_jobs_insert on crm.sync;
drop policy if exists sync_jobs_update on crm.sync;

create policy sync_exec_select on crm.sync for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

-- crm.request_push, the worker's functions, and leads crm.
create policy sync_jobs_select on crm.sync for select to leads_jobs using (true);
create policy sync_jobs_insert on crm.sync for insert to leads_jobs with check (true);
create policy sync_jobs_update on crm.sync for update to leads_jobs using (true) with check (true);
-- end frozen sql/crm/sync.policies.sql

-- begin frozen sql/crm/sync.triggers.sql
-- crm.sync - the guards of the syncs, and their record.
set local role leads_owner;

drop trigger if exists _100_refuse_truncate on crm.sync;
drop trigger if exists _110_keep_identity on crm.sync;
drop trigger if exists _120_keep_outcome on crm.sync;
drop trigger if exists _130_count_up on crm.sync;
drop trigger if exists _140_lease_by_attempt on crm.sync;
drop trigger if exists _900_record on crm.sync;

create trigger _100_refuse_truncate before truncate on crm.sync
  for each statement execute function audit.tg_refuse('A lead whose sync is forgotten would be pushed twice.');

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
  execute function audit.tg_refuse('A sync that is ok has its record for good: else there would be a second one.');

create trigger _130_count_up before update on crm.sync
  for each row when (new.attempts < old.attempts)
  execute function audit.tg_refuse('attempts is the fencing token: it only counts up.');

-- A lease is taken by a new attempt alone; who holds one may only renew it.
create trigger _140_lease_by_attempt before update on crm.sync
  for each row
  when (new.status = 'in_progress' and old.status <> 'in_progress' and new.attempts = old.attempts)
  execute function audit.tg_refuse('A lease is a new attempt: count attempts up.');

create trigger _900_record after insert or update or delete on crm.sync
  for each row execute function audit.tg_sync__record();
-- end frozen sql/crm/sync.triggers.sql

-- begin frozen sql/crm/sync.grants.sql
-- crm.sync - who may do what with the syncs' table.
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
-- end frozen sql/crm/sync.grants.sql

-- begin frozen sql/crm/attempt.policies.sql
-- crm.attempt - the policies of the attempts' table.
set local role leads_owner;

drop policy if exists attempt_jobs_select on crm.attempt;
drop policy if exists attempt_jobs_insert on crm.attempt;
drop policy if exists attempt_jobs_update on crm.attempt;

-- The worker's functions, and leads crm.
create policy attempt_jobs_select on crm.attempt for select to leads_jobs using (true);
create policy attempt_jobs_insert on crm.attempt for insert to leads_jobs with check (true);
create policy attempt_jobs_update on crm.attempt for update to leads_jobs using (true) with check (true);
-- end frozen sql/crm/attempt.policies.sql

-- begin frozen sql/crm/attempt.triggers.sql
-- crm.attempt - the guards of the attempts.
set local role leads_owner;

drop trigger if exists _100_refuse_truncate on crm.attempt;
drop trigger if exists _110_keep_outcome on crm.attempt;

create trigger _100_refuse_truncate before truncate on crm.attempt
  for each statement execute function audit.tg_refuse('An attempt that is forgotten may have made a record.');

create trigger _110_keep_outcome before update on crm.attempt
  for each row when (old.outcome is not null and old.outcome is distinct from new.outcome)
  execute function audit.tg_refuse('What became of an attempt never changes.');
-- end frozen sql/crm/attempt.triggers.sql

-- begin frozen sql/crm/attempt.grants.sql
-- crm.attempt - who may do what with the attempts' table.
set local role leads_owner;

revoke all on crm.attempt
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant
  select,
  insert (organization_id, sync_id, number, connection_revision),
  update (email, display_name, sent_at, outcome, http_status, message)
on crm.attempt to leads_jobs;
-- end frozen sql/crm/attempt.grants.sql

-- begin frozen sql/crm/wake_worker.sql
-- crm.wake_worker - tells the workers that the lead's push is due.
set local role leads_jobs;

create or replace function crm.wake_worker(organization_id uuid, lead_id uuid)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Only where there is something to do: at its commit who notifies waits for all others that do.
  if exists (
    select
    from crm.sync as s
    where s.organization_id = wake_worker.organization_id and s.lead_id = wake_worker.lead_id and s.status = 'pending'
  ) then
    perform pg_notify('leads_crm', '');
  end if;
end
$$;

comment on function crm.wake_worker(uuid, uuid) is
  'NOTIFY leads_crm, without data, where the lead has a push that waits. From functions, not triggers; whoever changes '
  'leads in SQL is found by the workers'' polling.';

grant execute on function crm.wake_worker(uuid, uuid) to leads_exec, leads_jobs;
-- end frozen sql/crm/wake_worker.sql

-- begin frozen sql/crm/account_in_force.sql
-- crm.account_in_force - the vendor and the account that an organization is connected to.
set local role leads_jobs;

create or replace function crm.account_in_force(organization_id uuid)
returns table (vendor text, account text)
language sql
stable
parallel safe
security definer
begin atomic
  select c.vendor, c.account
  from crm.connection as c
  where c.organization_id = account_in_force.organization_id;
end;

comment on function crm.account_in_force(uuid) is
  'Vendor and account of the organization''s connection: all of it that a key without the scope admin comes to know.';

grant execute on function crm.account_in_force(uuid) to leads_exec;
-- end frozen sql/crm/account_in_force.sql

-- begin frozen sql/crm/sync_in_force.sql
-- crm.sync_in_force - a lead's sync with the connection that its organization has, else its latest one.
set local role leads_jobs;

create or replace function crm.sync_in_force(organization_id uuid, lead_id uuid)
returns crm.sync
language sql
stable
parallel safe
security invoker
begin atomic
  select s
  from crm.sync as s
  left join crm.account_in_force(sync_in_force.organization_id) as c on c.vendor = s.vendor and c.account = s.account
  where s.organization_id = sync_in_force.organization_id and s.lead_id = sync_in_force.lead_id
  order by (c.vendor is not null) desc, s.created_at desc, s.id desc
  limit 1;
end;

comment on function crm.sync_in_force(uuid, uuid) is
  'The lead''s sync with the organization''s connection, else the latest with one that it had. Null: it was never pushed.';

grant execute on function crm.sync_in_force(uuid, uuid) to leads_exec;
-- end frozen sql/crm/sync_in_force.sql

-- begin frozen sql/crm/sync_item.sql
-- crm.sync_item - a lead's sync as the API shows it.
set local role leads_jobs;

create or replace function crm.sync_item(lead_id uuid, sync crm.sync)
returns api.lead_sync
language sql
stable
parallel safe
begin atomic
  select row(
    lead_id,
    case when (sync).id is not null then
      row((sync).vendor, (sync).external_id, (sync).status, app.utc_text((sync).last_synced_at))::api.crm_sync
    end
  )::api.lead_sync;
end;

comment on function crm.sync_item(uuid, crm.sync) is 'The lead''s id and the four fields of its sync, or null for none.';

grant execute on function crm.sync_item(uuid, crm.sync) to leads_exec;
-- end frozen sql/crm/sync_item.sql

-- begin frozen sql/crm/push_answer.sql
-- crm.push_answer - how a push is answered, by how it stands.
set local role leads_jobs;

create or replace function crm.push_answer(lead_id uuid, sync crm.sync)
returns api.answer
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_title text;
  v_is_paused boolean;
  v_blocked_until timestamptz;
  v_seconds integer;
  v_sync crm.sync := push_answer.sync;
begin
  select v.title into v_title from crm.vendor as v where v.name = (sync).vendor;
  case
    when (sync).status in ('pending', 'in_progress') then
      select c.state = 'paused', c.blocked_until into v_is_paused, v_blocked_until
      from crm.connection as c
      where c.organization_id = (sync).organization_id and c.vendor = (sync).vendor and c.account = (sync).account;
      v_seconds := case
        -- Till a person resumes it.
        when coalesce(v_is_paused, true) then 60
        when (sync).status = 'in_progress' then 1
        else greatest(1, ceil(extract(epoch from greatest((sync).run_at, v_blocked_until) - clock_timestamp())))
      end;
      -- To who asked it is one wait, whether a worker has it just now or not.
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
end
$$;

comment on function crm.push_answer(uuid, crm.sync) is
$$200 with the record's id where it is there, 202 while the push is under way. Raises PT502 crm_rejected, with the vendor's
reason, and crm_unavailable, PT409 crm_outcome_unknown.$$;

grant execute on function crm.push_answer(uuid, crm.sync) to leads_exec;
-- end frozen sql/crm/push_answer.sql

-- begin frozen sql/crm/open_until.sql
-- crm.open_until - until when a sync's open attempts may still come to light at the vendor.
set local role leads_jobs;

create or replace function crm.open_until(organization_id uuid, sync_id uuid, settle_seconds integer)
returns timestamptz
language sql
stable
security invoker
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
  'The last open attempt''s sent_at, a call''s deadline and settle_seconds: no look-up before. Null: none is open.';
-- end frozen sql/crm/open_until.sql

-- begin frozen sql/crm/contact.sql
-- crm.contact - a lead as the CRM is told of it.
set local role leads_jobs;

create or replace function crm.contact(lead app.lead, sync_id uuid)
returns json
language sql
stable
security invoker
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

comment on function crm.contact(app.lead, uuid) is
  'The lead''s fields that an adapter names in the vendor''s words, with display_name (the name, else the company, else the '
  'address), description (what is known, a line each) and the whole lead as the API shows it.';
-- end frozen sql/crm/contact.sql

-- begin frozen sql/crm/settle_attempt.sql
-- crm.settle_attempt - says what came of an attempt, and decides what is next.
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
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
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
    v_message := 'The vendor has a record, and gave an id that can''t be kept: 1 to 255 characters can.';
  end if;
  -- The fence: what an older attempt has to say, its successor finds at the vendor.
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
    -- Open, though the last call was a look-up: what the vendor has may be what an earlier attempt made.
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

  -- What the vendor asks for holds for the whole connection; a 429 without a time for a moment.
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
    -- It was made anew meanwhile: an older credential's refusal says nothing of it.
    perform
    from crm.connection as c
    where c.organization_id = v_organization_id and c.revision = v_attempt.connection_revision;
    v_outcome := case when found then v_outcome else 'not_made' end;
  end if;
  if v_outcome = 'refused' and v_attempt.display_name is not null then
    -- The look-ups came before, and found nothing of what the attempts before it sent.
    update crm.attempt as a
    set outcome = 'settled'
    where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.outcome is null;
  end if;

  v_open_until := crm.open_until(v_organization_id, v_sync.id, v_settle_seconds);
  v_age := extract(epoch from v_now - v_sync.begun_at);
  v_tries := v_sync.attempts - v_sync.begun_after;
  v_error_code := case
    when v_outcome = 'undecided' then 'outcome_unknown'
    -- With the connection paused, what is open waits for it.
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

  -- 1, 2, 4, 8, 10 seconds; after ten minutes twice as long every ten minutes, up to an hour. Half of it is chance, so
  -- that those who failed together don't come back together. That a worker died is no fault of the vendor's.
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
end
$$;

comment on function crm.settle_attempt(uuid, uuid, integer, text, text, integer, text, double precision) is
$$What came of an attempt; the sync's status after it, or null where the lease is another's.

outcome: created, linked (to a record that was there): the sync is ok, with external_id. refused: failed. unauthorized: failed,
and the connection is paused. not_made: nothing was made; tried again. unknown: something may have been made; tried again, after
settle_seconds. undecided: the vendor's search can't tell: failed, until a person says so. retry_after: seconds, 3,600 at the
most, for which the whole connection waits. A push ends after 24 hours and 20 attempts. Raises PT422 unknown_outcome.$$;

grant execute on function crm.settle_attempt(uuid, uuid, integer, text, text, integer, text, double precision) to leads_worker;
-- end frozen sql/crm/settle_attempt.sql

-- begin frozen sql/crm/lease_syncs.sql
-- crm.lease_syncs - gives a worker the pushes that are due, each for 15 seconds.
set local role leads_jobs;

create or replace function crm.lease_syncs(key_ids text[], batch integer, running jsonb default '{}')
returns setof crm.job
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  -- One instant for the whole call: what is put off isn't due again in it. In a variable: an index serves no volatile value.
  v_started timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_left integer := least(greatest(lease_syncs.batch, 0), 64);
  v_seen uuid[] := '{}';
  v_connection record;
  v_held jsonb;
  v_due record;
  v_now timestamptz;
  v_open_until timestamptz;
  v_recent record;
  v_put_off timestamptz;
  v_known text;
  v_free integer;
begin
  -- A session that is gone was most likely a killed worker's: its leases end now. A worker that was only cut off is
  -- fenced by the attempt's number, and what it has sent is waited out all the same.
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
    -- Each connection once. It is locked while its syncs are looked at: two workers never weigh the same ones. One that
    -- another worker has is passed over.
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
    -- The addresses that pushes with open attempts hold, each with the oldest of those. What has failed holds its own
    -- until the vendor's search shows what it may have made.
    select jsonb_object_agg(h.email_key, h.id) into v_held
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
    ) as h;

    for v_due in
      select s.*, l.email_key as lead_email_key, l as lead
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
        -- It stays whose it is: the answer to what was sent may still come.
        update crm.sync as s
        set run_at = v_open_until
        where s.organization_id = v_due.organization_id and s.id = v_due.id;
        continue;
      end if;

      v_put_off := null;
      v_known := case v_connection.environment when 'test' then 'simulated_' || v_due.id end;
      if v_connection.has_search and v_due.lead_email_key is not null and v_known is null then
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
          v_held ->> v_due.lead_email_key <> v_due.id::text
          and (v_open_until is null or v_held ->> v_due.lead_email_key < v_due.id::text)
        ) then
          -- Another push has this address, or may have made a record with it; the longer the wait, the less it is asked.
          v_put_off := v_now + least(greatest((v_now - v_due.begun_at) / 8, interval '0.25 seconds'), interval '10 seconds');
        else
          -- A record that has just been made, and that the vendor's search may not show yet.
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
            v_known := v_recent.external_id;
          elsif v_recent.last_synced_at + make_interval(secs => v_connection.settle_seconds) > v_now then
            -- This one may have a record of its own, by an older address: the look-up must show both.
            v_put_off := v_recent.last_synced_at + make_interval(secs => v_connection.settle_seconds);
          end if;
        end if;
      end if;
      if v_put_off is not null then
        update crm.sync as s
        set status = 'pending', run_at = v_put_off
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
      if v_known is not null then
        perform crm.settle_attempt(
          v_due.organization_id, v_due.id, v_due.attempts + 1,
          case v_connection.environment when 'test' then 'simulated' else 'linked' end, v_known
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
        -- A vendor's search may tell capitals apart, and the address may stand there as another lead had it.
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
end
$$;

comment on function crm.lease_syncs(text[], integer, jsonb) is
$$Leases up to batch (1 to 64) pushes that are due, of the connections whose credential one of the keys decrypts.

Each is a new attempt, whose number is the fencing token, and is the worker's for 15 seconds, or as long as its session
lives, unless it renews them with crm.begin_call. running: how many pushes of each organization the worker has already,
{"<organization_id>": 3}: it gets no more of one connection than calls_at_once. Not leased: a push before its open
attempts have settled; one whose address another push has; what waits for Retry-After. A lead whose address has just got
a record is linked to it; a test organization's push is simulated: neither comes to a worker.$$;

grant execute on function crm.lease_syncs(text[], integer, jsonb) to leads_worker;
-- end frozen sql/crm/lease_syncs.sql

-- begin frozen sql/crm/seconds_until_due.sql
-- crm.seconds_until_due - how long a worker may sleep.
set local role leads_jobs;

create or replace function crm.seconds_until_due(key_ids text[])
returns numeric
language sql
stable
security definer
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
  'Seconds until the next push is due, or its lease ends; negative: it is due. Null: none waits.';

grant execute on function crm.seconds_until_due(text[]) to leads_worker;
-- end frozen sql/crm/seconds_until_due.sql

-- begin frozen sql/crm/connections_without_key.sql
-- crm.connections_without_key - how many connections a worker can't serve.
set local role leads_jobs;

create or replace function crm.connections_without_key(key_ids text[])
returns integer
language sql
stable
security definer
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
  'How many active connections have a credential that none of the keys decrypts: what was encrypted with a lost key.';

grant execute on function crm.connections_without_key(text[]) to leads_worker;
-- end frozen sql/crm/connections_without_key.sql

-- begin frozen sql/crm/begin_call.sql
-- crm.begin_call - asks, before each call to a vendor, whether it may be made; renews the lease.
set local role leads_jobs;

create or replace function crm.begin_call(
  organization_id uuid,
  sync_id uuid,
  attempt integer,
  display_name text default null,
  email text default null
)
returns crm.permission
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
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
  -- The fence: who holds an older attempt stops here.
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
    -- Another call of this attempt: the one before was answered, and nothing was made.
    update crm.attempt as a
    set sent_at = null
    where a.organization_id = v_organization_id and a.sync_id = v_sync.id and a.number = v_sync.attempts;
  end if;

  -- Where the vendor has a pace, one after another: it is the connection's, over all workers.
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
    -- An even pace at nine tenths of what the vendor takes, and one tenth at once: no span of call_seconds has more.
    -- In whole milliseconds, upwards: paced_until has no finer ones.
    v_spacing := make_interval(secs => ceil(1000 * v_connection.call_seconds / (0.9 * v_connection.calls)) / 1000);
    v_at := greatest(v_at, v_connection.paced_until - v_spacing * (0.1 * v_connection.calls));
  end if;

  if
    v_connection.state is distinct from 'active'
    or v_connection.revision <> v_attempt.connection_revision
    or v_at > v_now + interval '2 seconds'
  then
    -- Paused, disconnected, made anew with another credential, or a long wait: it is given back.
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
end
$$;

comment on function crm.begin_call(uuid, uuid, integer, text, text) is
$$Permits one call to the vendor, which must be over within 5 seconds of the asking, and renews the lease to 15 seconds.

attempt: the fencing token. display_name, email: what the call sends, where it makes a record: they and the time are
committed before it is made; null: it only looks. go; wait: the vendor's pace, ask again after wait_seconds, 2 at the most; stop:
the lease is another's, or was given back (paused, disconnected, a longer wait), and the worker lets go of it.$$;

grant execute on function crm.begin_call(uuid, uuid, integer, text, text) to leads_worker;
-- end frozen sql/crm/begin_call.sql

-- begin frozen sql/api/problem.rows.sql
-- api.problem - how each error is answered.
set local role leads_owner;

delete from api.problem;

-- Words that the shim raises.
insert into api.problem (raised_by, status, code, title, detail)
values
  ('not_found', 404, 'not_found', 'Not found', 'There is nothing at this address. Check the path and the id.'),
  ('method_not_allowed', 405, 'method_not_allowed', 'Method not allowed', 'Use one of the methods that the header Allow names.'),
  ('payload_too_large', 413, 'payload_too_large', 'Payload too large', 'A body has at most 64 KiB. Send less.'),
  ('unsupported_media_type', 415, 'unsupported_media_type', 'Unsupported media type',
    'Send the body as application/json (a PATCH also as application/merge-patch+json).'),
  ('invalid_parameter', 400, 'invalid_parameter', 'Invalid parameter', 'Mend what errors lists, and send the request again.'),
  ('internal', 500, 'internal', 'Internal error', 'This is a fault of the server. Report it with the request_id.'),
  ('unavailable', 503, 'unavailable', 'Unavailable', 'The server is busy. Nothing was done. Try again.'),
  ('outcome_unknown', 503, 'outcome_unknown', 'Unavailable',
    'The connection to the database was lost, and whether the change was made is unknown. Look, or repeat a POST with its '
    'Idempotency-Key.');

-- Words that functions raise.
insert into api.problem (raised_by, status, code, title, detail)
values
  ('unauthorized', 401, 'unauthorized', 'Unauthorized', 'Send a valid API key: Authorization: Bearer lk_….'),
  ('insufficient_scope', 403, 'insufficient_scope', 'Insufficient scope', 'This key lacks a scope. Use a key that has it.'),
  ('invalid_body', 400, 'invalid_body', 'Invalid body', 'Mend what errors lists, and send the request again.'),
  ('validation_failed', 422, 'validation_failed', 'Validation failed', 'Mend what errors lists, and send the request again.'),
  ('precondition_failed', 412, 'precondition_failed', 'Precondition failed',
    'The record has changed since: If-Match no longer holds. Get it again, and repeat the change on what it is now.'),
  ('idempotency_key_reused', 422, 'idempotency_key_reused', 'Idempotency key reused',
    'Another request came under this Idempotency-Key within 24 hours. Take a new key for a new request.'),
  ('idempotency_in_progress', 409, 'idempotency_in_progress', 'Request in progress',
    'A request under this Idempotency-Key is still running. Repeat it in a moment.'),
  ('crm_not_configured', 409, 'crm_not_configured', 'CRM not configured',
    'The organization has no connection to a CRM. Its operator makes one with: leads crm connect'),
  ('crm_outcome_unknown', 409, 'crm_outcome_unknown', 'Outcome unknown',
    'The CRM may have a record of this lead already, and its search can''t tell. Nothing was sent. Somebody looks there, and '
    'says so with: leads crm retry'),
  ('crm_rejected', 502, 'crm_rejected', 'CRM rejected the lead', 'The CRM refused the lead. Mend what it names, and push again.'),
  ('crm_unavailable', 502, 'crm_unavailable', 'CRM unavailable', 'The CRM could not be reached for a day. Push the lead again.');

-- SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html).
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
values
  ('22P02', 400, 'invalid_body', 'Invalid body', 'The body is not valid JSON.', 'body', 'invalid_json'),
  ('22P05', 400, 'invalid_body', 'Invalid body', 'The body has a NUL character (\u0000). Leave it out.', 'body', 'nul_character'),
  ('54001', 400, 'invalid_body', 'Invalid body', 'The body is nested more than 32 deep.', 'body', 'too_deep'),
  ('22003', 422, 'validation_failed', 'Validation failed', 'The body has a number that is out of all range.', 'body', 'out_of_range');

insert into api.problem (raised_by, status, code, title, detail)
values
  ('25006', 500, 'internal', 'Internal error', 'This is a fault of the server. Report it with the request_id.'),
  ('40001', 503, 'unavailable', 'Unavailable', 'The database is busy. Nothing was done. Try again.'),
  ('40P01', 503, 'unavailable', 'Unavailable', 'The database is busy. Nothing was done. Try again.'),
  ('55P03', 503, 'unavailable', 'Unavailable', 'The database is busy. Nothing was done. Try again.'),
  ('57014', 503, 'unavailable', 'Unavailable', 'The request took too long. Nothing was done. Try again.');

-- Constraints on what a request gives.
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
values
  ('page_size_within_1_and_200', 400, 'invalid_parameter', 'Invalid parameter', 'This must be a whole number from 1 to 200.',
    'limit', 'out_of_range'),
  ('cursor_is_well_formed', 400, 'invalid_parameter', 'Invalid parameter',
    'This is no cursor. Take next_cursor of the page before as it is, or leave it out for the first page.',
    'cursor', 'invalid_cursor'),
  ('any_of_has_at_most_10_values', 400, 'invalid_parameter', 'Invalid parameter', 'This may have up to 10 values.',
    'filter', 'too_many_values'),
  ('entity_tags_are_well_formed', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be * or entity tags as they came in ETag, in their double quotes.', 'If-Match', 'invalid_entity_tag'),
  ('idempotency_key_is_1_to_255_printable_characters', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be 1 to 255 printable ASCII characters.', 'Idempotency-Key', 'invalid_idempotency_key');

-- Constraints on a lead: app.lead_faults finds what breaks them first; where it doesn't, they still hold.
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
select c.raised_by, 422, 'validation_failed', 'Validation failed', c.detail, c.field, c.field_code
from (values
  ('lead_has_email_or_name_and_company', 'email', 'contact_required', 'A lead needs an email, or a name and a company.'),
  ('lead_pipeline_stage_exists', 'pipeline_stage', 'unknown_stage', 'This must be one of the organization''s pipeline stages.'),
  ('lead_times_have_a_year_of_4_digits', 'created_at', 'out_of_range', 'This must lie in the years 1 to 9999.'),
  ('lead_name_is_text_of_1_to_255', 'name', 'too_long', 'This must be a text of 1 to 255 characters.'),
  ('lead_company_is_text_of_1_to_255', 'company', 'too_long', 'This must be a text of 1 to 255 characters.'),
  ('lead_email_is_email', 'email', 'invalid_email', 'This must be an e-mail address such as ada@example.com.'),
  ('lead_source_is_name', 'source', 'invalid_name', 'This must be 1 to 64 characters out of a-z, 0-9, _ and -.'),
  ('lead_score_within_0_and_100', 'lead_score', 'out_of_range', 'This must be a whole number from 0 to 100.'),
  ('lead_industry_is_text_of_1_to_128', 'industry', 'too_long', 'This must be a text of 1 to 128 characters.'),
  ('lead_company_size_is_text_of_1_to_128', 'company_size', 'too_long', 'This must be a text of 1 to 128 characters.'),
  ('lead_pain_points_is_text_of_1_to_10000', 'pain_points', 'too_long', 'This must be a text of 1 to 10,000 characters.'),
  ('lead_timeline_is_text_of_1_to_128', 'timeline', 'too_long', 'This must be a text of 1 to 128 characters.'),
  ('lead_budget_range_is_text_of_1_to_128', 'budget_range', 'too_long', 'This must be a text of 1 to 128 characters.'),
  ('lead_ai_reasoning_is_text_of_1_to_10000', 'ai_reasoning', 'too_long', 'This must be a text of 1 to 10,000 characters.')
) as c (raised_by, field, field_code, detail);

-- Constraints on a signal: scoring.signal_faults finds what breaks them first.
insert into api.problem (raised_by, status, code, title, detail, field, field_code)
select c.raised_by, 422, 'validation_failed', 'Validation failed', c.detail, c.field, c.field_code
from (values
  ('signal_type_is_name', 'type', 'invalid_name', 'This must be 1 to 64 characters out of a-z, 0-9, _ and -.'),
  ('signal_value_is_flat', 'value', 'invalid_value',
    'This must be true, false, null, a number, a text, or a flat object of these.'),
  ('signal_dedupe_key_is_text_of_1_to_255', 'dedupe_key', 'invalid_dedupe_key', 'This must be a text of 1 to 255 characters.'),
  ('signal_times_have_a_year_of_4_digits', 'observed_at', 'invalid_timestamp', 'This must lie in the years 1 to 9999.')
) as c (raised_by, field, field_code, detail);
-- end frozen sql/api/problem.rows.sql

-- begin frozen sql/api/route.rows.sql
-- api.route - the routes.
set local role leads_owner;

delete from api.route;

insert into api.route (method, path, function, scope, problems)
values
  ('GET', '/leads', 'api.list_leads', 'read', '{invalid_parameter,validation_failed}'),
  ('POST', '/leads', 'api.create_lead', 'write',
    '{invalid_body,invalid_parameter,validation_failed,idempotency_key_reused,idempotency_in_progress}'),
  ('GET', '/leads/{id}', 'api.get_lead', 'read', '{invalid_parameter,not_found}'),
  ('PATCH', '/leads/{id}', 'api.update_lead', 'write',
    '{invalid_body,invalid_parameter,validation_failed,not_found,precondition_failed}'),
  ('POST', '/leads/{id}/signals', 'api.create_signals', 'write',
    '{invalid_body,invalid_parameter,validation_failed,not_found,idempotency_key_reused,idempotency_in_progress}'),
  ('GET', '/leads/{id}/signals', 'api.list_signals', 'read', '{invalid_parameter,not_found}'),
  ('POST', '/leads/{id}/score', 'api.score_lead', 'write',
    '{invalid_parameter,not_found,idempotency_key_reused,idempotency_in_progress}'),
  ('GET', '/leads/{id}/scores', 'api.list_scores', 'read', '{invalid_parameter,not_found}'),
  ('GET', '/leads/{id}/crm-sync', 'api.get_crm_sync', 'read', '{invalid_parameter,not_found}'),
  ('GET', '/crm-connections', 'api.list_crm_connections', 'admin', '{invalid_parameter}'),
  ('GET', '/audit-log', 'api.list_audit_events', 'read', '{invalid_parameter,validation_failed}'),
  ('GET', '/audit-log/{id}', 'api.get_audit_event', 'read', '{invalid_parameter,not_found}'),
  ('GET', '/health', 'api.get_health', 'read', '{invalid_parameter}'),
  ('GET', '/organizations/me', 'api.get_organization', 'read', '{invalid_parameter}');

-- The worker makes the answer: who asks waits for it, without a connection.
insert into api.route (method, path, function, scope, problems, wait_seconds, wait_function)
values
  ('POST', '/leads/{id}/push-to-crm', 'api.push_lead', 'write',
    '{invalid_parameter,validation_failed,not_found,idempotency_key_reused,idempotency_in_progress,crm_not_configured,'
    'crm_outcome_unknown,crm_rejected,crm_unavailable}',
    10, 'api.get_push');
-- end frozen sql/api/route.rows.sql

-- begin frozen sql/api/routes.sql
-- api.routes - what the shim reads at start: the route table with the functions' signatures.
set local role leads_exec;

create or replace function api.routes()
returns table (
  method text,
  path text,
  function text,
  scope text,
  is_read_only boolean,
  arguments json,
  wait_seconds integer,
  wait_function text,
  wait_arguments text[]
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
begin atomic
  select
    r.method,
    r.path,
    r.function,
    r.scope,
    f.provolatile <> 'v',
    (
      select json_agg(
        json_build_object(
          'name', a.name,
          'type', format_type(a.type, null),
          'base_type', format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null),
          'default', api.default_text(f.oid, a.position::integer)
        )
        order by a.position
      )
      from unnest(f.proargtypes::oid[], f.proargnames[:f.pronargs]) with ordinality as a (type, name, position)
      join pg_catalog.pg_type as t on t.oid = a.type
    ),
    r.wait_seconds,
    r.wait_function,
    case when w.provolatile <> 'v' then w.proargnames[:w.pronargs] end
  from api.route as r
  left join pg_catalog.pg_proc as f
    -- A name of three parts, and before PostgreSQL 16 any odd one, is an error, not null.
    on f.oid = case when r.function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$' then to_regproc(r.function) end
    and f.prorettype = 'api.answer'::regtype
    and has_function_privilege(session_user, f.oid, 'execute')
  left join pg_catalog.pg_proc as w
    on w.oid = case when r.wait_function ~ '^[a-z_][a-z0-9_]*[.][a-z_][a-z0-9_]*$' then to_regproc(r.wait_function) end
    and w.prorettype = 'api.answer'::regtype
    and has_function_privilege(session_user, w.oid, 'execute')
  order by r.path, r.method;
end;

comment on function api.routes() is
$$The routes. is_read_only and arguments are null where there is no such function that returns api.answer and that the
login may execute. arguments: name, type, base_type (a domain's base) and default (the value as text, or null), in order.
wait_arguments: the names of wait_function's arguments; null where there is none such that only reads.$$;

grant execute on function api.routes() to leads_api;
-- end frozen sql/api/routes.sql

-- begin frozen sql/api/create_lead.sql
-- api.create_lead - POST /leads.
set local role leads_exec;

create or replace function api.create_lead(
  body text,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('write');
  v_fields jsonb := app.read_object(create_lead.body);
  v_answer api.answer := app.claim_idempotency_key(
    v_organization_id, create_lead.idempotency_key, create_lead.idempotency_wait,
    'POST /leads' || chr(10) || create_lead.body
  );
  v_lead app.lead;
begin
  if v_answer.status is not null then
    return v_answer;
  end if;

  perform app.raise_faults(422, 'validation_failed', (
    with fault as (
      select json_array_elements(app.lead_faults(v_organization_id, v_fields)) as fault
      union all
      select json_array_elements(app.contact_fault())
      where v_fields ->> 'email' is null and (v_fields ->> 'name' is null or v_fields ->> 'company' is null)
    )
    select json_agg(f.fault) from fault as f
  ));

  insert into app.lead (
    organization_id, name, company, email, source, lead_score, pipeline_stage, industry, company_size, pain_points,
    timeline, budget_range, ai_reasoning
  )
  values (
    v_organization_id,
    app.trim_text(v_fields ->> 'name'),
    app.trim_text(v_fields ->> 'company'),
    app.trim_text(v_fields ->> 'email'),
    app.trim_text(v_fields ->> 'source'),
    coalesce((v_fields ->> 'lead_score')::numeric::integer, 0),
    coalesce(app.trim_text(v_fields ->> 'pipeline_stage'), 'new'),
    app.trim_text(v_fields ->> 'industry'),
    app.trim_text(v_fields ->> 'company_size'),
    app.trim_text(v_fields ->> 'pain_points'),
    app.trim_text(v_fields ->> 'timeline'),
    app.trim_text(v_fields ->> 'budget_range'),
    app.trim_text(v_fields ->> 'ai_reasoning')
  )
  returning * into v_lead;
  perform crm.wake_worker(v_organization_id, v_lead.id);

  v_answer := row(
    201,
    json_build_object('Location', '/api/v1/leads/' || v_lead.id, 'ETag', app.lead_etag(v_lead.revision)),
    row_to_json(app.lead_item(v_lead))::text
  );
  if create_lead.idempotency_key is not null then
    perform app.keep_answer(v_organization_id, create_lead.idempotency_key, v_answer);
  end if;
  return v_answer;
end
$$;

comment on function api.create_lead(text, api.idempotency_key, integer) is
$$Create a lead.

At least one of email, or name and company together, is required. lead_score begins at 0 and pipeline_stage at "new",
unless given. Text is kept as sent, without the white space at its ends. Two leads may share an address: nothing is
merged. The answer has the 12 fields that a list shows.$$;

grant execute on function api.create_lead(text, api.idempotency_key, integer) to leads_api;
-- end frozen sql/api/create_lead.sql

-- begin frozen sql/api/update_lead.sql
-- api.update_lead - PATCH /leads/{id}.
set local role leads_exec;

create or replace function api.update_lead(id uuid, body text, if_match api.entity_tags default null)
returns api.answer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('write');
  v_fields jsonb := app.read_object(update_lead.body);
  v_old app.lead;
  v_new app.lead;
begin
  perform app.raise_faults(422, 'validation_failed', app.lead_faults(v_organization_id, v_fields));

  -- Locked before the tag is compared: of ten that race with one tag, one wins.
  select l.* into v_old
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = update_lead.id
  for no key update;
  if not found then
    return null;
  end if;
  if not app.is_etag_matched(update_lead.if_match, app.lead_etag(v_old.revision)) then
    raise sqlstate 'PT412' using message = 'precondition_failed';
  end if;

  v_new := v_old;
  if v_fields ? 'name' then v_new.name := app.trim_text(v_fields ->> 'name'); end if;
  if v_fields ? 'company' then v_new.company := app.trim_text(v_fields ->> 'company'); end if;
  if v_fields ? 'email' then v_new.email := app.trim_text(v_fields ->> 'email'); end if;
  if v_fields ? 'source' then v_new.source := app.trim_text(v_fields ->> 'source'); end if;
  if v_fields ? 'lead_score' then v_new.lead_score := (v_fields ->> 'lead_score')::numeric::integer; end if;
  if v_fields ? 'pipeline_stage' then v_new.pipeline_stage := app.trim_text(v_fields ->> 'pipeline_stage'); end if;
  if v_fields ? 'industry' then v_new.industry := app.trim_text(v_fields ->> 'industry'); end if;
  if v_fields ? 'company_size' then v_new.company_size := app.trim_text(v_fields ->> 'company_size'); end if;
  if v_fields ? 'pain_points' then v_new.pain_points := app.trim_text(v_fields ->> 'pain_points'); end if;
  if v_fields ? 'timeline' then v_new.timeline := app.trim_text(v_fields ->> 'timeline'); end if;
  if v_fields ? 'budget_range' then v_new.budget_range := app.trim_text(v_fields ->> 'budget_range'); end if;
  if v_fields ? 'ai_reasoning' then v_new.ai_reasoning := app.trim_text(v_fields ->> 'ai_reasoning'); end if;

  if v_new.email is null and (v_new.name is null or v_new.company is null) then
    perform app.raise_faults(422, 'validation_failed', app.contact_fault());
  end if;

  -- A patch that changes nothing writes nothing.
  if v_new is distinct from v_old then
    update app.lead as l
    set
      name = v_new.name,
      company = v_new.company,
      email = v_new.email,
      source = v_new.source,
      lead_score = v_new.lead_score,
      pipeline_stage = v_new.pipeline_stage,
      industry = v_new.industry,
      company_size = v_new.company_size,
      pain_points = v_new.pain_points,
      timeline = v_new.timeline,
      budget_range = v_new.budget_range,
      ai_reasoning = v_new.ai_reasoning
    where l.organization_id = v_organization_id and l.id = update_lead.id
    returning l.* into v_new;
  end if;
  if v_new.pipeline_stage <> v_old.pipeline_stage then
    perform crm.wake_worker(v_organization_id, update_lead.id);
  end if;

  return row(
    200,
    json_build_object('ETag', app.lead_etag(v_new.revision)),
    row_to_json(app.lead_change(v_new))::text
  );
end
$$;

comment on function api.update_lead(uuid, text, api.entity_tags) is
$$Change a lead.

A JSON merge patch (RFC 7396): a field that is left out stays, null clears it; pipeline_stage and lead_score can't be
null. The lead must have an email, or a name and a company, afterwards. A patch that changes nothing writes nothing.
With If-Match the change is made only while the lead has that tag, else 412. Every change stands in the audit log as
lead.updated. The answer has nine of the lead's fields.$$;

grant execute on function api.update_lead(uuid, text, api.entity_tags) to leads_api;
-- end frozen sql/api/update_lead.sql

-- begin frozen sql/api/push_lead.sql
-- api.push_lead - POST /leads/{id}/push-to-crm.
set local role leads_exec;

create or replace function api.push_lead(
  id uuid,
  idempotency_key api.idempotency_key default null,
  idempotency_wait integer default 5000
)
returns api.answer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('write');
  v_sync crm.sync;
begin
  -- Only a guard against another request under the key: the answer is made anew each time, and never kept.
  perform app.claim_idempotency_key(
    v_organization_id, push_lead.idempotency_key, push_lead.idempotency_wait,
    concat('POST /leads/', push_lead.id, '/push-to-crm')
  );

  perform from app.lead as l where l.organization_id = v_organization_id and l.id = push_lead.id;
  if not found then
    -- Raised, so that the claim goes with it.
    raise sqlstate 'PT404' using message = 'not_found';
  end if;

  v_sync := crm.request_push(v_organization_id, push_lead.id, true);
  if v_sync.id is null then
    raise sqlstate 'PT409' using message = 'crm_not_configured';
  end if;
  perform crm.wake_worker(v_organization_id, push_lead.id);
  return crm.push_answer(push_lead.id, v_sync);
end
$$;

comment on function api.push_lead(uuid, api.idempotency_key, integer) is
$$Push a lead to the CRM.

For when the push by itself, at the stage's change, failed or was skipped. A lead that has its record already keeps it: the
same external_id again, and no call to the vendor. Else the push begins, and the answer is waited for, 10 seconds at the
most: 200 with the external_id; or 202 with status pending, while the push goes on by itself (Retry-After says when to
look again). 502 crm_rejected has the vendor's reason. After an outcome that nobody can know nothing is sent, 409
crm_outcome_unknown, until an operator has looked. A body is ignored.$$;

grant execute on function api.push_lead(uuid, api.idempotency_key, integer) to leads_api;
-- end frozen sql/api/push_lead.sql

-- begin frozen sql/api/get_push.sql
-- api.get_push - how the push that POST /leads/{id}/push-to-crm began stands by now.
set local role leads_exec;

create or replace function api.get_push(id uuid)
returns api.answer
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_sync crm.sync := crm.sync_in_force(auth.organization_id('write'), get_push.id);
begin
  if v_sync.id is null then
    return null;
  end if;
  return crm.push_answer(get_push.id, v_sync);
end
$$;

comment on function api.get_push(uuid) is
$$Look how a push stands.

What api.push_lead answers, without beginning anything: the server asks it while a client waits.$$;

grant execute on function api.get_push(uuid) to leads_api;
-- end frozen sql/api/get_push.sql

-- begin frozen sql/api/get_crm_sync.sql
-- api.get_crm_sync - GET /leads/{id}/crm-sync.
set local role leads_exec;

create or replace function api.get_crm_sync(id uuid)
returns api.answer
language sql
stable
security definer
begin atomic
  select row(
    200,
    null,
    row_to_json(crm.sync_item(l.id, crm.sync_in_force(l.organization_id, l.id)))::text
  )::api.answer
  from app.lead as l
  where l.organization_id = (select auth.organization_id('read')) and l.id = get_crm_sync.id;
end;

comment on function api.get_crm_sync(uuid) is
$$Get the state of a lead's push.

crm_sync is null for a lead that was never pushed. status: pending, in_progress, ok, failed, or skipped (when it entered
the stage the connection was paused, or it lacked what the vendor needs). Why a push failed stands in the audit log:
lead.crm_push_failed, with the vendor's reason.$$;

grant execute on function api.get_crm_sync(uuid) to leads_api;
-- end frozen sql/api/get_crm_sync.sql

-- begin frozen sql/api/list_crm_connections.sql
-- api.list_crm_connections - GET /crm-connections.
set local role leads_exec;

create or replace function api.list_crm_connections()
returns api.answer
language sql
stable
security definer
begin atomic
  select row(
    200,
    null,
    concat(
      '{"data":[',
      string_agg(
        row_to_json(
          row(
            c.id, c.organization_id, c.vendor, c.account, c.state, c.fault, c.push_stage, c.settle_seconds, c.settings::json,
            app.utc_text(c.created_at)
          )::api.crm_connection
        )::text,
        ','
      ),
      '],"next_cursor":null}'
    )
  )::api.answer
  from crm.connection as c
  where c.organization_id = (select auth.organization_id('admin'));
end;

comment on function api.list_crm_connections() is
$$List the CRM connections.

An organization has one at the most. state is active or paused; fault says why, where the vendor refused the credential. The
credential is never shown. An operator makes, pauses and removes connections.$$;

grant execute on function api.list_crm_connections() to leads_api;
-- end frozen sql/api/list_crm_connections.sql

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
crm_sync.deleted; signal.created, signal.updated, signal.deleted; score.deleted;
scoring_model.created, scoring_model.updated, scoring_model.deleted; api_key.created, api_key.rotated, api_key.updated,
api_key.revoked, api_key.deleted; organization.created, organization.updated, organization.deleted; pipeline_stage.created,
pipeline_stage.updated, pipeline_stage.deleted.$$;

grant execute on function
  api.list_audit_events(api.page_size, api.cursor, api.any_of, api.any_of, uuid, timestamptz, timestamptz)
to leads_api;
-- end frozen sql/api/list_audit_events.sql

-- begin frozen sql/admin/remove_stage.sql
-- admin.remove_stage - leads organizations stages ID --remove NAME.
set local role leads_jobs;

create or replace function admin.remove_stage(organization_id uuid, name text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(remove_stage.organization_id)).organization_id;
  v_constraint text;
begin
  delete from app.pipeline_stage as s
  where s.organization_id = v_organization_id and s.name = remove_stage.name;
  if not found then
    raise sqlstate 'PT404' using
      message = 'stage_not_found',
      hint = format('The organization has no stage "%s".', remove_stage.name);
  end if;
exception
  when foreign_key_violation then
    get stacked diagnostics v_constraint = constraint_name;
    if v_constraint = 'connection_push_stage_exists' then
      raise sqlstate 'PT409' using message = 'stage_pushes', hint = format(
        'A lead that enters "%s" is pushed to the CRM. Say "leads crm connect" with another --push-stage first.',
        remove_stage.name
      );
    end if;
    raise sqlstate 'PT409' using
      message = 'stage_has_leads',
      hint = format('The stage "%s" has leads in it. Move them to another stage first.', remove_stage.name);
end
$$;

comment on function admin.remove_stage(uuid, text) is
  'Removes a pipeline stage. Raises PT404 organization_not_found and stage_not_found, PT409 stage_has_leads, '
  'stage_pushes and stage_new_is_needed.';

grant execute on function admin.remove_stage(uuid, text) to leads_operator;
-- end frozen sql/admin/remove_stage.sql

-- begin frozen sql/admin/connect_crm.sql
-- admin.connect_crm - leads crm connect.
set local role leads_jobs;

create or replace function admin.connect_crm(
  organization_id uuid,
  vendor text,
  account text,
  settings jsonb,
  credential bytea default null,
  credential_key text default null,
  push_stage text default null,
  settle_seconds integer default null
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_organization app.organization := admin.organization(connect_crm.organization_id);
  v_vendor crm.vendor;
begin
  select v.* into v_vendor from crm.vendor as v where v.name = connect_crm.vendor;
  if not found then
    raise sqlstate 'PT404' using message = 'vendor_not_found', hint = format(
      'There is no adapter for "%s". There is one for %s.', connect_crm.vendor,
      (select string_agg(v.name, ', ' order by v.name) from crm.vendor as v)
    );
  end if;
  if connect_crm.settle_seconds not between 0 and 3600 then
    raise sqlstate 'PT422' using
      message = 'out_of_range', hint = 'settle_seconds must be a whole number from 0 to 3600.';
  end if;
  if (connect_crm.credential is null) <> (v_organization.environment = 'test') then
    raise sqlstate 'PT422' using message = 'invalid_credential', hint = case v_organization.environment
      when 'test' then 'A test organization''s pushes are simulated: it has no credential.'
      else 'A connection needs the vendor''s credential.'
    end;
  end if;

  insert into crm.connection as c (
    organization_id, vendor, account, push_stage, settings, settle_seconds, credential, credential_key
  )
  values (
    v_organization.organization_id,
    v_vendor.name,
    connect_crm.account,
    coalesce(connect_crm.push_stage, 'qualified'),
    connect_crm.settings,
    coalesce(connect_crm.settle_seconds, v_vendor.settle_seconds),
    connect_crm.credential,
    connect_crm.credential_key
  )
  on conflict (organization_id) do update
  set
    vendor = excluded.vendor,
    account = excluded.account,
    state = 'active',
    fault = null,
    push_stage = coalesce(connect_crm.push_stage, c.push_stage),
    settings = excluded.settings,
    settle_seconds = case
      when connect_crm.settle_seconds is null and c.vendor = excluded.vendor then c.settle_seconds
      else excluded.settle_seconds
    end,
    revision = c.revision + 1,
    credential = excluded.credential,
    credential_key = excluded.credential_key,
    blocked_until = null,
    paced_until = null;
  perform pg_notify('leads_crm', '');
exception
  when foreign_key_violation then
    raise sqlstate 'PT404' using message = 'stage_not_found', hint = format(
      'The organization has no stage "%s". "leads organizations stages" shows them.',
      coalesce(connect_crm.push_stage, 'qualified')
    );
end
$$;

comment on function admin.connect_crm(uuid, text, text, jsonb, bytea, text, text, integer) is
$$Makes the organization's connection to a CRM, or replaces it; one that was paused is active again.

account: which of the vendor's accounts: syncs with the same one are taken up. credential: encrypted, with credential_key
the id of the key that decrypts it; null for a test organization. push_stage, settle_seconds: null is "qualified" and the vendor's
own, or what the connection before had. Raises PT404 organization_not_found, vendor_not_found, stage_not_found, PT422
out_of_range, invalid_credential.$$;

grant execute on function admin.connect_crm(uuid, text, text, jsonb, bytea, text, text, integer) to leads_operator;
-- end frozen sql/admin/connect_crm.sql

-- begin frozen sql/admin/crm_connections.sql
-- admin.crm_connections - leads crm list: the connections.
set local role leads_jobs;

create or replace function admin.crm_connections(organization_id uuid default null)
returns table (
  organization_id uuid,
  organization text,
  environment text,
  vendor text,
  account text,
  state text,
  fault text,
  push_stage text,
  settle_seconds integer,
  settings json,
  credential bytea,
  credential_key text,
  waiting integer,
  failed integer
)
language sql
stable
security definer
begin atomic
  select
    c.organization_id, o.name, o.environment, c.vendor, c.account, c.state, c.fault, c.push_stage, c.settle_seconds,
    c.settings::json, c.credential, c.credential_key,
    count(*) filter (where s.status in ('pending', 'in_progress'))::integer,
    count(*) filter (where s.status = 'failed')::integer
  from crm.connection as c
  join app.organization as o on o.organization_id = c.organization_id
  left join crm.sync as s
    on s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account
    and s.status in ('pending', 'in_progress', 'failed')
  where crm_connections.organization_id is null or c.organization_id = crm_connections.organization_id
  group by o.organization_id, c.organization_id
  order by o.created_at, c.organization_id;
end;

comment on function admin.crm_connections(uuid) is
  'The connections of all organizations, or of one: with the credential, encrypted, and how many pushes wait and have failed.';

grant execute on function admin.crm_connections(uuid) to leads_operator;
-- end frozen sql/admin/crm_connections.sql

-- begin frozen sql/admin/change_crm_connection.sql
-- admin.change_crm_connection - leads crm pause, resume, disconnect.
set local role leads_jobs;

create or replace function admin.change_crm_connection(organization_id uuid, change text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(change_crm_connection.organization_id)).organization_id;
begin
  case change_crm_connection.change
    when 'pause' then
      update crm.connection as c set state = 'paused', fault = null where c.organization_id = v_organization_id;
    when 'resume' then
      update crm.connection as c
      set state = 'active', fault = null, blocked_until = null
      where c.organization_id = v_organization_id;
    when 'disconnect' then
      delete from crm.connection as c where c.organization_id = v_organization_id;
    else
      raise sqlstate 'PT422' using
        message = 'unknown_change', hint = 'A connection is paused, resumed or disconnected: pause, resume, disconnect.';
  end case;
  if not found then
    raise sqlstate 'PT404' using
      message = 'connection_not_found',
      hint = 'The organization has no connection to a CRM. Make one with: leads crm connect';
  end if;
  perform pg_notify('leads_crm', '');
end
$$;

comment on function admin.change_crm_connection(uuid, text) is
$$Pauses, resumes or removes the organization's connection.

change: pause (pushes wait; those by a stage's change are skipped), resume (also after the vendor refused the credential),
disconnect (the credential goes; the syncs stay, and the same account, connected again, takes them up). Raises PT404
organization_not_found, connection_not_found, PT422 unknown_change.$$;

grant execute on function admin.change_crm_connection(uuid, text) to leads_operator;
-- end frozen sql/admin/change_crm_connection.sql

-- begin frozen sql/admin/crm_queue.sql
-- admin.crm_queue - leads crm queue: what waits, and what failed and why.
set local role leads_jobs;

create or replace function admin.crm_queue(organization_id uuid default null, row_limit integer default 1000)
returns table (
  organization_id uuid,
  lead_id uuid,
  vendor text,
  account text,
  status text,
  error_code text,
  error text,
  attempts integer,
  run_at text,
  created_at text
)
language sql
stable
security definer
begin atomic
  select
    s.organization_id, s.lead_id, s.vendor, s.account, s.status, s.error_code, s.error, s.attempts, app.utc_text(s.run_at),
    app.utc_text(s.created_at)
  from crm.sync as s
  where
    s.status <> 'ok' and (crm_queue.organization_id is null or s.organization_id = crm_queue.organization_id)
  order by s.created_at, s.id
  limit crm_queue.row_limit;
end;

comment on function admin.crm_queue(uuid, integer) is
  'The pushes that are not through, the oldest first, of all organizations or of one: what waits, what failed or was '
  'skipped, and why. error: the vendor''s words at the last attempt. run_at: when it is due, or its lease ends.';

grant execute on function admin.crm_queue(uuid, integer) to leads_operator;
-- end frozen sql/admin/crm_queue.sql

-- begin frozen sql/admin/retry_crm.sql
-- admin.retry_crm - leads crm retry: a person says that pushes may begin anew, or which record a lead has.
set local role leads_jobs;

create or replace function admin.retry_crm(organization_id uuid, lead_id uuid default null, external_id text default null)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := (admin.organization(retry_crm.organization_id)).organization_id;
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_ids uuid[];
begin
  if retry_crm.external_id is not null and retry_crm.lead_id is null then
    raise sqlstate 'PT422' using
      message = 'lead_needed', hint = 'A record is one lead''s: say which lead has it.';
  end if;
  if retry_crm.external_id is not null and app.is_text(retry_crm.external_id, 255) is not true then
    raise sqlstate 'PT422' using
      message = 'invalid_external_id', hint = 'The record''s id must be a text of 1 to 255 characters.';
  end if;
  -- What nobody knows is for one lead at a time: somebody has looked.
  with failed as (
    select s.id
    from crm.sync as s
    join crm.connection as c
      on c.organization_id = s.organization_id and c.vendor = s.vendor and c.account = s.account
    where
      s.organization_id = v_organization_id
      and (s.status in ('failed', 'skipped') or (s.status = 'pending' and retry_crm.external_id is not null))
      and case
        when retry_crm.lead_id is null then s.error_code <> 'outcome_unknown'
        else s.lead_id = retry_crm.lead_id
      end
    order by s.id
    for no key update of s
  )
  select array_agg(f.id) into v_ids from failed as f;
  if v_ids is null then
    raise sqlstate 'PT404' using message = 'push_not_found', hint = case
      when retry_crm.lead_id is null then
        'No push of the organization''s connection has failed or was skipped, but for outcome_unknown, which is retried lead by lead.'
      else 'The lead has no push with the organization''s connection that failed or was skipped. "leads crm queue" shows them.'
    end;
  end if;

  update crm.attempt as a
  set outcome = 'dismissed'
  where a.organization_id = v_organization_id and a.sync_id = any (v_ids) and a.outcome is null;
  update crm.sync as s
  set
    status = case when retry_crm.external_id is null then 'pending' else 'ok' end,
    external_id = retry_crm.external_id,
    last_synced_at = case when retry_crm.external_id is not null then v_now end,
    run_at = case when retry_crm.external_id is null then v_now end,
    error_code = null,
    error = null,
    begun_at = v_now,
    begun_after = s.attempts
  where s.organization_id = v_organization_id and s.id = any (v_ids);
  perform pg_notify('leads_crm', '');
  return cardinality(v_ids);
end
$$;

comment on function admin.retry_crm(uuid, uuid, text) is
$$Has pushes that failed or were skipped begin anew; how many.

lead_id: null: all of the organization's connection but those with outcome_unknown; with a lead, also that: the caller has looked,
and the vendor has no record of it. external_id: the caller has looked, and this is the lead's record: it is linked, and nothing is
sent. Raises PT404 organization_not_found, push_not_found, PT422 invalid_external_id, lead_needed.$$;

grant execute on function admin.retry_crm(uuid, uuid, text) to leads_operator;
-- end frozen sql/admin/retry_crm.sql

-- begin frozen sql/admin/crm_syncs.sql
-- admin.crm_syncs - leads crm reconcile: our side of the comparison.
set local role leads_jobs;

create or replace function admin.crm_syncs(organization_id uuid)
returns table (lead_id uuid, status text, external_id text, error_code text, email text, last_synced_at timestamptz)
language sql
stable
security definer
begin atomic
  select s.lead_id, s.status, s.external_id, s.error_code, l.email, s.last_synced_at
  from crm.connection as c
  join crm.sync as s on s.organization_id = c.organization_id and s.vendor = c.vendor and s.account = c.account
  join app.lead as l on l.organization_id = s.organization_id and l.id = s.lead_id
  where c.organization_id = crm_syncs.organization_id
  order by s.id;
end;

comment on function admin.crm_syncs(uuid) is
  'All pushes of the organization''s connection, with the leads'' addresses.';

grant execute on function admin.crm_syncs(uuid) to leads_operator;
-- end frozen sql/admin/crm_syncs.sql

-- begin frozen sql/admin/delete_expired_answers.sql
-- admin.delete_expired_answers - takes away the answers that Idempotency-Keys have kept for a day.
set local role leads_jobs;

create or replace function admin.delete_expired_answers(batch integer)
returns integer
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_deleted integer;
begin
  with expired as (
    select e.organization_id, e.key_digest
    from app.organization as o
    cross join lateral (
      select k.organization_id, k.key_digest
      from app.idempotency_key as k
      where k.organization_id = o.organization_id and k.created_at < now() - interval '24 hours'
      order by k.created_at
      limit delete_expired_answers.batch
    ) as e
    limit delete_expired_answers.batch
  )
  delete from app.idempotency_key as k
  using expired as e
  where
    k.organization_id = e.organization_id
    and k.key_digest = e.key_digest
    -- Asked again of the row as it is: a claim may just have taken it over.
    and k.created_at < now() - interval '24 hours';
  get diagnostics v_deleted = row_count;
  return v_deleted;
end
$$;

comment on function admin.delete_expired_answers(integer) is
  'Deletes up to batch answers older than 24 hours of all organizations; how many. A worker asks '
  'every hour, until it is fewer: each claim only takes away a few of its own organization''s.';

grant execute on function admin.delete_expired_answers(integer) to leads_worker;
-- end frozen sql/admin/delete_expired_answers.sql

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
    where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm') or n.nspowner in (select r.oid from our_role as r)
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
    where n.nspname in ('app', 'auth', 'audit', 'api', 'admin', 'scoring', 'crm') or n.nspowner in (select r.oid from our_role as r)
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
      and c.conname <> 'api_key_digest_is_unique'
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
