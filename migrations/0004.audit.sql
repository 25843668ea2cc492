-- The audit log.
set local lock_timeout = '5s';
set local row_security = off;
set local role leads_owner;

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
  created_at timestamptz(3) not null default date_trunc('milliseconds', clock_timestamp()),
  action_and_source text collate "C" generated always as (action || '/' || source) stored,
  constraint event_pkey primary key (organization_id, id),
  constraint event_belongs_to_organization foreign key (organization_id) references app.organization,
  constraint event_source_is_known check (source in ('api', 'sql', 'worker', 'system')),
  constraint event_payload_digest_has_32_bytes check (octet_length(payload_digest) = 32)
);

comment on table audit.event is 'Every change, who made it and from where. Append-only.';
comment on column audit.event.action is 'What happened, such as lead.updated.';
comment on column audit.event.source is 'Where the change came from: api, sql, worker or system. Read off the login, never told.';
comment on column audit.event.correlation_id is 'The X-Request-Id of the request that made the change; null outside requests.';
comment on column audit.event.lead_id is 'The lead that the event is about; null for other events.';
comment on column audit.event.payload is 'What changed, with the key or the login that changed it.';
comment on column audit.event.salt is '16 random bytes; they go when a person is erased.';
comment on column audit.event.payload_digest is
  'SHA-256 of the salt and the payload as they were written: it stays when a person''s values go.';

comment on column audit.event.created_at is 
  'When the change was made. The clock''s time, not the transaction''s: of two changes of one record, which wait for each '
  'other, the later one stands later.';
comment on column audit.event.action_and_source is 'The action and the source in one: what a filter by action compares.';

create index event_by_created_at on audit.event (organization_id, created_at desc, id desc);
create index event_by_lead_id on audit.event (organization_id, lead_id, created_at desc, id desc);
create index event_by_action_and_source on audit.event (organization_id, action_and_source, created_at desc, id desc);
create index event_by_source on audit.event (organization_id, source, created_at desc, id desc);

alter table audit.event enable row level security, force row level security;

alter table audit.event
  alter column id set statistics 0,
  alter column organization_id set statistics 0,
  alter column action set statistics 0,
  alter column source set statistics 0,
  alter column correlation_id set statistics 0,
  alter column lead_id set statistics 0,
  alter column payload set statistics 0,
  alter column salt set statistics 0,
  alter column payload_digest set statistics 0,
  alter column created_at set statistics 0,
  alter column action_and_source set statistics 0;

reset role;
