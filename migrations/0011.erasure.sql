-- Erasure: a person's right to be forgotten (GDPR, article 17), and organizations that have left.
set local lock_timeout = '5s';
set local row_security = off;
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

-- Of an erased organization only the id, the times and the log's skeleton stay.
alter table app.organization
  -- Every release so far reads a null name as it reads a text.
  -- squawk-ignore ban-drop-not-null
  alter column name drop not null,
  add column erased_at timestamptz(3);
alter table app.organization alter column erased_at set statistics 0;
-- squawk-ignore constraint-missing-not-valid
alter table app.organization add constraint organization_has_a_name_until_it_is_erased
  check ((name is null) = (erased_at is not null));
comment on column app.organization.name is 'Null once it is erased.';
comment on column app.organization.erased_at is 'When it was erased; null: it wasn''t.';

-- An answer that told of an erased person: the key is kept for its day, so that a repeat doesn't do it all again.
-- squawk-ignore ban-drop-not-null
alter table app.idempotency_key alter column request_digest drop not null;
-- squawk-ignore constraint-missing-not-valid
alter table app.idempotency_key add constraint idempotency_key_forgets_all_when_it_is_erased
  check (request_digest is not null or (status is null and headers is null and body is null));
comment on column app.idempotency_key.request_digest is
  'SHA-256 of the request: another one under the key is refused. Null: the answer was erased.';

grant usage on schema app, scoring, crm to leads_eraser;
-- A constraint on the name asks it.
grant execute on function app.is_text(text, integer), app.trim_text(text) to leads_eraser;

-- It shows more now.
set local role leads_jobs;
-- squawk-ignore ban-drop-function
drop function if exists admin.organizations();
set local role leads_owner;

comment on column audit.event.salt is '16 random bytes; null once the event''s values are erased.';

reset role;

-- The functions, views, triggers, policies and grants: frozen copies of the files in sql/, as of this migration.
set local row_security = on;

do $$
begin
  execute format('grant leads_audit, leads_eraser to %I', session_user);
end
$$;

-- Who owns functions in a schema creates them there, and only now: what runs as them later can't.
set local role leads_owner;
grant create on schema auth to leads_auth;
grant create on schema api to leads_exec;
grant create on schema admin to leads_jobs;
grant create on schema audit to leads_audit, leads_eraser;
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
  select 11;
end;

comment on function api.schema_version() is 'The number of the newest migration that this schema has.';

grant execute on function api.schema_version() to leads_owner, leads_jobs, leads_api;
-- end frozen sql/api/schema_version.sql

-- begin frozen sql/app/utc_text.sql
-- app.utc_text - an instant as the API writes it.
set local role leads_owner;

create or replace function app.utc_text(instant timestamptz)
returns text
language sql
stable
parallel safe
begin atomic
  select to_char(instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
end;

comment on function app.utc_text(timestamptz) is
  'The instant in UTC with milliseconds (RFC 3339): 2026-04-27T13:22:05.114Z, whatever the session''s zone. Null for null.';

grant execute on function app.utc_text(timestamptz) to leads_exec, leads_jobs, leads_audit, leads_eraser;
-- end frozen sql/app/utc_text.sql

-- begin frozen sql/audit/erased_payload.sql
-- audit.erased_payload - what is left of an event's payload once the person is erased.
set local role leads_owner;

create or replace function audit.erased_payload(payload json)
returns json
language sql
immutable
parallel safe
begin atomic
  select ('{' || string_agg(to_json(m.key)::text || ':' || left_over.value, ',' order by m.number) || '}')::json
  from json_each(erased_payload.payload) with ordinality as m (key, value, number)
  cross join lateral (
    select
      case
        when m.value::text = 'null' then 'null'
        -- Ids of ours, who made the change, and how a push went.
        when
          m.key in (
            'lead_id', 'signal_id', 'score_id', 'sync_id', 'api_key_id', 'crm_connection_id', 'organization',
            'scoring_model', 'pipeline_stage', 'key_id', 'role', 'vendor', 'attempts', 'error_code'
          )
          then m.value::text
        when m.key = 'diff' then (
          select
            '{'
            || coalesce(
              string_agg(
                to_json(d.key)::text || ':' || case
                  when d.key in ('lead_score', 'pipeline_stage', 'source') or d.key like '%\_at' then d.value::text
                  else '{"erased": true}'
                end,
                ',' order by d.number
              ),
              ''
            )
            || '}'
          from json_each(m.value) with ordinality as d (key, value, number)
        )
        else '{"erased": true}'
      end as value
  ) as left_over;
end;

comment on function audit.erased_payload(json) is
$$The payload with {"erased": true} for each value that can tell of a person, in the order that it had.

What stays: ids of ours, who made the change, vendor, attempts and error_code of a push, and of the diff lead_score,
pipeline_stage, source and times. Of what is erased already, the same again.$$;

-- audit.chain_verdict, which its callers run as themselves
grant execute on function audit.erased_payload(json) to leads_eraser, leads_exec, leads_jobs;
-- end frozen sql/audit/erased_payload.sql

-- begin frozen sql/audit/tg_event__check_erasure.sql
-- audit.tg_event__check_erasure - lets an event be changed by its erasure, and by nothing else.
set local role leads_owner;

create or replace function audit.tg_event__check_erasure()
returns trigger
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
begin
  if
    new.payload::text = audit.erased_payload(old.payload)::text
    and new.salt is null
    and (
      new.id, new.organization_id, new.action, new.source, new.correlation_id, new.lead_id, new.payload_digest,
      new.created_at
    ) is not distinct from (
      old.id, old.organization_id, old.action, old.source, old.correlation_id, old.lead_id, old.payload_digest,
      old.created_at
    )
  then
    return new;
  end if;
  raise sqlstate 'PT409' using
    message = 'refused',
    hint = 'An erasure sets payload to audit.erased_payload(payload) and salt to null, and changes nothing else.';
end
$$;

comment on function audit.tg_event__check_erasure() is
  'Raises PT409 refused, unless the payload becomes what audit.erased_payload leaves of it, the salt null, and nothing else changes.';
-- end frozen sql/audit/tg_event__check_erasure.sql

-- begin frozen sql/audit/record_erasure.sql
-- audit.record_erasure - writes the event that tells of an erasure.
set local role leads_audit;

create or replace function audit.record_erasure(organization_id uuid, lead_id uuid, about text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform audit.write_event(
    record_erasure.organization_id,
    case when record_erasure.lead_id is null then 'organization.erased' else 'lead.erased' end,
    record_erasure.lead_id,
    record_erasure.about
  );
end
$$;

comment on function audit.record_erasure(uuid, uuid, text) is
$$Writes lead.erased, or, where lead_id is null, organization.erased. For the erasing functions alone.

about: the payload's own members, as audit.write_event takes them; "erased" lists each erased event with the SHA-256 of the
payload that is left: audit.chain_verdict takes no other.$$;

grant execute on function audit.record_erasure(uuid, uuid, text) to leads_eraser;
-- end frozen sql/audit/record_erasure.sql

-- begin frozen sql/crm/copies.sql
-- crm.copies - the records of a lead at the vendors.
set local role leads_jobs;

create or replace function crm.copies(organization_id uuid, lead_id uuid)
returns json
language sql
stable
security invoker
begin atomic
  select coalesce(
    json_agg(
      json_build_object(
        'vendor', s.vendor,
        'account', s.account,
        'status', s.status,
        'external_id', s.external_id,
        'may_have_made', (
          select coalesce(
            json_agg(
              json_build_object('email', a.email, 'display_name', a.display_name, 'sent_at', app.utc_text(a.sent_at))
              order by a.number
            ),
            '[]'
          )
          from crm.attempt as a
          where
            a.organization_id = s.organization_id
            and a.sync_id = s.id
            and a.sent_at is not null
            and a.outcome is null
        )
      )
      order by s.created_at, s.id
    ),
    '[]'
  )
  from crm.sync as s
  where s.organization_id = copies.organization_id and s.lead_id = copies.lead_id;
end;

comment on function crm.copies(uuid, uuid) is
$$[{"vendor", "account", "status", "external_id", "may_have_made": [{"email", "display_name", "sent_at"}]}], one for each push.

external_id: the record's, null where none is known. may_have_made: calls of which it isn't known whether they made one.$$;

grant execute on function crm.copies(uuid, uuid) to leads_eraser;
-- end frozen sql/crm/copies.sql

-- begin frozen sql/audit/erase_events.sql
-- audit.erase_events - erases the values of events, and lists what is left of them.
set local role leads_eraser;

create or replace function audit.erase_events(organization_id uuid, lead_id uuid)
returns text[]
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
as $$
declare
  v_event record;
  v_items text[] := '{}';
begin
  for v_event in
    select
      e.id,
      p.payload,
      e.payload_digest = sha256(e.salt || convert_to(e.payload::text, 'UTF8')) as is_as_written
    from audit.event as e
    cross join lateral (select audit.erased_payload(e.payload) as payload offset 0) as p
    where
      e.organization_id = erase_events.organization_id
      and (e.lead_id = erase_events.lead_id or erase_events.lead_id is null)
      and e.salt is not null
      -- What tells of an erasure holds no values.
      and e.action not in ('lead.erased', 'organization.erased')
      and p.payload::text <> e.payload::text
    order by e.id
  loop
    update audit.event as e
    set payload = v_event.payload, salt = null
    where e.organization_id = erase_events.organization_id and e.id = v_event.id;
    -- One that somebody has changed isn't vouched for: the chain goes on showing it.
    continue when not v_event.is_as_written;
    v_items := v_items || format(
      '{"event_id":"%s","digest":"%s"}', v_event.id, encode(sha256(convert_to(v_event.payload::text, 'UTF8')), 'hex')
    );
  end loop;
  return v_items;
end
$$;

comment on function audit.erase_events(uuid, uuid) is
$$Erases the values of a lead's events, or of all of the organization where lead_id is null.

Gives {"event_id": …, "digest": …} for each event that it changed, but for those whose payload wasn't the one that was written:
SHA-256, in hexadecimal digits, of the payload that is left.$$;
-- end frozen sql/audit/erase_events.sql

-- begin frozen sql/audit/erase_lead.sql
-- audit.erase_lead - erases a person: the lead's rows, and the values that other rows keep of it.
set local role leads_eraser;

create or replace function audit.erase_lead(organization_id uuid, lead_id uuid)
returns table (wait_seconds numeric, rows_gone bigint, events bigint, copies json)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := erase_lead.organization_id;
  v_lead_id uuid := erase_lead.lead_id;
  v_stage text;
  v_until timestamptz;
  v_count bigint;
  v_gone bigint := 0;
  v_items text[];
  v_copies json;
begin
  -- Whoever changes the lead, or adds to it, comes before this or finds nothing.
  select l.pipeline_stage into v_stage
  from app.lead as l
  where l.organization_id = v_organization_id and l.id = v_lead_id
  for update;
  perform from crm.sync as s
  where s.organization_id = v_organization_id and s.lead_id = v_lead_id
  for update;
  select max(s.run_at) into v_until
  from crm.sync as s
  where
    s.organization_id = v_organization_id
    and s.lead_id = v_lead_id
    and s.status = 'in_progress'
    and s.run_at > clock_timestamp();
  if v_until is not null then
    -- The vendor is being called: what it has made is known soon.
    return query select round(extract(epoch from v_until - clock_timestamp()), 3), 0::bigint, 0::bigint, null::json;
    return;
  end if;

  v_copies := crm.copies(v_organization_id, v_lead_id);
  -- Not by the foreign keys' cascades, which would run as the tables' owner, and be recorded with all values.
  delete from crm.attempt as a
  using crm.sync as s
  where
    s.organization_id = v_organization_id
    and s.lead_id = v_lead_id
    and a.organization_id = s.organization_id
    and a.sync_id = s.id;
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;
  delete from crm.sync as s where s.organization_id = v_organization_id and s.lead_id = v_lead_id;
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;
  delete from scoring.signal as s where s.organization_id = v_organization_id and s.lead_id = v_lead_id;
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;
  delete from scoring.score as s where s.organization_id = v_organization_id and s.lead_id = v_lead_id;
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;
  delete from app.lead as l where l.organization_id = v_organization_id and l.id = v_lead_id;
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;

  update app.idempotency_key as k
  set request_digest = null, status = null, headers = null, body = null
  where
    k.organization_id = v_organization_id
    and (strpos(k.body, v_lead_id::text) > 0 or strpos(k.headers::text, v_lead_id::text) > 0);
  get diagnostics v_count = row_count;
  v_gone := v_gone + v_count;

  v_items := audit.erase_events(v_organization_id, v_lead_id);
  if v_gone > 0 or cardinality(v_items) > 0 then
    perform audit.record_erasure(
      v_organization_id,
      v_lead_id,
      concat(
        '"lead_id":"', v_lead_id, '","diff":{',
        case when v_stage is not null then '"pipeline_stage":' || json_build_object('from', v_stage, 'to', null) end,
        '},"erased":[', array_to_string(v_items, ','), ']'
      )
    );
  end if;
  return query select 0::numeric, v_gone, cardinality(v_items)::bigint, v_copies;
end
$$;

comment on function audit.erase_lead(uuid, uuid) is
$$Erases a lead, also one that was deleted before: its rows go, with its signals, scores, pushes and attempts; the values in its
events and in kept answers become {"erased": true} and null; lead.erased tells of it. Done twice, it does nothing.

wait_seconds: above 0, nothing was done, for a push of the lead holds a lease for so long; ask again. rows_gone: rows deleted
or emptied; events: events whose values were erased; copies: what crm.copies
gave before.$$;

grant execute on function audit.erase_lead(uuid, uuid) to leads_jobs;
-- end frozen sql/audit/erase_lead.sql

-- begin frozen sql/audit/erase_organization.sql
-- audit.erase_organization - erases what an organization has besides its leads.
set local role leads_eraser;

create or replace function audit.erase_organization(organization_id uuid)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := erase_organization.organization_id;
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_items text[];
begin
  perform from app.organization as o where o.organization_id = v_organization_id for update;
  if exists (select from app.lead as l where l.organization_id = v_organization_id) then
    raise sqlstate 'PT409' using
      message = 'leads_left', hint = 'Leads have come in meanwhile. Say it again: leads erase --organization ID';
  end if;
  delete from app.idempotency_key as k where k.organization_id = v_organization_id;
  delete from scoring.model as m where m.organization_id = v_organization_id;
  delete from app.pipeline_stage as p where p.organization_id = v_organization_id;
  update app.organization as o
  set name = null, erased_at = v_now
  where o.organization_id = v_organization_id and o.erased_at is null;

  -- Those of these very changes too.
  v_items := audit.erase_events(v_organization_id, null);
  if cardinality(v_items) > 0 then
    perform audit.record_erasure(
      v_organization_id, null, concat('"organization":"', v_organization_id, '","erased":[', array_to_string(v_items, ','), ']')
    );
  end if;
  return cardinality(v_items);
end
$$;

comment on function audit.erase_organization(uuid) is
$$Erases an organization whose leads are erased: its stages, models, kept answers and name go, and the values in all its
events; organization.erased tells of it. The id, the log and its seals stay. Gives how many events were changed.

Raises PT409 leads_left.$$;

grant execute on function audit.erase_organization(uuid) to leads_jobs;
-- end frozen sql/audit/erase_organization.sql

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
        e.payload_digest as written, sha256(coalesce(e.salt, '') || convert_to(e.payload::text, 'UTF8')) as present,
        e.salt, e.payload
      from page as p
      left join audit.event as e on e.organization_id = v_organization_id and e.id = p.event_id
    ),
    telling as (
      select e.*
      from (select distinct s.lead_id from sealed as s where s.present is distinct from s.written) as l
      join audit.event as e
        on e.organization_id = v_organization_id and e.lead_id = l.lead_id and e.action = 'lead.erased'
      union all
      -- Lists events of any lead: read once, not once for each.
      select e.*
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and e.lead_id is null
        and e.action = 'organization.erased'
        and exists (select from sealed as s where s.present is distinct from s.written)
    ),
    -- What is left of an erased event, as a sealed lead.erased or organization.erased lists it.
    listed as materialized (
      select (i.item ->> 'event_id')::uuid as event_id, decode(i.item ->> 'digest', 'hex') as digest
      from telling as e
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
            and (
              not exists (select from listed as l where l.event_id = s.event_id and l.digest = s.present)
              -- A list alone doesn't do: what it lists must be what an erasure leaves.
              or s.salt is not null
              or audit.erased_payload(s.payload)::text <> s.payload::text
            )
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
    when 'seal_missing' then 'There is no seal at this position: it was removed, or there never was one.'
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
drop policy if exists event_eraser_select on audit.event;
drop policy if exists event_eraser_update on audit.event;

create policy event_exec_select on audit.event for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

-- Only the triggers' functions belong to leads_audit, and nobody is a member: the organization comes from the row.
create policy event_audit_insert on audit.event for insert to leads_audit with check (true);

-- admin.seal_events, admin.verify_chain
create policy event_jobs_select on audit.event for select to leads_jobs using (true);

create policy event_bi_select on audit.event for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- The floor under whatever policy is added later. Said the other way round, or PostgreSQL would drop it as a repetition: with
-- two, EXPLAIN ANALYZE runs both subselects always, not only once a row of anybody's has passed the analyst's conditions.
create policy event_bi_all on audit.event as restrictive for all to leads_bi
  using ((select auth.analyst_organization_id()) = organization_id);

-- leads erase
create policy event_eraser_select on audit.event for select to leads_eraser using (true);
create policy event_eraser_update on audit.event for update to leads_eraser using (true) with check (true);
-- end frozen sql/audit/event.policies.sql

-- begin frozen sql/audit/event.triggers.sql
-- audit.event - the guard of the audit log.
set local role leads_owner;

drop trigger if exists _100_refuse_change on audit.event;
drop trigger if exists _105_refuse_delete on audit.event;
drop trigger if exists _110_refuse_truncate on audit.event;
drop trigger if exists _120_check_erasure on audit.event;

-- For each statement, not each row: a role that sees no row gets the error too.
-- The one exception is checked row by row.
create trigger _100_refuse_change before update on audit.event
  for each statement when (current_user <> 'leads_eraser')
  execute function audit.tg_refuse('The audit log is append-only: write a new event instead.');

create trigger _105_refuse_delete before delete on audit.event
  for each statement execute function audit.tg_refuse('The audit log is append-only: write a new event instead.');

create trigger _110_refuse_truncate before truncate on audit.event
  for each statement execute function audit.tg_refuse('The audit log is append-only: write a new event instead.');

create trigger _120_check_erasure before update on audit.event
  for each row execute function audit.tg_event__check_erasure();

-- Also where session_replication_role says otherwise.
alter table audit.event enable always trigger _100_refuse_change;
alter table audit.event enable always trigger _105_refuse_delete;
alter table audit.event enable always trigger _110_refuse_truncate;
alter table audit.event enable always trigger _120_check_erasure;
-- end frozen sql/audit/event.triggers.sql

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

-- leads erase: the trigger checks what an update does.
grant select (organization_id, id, action, lead_id, payload, salt, payload_digest), update (payload, salt) on audit.event to leads_eraser;
-- end frozen sql/audit/event.grants.sql

-- begin frozen sql/auth/api_key.grants.sql
-- auth.api_key - who may do what with the keys' table.
set local role leads_auth;

revoke all on auth.api_key from leads_owner, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select (organization_id, id, name, scopes, created_at, expires_at, revoked_at, rotated_from) on auth.api_key to leads_jobs;
grant insert (organization_id, id, name, scopes, digest, expires_at, rotated_from) on auth.api_key to leads_jobs;
grant update (name, expires_at, revoked_at) on auth.api_key to leads_jobs;
-- end frozen sql/auth/api_key.grants.sql

-- begin frozen sql/app/organization.policies.sql
-- app.organization - the policies of the organizations' table.
set local role leads_owner;

drop policy if exists organization_exec_select on app.organization;
drop policy if exists organization_jobs_select on app.organization;
drop policy if exists organization_jobs_insert on app.organization;
drop policy if exists organization_jobs_update on app.organization;
drop policy if exists organization_eraser_select on app.organization;
drop policy if exists organization_eraser_update on app.organization;

create policy organization_exec_select on app.organization for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy organization_jobs_select on app.organization for select to leads_jobs using (true);
create policy organization_jobs_insert on app.organization for insert to leads_jobs with check (true);
-- admin.seal_events locks the row.
create policy organization_jobs_update on app.organization for update to leads_jobs using (true) with check (true);

-- leads erase
create policy organization_eraser_select on app.organization for select to leads_eraser using (true);
create policy organization_eraser_update on app.organization for update to leads_eraser using (true) with check (true);
-- end frozen sql/app/organization.policies.sql

-- begin frozen sql/app/organization.grants.sql
-- app.organization - who may do what with the organizations' table.
set local role leads_owner;

revoke all on app.organization from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant references on app.organization to leads_auth;
grant select on app.organization to leads_exec;
-- admin.seal_events locks the row, for which PostgreSQL asks for UPDATE; organization_id never changes.
grant select, insert (organization_id, name, environment), update (organization_id) on app.organization to leads_jobs;

grant select (organization_id, erased_at), update (name, erased_at) on app.organization to leads_eraser;
-- end frozen sql/app/organization.grants.sql

-- begin frozen sql/app/pipeline_stage.policies.sql
-- app.pipeline_stage - the policies of the stages' table.
set local role leads_owner;

drop policy if exists pipeline_stage_exec_select on app.pipeline_stage;
drop policy if exists pipeline_stage_jobs_select on app.pipeline_stage;
drop policy if exists pipeline_stage_jobs_insert on app.pipeline_stage;
drop policy if exists pipeline_stage_jobs_delete on app.pipeline_stage;
drop policy if exists pipeline_stage_bi_select on app.pipeline_stage;
drop policy if exists pipeline_stage_bi_all on app.pipeline_stage;
drop policy if exists pipeline_stage_eraser_select on app.pipeline_stage;
drop policy if exists pipeline_stage_eraser_delete on app.pipeline_stage;

create policy pipeline_stage_exec_select on app.pipeline_stage for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy pipeline_stage_jobs_select on app.pipeline_stage for select to leads_jobs using (true);
create policy pipeline_stage_jobs_insert on app.pipeline_stage for insert to leads_jobs with check (true);
create policy pipeline_stage_jobs_delete on app.pipeline_stage for delete to leads_jobs using (true);

create policy pipeline_stage_bi_select on app.pipeline_stage for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- The floor under whatever policy is added later. Said the other way round, or PostgreSQL would drop it as a repetition: with
-- two, EXPLAIN ANALYZE runs both subselects always, not only once a row of anybody's has passed the analyst's conditions.
create policy pipeline_stage_bi_all on app.pipeline_stage as restrictive for all to leads_bi
  using ((select auth.analyst_organization_id()) = organization_id);

-- leads erase
create policy pipeline_stage_eraser_select on app.pipeline_stage for select to leads_eraser using (true);
create policy pipeline_stage_eraser_delete on app.pipeline_stage for delete to leads_eraser using (true);
-- end frozen sql/app/pipeline_stage.policies.sql

-- begin frozen sql/app/pipeline_stage.triggers.sql
-- app.pipeline_stage - the triggers of the stages' table.
set local role leads_owner;

drop trigger if exists _500_keep_new on app.pipeline_stage;
drop trigger if exists _510_keep_new on app.pipeline_stage;
drop trigger if exists _120_keep_identity on app.pipeline_stage;
drop trigger if exists _900_record on app.pipeline_stage;

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
-- end frozen sql/app/pipeline_stage.triggers.sql

-- begin frozen sql/app/pipeline_stage.grants.sql
-- app.pipeline_stage - who may do what with the stages' table.
set local role leads_owner;

revoke all on app.pipeline_stage from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on app.pipeline_stage to leads_exec;
grant select, insert, delete on app.pipeline_stage to leads_jobs;
grant select (organization_id, name, position) on app.pipeline_stage to leads_bi;

grant select (organization_id), delete on app.pipeline_stage to leads_eraser;
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
drop policy if exists lead_eraser_select on app.lead;
drop policy if exists lead_eraser_update on app.lead;
drop policy if exists lead_eraser_delete on app.lead;

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

-- The floor under whatever policy is added later. Said the other way round, or PostgreSQL would drop it as a repetition: with
-- two, EXPLAIN ANALYZE runs both subselects always, not only once a row of anybody's has passed the analyst's conditions.
create policy lead_bi_all on app.lead as restrictive for all to leads_bi
  using ((select auth.analyst_organization_id()) = organization_id);

-- leads erase
create policy lead_eraser_select on app.lead for select to leads_eraser using (true);
create policy lead_eraser_update on app.lead for update to leads_eraser using (true) with check (true);
create policy lead_eraser_delete on app.lead for delete to leads_eraser using (true);
-- end frozen sql/app/lead.policies.sql

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

-- An erasure writes lead.erased, and no values.
create trigger _900_record after insert or update or delete on app.lead
  for each row when (current_user <> 'leads_eraser') execute function audit.tg_lead__record();

-- Behind the record, whose event then stands before that of the push.
create trigger _910_push_first_stage after insert on app.lead
  for each row execute function crm.tg_lead__push();

create trigger _920_push_stage after update on app.lead
  for each row when (old.pipeline_stage is distinct from new.pipeline_stage) execute function crm.tg_lead__push();
-- end frozen sql/app/lead.triggers.sql

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

-- leads erase locks the row, for which PostgreSQL asks for UPDATE; organization_id never changes.
grant select (organization_id, id, pipeline_stage), update (organization_id), delete on app.lead to leads_eraser;
-- end frozen sql/app/lead.grants.sql

-- begin frozen sql/app/idempotency_key.policies.sql
-- app.idempotency_key - the policies of the kept answers' table.
set local role leads_owner;

drop policy if exists idempotency_key_exec_all on app.idempotency_key;
drop policy if exists idempotency_key_jobs_select on app.idempotency_key;
drop policy if exists idempotency_key_jobs_delete on app.idempotency_key;
drop policy if exists idempotency_key_eraser_select on app.idempotency_key;
drop policy if exists idempotency_key_eraser_update on app.idempotency_key;
drop policy if exists idempotency_key_eraser_delete on app.idempotency_key;

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
-- end frozen sql/app/idempotency_key.policies.sql

-- begin frozen sql/app/idempotency_key.grants.sql
-- app.idempotency_key - who may do what with the kept answers' table.
set local role leads_owner;

revoke all on app.idempotency_key from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select, insert, update, delete on app.idempotency_key to leads_exec;
grant select (organization_id, key_digest, created_at), delete on app.idempotency_key to leads_jobs;

grant select (organization_id, headers, body), update (request_digest, status, headers, body), delete on app.idempotency_key
to leads_eraser;
-- end frozen sql/app/idempotency_key.grants.sql

-- begin frozen sql/app/claim_idempotency_key.sql
-- app.claim_idempotency_key - one effect for all requests under one Idempotency-Key.
set local role leads_owner;

create or replace function app.claim_idempotency_key(
  organization_id uuid,
  idempotency_key text,
  wait integer,
  request text
)
returns api.answer
language plpgsql
volatile
security invoker
set search_path = pg_catalog, pg_temp
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

  -- Whoever comes second waits here for the first one's transaction, and then finds its answer, or, where that rolled
  -- back, makes the claim.
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
    -- The claim pays for its keep: expired rows go a few at a time, those that nobody holds.
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
end
$$;

comment on function app.claim_idempotency_key(uuid, text, integer, text) is
$$Claims the key for this transaction, or gives the answer that is kept under it.

wait: milliseconds to wait for a transaction that holds the claim, at least 1. request: method, path and body, raw.
Null: the claim is made (or idempotency_key is null), and the answer is to be kept with app.keep_answer. An answer: the
kept one. Raises PT409 idempotency_in_progress, erased, and PT422 idempotency_key_reused for another request under the key.
Whoever finds a fault afterwards raises it: then the claim goes with the transaction.$$;

grant execute on function app.claim_idempotency_key(uuid, text, integer, text) to leads_exec;
-- end frozen sql/app/claim_idempotency_key.sql

-- begin frozen sql/scoring/model.policies.sql
-- scoring.model - the policies of the models' table.
set local role leads_owner;

drop policy if exists model_exec_select on scoring.model;
drop policy if exists model_jobs_select on scoring.model;
drop policy if exists model_jobs_insert on scoring.model;
drop policy if exists model_jobs_update on scoring.model;
drop policy if exists model_eraser_select on scoring.model;
drop policy if exists model_eraser_delete on scoring.model;

create policy model_exec_select on scoring.model for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

-- admin.edit_scoring_model, admin.activate_scoring_model
create policy model_jobs_select on scoring.model for select to leads_jobs using (true);
create policy model_jobs_insert on scoring.model for insert to leads_jobs with check (true);
create policy model_jobs_update on scoring.model for update to leads_jobs using (true) with check (true);

-- leads erase
create policy model_eraser_select on scoring.model for select to leads_eraser using (true);
create policy model_eraser_delete on scoring.model for delete to leads_eraser using (true);
-- end frozen sql/scoring/model.policies.sql

-- begin frozen sql/scoring/model.triggers.sql
-- scoring.model - the triggers of the models' table.
set local role leads_owner;

drop trigger if exists _100_refuse_truncate on scoring.model;
drop trigger if exists _120_keep_version on scoring.model;
drop trigger if exists _130_keep_active on scoring.model;
drop trigger if exists _140_keep_history on scoring.model;
drop trigger if exists _900_record on scoring.model;

create trigger _100_refuse_truncate before truncate on scoring.model
  for each statement execute function audit.tg_refuse('The history of scores names its models.');

create trigger _120_keep_version before update on scoring.model
  for each row
  when ((old.organization_id, old.version, old.created_at) is distinct from (new.organization_id, new.version, new.created_at))
  execute function audit.tg_refuse('organization_id, version and created_at never change.');

create trigger _130_keep_active before update on scoring.model
  for each row
  when (old.state <> 'draft' and (new.state = 'draft' or old.document is distinct from new.document))
  execute function audit.tg_refuse('A version that was active never changes: make a new draft.');

create trigger _140_keep_history before delete on scoring.model
  for each row when (old.state <> 'draft' and current_user <> 'leads_eraser')
  execute function audit.tg_refuse('The history of scores names its models.');

create trigger _900_record after insert or update or delete on scoring.model
  for each row execute function audit.tg_record('scoring_model', 'version');
-- end frozen sql/scoring/model.triggers.sql

-- begin frozen sql/scoring/model.grants.sql
-- scoring.model - who may do what with the models' table.
set local role leads_owner;

revoke all on scoring.model
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on scoring.model to leads_exec;
grant select, insert (organization_id, version, document), update (state, document, activated_at) on scoring.model
to leads_jobs;

grant select (organization_id), delete on scoring.model to leads_eraser;
-- end frozen sql/scoring/model.grants.sql

-- begin frozen sql/scoring/signal.policies.sql
-- scoring.signal - the policies of the signals' table.
set local role leads_owner;

drop policy if exists signal_exec_select on scoring.signal;
drop policy if exists signal_exec_insert on scoring.signal;
drop policy if exists signal_jobs_select on scoring.signal;
drop policy if exists signal_jobs_insert on scoring.signal;
drop policy if exists signal_eraser_select on scoring.signal;
drop policy if exists signal_eraser_delete on scoring.signal;

create policy signal_exec_select on scoring.signal for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy signal_exec_insert on scoring.signal for insert to leads_exec
  with check (organization_id = (select auth.organization_id('write')));

-- admin.try_scoring_model, admin.load_signals
create policy signal_jobs_select on scoring.signal for select to leads_jobs using (true);
create policy signal_jobs_insert on scoring.signal for insert to leads_jobs with check (true);

-- leads erase
create policy signal_eraser_select on scoring.signal for select to leads_eraser using (true);
create policy signal_eraser_delete on scoring.signal for delete to leads_eraser using (true);
-- end frozen sql/scoring/signal.policies.sql

-- begin frozen sql/scoring/signal.triggers.sql
-- scoring.signal - the triggers of the signals' table.
set local role leads_owner;

drop trigger if exists _100_refuse_truncate on scoring.signal;
drop trigger if exists _120_keep_identity on scoring.signal;
drop trigger if exists _900_record on scoring.signal;

create trigger _100_refuse_truncate before truncate on scoring.signal
  for each statement execute function audit.tg_refuse('Delete signals with DELETE, so that each is recorded.');

create trigger _120_keep_identity before update on scoring.signal
  for each row
  when (
    (old.organization_id, old.id, old.lead_id, old.created_at)
    is distinct from (new.organization_id, new.id, new.lead_id, new.created_at)
  )
  execute function audit.tg_refuse('organization_id, id, lead_id and created_at never change.');

create trigger _900_record after insert or update or delete on scoring.signal
  for each row when (current_user <> 'leads_eraser') execute function audit.tg_signal__record();
-- end frozen sql/scoring/signal.triggers.sql

-- begin frozen sql/scoring/signal.grants.sql
-- scoring.signal - who may do what with the signals' table.
set local role leads_owner;

revoke all on scoring.signal
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select, insert (id, organization_id, lead_id, type, value, observed_at, dedupe_key) on scoring.signal
to leads_exec, leads_jobs;

grant select (organization_id, lead_id), delete on scoring.signal to leads_eraser;
-- end frozen sql/scoring/signal.grants.sql

-- begin frozen sql/scoring/score.policies.sql
-- scoring.score - the policies of the scores' table.
set local role leads_owner;

drop policy if exists score_exec_select on scoring.score;
drop policy if exists score_exec_insert on scoring.score;
drop policy if exists score_jobs_insert on scoring.score;
drop policy if exists score_eraser_select on scoring.score;
drop policy if exists score_eraser_delete on scoring.score;

create policy score_exec_select on scoring.score for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

create policy score_exec_insert on scoring.score for insert to leads_exec
  with check (organization_id = (select auth.organization_id('write')));

-- admin.load_leads: a lead that comes with a score has one that was set.
create policy score_jobs_insert on scoring.score for insert to leads_jobs with check (true);

-- leads erase
create policy score_eraser_select on scoring.score for select to leads_eraser using (true);
create policy score_eraser_delete on scoring.score for delete to leads_eraser using (true);
-- end frozen sql/scoring/score.policies.sql

-- begin frozen sql/scoring/score.triggers.sql
-- scoring.score - the triggers of the history of scores.
set local role leads_owner;

drop trigger if exists _100_refuse_truncate on scoring.score;
drop trigger if exists _110_refuse_change on scoring.score;
drop trigger if exists _120_check on scoring.score;
drop trigger if exists _500_apply on scoring.score;
drop trigger if exists _900_record on scoring.score;

create trigger _100_refuse_truncate before truncate on scoring.score
  for each statement execute function audit.tg_refuse('Every score is kept.');

create trigger _110_refuse_change before update on scoring.score
  for each row execute function audit.tg_refuse('A score never changes: score the lead anew.');

create trigger _120_check before insert on scoring.score
  for each row execute function scoring.tg_score__check();

create trigger _500_apply after insert on scoring.score
  for each row when (new.kind = 'scored') execute function scoring.tg_score__apply();

-- What is inserted is recorded with the lead's change: lead.scored, lead.updated, lead.created.
create trigger _900_record after delete on scoring.score
  for each row when (current_user <> 'leads_eraser') execute function audit.tg_record('score', 'id');
-- end frozen sql/scoring/score.triggers.sql

-- begin frozen sql/scoring/score.grants.sql
-- scoring.score - who may do what with the history of scores.
set local role leads_owner;

revoke all on scoring.score
from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant
  select,
  insert (
    organization_id, lead_id, kind, lead_score, ai_reasoning, model, model_version, base, contributions, created_at
  )
on scoring.score to leads_exec;

grant insert (organization_id, lead_id, kind, lead_score, ai_reasoning, created_at) on scoring.score to leads_jobs;

grant select (organization_id, lead_id), delete on scoring.score to leads_eraser;
-- end frozen sql/scoring/score.grants.sql

-- begin frozen sql/crm/sync.policies.sql
-- crm.sync - the policies of the syncs' table.
set local role leads_owner;

drop policy if exists sync_exec_select on crm.sync;
drop policy if exists sync_jobs_select on crm.sync;
drop policy if exists sync_jobs_insert on crm.sync;
drop policy if exists sync_jobs_update on crm.sync;
drop policy if exists sync_eraser_select on crm.sync;
drop policy if exists sync_eraser_update on crm.sync;
drop policy if exists sync_eraser_delete on crm.sync;

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
  for each row when (current_user <> 'leads_eraser') execute function audit.tg_sync__record();
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

grant select, update (organization_id), delete on crm.sync to leads_eraser;
-- end frozen sql/crm/sync.grants.sql

-- begin frozen sql/crm/attempt.policies.sql
-- crm.attempt - the policies of the attempts' table.
set local role leads_owner;

drop policy if exists attempt_jobs_select on crm.attempt;
drop policy if exists attempt_jobs_insert on crm.attempt;
drop policy if exists attempt_jobs_update on crm.attempt;
drop policy if exists attempt_eraser_select on crm.attempt;
drop policy if exists attempt_eraser_delete on crm.attempt;

-- The worker's functions, and leads crm.
create policy attempt_jobs_select on crm.attempt for select to leads_jobs using (true);
create policy attempt_jobs_insert on crm.attempt for insert to leads_jobs with check (true);
create policy attempt_jobs_update on crm.attempt for update to leads_jobs using (true) with check (true);

-- leads erase
create policy attempt_eraser_select on crm.attempt for select to leads_eraser using (true);
create policy attempt_eraser_delete on crm.attempt for delete to leads_eraser using (true);
-- end frozen sql/crm/attempt.policies.sql

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

grant select, delete on crm.attempt to leads_eraser;
-- end frozen sql/crm/attempt.grants.sql

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
  ('erased', 409, 'erased', 'Erased',
    'The request under this Idempotency-Key was done, and its lead was erased since. Nothing was done now. Take a new key for a new request.'),
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
    '{invalid_body,invalid_parameter,validation_failed,idempotency_key_reused,idempotency_in_progress,erased}'),
  ('GET', '/leads/{id}', 'api.get_lead', 'read', '{invalid_parameter,not_found}'),
  ('PATCH', '/leads/{id}', 'api.update_lead', 'write',
    '{invalid_body,invalid_parameter,validation_failed,not_found,precondition_failed}'),
  ('POST', '/leads/{id}/signals', 'api.create_signals', 'write',
    '{invalid_body,invalid_parameter,validation_failed,not_found,idempotency_key_reused,idempotency_in_progress,erased}'),
  ('GET', '/leads/{id}/signals', 'api.list_signals', 'read', '{invalid_parameter,not_found}'),
  ('POST', '/leads/{id}/score', 'api.score_lead', 'write',
    '{invalid_parameter,not_found,idempotency_key_reused,idempotency_in_progress,erased}'),
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
    '{invalid_parameter,validation_failed,not_found,idempotency_key_reused,idempotency_in_progress,erased,crm_not_configured,'
    'crm_outcome_unknown,crm_rejected,crm_unavailable}',
    10, 'api.get_push');
-- end frozen sql/api/route.rows.sql

-- begin frozen sql/api/create_signals.sql
-- api.create_signals - POST /leads/{id}/signals.
set local role leads_exec;

create or replace function api.create_signals(
  id uuid,
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
#variable_conflict use_column
declare
  v_organization_id uuid := auth.organization_id('write');
  v_fields jsonb := app.read_object(create_signals.body);
  v_answer api.answer := app.claim_idempotency_key(
    v_organization_id, create_signals.idempotency_key, create_signals.idempotency_wait,
    concat('POST /leads/', create_signals.id, '/signals', chr(10), create_signals.body)
  );
  v_is_batch boolean := v_fields ? 'signals';
  v_ids uuid[];
  v_items text[];
begin
  if v_answer.status is not null then
    return v_answer;
  end if;

  perform app.raise_faults(422, 'validation_failed', scoring.signal_faults(v_fields));

  -- Locked, or an erasure could come between, and what this answers be kept behind it.
  perform from app.lead as l where l.organization_id = v_organization_id and l.id = create_signals.id for key share;
  if not found then
    -- Raised, so that the claim goes with it.
    raise sqlstate 'PT404' using message = 'not_found';
  end if;

  v_fields := case when v_is_batch then v_fields -> 'signals' else jsonb_build_array(v_fields) end;
  -- Ids in the order that they were sent in, which is that of a page.
  v_ids := array(select app.new_id() from generate_series(1, jsonb_array_length(v_fields)));

  with sent as (
    select
      v_ids[s.ordinality] as id,
      s.signal ->> 'type' as type,
      coalesce(s.signal -> 'value', 'true') as value,
      coalesce(app.read_instant(s.signal ->> 'observed_at'), date_trunc('milliseconds', now())) as observed_at,
      app.trim_text(s.signal ->> 'dedupe_key') as dedupe_key
    from jsonb_array_elements(v_fields) with ordinality as s (signal, ordinality)
  )
  insert into scoring.signal (id, organization_id, lead_id, type, value, observed_at, dedupe_key)
  select s.id, v_organization_id, create_signals.id, s.type, s.value, s.observed_at, s.dedupe_key
  from sent as s
  -- Two batches with the same keys wait for each other in one order, and so for no deadlock.
  order by s.dedupe_key, s.id
  on conflict (organization_id, lead_id, dedupe_key) do nothing;

  -- Where a key was there already, the first signal under it.
  v_items := array(
    select row_to_json(scoring.signal_item(i))::text
    from jsonb_array_elements(v_fields) with ordinality as s (signal, ordinality)
    cross join lateral (
      select i.*
      from scoring.signal as i
      where i.organization_id = v_organization_id and i.id = v_ids[s.ordinality]
      union all
      select i.*
      from scoring.signal as i
      where
        i.organization_id = v_organization_id
        and i.lead_id = create_signals.id
        and i.dedupe_key = app.trim_text(s.signal ->> 'dedupe_key')
        and i.id <> v_ids[s.ordinality]
    ) as i
    order by s.ordinality
  );

  if (
    select m.document -> 'rescore_on_signal' = 'true' and exists (
      select
      from scoring.signal as i
      join jsonb_array_elements(m.document -> 'rules') as r (rule) on r.rule ->> 'signal' = i.type
      where i.organization_id = v_organization_id and i.id = any (v_ids)
    )
    from scoring.model_in_force(v_organization_id) as m
  ) then
    perform scoring.score_lead(v_organization_id, create_signals.id);
  end if;

  v_answer := row(
    201,
    null,
    case when v_is_batch then '{"data":[' || array_to_string(v_items, ',') || ']}' else v_items[1] end
  );
  if create_signals.idempotency_key is not null then
    perform app.keep_answer(v_organization_id, create_signals.idempotency_key, v_answer);
  end if;
  return v_answer;
end
$$;

comment on function api.create_signals(uuid, text, api.idempotency_key, integer) is
$$Add signals to a lead.

A signal, or {"signals": […]} with up to 200 of them: all are added, or none. type is a machine name; value is true when
left out, else true, false, null, a number, a text, or a flat object of these; observed_at is now when left out, and may
lie in the past. A signal with a dedupe_key that the lead has a signal of already adds nothing: the answer has the
first. Of each type the latest counts for the score (observed_at, then id), and false and null count nothing. Where the
organization's scoring model says so, and looks at such a signal, the lead is scored anew at once.$$;

grant execute on function api.create_signals(uuid, text, api.idempotency_key, integer) to leads_api;
-- end frozen sql/api/create_signals.sql

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

  -- Locked, or an erasure could come between, and what this answers be kept behind it.
  perform from app.lead as l where l.organization_id = v_organization_id and l.id = push_lead.id for key share;
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
lead.created, lead.updated, lead.scored, lead.deleted, lead.erased; lead.crm_push_requested, lead.crm_pushed,
lead.crm_push_failed, lead.crm_push_skipped; crm_connection.created, crm_connection.updated, crm_connection.deleted; crm_sync.updated,
crm_sync.deleted; signal.created, signal.updated, signal.deleted; score.deleted; scoring_model.created,
scoring_model.updated, scoring_model.deleted; api_key.created, api_key.rotated, api_key.updated, api_key.revoked,
api_key.deleted; analyst.created, analyst.updated, analyst.deleted; organization.created, organization.updated,
organization.deleted, organization.erased; pipeline_stage.created, pipeline_stage.updated, pipeline_stage.deleted.$$;

grant execute on function
  api.list_audit_events(api.page_size, api.cursor, api.any_of, api.any_of, uuid, timestamptz, timestamptz)
to leads_api;
-- end frozen sql/api/list_audit_events.sql

-- begin frozen sql/admin/known_organization.sql
-- admin.known_organization - one organization, which must be there; an erased one too.
set local role leads_jobs;

create or replace function admin.known_organization(organization_id uuid)
returns app.organization
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization app.organization;
begin
  select o.* into v_organization
  from app.organization as o
  where o.organization_id = known_organization.organization_id;
  if not found then
    raise sqlstate 'PT404' using
      message = 'organization_not_found',
      hint = format(
        'There is no organization %s. "leads organizations list" shows them.', known_organization.organization_id
      );
  end if;
  return v_organization;
end
$$;

comment on function admin.known_organization(uuid) is
  'The organization; of an erased one the name is null. Raises PT404 organization_not_found.';

grant execute on function admin.known_organization(uuid) to leads_operator;
-- end frozen sql/admin/known_organization.sql

-- begin frozen sql/admin/organization.sql
-- admin.organization - one organization, which must be there.
set local role leads_jobs;

create or replace function admin.organization(organization_id uuid)
returns app.organization
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization app.organization := admin.known_organization(organization.organization_id);
begin
  if v_organization.erased_at is not null then
    raise sqlstate 'PT409' using
      message = 'organization_erased',
      hint = format(
        'The organization %s was erased at %s.', organization.organization_id, app.utc_text(v_organization.erased_at)
      );
  end if;
  return v_organization;
end
$$;

comment on function admin.organization(uuid) is 'The organization. Raises PT404 organization_not_found, PT409 organization_erased.';

grant execute on function admin.organization(uuid) to leads_operator;
-- end frozen sql/admin/organization.sql

-- begin frozen sql/admin/organizations.sql
-- admin.organizations - leads organizations list.
set local role leads_jobs;

create or replace function admin.organizations()
returns table (id uuid, name text, environment text, created_at text, erased_at text)
language sql
stable
security definer
begin atomic
  select o.organization_id, o.name, o.environment, app.utc_text(o.created_at), app.utc_text(o.erased_at)
  from app.organization as o
  order by o.created_at, o.organization_id;
end;

comment on function admin.organizations() is 'All organizations, the oldest first.';

grant execute on function admin.organizations() to leads_operator;
-- end frozen sql/admin/organizations.sql

-- begin frozen sql/admin/leads_to_erase.sql
-- admin.leads_to_erase - what leads erase is about to erase.
set local role leads_jobs;

create or replace function admin.leads_to_erase(
  organization_id uuid default null,
  lead_id uuid default null,
  email text default null
)
returns table (
  organization_id uuid,
  lead_id uuid,
  name text,
  email text,
  is_deleted boolean,
  events bigint,
  copies json
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
begin atomic
  with candidate as (
    select o.organization_id, f.id
    from app.organization as o
    cross join lateral (
      select l.id
      from app.lead as l
      where
        l.organization_id = o.organization_id
        and (
          l.id = leads_to_erase.lead_id
          or (leads_to_erase.lead_id is null and l.email_key = lower(leads_to_erase.email collate "C"))
        )
      union
      select e.lead_id
      from audit.event as e
      where e.organization_id = o.organization_id and e.lead_id = leads_to_erase.lead_id
      union
      -- Leads that had the address once, and those that were deleted.
      select e.lead_id
      from audit.event as e
      where
        leads_to_erase.lead_id is null
        and leads_to_erase.organization_id is not null
        and e.organization_id = o.organization_id
        and e.lead_id is not null
        and lower(leads_to_erase.email collate "C") in (
          lower(e.payload #>> '{diff,email,from}' collate "C"), lower(e.payload #>> '{diff,email,to}' collate "C")
        )
    ) as f
    where o.organization_id = leads_to_erase.organization_id or leads_to_erase.organization_id is null
  )
  select
    c.organization_id,
    c.id,
    l.name,
    l.email,
    l.id is null,
    (select count(*) from audit.event as e where e.organization_id = c.organization_id and e.lead_id = c.id),
    crm.copies(c.organization_id, c.id)
  from candidate as c
  left join app.lead as l on l.organization_id = c.organization_id and l.id = c.id
  order by c.organization_id, c.id;
end;

comment on function admin.leads_to_erase(uuid, uuid, text) is
$$The leads with an id, or of an organization with an e-mail address (ASCII case ignored): those that have it, that had it once, and
that were deleted.

name, email: null where the lead was deleted. events: how many the log has of it. copies: what crm.copies gives.$$;

grant execute on function admin.leads_to_erase(uuid, uuid, text) to leads_operator;
-- end frozen sql/admin/leads_to_erase.sql

-- begin frozen sql/admin/erase_lead.sql
-- admin.erase_lead - leads erase --lead ID.
set local role leads_jobs;

create or replace function admin.erase_lead(organization_id uuid, lead_id uuid)
returns table (wait_seconds numeric, rows_gone bigint, events bigint, copies json)
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
begin atomic
  select e.wait_seconds, e.rows_gone, e.events, e.copies
  from audit.erase_lead(erase_lead.organization_id, erase_lead.lead_id) as e;
end;

comment on function admin.erase_lead(uuid, uuid) is 'What audit.erase_lead does, for the operator.';

grant execute on function admin.erase_lead(uuid, uuid) to leads_operator;
-- end frozen sql/admin/erase_lead.sql

-- begin frozen sql/admin/erase_organization.sql
-- admin.erase_organization - leads erase --organization ID: one batch of it.
set local role leads_jobs;

create or replace function admin.erase_organization(
  organization_id uuid,
  after uuid default null,
  batch integer default 100
)
returns table (last_lead_id uuid, leads integer, events bigint, wait_seconds numeric, is_done boolean)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization app.organization := admin.known_organization(erase_organization.organization_id);
  v_organization_id uuid := v_organization.organization_id;
  -- Not null: the next lead's condition would have two shapes, and a plan for both walks the log from its beginning.
  v_lead_id uuid := coalesce(erase_organization.after, '00000000-0000-0000-0000-000000000000');
  v_next_id uuid;
  v_done record;
  v_leads integer := 0;
  v_events bigint := 0;
begin
  -- From the first batch on nothing comes in, and nothing goes out.
  update auth.api_key as k
  set name = null, revoked_at = coalesce(k.revoked_at, date_trunc('milliseconds', clock_timestamp()))
  where k.organization_id = v_organization_id and (k.revoked_at is null or k.name is not null);
  delete from auth.analyst as a where a.organization_id = v_organization_id;
  -- A worker locks its push, and then the connection: in this order here, too.
  perform from crm.sync as s
  where s.organization_id = v_organization_id and s.status = 'in_progress'
  order by s.id
  for update;
  delete from crm.connection as c where c.organization_id = v_organization_id;
  -- Or each lead's erasure would look through them all.
  delete from app.idempotency_key as k where k.organization_id = v_organization_id;

  -- Said again of one that is erased: there is nothing to walk through.
  if
    v_organization.erased_at is not null
    and not exists (select from app.lead as l where l.organization_id = v_organization_id)
  then
    return query select null::uuid, 0, audit.erase_organization(v_organization_id), 0::numeric, true;
    return;
  end if;

  -- By the log, which has those that were deleted, too, and then by what is left.
  for v_number in 1 .. greatest(erase_organization.batch, 1) loop
    v_next_id := (
      select e.lead_id
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and e.lead_id > v_lead_id
      order by e.lead_id
      limit 1
    );
    v_next_id := coalesce(v_next_id, (
      select l.id from app.lead as l where l.organization_id = v_organization_id order by l.id limit 1
    ));
    if v_next_id is null then
      v_events := v_events + audit.erase_organization(v_organization_id);
      return query select null::uuid, v_leads, v_events, 0::numeric, true;
      return;
    end if;
    select e.wait_seconds, e.rows_gone, e.events into v_done
    from audit.erase_lead(v_organization_id, v_next_id) as e;
    if v_done.wait_seconds > 0 then
      return query select v_lead_id, v_leads, v_events, v_done.wait_seconds, false;
      return;
    end if;
    v_leads := v_leads + (v_done.rows_gone > 0 or v_done.events > 0)::integer;
    v_events := v_events + v_done.events;
    v_lead_id := v_next_id;
  end loop;
  return query select v_lead_id, v_leads, v_events, 0::numeric, false;
end
$$;

comment on function admin.erase_organization(uuid, uuid, integer) is
$$Erases up to batch leads of an organization, the next after a lead; null: the first; behind the last, all else that it has.

Keys are revoked, analysts unbound, the connection and kept answers removed from the first batch on. last_lead_id: after, for
the next batch; null: all is erased. leads, events: how many this batch erased. wait_seconds: above 0, a push holds a lease
for so long: ask again then. is_done: all is erased. What broke off is taken up by asking from the first again. Raises PT404
organization_not_found.$$;

grant execute on function admin.erase_organization(uuid, uuid, integer) to leads_operator;
-- end frozen sql/admin/erase_organization.sql

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
  -- Not null: the next one's condition would have two shapes, and a plan for both walks the queue from its beginning.
  v_organization_id uuid := coalesce(seal_events.after, '00000000-0000-0000-0000-000000000000');
  v_event audit.event;
  v_position bigint;
  v_hash bytea;
  v_sealed integer := 0;
begin
  loop
    v_organization_id := (
      select u.organization_id
      from audit.unsealed as u
      where u.organization_id > v_organization_id
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

  -- One that was put into the queue again is sealed already: it would stop this one, and all that come after it.
  delete from audit.unsealed as u
  where
    u.organization_id = v_organization_id
    and exists (
      select from audit.seal as s where s.organization_id = v_organization_id and s.event_id = u.event_id
    );
  for v_event in
    select e.*
    from audit.unsealed as u
    -- What was removed before it was sealed stays in the queue, where it is found.
    join audit.event as e on e.organization_id = v_organization_id and e.id = u.event_id
    where u.organization_id = v_organization_id
    order by u.event_id
    limit seal_events.batch
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
begin
  -- Also of an erased one: its log stays.
  perform admin.known_organization(verify_chain.organization_id);
  return query
  select
    v.holds, v.verified_to, v.next_after, v.head, v.unsealed,
    (v.fault).code, (v.fault)."position", (v.fault).event_id, (v.fault).detail
  from audit.chain_verdict(
    verify_chain.organization_id, verify_chain.after, verify_chain.limit, verify_chain.kept_head
  ) as v;
end
$$;

comment on function admin.verify_chain(uuid, bigint, api.seal_count, api.chain_head) is
  'What audit.chain_verdict says of an organization, with the fault in the same row. Raises PT404 organization_not_found.';

grant execute on function admin.verify_chain(uuid, bigint, api.seal_count, api.chain_head) to leads_operator;
-- end frozen sql/admin/verify_chain.sql

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
        (p.expression = 'true' and p.role in ('leads_auth', 'leads_jobs', 'leads_audit', 'leads_eraser'))
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
        'using ((select auth.analyst_organization_id()) = organization_id);',
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
            = '(( SELECT auth.analyst_organization_id() AS analyst_organization_id) = organization_id)'
      )
  ),

  -- Each tenant table's changes are recorded, but for what is no business of the log, and the log itself.
  expected_trigger as (
    select
      t.oid, t.name as "table", '_900_record'::name as trigger, false as is_always,
      -- tgtype's bits: row 1, before 2, insert 4, delete 8, update 16. A new score is recorded with its lead.
      case t.name when 'scoring.score' then 1 | 8 else 1 | 4 | 8 | 16 end as type,
      -- An erasure writes an event of its own.
      case
        when t.name in ('app.lead', 'scoring.signal', 'scoring.score', 'crm.sync')
        then '(CURRENT_USER <> ''leads_eraser''::name)'
      end as condition
    from tenant_table as t
    where t.name not in ('app.idempotency_key', 'crm.attempt', 'audit.event', 'audit.unsealed', 'audit.seal')
    union all
    select t.oid, t.name, g.trigger, g.is_always, null, null
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
      ('audit.event', '_105_refuse_delete', true),
      ('audit.event', '_110_refuse_truncate', true),
      ('audit.event', '_120_check_erasure', true),
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
      and (
        t.tgtype & 31 <> e.type
        or e.condition is distinct from substring(pg_get_triggerdef(t.oid), ' WHEN \((.*)\) EXECUTE FUNCTION ')
        or t.tgattr::text <> ''
        or f.pronamespace <> 'audit'::regnamespace
      )
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
revoke create on schema audit from leads_audit, leads_eraser;
revoke create on schema crm from leads_jobs;
reset role;

do $$
begin
  execute format('revoke leads_audit, leads_eraser from %I', session_user);
end
$$;
