-- The audit log: what writes it, seals it, verifies it, and erases values in it.
--
-- Locks: none that matter; every object is new.
-- Duration: no rows exist yet.
-- Phase: baseline
-- If it breaks off: nothing is left behind; run leads migrate again.

do $$ begin execute format('grant leads_audit, leads_eraser to %I', session_user); end $$;

set local role leads_owner;
grant create on schema audit to leads_audit, leads_eraser;
grant create on schema crm to leads_jobs;
reset role;

-- begin frozen sql/audit/tg_refuse.sql
-- audit.tg_refuse - refuses a statement.
set local role leads_owner;

create or replace function audit.tg_refuse()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
begin
  raise sqlstate 'PT409' using
    message = 'refused',
    hint = format('%s on %I.%I is refused. %s', tg_op, tg_table_schema, tg_table_name, tg_argv[0]);
end $$;

comment on function audit.tg_refuse() is 'Trigger: raises PT409 refused. Argument: a sentence that says what to do instead.';

grant execute on function audit.tg_refuse() to leads_auth;
-- begin frozen sql/audit/is_migrating_login.sql
-- audit.is_migrating_login - tells whether the session's login is the one that runs the migrations.
set local role leads_audit;

create or replace function audit.is_migrating_login()
returns boolean language sql stable parallel safe
begin atomic
  select exists (
    select
    from pg_catalog.pg_auth_members as m
    join pg_catalog.pg_roles as granted on granted.oid = m.roleid
    join pg_catalog.pg_roles as login on login.oid = m.member
    where granted.rolname = 'leads_owner' and login.rolname = session_user
  );
end;

comment on function audit.is_migrating_login() is
  'Whether session_user is a member of leads_owner. Only the migrating login is: it grants itself the role.';
-- begin frozen sql/audit/write_event.sql
-- audit.write_event - writes an event to the audit log. No other function inserts one.
set local role leads_audit;

create or replace function audit.write_event(
  organization_id uuid,
  action text,
  lead_id uuid,
  about text
)
returns void language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  -- The actor comes from the proven key or from the login, never from a setting.
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
  insert into audit.event (
    id, organization_id, action, source, correlation_id, lead_id, payload, salt, payload_digest, created_at
  )
  values (
    v_id,
    write_event.organization_id,
    write_event.action,
    v_source,
    case when v_source = 'api' then nullif(left(current_setting('leads.request_id', true), 64), '') end,
    write_event.lead_id,
    v_payload::json,
    v_salt,
    sha256(v_salt || convert_to(v_payload, 'UTF8')),
    app.id_time(v_id)
  );
  insert into audit.unsealed (organization_id, event_id) values (write_event.organization_id, v_id);
end $$;

comment on function audit.write_event(uuid, text, uuid, text) is
$$Writes an event, with its actor and its source.

about: members of the payload, as JSON text without the braces. The source comes from the login: api for leads_api with a
proven key, worker for leads_worker, system for leads_operator and the migrating login, sql for every other login.
Only functions that leads_audit owns may execute it.$$;
-- begin frozen sql/app/utc_text.sql
-- app.utc_text - a time in the format of the API.
set local role leads_owner;

create or replace function app.utc_text(instant timestamptz)
returns text language sql stable parallel safe
begin atomic
  select to_char(instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
end;

comment on function app.utc_text(timestamptz) is
  'The time in UTC with milliseconds (RFC 3339), such as 2026-04-27T13:22:05.114Z, in any time zone of the session. Null '
  'for null.';

grant execute on function app.utc_text(timestamptz) to leads_exec, leads_jobs, leads_audit, leads_eraser;
-- begin frozen sql/audit/tg_record.sql
-- audit.tg_record - records every change of a row in the audit log, for tables that change seldom.
set local role leads_audit;

create or replace function audit.tg_record()
returns trigger language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
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
        -- 4 bytes show that the secret was replaced, and no more.
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
end $$;

comment on function audit.tg_record() is
$$Trigger: writes <entity>.created, .updated or .deleted with a diff of the row's columns; for a key also .rotated and .revoked.

Arguments: the name of the entity, the column that identifies the row, and columns that the diff leaves out. The diff always
leaves out organization_id, id and created_at. It shows the first 4 bytes of a digest or credential if it was replaced.
The function reads the row as JSON, which is slow: it is for tables that change seldom.$$;

grant execute on function audit.tg_record() to leads_owner, leads_auth;
-- begin frozen sql/audit/tg_lead__record.sql
-- audit.tg_lead__record - records every change of a lead in the audit log.
set local role leads_audit;

create or replace function audit.tg_lead__record()
returns trigger language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_is_scored boolean := tg_op = 'UPDATE' and new.score_id is distinct from old.score_id and new.score_id is not null;
  v_diff text;
begin
  -- The columns are written out because a loop over them costs three times as much. On INSERT, old
  -- is all null; on DELETE, new is.
  v_diff := concat_ws(
    ',',
    case when old.name is distinct from new.name then
      '"name":' || json_build_object('from', old.name, 'to', new.name) end,
    case when old.company is distinct from new.company then
      '"company":' || json_build_object('from', old.company, 'to', new.company) end,
    case when old.email is distinct from new.email then
      '"email":' || json_build_object('from', old.email, 'to', new.email) end,
    case when old.source is distinct from new.source then
      '"source":' || json_build_object('from', old.source, 'to', new.source) end,
    case when old.pipeline_stage is distinct from new.pipeline_stage then
      '"pipeline_stage":' || json_build_object('from', old.pipeline_stage, 'to', new.pipeline_stage) end,
    case when old.lead_score is distinct from new.lead_score then
      '"lead_score":' || json_build_object('from', old.lead_score, 'to', new.lead_score) end,
    case when old.industry is distinct from new.industry then
      '"industry":' || json_build_object('from', old.industry, 'to', new.industry) end,
    case when old.company_size is distinct from new.company_size then
      '"company_size":' || json_build_object('from', old.company_size, 'to', new.company_size) end,
    case when old.pain_points is distinct from new.pain_points then
      '"pain_points":' || json_build_object('from', old.pain_points, 'to', new.pain_points) end,
    case when old.timeline is distinct from new.timeline then
      '"timeline":' || json_build_object('from', old.timeline, 'to', new.timeline) end,
    case when old.budget_range is distinct from new.budget_range then
      '"budget_range":' || json_build_object('from', old.budget_range, 'to', new.budget_range) end,
    case when old.ai_reasoning is distinct from new.ai_reasoning then
      '"ai_reasoning":' || json_build_object('from', old.ai_reasoning, 'to', new.ai_reasoning) end,
    case when old.qualification_completed_at is distinct from new.qualification_completed_at then
      '"qualification_completed_at":' || json_build_object(
        'from', app.utc_text(old.qualification_completed_at), 'to', app.utc_text(new.qualification_completed_at)
      ) end
  );
  if tg_op = 'UPDATE' and v_diff = '' and not v_is_scored then
    return null;
  end if;

  perform audit.write_event(
    coalesce(new.organization_id, old.organization_id),
    case
      when v_is_scored then 'lead.scored'
      when tg_op = 'INSERT' then 'lead.created'
      when tg_op = 'UPDATE' then 'lead.updated'
      else 'lead.deleted'
    end,
    coalesce(new.id, old.id),
    concat(
      '"lead_id":"', coalesce(new.id, old.id), '"',
      case when v_is_scored then ',"score_id":"' || new.score_id || '"' end,
      ',"diff":{', v_diff, '}'
    )
  );
  return null;
end $$;

comment on function audit.tg_lead__record() is
$$Trigger: writes lead.created, lead.updated, lead.deleted or, if a model's score changed the lead, lead.scored.

The payload's diff has {"field": {"from": …, "to": …}} for each changed field: the fields of PATCH, and
qualification_completed_at.$$;

grant execute on function audit.tg_lead__record() to leads_owner;
-- begin frozen sql/audit/tg_signal__record.sql
-- audit.tg_signal__record - records every change of a signal in the audit log.
set local role leads_audit;

create or replace function audit.tg_signal__record()
returns trigger language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_diff text;
begin
  -- On INSERT, old is all null; on DELETE, new is.
  v_diff := concat_ws(
    ',',
    case when old.type is distinct from new.type then
      '"type":' || json_build_object('from', old.type, 'to', new.type) end,
    case when old.value is distinct from new.value then
      '"value":' || json_build_object('from', old.value, 'to', new.value) end,
    case when old.observed_at is distinct from new.observed_at then
      '"observed_at":' || json_build_object(
        'from', app.utc_text(old.observed_at), 'to', app.utc_text(new.observed_at)
      ) end,
    case when old.dedupe_key is distinct from new.dedupe_key then
      '"dedupe_key":' || json_build_object('from', old.dedupe_key, 'to', new.dedupe_key) end
  );
  if tg_op = 'UPDATE' and v_diff = '' then
    return null;
  end if;

  perform audit.write_event(
    coalesce(new.organization_id, old.organization_id),
    case tg_op when 'INSERT' then 'signal.created' when 'UPDATE' then 'signal.updated' else 'signal.deleted' end,
    coalesce(new.lead_id, old.lead_id),
    concat(
      '"lead_id":"', coalesce(new.lead_id, old.lead_id), '","signal_id":"', coalesce(new.id, old.id), '","diff":{',
      v_diff, '}'
    )
  );
  return null;
end $$;

comment on function audit.tg_signal__record() is
$$Trigger: writes signal.created, signal.updated or signal.deleted.

The payload's diff has {"field": {"from": …, "to": …}} for each changed field: type, value, observed_at and dedupe_key.$$;

grant execute on function audit.tg_signal__record() to leads_owner;
-- begin frozen sql/audit/tg_sync__record.sql
-- audit.tg_sync__record - records the request and the result of a push in the audit log.
set local role leads_audit;

create or replace function audit.tg_sync__record()
returns trigger language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
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
  -- Leases and delays are not recorded here: crm.attempt has them.
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
end $$;

comment on function audit.tg_sync__record() is
$$Trigger: writes lead.crm_push_requested, lead.crm_pushed, lead.crm_push_failed or lead.crm_push_skipped when the status changes.

The payload has vendor, external_id and attempts; for the last two events also error_code and the vendor's message.
crm_sync.updated and crm_sync.deleted record changes that no function of this schema makes.$$;

grant execute on function audit.tg_sync__record() to leads_owner;
-- begin frozen sql/audit/event_item.sql
-- audit.event_item - converts an event to the API's format.
set local role leads_owner;

create or replace function audit.event_item(
  id uuid,
  organization_id uuid,
  action text,
  source text,
  correlation_id text,
  payload json,
  created_at timestamptz
)
returns api.audit_event language sql stable parallel safe
begin atomic
  select row(id, organization_id, action, source, correlation_id, payload, app.utc_text(created_at))::api.audit_event;
end;

comment on function audit.event_item(uuid, uuid, text, text, text, json, timestamptz) is
  'The seven fields of an event, in the order of the body.';

grant execute on function audit.event_item(uuid, uuid, text, text, text, json, timestamptz) to leads_exec;
-- begin frozen sql/audit/event_etag.sql
-- audit.event_etag - computes the entity tag of an event.
set local role leads_owner;

create or replace function audit.event_etag(payload_digest bytea, salt bytea)
returns text language sql stable parallel safe
begin atomic
  -- An erasure removes the salt and keeps the digest.
  select '"' || encode(substr(payload_digest, 1, 8), 'hex') || case when salt is null then 'e' else '' end
    || '.' || api.schema_version() || '"';
end;

comment on function audit.event_etag(bytea, bytea) is
  'A strong entity tag (RFC 9110, section 8.8.3). It changes when the event''s values are erased.';

grant execute on function audit.event_etag(bytea, bytea) to leads_exec;
-- begin frozen sql/audit/erased_payload.sql
-- audit.erased_payload - replaces the personal values in an event's payload.
set local role leads_owner;

create or replace function audit.erased_payload(payload json)
returns json language sql immutable parallel safe
begin atomic
  select ('{' || string_agg(to_json(m.key)::text || ':' || left_over.value, ',' order by m.number) || '}')::json
  from json_each(erased_payload.payload) with ordinality as m (key, value, number)
  cross join lateral (
    select
      case
        when m.value::text = 'null' then 'null'
        -- Our own ids, the actor, and the result of a push.
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
$$The payload with {"erased": true} in place of each value that may identify a person. The order of the members is kept.

These values stay: our own ids, the actor, a push's vendor, attempts and error_code, and in the diff lead_score,
pipeline_stage, source and times. The result for an erased payload is the same payload.$$;

-- audit.chain_verdict calls it with the rights of its own callers.
grant execute on function audit.erased_payload(json) to leads_eraser, leads_exec, leads_jobs;
-- begin frozen sql/audit/tg_event__check_erasure.sql
-- audit.tg_event__check_erasure - allows an event to be erased, and refuses every other change.
set local role leads_owner;

create or replace function audit.tg_event__check_erasure()
returns trigger language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
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
end $$;

comment on function audit.tg_event__check_erasure() is
$$Trigger: allows an update only if it sets payload to audit.erased_payload(payload) and salt to null, and nothing else.

Raises PT409 refused.$$;
-- begin frozen sql/audit/record_erasure.sql
-- audit.record_erasure - writes the event that records an erasure.
set local role leads_audit;

create or replace function audit.record_erasure(organization_id uuid, lead_id uuid, about text)
returns void language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  perform audit.write_event(
    record_erasure.organization_id,
    case when record_erasure.lead_id is null then 'organization.erased' else 'lead.erased' end,
    record_erasure.lead_id,
    record_erasure.about
  );
end $$;

comment on function audit.record_erasure(uuid, uuid, text) is
$$Writes the event lead.erased; if lead_id is null, organization.erased. Only the erasing functions call it.

about: members of the payload, in the format of audit.write_event. The member "erased" lists each erased event with the
SHA-256 of the payload that remains; audit.chain_verdict accepts no other erased payload.$$;

grant execute on function audit.record_erasure(uuid, uuid, text) to leads_eraser;
-- begin frozen sql/crm/copies.sql
-- crm.copies - the records of a lead in the CRMs.
set local role leads_jobs;

create or replace function crm.copies(organization_id uuid, lead_id uuid)
returns json language sql stable security invoker
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

external_id: the record's id; null: unknown. may_have_made: calls that may have created a record.$$;

grant execute on function crm.copies(uuid, uuid) to leads_eraser;
-- begin frozen sql/audit/erase_events.sql
-- audit.erase_events - erases the personal values in events, and lists the new payloads' digests.
set local role leads_eraser;

create or replace function audit.erase_events(organization_id uuid, lead_id uuid)
returns text[] language plpgsql volatile security invoker set search_path = pg_catalog, pg_temp
as $$
declare
  v_event record;
  v_items text[] := '{}';
begin
  for v_event in
    select
      e.id,
      e.created_at,
      p.payload,
      e.payload_digest = sha256(e.salt || convert_to(e.payload::text, 'UTF8')) as is_as_written
    from audit.event as e
    cross join lateral (select audit.erased_payload(e.payload) as payload offset 0) as p
    where
      e.organization_id = erase_events.organization_id
      and (e.lead_id = erase_events.lead_id or erase_events.lead_id is null)
      and e.salt is not null
      -- Events about an erasure contain no personal values.
      and e.action not in ('lead.erased', 'organization.erased')
      and p.payload::text <> e.payload::text
    order by e.id
  loop
    update audit.event as e
    set payload = v_event.payload, salt = null
    where
      e.organization_id = erase_events.organization_id
      and e.id = v_event.id
      and e.created_at = v_event.created_at;
    -- An event that was tampered with is not listed, so that the verification still reports it.
    continue when not v_event.is_as_written;
    v_items := v_items || format(
      '{"event_id":"%s","digest":"%s"}', v_event.id, encode(sha256(convert_to(v_event.payload::text, 'UTF8')), 'hex')
    );
  end loop;
  return v_items;
end $$;

comment on function audit.erase_events(uuid, uuid) is
$$Erases the personal values in a lead's events; if lead_id is null, in all events of the organization.

Returns a JSON text {"event_id": …, "digest": …} for each event that it changed, except for events whose payload had been
tampered with. digest: the SHA-256 of the payload that remains, in hexadecimal digits.$$;
-- begin frozen sql/audit/erase_lead.sql
-- audit.erase_lead - erases a lead: its rows, and its values in other rows.
set local role leads_eraser;

create or replace function audit.erase_lead(organization_id uuid, lead_id uuid)
returns table (wait_seconds numeric, rows_gone bigint, events bigint, copies json)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
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
  -- The locks make a concurrent change either commit before the erasure or find no lead.
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
    -- A worker is calling the vendor. Its result, a record to list as a copy, is known soon.
    return query select round(extract(epoch from v_until - clock_timestamp()), 3), 0::bigint, 0::bigint, null::json;
    return;
  end if;

  v_copies := crm.copies(v_organization_id, v_lead_id);
  -- Explicit deletes instead of cascades: a cascade runs as the table's owner, and the audit
  -- triggers would then record all values.
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
end $$;

comment on function audit.erase_lead(uuid, uuid) is
$$Erases a lead, even one that was deleted before. A second call changes nothing.

It deletes the lead with its signals, scores, pushes and attempts, replaces the values in its events by {"erased": true},
sets kept answers to null, and writes the event lead.erased.
wait_seconds: if it is greater than 0, nothing was done because a push holds a lease for that many seconds; call again then.
rows_gone: the number of rows that were deleted or emptied. events: the number of events whose values were erased. copies:
the records at CRMs, as crm.copies returned them before.$$;

grant execute on function audit.erase_lead(uuid, uuid) to leads_jobs;
-- begin frozen sql/audit/erase_organization.sql
-- audit.erase_organization - erases an organization's data after its leads are erased.
set local role leads_eraser;

create or replace function audit.erase_organization(organization_id uuid)
returns bigint language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  v_organization_id uuid := erase_organization.organization_id;
  v_now timestamptz := date_trunc('milliseconds', clock_timestamp());
  v_items text[];
begin
  perform from app.organization as o where o.organization_id = v_organization_id for update;
  if exists (select from app.lead as l where l.organization_id = v_organization_id) then
    raise sqlstate 'PT409' using
      message = 'leads_left', hint = 'New leads arrived during the erasure. Run the command again: leads erase --organization ID';
  end if;
  delete from app.idempotency_key as k where k.organization_id = v_organization_id;
  delete from scoring.model as m where m.organization_id = v_organization_id;
  delete from app.pipeline_stage as p where p.organization_id = v_organization_id;
  update app.organization as o
  set name = null, erased_at = v_now
  where o.organization_id = v_organization_id and o.erased_at is null;

  -- This includes the events that the statements above wrote.
  v_items := audit.erase_events(v_organization_id, null);
  if cardinality(v_items) > 0 then
    perform audit.record_erasure(
      v_organization_id, null, concat('"organization":"', v_organization_id, '","erased":[', array_to_string(v_items, ','), ']')
    );
  end if;
  return cardinality(v_items);
end $$;

comment on function audit.erase_organization(uuid) is
$$Erases an organization whose leads are already erased. Returns the number of events that were changed.

It deletes the stages, models, kept answers and the name, erases the values in all events, and writes the event
organization.erased. The id, the log and its seals are kept.
Raises PT409 leads_left if the organization has leads.$$;

grant execute on function audit.erase_organization(uuid) to leads_jobs;
-- begin frozen sql/audit/event_hash.sql
-- audit.event_hash - computes the hash of one event, which its seal includes.
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
returns bytea language sql stable parallel safe
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
$$The SHA-256 of an event: 32 bytes.

The input is a JSON array in UTF-8, in the format of Python's json.dumps(…, ensure_ascii=False): the position in the chain,
id, organization_id, action, source, correlation_id, lead_id, payload_digest as hexadecimal digits, created_at.
The array has the payload's digest and not the payload, so that values can be erased while the chain stays valid.$$;

grant execute on function audit.event_hash(bigint, uuid, uuid, text, text, text, uuid, bytea, timestamptz)
to leads_exec, leads_jobs;
-- begin frozen sql/audit/chain_verdict.sql
-- audit.chain_verdict - verifies a part of a chain, and names the first event that fails.
set local role leads_owner;

create or replace function audit.chain_verdict(
  organization_id uuid,
  after bigint,
  "limit" integer,
  head api.chain_head default null
)
returns api.chain_verdict language plpgsql stable security invoker
set search_path = pg_catalog, pg_temp set jit = off
-- Without statistics the planner expects few seals, and would sort all of them for a page.
set enable_sort = off
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
  select count(*) into v_unsealed
  from (select from audit.unsealed as u where u.organization_id = v_organization_id limit 10000) as u;

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
        s.position, s.event_id, s.event_hash, s.hash, s.created_at,
        chain_verdict.after + row_number() over chain as expected_position,
        coalesce(lag(s.hash) over chain, v_before.hash, sha256(uuid_send(v_organization_id))) as hash_before
      from audit.seal as s
      where
        s.organization_id = v_organization_id
        and s.position > chain_verdict.after
        and s.position <= v_last.position
      window chain as (order by s.position, s.event_id)
    ),
    sealed as materialized (
      select
        p.position, p.event_id, p.expected_position, e.lead_id, e.id is not null as is_there,
        (
          p.hash = sha256(p.hash_before || p.event_hash)
          and p.event_hash = audit.event_hash(
            p.position, e.id, e.organization_id, e.action, e.source, e.correlation_id, e.lead_id, e.payload_digest,
            e.created_at
          )
        ) as is_chained,
        e.payload_digest as written, sha256(coalesce(e.salt, '') || convert_to(e.payload::text, 'UTF8')) as present,
        e.salt, e.payload
      from page as p
      left join audit.event as e
        on e.organization_id = v_organization_id and e.id = p.event_id and e.created_at = p.created_at
    ),
    telling as (
      select e.*
      from (select distinct s.lead_id from sealed as s where s.present is distinct from s.written) as l
      join audit.event as e
        on e.organization_id = v_organization_id and e.lead_id = l.lead_id and e.action = 'lead.erased'
      union all
      -- This event lists events of all leads, so it is read once and not once for each lead.
      select e.*
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and e.lead_id is null
        and e.action = 'organization.erased'
        and exists (select from sealed as s where s.present is distinct from s.written)
    ),
    -- The digests of erased payloads, which a lead.erased or organization.erased event lists.
    listed as materialized (
      select (i.item ->> 'event_id')::uuid as event_id, decode(i.item ->> 'digest', 'hex') as digest
      from telling as e
      cross join lateral json_array_elements(e.payload -> 'erased') as i (item)
      where
        e.payload_digest = sha256(e.salt || convert_to(e.payload::text, 'UTF8'))
        and (
          exists (
            select
            from audit.seal as s
            where s.organization_id = v_organization_id and s.event_id = e.id and s.created_at = e.created_at
          )
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
              -- The payload must also have the form that an erasure leaves.
              or s.salt is not null
              or audit.erased_payload(s.payload)::text <> s.payload::text
            )
            then 'payload_mismatch'
        end as code
    ) as f
    where f.code is not null
    order by s.position, s.event_id
    limit 1;

    if v_fault.code = 'seal_missing' then
      v_fault.event_id := null;
      v_fault.position := (
        select coalesce(max(s.position), chain_verdict.after) + 1
        from audit.seal as s
        where s.organization_id = v_organization_id and s.position < v_fault.position
      );
    elsif v_fault.code is null then
      -- Events without a seal. The search starts after the previous part's last event, so that
      -- consecutive parts cover every event.
      select e.id
      into v_fault.event_id
      from audit.event as e
      where
        e.organization_id = v_organization_id
        and (v_before.position is null or e.id > v_before.event_id)
        and (v_before.position is null or e.created_at >= v_before.created_at)
        and (v_is_end or e.id <= v_last.event_id)
        and (v_is_end or e.created_at <= v_last.created_at)
        and not exists (
          select
          from audit.seal as s
          where s.organization_id = v_organization_id and s.event_id = e.id and s.created_at = e.created_at
        )
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
          and not exists (
            select
            from audit.event as e
            where
              e.organization_id = v_organization_id
              and e.id = u.event_id
              and e.created_at = app.id_time(u.event_id)
          )
        order by u.event_id
        limit 1;
        if found then
          v_fault.code := 'event_missing';
        end if;
      end if;
    end if;
  end if;

  v_fault.detail := case v_fault.code
    when 'head_mismatch' then 'The chain that the head was taken from isn''t this one: seals were removed or written again.'
    when 'seal_missing' then 'There is no seal at this position: it was removed, or there never was one.'
    when 'event_missing' then 'The event was removed from the log, or its id or its time was changed.'
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
end $$;

comment on function audit.chain_verdict(uuid, bigint, integer, api.chain_head) is
$$Verifies up to "limit" seals after a position, and the events that they seal. Reports the first fault.

after: the position of the last seal that was verified before; 0 starts at the beginning of the chain. "limit": a number of
seals. head: a head that was exported earlier and kept elsewhere, which the chain must still contain; null: none.
Runs with the caller's rights, so row-level security applies.$$;

grant execute on function audit.chain_verdict(uuid, bigint, integer, api.chain_head) to leads_exec, leads_jobs;
-- begin frozen sql/audit/event.policies.sql
-- audit.event - the policies of the audit log.
set local role leads_owner;
call app.drop_policies('audit.event');

create policy event_exec_select on audit.event for select to leads_exec
  using (organization_id = (select auth.organization_id('read')));

-- Only the trigger functions run as leads_audit. The organization comes from the changed row.
create policy event_audit_insert on audit.event for insert to leads_audit with check (true);

-- admin.seal_events, admin.verify_chain
create policy event_jobs_select on audit.event for select to leads_jobs using (true);

create policy event_bi_select on audit.event for select to leads_bi
  using (organization_id = (select auth.analyst_organization_id()));

-- Restrictive, so that no policy that is added later can show more. The operands are swapped, so
-- that the planner keeps two conditions. With two, EXPLAIN ANALYZE always runs both subselects, not
-- only after a row of any organization has passed the analyst's conditions.
create policy event_bi_all on audit.event as restrictive for all to leads_bi
  using ((select auth.analyst_organization_id()) = organization_id);

-- leads erase
create policy event_eraser_select on audit.event for select to leads_eraser using (true);
create policy event_eraser_update on audit.event for update to leads_eraser using (true) with check (true);
-- begin frozen sql/audit/event.triggers.sql
-- audit.event - the triggers that make the audit log append-only.
set local role leads_owner;
call app.drop_triggers('audit.event');

-- A statement trigger, so that a role that sees no row gets the error too. _120_check_erasure
-- checks each row of the one exception, an erasure.
create trigger _100_refuse_change before update on audit.event
  for each statement when (current_user <> 'leads_eraser')
  execute function audit.tg_refuse('The audit log is append-only: write a new event instead.');

create trigger _105_refuse_delete before delete on audit.event
  for each statement execute function audit.tg_refuse('The audit log is append-only: write a new event instead.');

create trigger _110_refuse_truncate before truncate on audit.event
  for each statement execute function audit.tg_refuse('The audit log is append-only: write a new event instead.');

create trigger _120_check_erasure before update on audit.event
  for each row execute function audit.tg_event__check_erasure();

-- ALWAYS: the triggers fire even if session_replication_role is replica.
alter table audit.event enable always trigger _100_refuse_change;
alter table audit.event enable always trigger _105_refuse_delete;
alter table audit.event enable always trigger _110_refuse_truncate;
alter table audit.event enable always trigger _120_check_erasure;
-- begin frozen sql/audit/event.grants.sql
-- audit.event - the privileges on the audit log.
set local role leads_owner;
revoke all on audit.event from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on audit.event to leads_exec;
-- admin.seal_events, admin.verify_chain
grant select on audit.event to leads_jobs;
grant insert (
  id, organization_id, action, source, correlation_id, lead_id, payload, salt, payload_digest, created_at
) on audit.event to leads_audit;
-- The columns that the views of schema bi read. Analysts have no USAGE on schema audit.
grant select (
  id, organization_id, action, source, correlation_id, lead_id, payload, created_at, stage_left, stage_entered
) on audit.event to leads_bi;

-- leads erase. The trigger _120_check_erasure checks every update.
grant
  select (organization_id, id, action, lead_id, payload, salt, payload_digest, created_at),
  update (payload, salt)
on audit.event to leads_eraser;
-- begin frozen sql/audit/unsealed.policies.sql
-- audit.unsealed - the policies of the queue of events without a seal.
set local role leads_owner;
call app.drop_policies('audit.unsealed');

create policy unsealed_exec_select on audit.unsealed for select to leads_exec
  using (organization_id = (select auth.organization_id('admin')));

-- audit.write_event
create policy unsealed_audit_insert on audit.unsealed for insert to leads_audit with check (true);

-- admin.seal_events, admin.verify_chain
create policy unsealed_jobs_select on audit.unsealed for select to leads_jobs using (true);
create policy unsealed_jobs_delete on audit.unsealed for delete to leads_jobs using (true);
-- begin frozen sql/audit/unsealed.triggers.sql
-- audit.unsealed - the trigger that protects the queue of events without a seal.
set local role leads_owner;
call app.drop_triggers('audit.unsealed');

create trigger _100_refuse_truncate before truncate on audit.unsealed
  for each statement execute function audit.tg_refuse('An event that leaves the queue without a seal never gets one.');
-- begin frozen sql/audit/unsealed.grants.sql
-- audit.unsealed - the privileges on the queue of events without a seal.
set local role leads_owner;
revoke all on audit.unsealed from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on audit.unsealed to leads_exec;
grant insert on audit.unsealed to leads_audit;
grant select, delete on audit.unsealed to leads_jobs;
-- begin frozen sql/audit/seal.policies.sql
-- audit.seal - the policies of the seals.
set local role leads_owner;
call app.drop_policies('audit.seal');

create policy seal_exec_select on audit.seal for select to leads_exec
  using (organization_id = (select auth.organization_id('admin')));

-- admin.seal_events, admin.verify_chain
create policy seal_jobs_select on audit.seal for select to leads_jobs using (true);
create policy seal_jobs_insert on audit.seal for insert to leads_jobs with check (true);
-- begin frozen sql/audit/seal.triggers.sql
-- audit.seal - the triggers that make the seals append-only.
set local role leads_owner;
call app.drop_triggers('audit.seal');

create trigger _100_refuse_change before update or delete on audit.seal
  for each statement execute function audit.tg_refuse('The chain is append-only.');

create trigger _110_refuse_truncate before truncate on audit.seal
  for each statement execute function audit.tg_refuse('The chain is append-only.');

-- ALWAYS: the triggers fire even if session_replication_role is replica.
alter table audit.seal enable always trigger _100_refuse_change;
alter table audit.seal enable always trigger _110_refuse_truncate;
-- begin frozen sql/audit/seal.grants.sql
-- audit.seal - the privileges on the seals.
set local role leads_owner;
revoke all on audit.seal from leads_auth, leads_exec, leads_jobs, leads_audit, leads_eraser, leads_bi, leads_api, leads_worker, leads_operator;

grant select on audit.seal to leads_exec;
grant select, insert (organization_id, position, event_id, event_hash, hash, created_at) on audit.seal to leads_jobs;
-- begin frozen sql/audit/create_partitions.sql
-- audit.create_partitions - creates a year's partitions of the audit log and its seals.
set local role leads_owner;

create or replace function audit.create_partitions(year integer)
returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '2s'
as $$
declare
  v_table text;
  v_partition text;
  v_column name;
begin
  foreach v_table in array array['event', 'seal'] loop
    v_partition := v_table || '_' || create_partitions.year;
    continue when to_regclass('audit.' || v_partition) is not null;
    -- Of two sessions, the second waits here, and then finds the partition.
    execute format('lock table audit.%I in share update exclusive mode', v_table);
    continue when to_regclass('audit.' || v_partition) is not null;

    -- Not CREATE TABLE … PARTITION OF, which would block every reader and writer of the log.
    execute format(
      'create table audit.%I (like audit.%I including defaults including generated including constraints '
      'including indexes including storage)',
      v_partition, v_table
    );
    if v_table = 'seal' then
      execute format(
        'alter table audit.%I add constraint %I unique (organization_id, position)',
        v_partition, v_partition || '_position_is_unique'
      );
    end if;
    -- Without a policy nobody reads or writes the partition by its own name, its owner included.
    execute format('alter table audit.%I enable row level security, force row level security', v_partition);
    for v_column in
      select a.attname
      from pg_catalog.pg_attribute as a
      where a.attrelid = to_regclass('audit.' || v_partition) and a.attnum > 0
    loop
      execute format('alter table audit.%I alter column %I set statistics 0', v_partition, v_column);
    end loop;
    -- A statement on the partition fires only the partition's own statement triggers.
    execute format(
      'create trigger _100_refuse_change before update or delete or truncate on audit.%I '
      'for each statement execute function audit.tg_refuse(%L)',
      v_partition, format('Use audit.%s, which is append-only.', v_table)
    );
    execute format('alter table audit.%I enable always trigger _100_refuse_change', v_partition);
    execute format(
      'comment on table audit.%I is %L',
      v_partition, format('The rows of audit.%s of the year %s in UTC.', v_table, create_partitions.year)
    );
    execute format(
      'alter table audit.%I attach partition audit.%I for values from (%L) to (%L)',
      v_table, v_partition,
      create_partitions.year || '-01-01 00:00:00Z', create_partitions.year + 1 || '-01-01 00:00:00Z'
    );
  end loop;
end $$;

comment on function audit.create_partitions(integer) is
$$Creates the partitions of audit.event and audit.seal for a year in UTC, unless they exist.

A partition has what PostgreSQL does not copy from the parent: row-level security, statistics 0 on every column, and a
trigger that refuses UPDATE, DELETE and TRUNCATE by the partition's name. Raises 55P03 if a lock cannot be had in 2 seconds.$$;

grant execute on function audit.create_partitions(integer) to leads_jobs;
-- end frozen

set local role leads_owner;
revoke create on schema audit from leads_audit, leads_eraser;
revoke create on schema crm from leads_jobs;
reset role;
do $$ begin execute format('revoke leads_audit, leads_eraser from %I', session_user); end $$;
