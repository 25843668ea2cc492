-- Seals: each organization's events in one chain of hashes, which shows what was changed behind the log's back.
set local lock_timeout = '5s';
set local row_security = off;
set local role leads_owner;

-- At once, and in the order in which a request takes them: one that waits for a lock of this migration must hold none that this
-- will want. Each request begins with its key. And nobody may be waiting inside the old audit.write_event when the new one
-- comes, which is why every table is here whose triggers call it: his event would come to no queue.
set local role leads_auth;
lock table auth.api_key, auth.analyst in access exclusive mode;
set local role leads_owner;
lock table
  app.organization, app.idempotency_key, app.pipeline_stage, app.lead, scoring.model,
  scoring.signal, scoring.score, crm.connection, crm.sync, crm.attempt, audit.event
in access exclusive mode;

create table audit.unsealed (
  organization_id uuid not null,
  event_id uuid not null,
  constraint unsealed_pkey primary key (organization_id, event_id)
);

comment on table audit.unsealed is
  'Events that no seal covers yet: one that commits late isn''t skipped. A worker seals them each second.';
comment on column audit.unsealed.event_id is 'The event''s id.';

create table audit.seal (
  organization_id uuid not null,
  position bigint not null,
  event_id uuid not null,
  hash bytea not null,
  sealed_at timestamptz(3) not null default date_trunc('milliseconds', clock_timestamp()),
  constraint seal_pkey primary key (organization_id, position),
  constraint seal_belongs_to_organization foreign key (organization_id) references app.organization,
  constraint seal_is_the_only_one_of_an_event unique (organization_id, event_id),
  constraint seal_position_is_positive check (position > 0),
  constraint seal_hash_has_32_bytes check (octet_length(hash) = 32)
);

comment on table audit.seal is 'The organization''s chain: a seal over each event and all before it. Append-only.';
comment on column audit.seal.position is 'Where the event stands in the chain: 1, 2, 3, … without a gap.';
comment on column audit.seal.event_id is 'The event''s id.';
comment on column audit.seal.hash is
  'SHA-256 of the hash before it and the event''s own (audit.event_hash); before the first stands SHA-256 of the '
  'organization''s 16 bytes.';
comment on column audit.seal.sealed_at is 'When it was sealed.';

-- What was written before is sealed as it stands now, some 2 seconds for each million events. Requests wait so long.
alter table audit.event no force row level security;
insert into audit.unsealed (organization_id, event_id)
select e.organization_id, e.id
from audit.event as e;
alter table audit.event force row level security;

alter table audit.unsealed enable row level security, force row level security;
alter table audit.seal enable row level security, force row level security;

alter table audit.unsealed
  alter column organization_id set statistics 0,
  alter column event_id set statistics 0;
alter table audit.seal
  alter column organization_id set statistics 0,
  alter column position set statistics 0,
  alter column event_id set statistics 0,
  alter column hash set statistics 0,
  alter column sealed_at set statistics 0;

create domain api.seal_count as integer
  constraint seal_count_within_1_and_10000 check (value between 1 and 10000);
comment on domain api.seal_count is 'How many seals are verified at the most.';

create domain api.seal_position as text
  constraint seal_position_is_a_whole_number check (value collate "C" ~ '^[0-9]{1,18}$');
comment on domain api.seal_position is 'A seal''s position; 0 stands before the first.';

create domain api.chain_head as text
  constraint chain_head_is_position_and_hash check (value collate "C" ~ '^[1-9][0-9]{0,17}:[0-9a-f]{64}$');
comment on domain api.chain_head is 'A chain''s head as it was once: a position, a colon, and its hash in 64 hexadecimal digits.';

create type api.chain_fault as (
  position bigint,
  event_id uuid,
  code text,
  detail text
);

create type api.chain_verdict as (
  organization_id uuid,
  holds boolean,
  fault api.chain_fault,
  verified_from bigint,
  verified_to bigint,
  next_after text,
  head text,
  unsealed bigint
);

comment on type api.chain_fault is 'The first event that doesn''t hold.';
comment on column api.chain_fault.position is 'Its position in the chain; null: it has none.';
comment on column api.chain_fault.event_id is 'Its id; null: the seal that named it is gone.';
comment on column api.chain_fault.code is
  'head_mismatch, seal_missing, event_missing, hash_mismatch, payload_mismatch or not_sealed.';
comment on column api.chain_fault.detail is 'What that means, in a sentence.';
comment on type api.chain_verdict is 'Whether a part of the audit log''s chain holds.';
comment on column api.chain_verdict.organization_id is 'The organization''s id.';
comment on column api.chain_verdict.holds is 'Whether every seal and event that was verified holds.';
comment on column api.chain_verdict.fault is 'The first that doesn''t; null: all hold.';
comment on column api.chain_verdict.verified_from is 'The first position that was asked for.';
comment on column api.chain_verdict.verified_to is 'The last position that was verified; less than verified_from: none was.';
comment on column api.chain_verdict.next_after is 'after of the next part; null: the chain ends here.';
comment on column api.chain_verdict.head is
  'The last seal verified, as head takes it: keep it elsewhere, and ask with it later. Null: none is.';
comment on column api.chain_verdict.unsealed is 'How many events wait for their seal; a worker seals them each second.';

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
  select 10;
end;

comment on function api.schema_version() is 'The number of the newest migration that this schema has.';

grant execute on function api.schema_version() to leads_owner, leads_jobs, leads_api;
-- end frozen sql/api/schema_version.sql

-- begin frozen sql/audit/write_event.sql
-- audit.write_event - the one place that writes the log.
set local role leads_audit;

create or replace function audit.write_event(
  organization_id uuid,
  action text,
  lead_id uuid,
  about text
)
returns void
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  -- Who is asking is what the key proves, or the login; no setting names an actor.
  v_key_id uuid := case when session_user = 'leads_api' then auth.key_id() end;
  v_source text := case
    when v_key_id is not null then 'api'
    when session_user = 'leads_worker' then 'worker'
    when session_user = 'leads_operator' or audit.is_migrating_login() then 'system'
    else 'sql'
  end;
  v_payload text := concat(
    '{', write_event.about, ',"key_id":', coalesce(to_json(v_key_id)::text, 'null'),
    case when v_key_id is null then ',"role":' || to_json(session_user::text) end,
    '}'
  );
  v_salt bytea := uuid_send(gen_random_uuid());
  v_id uuid := app.new_id();
begin
  insert into audit.event (id, organization_id, action, source, correlation_id, lead_id, payload, salt, payload_digest)
  values (
    v_id,
    write_event.organization_id,
    write_event.action,
    v_source,
    case when v_source = 'api' then nullif(left(current_setting('leads.request_id', true), 64), '') end,
    write_event.lead_id,
    v_payload::json,
    v_salt,
    sha256(v_salt || convert_to(v_payload, 'UTF8'))
  );
  insert into audit.unsealed (organization_id, event_id) values (write_event.organization_id, v_id);
end
$$;

comment on function audit.write_event(uuid, text, uuid, text) is
$$Writes an event, with who made the change and from where.

about: the payload's own members, as JSON text without the braces. The source is read off the login: api for leads_api
with a good claim, worker for leads_worker, system for leads_operator and the migrating login, sql for any other. For
the triggers' functions alone: leads_audit owns them, and nobody else may execute this.$$;
-- end frozen sql/audit/write_event.sql

-- begin frozen sql/audit/event_hash.sql
-- audit.event_hash - an event's own hash, which its seal covers.
set local role leads_owner;

create or replace function audit.event_hash(
  "position" bigint,
  id uuid,
  organization_id uuid,
  action text,
  source text,
  correlation_id text,
  lead_id uuid,
  payload_digest bytea,
  created_at timestamptz
)
returns bytea
language sql
stable
parallel safe
begin atomic
  select sha256(
    convert_to(
      json_build_array(
        "position", id, organization_id, action, source, correlation_id, lead_id, encode(payload_digest, 'hex'),
        app.utc_text(created_at)
      )::text,
      'UTF8'
    )
  );
end;

comment on function audit.event_hash(bigint, uuid, uuid, text, text, text, uuid, bytea, timestamptz) is
$$SHA-256 of a JSON array in UTF-8, as Python's json.dumps(…, ensure_ascii=False) writes it: the position in the chain, id,
organization_id, action, source, correlation_id, lead_id, payload_digest in hexadecimal digits, created_at.

The payload is in it by its digest alone: so its values can be erased, and the chain holds.$$;

grant execute on function audit.event_hash(bigint, uuid, uuid, text, text, text, uuid, bytea, timestamptz)
to leads_exec, leads_jobs;
-- end frozen sql/audit/event_hash.sql

-- begin frozen sql/audit/chain_verdict.sql
-- audit.chain_verdict - whether a part of an organization's chain holds, and the first event that doesn't.
set local role leads_owner;

create or replace function audit.chain_verdict(
  organization_id uuid,
  after bigint,
  "limit" integer,
  head api.chain_head default null
)
returns api.chain_verdict
language plpgsql
stable
security invoker
set search_path = pg_catalog, pg_temp
set jit = off
as $$
declare
  v_organization_id uuid := chain_verdict.organization_id;
  v_before audit.seal;
  v_last audit.seal;
  v_first_id uuid;
  v_last_id uuid;
  v_is_end boolean;
  v_unsealed bigint;
  v_fault api.chain_fault;
  v_verdict api.chain_verdict;
begin
  select s.* into v_before
  from audit.seal as s
  where s.organization_id = v_organization_id and s.position = chain_verdict.after;
  select p.* into v_last
  from (
    select s.*
    from audit.seal as s
    where s.organization_id = v_organization_id and s.position > chain_verdict.after
    order by s.position
    limit chain_verdict.limit
  ) as p
  order by p.position desc
  limit 1;
  v_is_end := not exists (
    select
    from audit.seal as s
    where s.organization_id = v_organization_id and s.position > coalesce(v_last.position, chain_verdict.after)
  );
  v_unsealed := (select count(*) from audit.unsealed as u where u.organization_id = v_organization_id);

  if
    chain_verdict.head is not null
    and not exists (
      select
      from audit.seal as s
      where
        s.organization_id = v_organization_id
        and s.position = split_part(chain_verdict.head, ':', 1)::bigint
        and s.hash = decode(split_part(chain_verdict.head, ':', 2), 'hex')
    )
  then
    v_fault.position := split_part(chain_verdict.head, ':', 1);
    v_fault.code := 'head_mismatch';
  elsif chain_verdict.after > 0 and v_before.position is null then
    v_fault.position := chain_verdict.after;
    v_fault.code := 'seal_missing';
  else
    with page as (
      select
        s.position, s.event_id, s.hash,
        chain_verdict.after + row_number() over chain as expected_position,
        coalesce(lag(s.hash) over chain, v_before.hash, sha256(uuid_send(v_organization_id))) as hash_before
      from audit.seal as s
      where
        s.organization_id = v_organization_id
        and s.position > chain_verdict.after
        and s.position <= v_last.position
      window chain as (order by s.position)
    ),
    sealed as materialized (
      select
        p.position, p.event_id, p.expected_position, e.lead_id, e.id is not null as is_there,
        p.hash = sha256(
          p.hash_before || audit.event_hash(
            p.position, e.id, e.organization_id, e.action, e.source, e.correlation_id, e.lead_id, e.payload_digest,
            e.created_at
          )
        ) as is_chained,
        e.payload_digest as written, sha256(coalesce(e.salt, '') || convert_to(e.payload::text, 'UTF8')) as present
      from page as p
      left join audit.event as e on e.organization_id = v_organization_id and e.id = p.event_id
    ),
    -- What is left of an erased event, as a sealed lead.erased or organization.erased lists it.
    listed as materialized (
      select (i.item ->> 'event_id')::uuid as event_id, decode(i.item ->> 'digest', 'hex') as digest
      from (
        select distinct s.lead_id
        from sealed as s
        where s.present is distinct from s.written
      ) as l
      join audit.event as e
        on e.organization_id = v_organization_id
        and (e.lead_id = l.lead_id or e.lead_id is null)
        and e.action in ('lead.erased', 'organization.erased')
      cross join lateral json_array_elements(e.payload -> 'erased') as i (item)
      where
        e.payload_digest = sha256(e.salt || convert_to(e.payload::text, 'UTF8'))
        and (
          exists (select from audit.seal as s where s.organization_id = v_organization_id and s.event_id = e.id)
          or exists (select from audit.unsealed as u where u.organization_id = v_organization_id and u.event_id = e.id)
        )
    )
    select s.position, s.event_id, f.code
    into v_fault.position, v_fault.event_id, v_fault.code
    from sealed as s
    cross join lateral (
      select
        case
          when s.position <> s.expected_position then 'seal_missing'
          when not s.is_there then 'event_missing'
          when not s.is_chained then 'hash_mismatch'
          when
            s.present is distinct from s.written
            and not exists (select from listed as l where l.event_id = s.event_id and l.digest = s.present)
            then 'payload_mismatch'
        end as code
    ) as f
    where f.code is not null
    order by s.position
    limit 1;

    if v_fault.code = 'seal_missing' then
      v_fault.event_id := null;
      v_fault.position := (
        select coalesce(max(s.position), chain_verdict.after) + 1
        from audit.seal as s
        where s.organization_id = v_organization_id and s.position < v_fault.position
      );
    elsif v_fault.code is null then
      -- Events that have no seal: from the id of the last part's last event on, so that the parts together leave none out.
      select e.id
      into v_fault.event_id
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and (v_before.position is null or e.id > v_before.event_id)
        and (v_is_end or e.id <= v_last.event_id)
        and not exists (select from audit.seal as s where s.organization_id = v_organization_id and s.event_id = e.id)
        and not exists (select from audit.unsealed as u where u.organization_id = v_organization_id and u.event_id = e.id)
      order by e.id
      limit 1;
      if found then
        v_fault.code := 'not_sealed';
      elsif v_is_end then
        select u.event_id
        into v_fault.event_id
        from audit.unsealed as u
        where
          u.organization_id = v_organization_id
          and not exists (select from audit.event as e where e.organization_id = v_organization_id and e.id = u.event_id)
        order by u.event_id
        limit 1;
        if found then
          v_fault.code := 'event_missing';
        end if;
      end if;
    end if;
  end if;

  v_fault.detail := case v_fault.code
    when 'head_mismatch' then 'The chain that the head was taken from isn''t this one: seals were removed, or made anew.'
    when 'seal_missing' then 'The seal at this position was removed.'
    when 'event_missing' then 'The event was removed from the log.'
    when 'hash_mismatch' then 'The event or its seal was changed, or another was put in its place.'
    when 'payload_mismatch' then 'The event''s payload was changed, and no erasure tells of it.'
    when 'not_sealed' then 'The event neither has a seal nor waits for one: it was put into the log behind its back.'
  end;
  v_verdict.organization_id := v_organization_id;
  v_verdict.holds := v_fault.code is null;
  v_verdict.fault := case when v_fault.code is not null then v_fault end;
  v_verdict.verified_from := chain_verdict.after + 1;
  v_verdict.verified_to := coalesce(v_last.position, chain_verdict.after);
  v_verdict.next_after := case when not v_is_end then v_last.position::text end;
  if v_last.position is null then
    v_last := v_before;
  end if;
  v_verdict.head := v_last.position || ':' || encode(v_last.hash, 'hex');
  v_verdict.unsealed := v_unsealed;
  return v_verdict;
end
$$;

comment on function audit.chain_verdict(uuid, bigint, integer, api.chain_head) is
$$Whether up to limit seals after a position hold, and every event that belongs to them; else the first that doesn't.

after: 0 for the chain's beginning. head: a head that was kept elsewhere; null: none. Sees what its caller sees.$$;

grant execute on function audit.chain_verdict(uuid, bigint, integer, api.chain_head) to leads_exec, leads_jobs;
-- end frozen sql/audit/chain_verdict.sql

-- begin frozen sql/audit/event.policies.sql
-- audit.event - the policies of the audit log.
set local role leads_owner;

drop policy if exists event_exec_select on audit.event;
drop policy if exists event_audit_insert on audit.event;
drop policy if exists event_jobs_select on audit.event;
drop policy if exists event_bi_select on audit.event;
drop policy if exists event_bi_all on audit.event;

create policy event_exec_select on audit.event for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

-- Only the triggers' functions belong to leads_audit, and nobody is a member: the organization comes from the row.
create policy event_audit_insert on audit.event for insert to leads_audit with check (true);

-- admin.seal_events, admin.verify_chain
create policy event_jobs_select on audit.event for select to leads_jobs using (true);

create policy event_bi_select on audit.event for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- The floor under whatever policy is added later.
create policy event_bi_all on audit.event as restrictive for all to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));
-- end frozen sql/audit/event.policies.sql

-- begin frozen sql/audit/event.grants.sql
-- audit.event - who may do what with the audit log.
set local role leads_owner;

revoke all on audit.event from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on audit.event to leads_exec;
-- admin.seal_events, admin.verify_chain
grant select on audit.event to leads_jobs;
grant insert (id, organization_id, action, source, correlation_id, lead_id, payload, salt, payload_digest) on audit.event
to leads_audit;
-- What the views of schema bi show; no analyst may enter schema audit.
grant select (
  id, organization_id, action, source, correlation_id, lead_id, payload, created_at, stage_left, stage_entered
) on audit.event to leads_bi;
-- end frozen sql/audit/event.grants.sql

-- begin frozen sql/audit/unsealed.policies.sql
-- audit.unsealed - the policies of the queue of the sealer.
set local role leads_owner;

drop policy if exists unsealed_exec_select on audit.unsealed;
drop policy if exists unsealed_audit_insert on audit.unsealed;
drop policy if exists unsealed_jobs_select on audit.unsealed;
drop policy if exists unsealed_jobs_delete on audit.unsealed;

create policy unsealed_exec_select on audit.unsealed for select to leads_exec
  using (organization_id = (select auth.organization_id('admin')));

-- audit.write_event
create policy unsealed_audit_insert on audit.unsealed for insert to leads_audit with check (true);

-- admin.seal_events, admin.verify_chain
create policy unsealed_jobs_select on audit.unsealed for select to leads_jobs using (true);
create policy unsealed_jobs_delete on audit.unsealed for delete to leads_jobs using (true);
-- end frozen sql/audit/unsealed.policies.sql

-- begin frozen sql/audit/unsealed.triggers.sql
-- audit.unsealed - the guard of the queue of the sealer.
set local role leads_owner;

drop trigger if exists _100_refuse_truncate on audit.unsealed;

create trigger _100_refuse_truncate before truncate on audit.unsealed
  for each statement execute function audit.tg_refuse('An event that is taken from the queue is never sealed.');
-- end frozen sql/audit/unsealed.triggers.sql

-- begin frozen sql/audit/unsealed.grants.sql
-- audit.unsealed - who may do what with the queue of the sealer.
set local role leads_owner;

revoke all on audit.unsealed from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on audit.unsealed to leads_exec;
grant insert on audit.unsealed to leads_audit;
grant select, delete on audit.unsealed to leads_jobs;
-- end frozen sql/audit/unsealed.grants.sql

-- begin frozen sql/audit/seal.policies.sql
-- audit.seal - the policies of the seals.
set local role leads_owner;

drop policy if exists seal_exec_select on audit.seal;
drop policy if exists seal_jobs_select on audit.seal;
drop policy if exists seal_jobs_insert on audit.seal;

create policy seal_exec_select on audit.seal for select to leads_exec
  using (organization_id = (select auth.organization_id('admin')));

-- admin.seal_events, admin.verify_chain
create policy seal_jobs_select on audit.seal for select to leads_jobs using (true);
create policy seal_jobs_insert on audit.seal for insert to leads_jobs with check (true);
-- end frozen sql/audit/seal.policies.sql

-- begin frozen sql/audit/seal.triggers.sql
-- audit.seal - the guard of the seals.
set local role leads_owner;

drop trigger if exists _100_refuse_change on audit.seal;
drop trigger if exists _110_refuse_truncate on audit.seal;

create trigger _100_refuse_change before update or delete on audit.seal
  for each statement execute function audit.tg_refuse('The chain is append-only.');

create trigger _110_refuse_truncate before truncate on audit.seal
  for each statement execute function audit.tg_refuse('The chain is append-only.');

-- Also where session_replication_role says otherwise.
alter table audit.seal enable always trigger _100_refuse_change;
alter table audit.seal enable always trigger _110_refuse_truncate;
-- end frozen sql/audit/seal.triggers.sql

-- begin frozen sql/audit/seal.grants.sql
-- audit.seal - who may do what with the seals.
set local role leads_owner;

revoke all on audit.seal from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on audit.seal to leads_exec;
grant select, insert (organization_id, position, event_id, hash) on audit.seal to leads_jobs;
-- end frozen sql/audit/seal.grants.sql

-- begin frozen sql/app/organization.policies.sql
-- app.organization - the policies of the organizations' table.
set local role leads_owner;

drop policy if exists organization_exec_select on app.organization;
drop policy if exists organization_jobs_select on app.organization;
drop policy if exists organization_jobs_insert on app.organization;
drop policy if exists organization_jobs_update on app.organization;

create policy organization_exec_select on app.organization for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy organization_jobs_select on app.organization for select to leads_jobs using (true);
create policy organization_jobs_insert on app.organization for insert to leads_jobs with check (true);
-- admin.seal_events locks the row.
create policy organization_jobs_update on app.organization for update to leads_jobs using (true) with check (true);
-- end frozen sql/app/organization.policies.sql

-- begin frozen sql/app/organization.grants.sql
-- app.organization - who may do what with the organizations' table.
set local role leads_owner;

revoke all on app.organization from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant references on app.organization to leads_auth;
grant select on app.organization to leads_exec;
-- admin.seal_events locks the row, for which PostgreSQL asks for UPDATE; organization_id never changes.
grant select, insert (organization_id, name, environment), update (organization_id) on app.organization to leads_jobs;
-- end frozen sql/app/organization.grants.sql

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
    'This must be 1 to 255 printable ASCII characters.', 'Idempotency-Key', 'invalid_idempotency_key'),
  ('seal_count_within_1_and_10000', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be a whole number from 1 to 10000.', 'limit', 'out_of_range'),
  ('seal_position_is_a_whole_number', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be a whole number, such as next_after of the part before.', 'after', 'invalid_position'),
  ('chain_head_is_position_and_hash', 400, 'invalid_parameter', 'Invalid parameter',
    'This must be head as an earlier answer had it: a position, a colon and 64 hexadecimal digits.', 'head', 'invalid_head');

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
  ('GET', '/audit-log/verify', 'api.verify_audit_log', 'admin', '{invalid_parameter}'),
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

-- begin frozen sql/api/verify_audit_log.sql
-- api.verify_audit_log - GET /audit-log/verify.
set local role leads_exec;

create or replace function api.verify_audit_log(
  after api.seal_position default '0',
  "limit" api.seal_count default 1000,
  head api.chain_head default null
)
returns api.answer
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := auth.organization_id('admin');
begin
  return row(
    200,
    null,
    row_to_json(
      audit.chain_verdict(
        v_organization_id, verify_audit_log.after::bigint, verify_audit_log.limit, verify_audit_log.head
      )
    )::text
  )::api.answer;
end
$$;

comment on function api.verify_audit_log(api.seal_position, api.seal_count, api.chain_head) is
$$Verify the audit log.

Each event is sealed by a hash over itself and all before it, within a second or so. This verifies up to limit seals after a
position, and names the first event that doesn't hold. Ask on with next_after until it is null. Keep head somewhere else:
asked with it later, a log that was cut off or made anew is found out, even where a database administrator did it.$$;

grant execute on function api.verify_audit_log(api.seal_position, api.seal_count, api.chain_head) to leads_api;
-- end frozen sql/api/verify_audit_log.sql

-- begin frozen sql/admin/seal_events.sql
-- admin.seal_events - seals one organization's new events, as a worker does each second.
set local role leads_jobs;

create or replace function admin.seal_events(after uuid default null, batch integer default 1000)
returns table (organization_id uuid, sealed integer)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := seal_events.after;
  v_event audit.event;
  v_position bigint;
  v_hash bytea;
  v_sealed integer := 0;
begin
  loop
    v_organization_id := (
      select u.organization_id
      from audit.unsealed as u
      where v_organization_id is null or u.organization_id > v_organization_id
      order by u.organization_id
      limit 1
    );
    if v_organization_id is null then
      return;
    end if;
    -- One sealer at a time for an organization, and whoever comes second does another's. Who writes events never waits:
    -- a foreign key's lock isn't in this one's way.
    perform from app.organization as o where o.organization_id = v_organization_id for no key update skip locked;
    exit when found;
  end loop;

  select s.position, s.hash
  into v_position, v_hash
  from audit.seal as s
  where s.organization_id = v_organization_id
  order by s.position desc
  limit 1;
  v_position := coalesce(v_position, 0);
  v_hash := coalesce(v_hash, sha256(uuid_send(v_organization_id)));

  for v_event in
    select e.*
    from (
      select u.event_id
      from audit.unsealed as u
      where u.organization_id = v_organization_id
      order by u.event_id
      limit seal_events.batch
    ) as q
    -- What was removed before it was sealed stays in the queue, where it is found.
    join audit.event as e on e.organization_id = v_organization_id and e.id = q.event_id
    order by e.id
  loop
    v_position := v_position + 1;
    v_hash := sha256(
      v_hash || audit.event_hash(
        v_position, v_event.id, v_event.organization_id, v_event.action, v_event.source, v_event.correlation_id,
        v_event.lead_id, v_event.payload_digest, v_event.created_at
      )
    );
    insert into audit.seal (organization_id, position, event_id, hash)
    values (v_organization_id, v_position, v_event.id, v_hash);
    delete from audit.unsealed as u where u.organization_id = v_organization_id and u.event_id = v_event.id;
    v_sealed := v_sealed + 1;
  end loop;
  return query select v_organization_id, v_sealed;
end
$$;

comment on function admin.seal_events(uuid, integer) is
$$Seals up to batch new events, the oldest first, of the next organization after one that has any; null: of the first.

No row: none after it has any. sealed: how many; fewer than batch: all that were committed. Any number of workers may do so at
once.$$;

grant execute on function admin.seal_events(uuid, integer) to leads_worker, leads_operator;
-- end frozen sql/admin/seal_events.sql

-- begin frozen sql/admin/verify_chain.sql
-- admin.verify_chain - leads audit verify.
set local role leads_jobs;

create or replace function admin.verify_chain(
  organization_id uuid,
  after bigint default 0,
  "limit" api.seal_count default 1000,
  kept_head api.chain_head default null
)
returns table (
  holds boolean,
  verified_to bigint,
  next_after text,
  head text,
  unsealed bigint,
  code text,
  "position" bigint,
  event_id uuid,
  detail text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization app.organization := admin.organization(verify_chain.organization_id);
begin
  return query
  select
    v.holds, v.verified_to, v.next_after, v.head, v.unsealed,
    (v.fault).code, (v.fault)."position", (v.fault).event_id, (v.fault).detail
  from audit.chain_verdict(
    v_organization.organization_id, verify_chain.after, verify_chain.limit, verify_chain.kept_head
  ) as v;
end
$$;

comment on function admin.verify_chain(uuid, bigint, api.seal_count, api.chain_head) is
  'What audit.chain_verdict says of an organization, with the fault in the same row. Raises PT404 organization_not_found.';

grant execute on function admin.verify_chain(uuid, bigint, api.seal_count, api.chain_head) to leads_operator;
-- end frozen sql/admin/verify_chain.sql

-- begin frozen sql/admin/chain_heads.sql
-- admin.chain_heads - leads audit seal --export.
set local role leads_jobs;

create or replace function admin.chain_heads(organization_id uuid default null)
returns table (organization_id uuid, head text, sealed_at text, unsealed bigint)
language sql
stable
security definer
begin atomic
  select
    o.organization_id,
    h.position || ':' || encode(h.hash, 'hex'),
    app.utc_text(h.sealed_at),
    (select count(*) from audit.unsealed as u where u.organization_id = o.organization_id)
  from app.organization as o
  left join lateral (
    select s.position, s.hash, s.sealed_at
    from audit.seal as s
    where s.organization_id = o.organization_id
    order by s.position desc
    limit 1
  ) as h on true
  where o.organization_id = chain_heads.organization_id or chain_heads.organization_id is null
  order by o.organization_id;
end;

comment on function admin.chain_heads(uuid) is
  'The head of an organization''s chain, or of each where it is null: position and hash, as audit.chain_verdict takes them; null: '
  'nothing is sealed. unsealed: events that wait.';

grant execute on function admin.chain_heads(uuid) to leads_operator;
-- end frozen sql/admin/chain_heads.sql

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
    where t.name not in ('app.idempotency_key', 'crm.attempt', 'audit.event', 'audit.unsealed', 'audit.seal')
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
      ('audit.event', '_110_refuse_truncate', true),
      ('audit.seal', '_100_refuse_change', true),
      ('audit.seal', '_110_refuse_truncate', true),
      ('audit.unsealed', '_100_refuse_truncate', false)
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

  -- A worker seals each second.
  seal_finding as (
    select
      'organization ' || o.organization_id as subject,
      format(
        '%s events wait for their seal, the oldest since %s: until then nobody can tell whether they were changed.',
        q.events, app.utc_text(q.since)
      ) as finding,
      'Start a worker (leads worker), or say once: leads audit seal' as remedy
    from app.organization as o
    cross join lateral (
      select count(*) as events, min(e.created_at) as since
      from audit.unsealed as u
      join audit.event as e on e.organization_id = u.organization_id and e.id = u.event_id
      where u.organization_id = o.organization_id
    ) as q
    where q.since < now() - interval '1 minute'
    union all
    select
      'organization ' || u.organization_id,
      format('The event %s was removed from the log before it was sealed.', u.event_id),
      format('Say: leads audit verify --organization %s; and find out who did it.', u.organization_id)
    from audit.unsealed as u
    where not exists (select from audit.event as e where e.organization_id = u.organization_id and e.id = u.event_id)
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
    union all select * from seal_finding
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
