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
  -- The id of the request and, after a space, its trace id if it has one (auth.enter); or the file that an operator imports
  -- (admin.import_leads).
  v_request text := case v_source
    when 'api' then current_setting('leads.request_id', true)
    when 'system' then current_setting('leads.import', true)
  end;
  v_trace_id text := case when strpos(v_request, ' ') > 0 then substring(v_request, ' ([0-9a-f]{32})$') end;
  v_payload text := concat(
    '{', write_event.about, ',"key_id":', coalesce(to_json(v_key_id)::text, 'null'),
    case when v_key_id is null then ',"role":' || to_json(session_user::text) end,
    ',"trace_id":"' || v_trace_id || '"',
    '}'
  );
  v_salt bytea := uuid_send(gen_random_uuid());
  v_id uuid := app.new_id();
begin
  -- Every change writes an event, so that nobody changes what another cell has, or will have. auth.key_id checks a request.
  if v_key_id is null then
    if exists (
      select
      from app.placement as f
      where
        f.organization_id = write_event.organization_id
        and f.is_fenced
        -- A worker settles what it had leased before the fence.
        and not (f.state = 'moving' and session_user = 'leads_worker')
    )
    then
      if exists (
        select
        from app.placement as p
        where
          p.organization_id = write_event.organization_id
          and p.state in ('moved', 'arriving')
          and p.changed_in = pg_current_xact_id_if_assigned()
      )
      then
        return;
      end if;
      perform audit.check_placement(write_event.organization_id);
    end if;
  end if;

  insert into audit.event (
    id, organization_id, action, source, correlation_id, lead_id, payload, salt, payload_digest, created_at
  )
  values (
    v_id,
    write_event.organization_id,
    write_event.action,
    v_source,
    nullif(left(split_part(v_request, ' ', 1), 64), ''),
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
proven key, worker for leads_worker, system for leads_operator and the migrating login, sql for every other login. The payload
of a request with a trace id has it as its last member, trace_id. Raises PT503 moving, PT409 moved and arriving: see
audit.check_placement. Rows that come or go with a move are not recorded.
Only functions that leads_audit owns may execute it.$$;
