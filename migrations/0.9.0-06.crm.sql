-- CRM: connections, pushes (which are the outbox), and what each attempt sent.
--
-- Locks: none that matter; every object is new.
-- Duration: no rows exist yet.
-- Phase: baseline
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

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

comment on table crm.vendor is 'The CRMs that have an adapter. The list is the same for all organizations.';
comment on column crm.vendor.title is 'The vendor''s name for people to read.';
comment on column crm.vendor.has_search is
  'Whether a record can be found by its e-mail address. If so, two leads with one address share a record. If not, the '
  'vendor drops repeats by the sync''s id.';
comment on column crm.vendor.needs_name is 'Whether the vendor needs a name or a company beside the e-mail address.';
comment on column crm.vendor.settle_seconds is
  'Seconds after a call''s deadline within which the vendor finishes the call and its search shows the record. A '
  'connection may override it.';
comment on column crm.vendor.calls_at_once is 'The maximum number of concurrent calls that a worker makes for one connection.';
comment on column crm.vendor.calls is 'The maximum number of calls that the vendor accepts within call_seconds; null: not documented.';

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

comment on table crm.connection is 'An organization''s connection to its CRM. An organization has at most one.';
comment on column crm.connection.account is
  'The vendor''s account. When the same account is connected again, its syncs are used again.';
comment on column crm.connection.state is 'active or paused. An operator pauses it, or the worker does when the vendor refuses the credential.';
comment on column crm.connection.fault is 'The vendor''s message if the worker paused it; null if an operator did.';
comment on column crm.connection.push_stage is 'A lead that enters this stage is pushed automatically.';
comment on column crm.connection.settings is 'The adapter''s settings, without the credential.';
comment on column crm.connection.settle_seconds is 'As crm.vendor.settle_seconds, for this account.';
comment on column crm.connection.revision is 'The number of times that it was connected. The result of an attempt with an older credential does not change it.';
comment on column crm.connection.credential is
  'The vendor''s key, encrypted with AES-256-GCM: a nonce of 12 bytes, then the ciphertext with its tag. Only the worker''s '
  'and the operator''s environment have the decryption key. Null: a test organization, whose pushes are simulated.';
comment on column crm.connection.credential_key is 'The id of the decryption key.';
comment on column crm.connection.blocked_until is 'No worker calls the vendor before this time, because it sent Retry-After.';
comment on column crm.connection.paced_until is 'When the calls granted so far would have ended at an even pace.';

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
  'The push of a lead to a CRM: its state, and the outbox of pushes that are due. Written in the transaction that changes '
  'the lead.';
comment on column crm.sync.vendor is 'The CRM of the connection at the time of the request.';
comment on column crm.sync.account is 'The vendor''s account.';
comment on column crm.sync.status is
  'pending: it waits for run_at. in_progress: a worker holds a lease until run_at. ok: the record exists. failed, '
  'skipped: nothing more happens automatically; error_code says why.';
comment on column crm.sync.external_id is 'The record''s id at the vendor.';
comment on column crm.sync.error_code is
  'rejected: the vendor refused it. outcome_unknown: a record may exist, and the vendor''s search cannot tell. gave_up: no '
  'answer in 24 hours and 20 attempts. paused: the connection was paused when the stage changed. incomplete: the lead '
  'lacked a field that the vendor needs.';
comment on column crm.sync.error is 'The vendor''s message.';
comment on column crm.sync.run_at is 'pending: when the push is due. in_progress: when its lease ends.';
comment on column crm.sync.leased_by is
  'in_progress: the process id of the worker''s session. The lease ends when that session ends.';
comment on column crm.sync.attempts is 'The number of attempts. It is the fencing token: a worker with an older number can write nothing.';
comment on column crm.sync.begun_at is 'When this series of attempts began. The backoff and its end are computed from it.';
comment on column crm.sync.begun_after is 'The number of attempts in earlier series.';
comment on column crm.sync.email_key is
  'The lead''s e-mail address at the last attempt, with A-Z in lower case. Pushes of one account and address run one after '
  'another.';
comment on column crm.sync.last_synced_at is 'When the record was created or linked.';

create index sync_by_run_at on crm.sync (organization_id, vendor, account, run_at) where run_at is not null;
create index sync_by_email_key on crm.sync (organization_id, email_key, vendor, account);
-- Two workers never push the same address at once.
create unique index sync_by_email_key_in_progress on crm.sync (organization_id, vendor, account, email_key)
  where status = 'in_progress';

-- A function takes or returns such a type and never the table's row type, because PostgreSQL would then refuse
-- `alter table … add column … default …`.
create type crm.sync_values as (
  organization_id uuid,
  id uuid,
  lead_id uuid,
  vendor text,
  account text,
  status text,
  external_id text,
  error_code text,
  error text,
  run_at timestamptz(3),
  leased_by integer,
  attempts integer,
  begun_at timestamptz(3),
  begun_after integer,
  email_key text collate "C",
  last_synced_at timestamptz(3),
  created_at timestamptz(3)
);

comment on type crm.sync_values is 'A row of crm.sync: the same columns, in the same order.';

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
  'The attempts of a sync. An attempt that was sent and has no outcome is open: it may have created a record.';
-- Open attempts.
create index attempt_by_open on crm.attempt (organization_id, sync_id) where sent_at is not null and outcome is null;

comment on column crm.attempt.number is 'The value of crm.sync.attempts for this attempt.';
comment on column crm.attempt.connection_revision is 'The connection''s revision that it uses.';
comment on column crm.attempt.email is 'The e-mail address that was sent.';
comment on column crm.attempt.display_name is 'The name that was sent.';
comment on column crm.attempt.sent_at is 'Committed directly before the call that creates the record; null: no such call was made.';
comment on column crm.attempt.outcome is
  'created, linked, simulated: the sync is ok through it. refused: by the vendor. not_made: no record was created. settled: '
  'a later attempt found out whether it had created a record. dismissed: an operator decided. Null: not known yet.';
comment on column crm.attempt.http_status is 'The status of the last answer; null: no answer.';
comment on column crm.attempt.message is 'The vendor''s message, if it failed.';

alter table crm.connection enable row level security, force row level security;
alter table crm.sync enable row level security, force row level security;
alter table crm.attempt enable row level security, force row level security;

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
comment on type crm.job is 'A leased sync, with everything that its push needs.';

create type crm.permission as (
  verdict text,
  wait_seconds numeric
);
comment on type crm.permission is
  'Whether the worker may call the vendor. go: yes. wait: ask again after wait_seconds. stop: the lease is lost or returned.';

reset role;
