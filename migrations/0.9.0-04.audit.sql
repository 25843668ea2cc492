-- The audit log, its chain of hashes, and the queue of events that are not sealed yet.
--
-- Locks: none that matter; every object is new.
-- Duration: no rows exist yet.
-- Phase: baseline
-- If it breaks off: nothing is left behind; run leads migrate again.

set local role leads_owner;

create function app.id_time(id uuid)
returns timestamptz language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
begin
  return timestamptz 'epoch'
    + ('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint * interval '1 millisecond';
end $$;

comment on function app.id_time(uuid) is
  'The time in a UUID of version 7 (RFC 9562, section 5.7) in milliseconds; no meaning for others. Exact to 2^56 µs, year 4253.';

-- Partitioned by year, so that whole years can be archived and removed. audit.create_partitions creates the partitions,
-- because a new partition has statistics and neither row-level security nor the triggers that keep it append-only. There
-- is no default partition: its rows would block the creation of the partition that they belong to.
create table audit.event (
  id uuid not null default app.new_id(),
  organization_id uuid not null,
  action text not null,
  source text not null,
  correlation_id text,
  lead_id uuid,
  payload json not null,
  salt bytea,
  payload_digest bytea not null,
  created_at timestamptz(3) not null,
  action_and_source text collate "C" generated always as (action || '/' || source) stored,
  stage_left text collate "C" generated always as (payload #>> '{diff,pipeline_stage,from}') stored,
  stage_entered text collate "C" generated always as (payload #>> '{diff,pipeline_stage,to}') stored,
  constraint event_pkey primary key (organization_id, id, created_at),
  constraint event_belongs_to_organization foreign key (organization_id) references app.organization,
  constraint event_source_is_known check (source in ('api', 'sql', 'worker', 'system')),
  constraint event_payload_digest_has_32_bytes check (octet_length(payload_digest) = 32),
  -- So the id alone determines the partition, and no two partitions have the same id.
  constraint event_created_at_is_the_time_of_its_id check (created_at = app.id_time(id))
) partition by range (created_at);

comment on table audit.event is 'Every change: what changed, who changed it, and from where. Append-only. Partitioned by year.';
comment on column audit.event.action is 'What happened, such as lead.updated.';
comment on column audit.event.source is
  'The origin of the change: api, sql, worker or system. It is derived from the login, so a caller cannot choose it.';
comment on column audit.event.correlation_id is 'The X-Request-Id of the request that made the change; null outside requests.';
comment on column audit.event.lead_id is 'The lead that the event is about; null for other events.';
comment on column audit.event.payload is 'What changed, and the API key or the login that changed it.';
comment on column audit.event.salt is '16 random bytes; null once the event''s values are erased.';
comment on column audit.event.payload_digest is
  'SHA-256 of the salt and the original payload. It stays when a person''s values are erased.';
comment on column audit.event.created_at is
  'When the change was made: the time in id. It is the time of the clock and not of the transaction. Changes of one record '
  'wait for each other, so the later change has the later time.';
comment on column audit.event.action_and_source is 'Action and source in one column, for a filter by both.';
comment on column audit.event.stage_left is 'The pipeline stage that the lead left by this change; null: none.';
comment on column audit.event.stage_entered is 'The pipeline stage that the lead entered by this change; null: none.';

create index event_by_created_at on audit.event (organization_id, created_at desc, id desc);
create index event_by_lead_id on audit.event (organization_id, lead_id, created_at desc, id desc);
create index event_by_action_and_source on audit.event (organization_id, action_and_source, created_at desc, id desc);
create index event_by_source on audit.event (organization_id, source, created_at desc, id desc);
-- The views of stages read only this index.
create index event_by_stage_change on audit.event (organization_id, lead_id, created_at, id)
  include (stage_left, stage_entered)
  where stage_left is not null or stage_entered is not null;

alter table audit.event enable row level security, force row level security;

create table audit.unsealed (
  organization_id uuid not null,
  event_id uuid not null,
  constraint unsealed_pkey primary key (organization_id, event_id)
);

comment on table audit.unsealed is
  'The queue of events that have no seal yet, so that an event that commits late is not skipped. A worker seals them every second.';
comment on column audit.unsealed.event_id is 'The event''s id.';

alter table audit.unsealed enable row level security, force row level security;

-- Partitioned as audit.event is. Each partition also has a unique constraint on (organization_id, position).
create table audit.seal (
  organization_id uuid not null,
  position bigint not null,
  event_id uuid not null,
  event_hash bytea not null,
  hash bytea not null,
  created_at timestamptz(3) not null,
  sealed_at timestamptz(3) not null default date_trunc('milliseconds', clock_timestamp()),
  constraint seal_pkey primary key (organization_id, event_id, created_at),
  constraint seal_belongs_to_organization foreign key (organization_id) references app.organization,
  constraint seal_position_is_positive check (position > 0),
  constraint seal_hashes_have_32_bytes check (octet_length(event_hash) = 32 and octet_length(hash) = 32),
  constraint seal_created_at_is_the_time_of_its_event check (created_at = app.id_time(event_id))
) partition by range (created_at);

comment on table audit.seal is
  'The organization''s chain of hashes: a seal covers an event and all events before it. Append-only. Partitioned by year.';
comment on column audit.seal.position is 'The event''s position in the chain: 1, 2, 3, … without a gap.';
comment on column audit.seal.event_id is 'The event''s id.';
comment on column audit.seal.event_hash is
  'The event''s own hash, from audit.event_hash. With it the chain can be computed without the events.';
comment on column audit.seal.hash is
  'SHA-256 of the previous seal''s hash and event_hash. The first seal takes SHA-256 of the organization''s 16 bytes as the '
  'previous hash.';
comment on column audit.seal.created_at is 'The event''s created_at.';
comment on column audit.seal.sealed_at is 'When it was sealed.';

alter table audit.seal enable row level security, force row level security;

grant execute on function app.id_time(uuid) to leads_audit, leads_exec, leads_jobs, leads_eraser;

reset role;
